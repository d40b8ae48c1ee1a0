"""Flask-Login beside us: who is signed in, and what happens when somebody signs in or out.

Nothing of Flask-Login is imported unless the app has a `LoginManager`. Its user id is what drafts
are bound to (`Visit.principal`); it is asked for where a draft is given or opened and nowhere else,
so a page without one loads no user.

At `login_user` and `logout_user` the session goes on under a new id, as Django's does: whoever
knows the id of before, or has planted it, is nobody afterwards (security rule 1). At a sign-out,
and when another user signs in, the browser becomes a new visitor, for whom nothing waits (rule 4).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from flask import current_app, has_request_context, request

from ..wsgi import KEY
from .visits import FlaskVisit, session_of

if TYPE_CHECKING:
    from flask import Flask


def user_id() -> str | None:
    """The id of Flask-Login's user; None where nobody is signed in, or Flask-Login is not there."""
    if not has_request_context() or not hasattr(current_app, "login_manager"):
        return None
    user = import_module("flask_login").current_user
    return str(user.get_id()) if user.is_authenticated else None


def watch(app: Flask) -> None:
    """Hear of sign-ins and sign-outs of this app; called once, at its first request."""
    if hasattr(app, "login_manager"):
        signals = import_module("flask_login.signals")
        signals.user_logged_in.connect(_signed_in, app)
        signals.user_logged_out.connect(_signed_out, app)


def _signed_in(_app: Flask, user: Any, **_facts: Any) -> None:
    """Another user than before is another visitor."""
    visit = _moved()
    if visit is not None and visit.opened_for not in (None, str(user.get_id())):
        visit.renew()


def _signed_out(_app: Flask, user: Any, **_facts: Any) -> None:
    """Somebody has gone; what waits in this browser was his."""
    visit = _moved()
    if visit is not None and user.is_authenticated:
        visit.renew()


def _moved() -> FlaskVisit | None:
    """The visit, whose session goes on under another id."""
    visit = request.environ.get(KEY) if has_request_context() else None
    if not isinstance(visit, FlaskVisit):
        return None
    if not visit.session_is_new:
        session_of(visit).rotate()
    return visit
