"""Who runs a view: the guard around Flask's dispatch.

It stands between the hooks and the view: whatever `before_request` does (sign in, refuse, redirect)
happens first and is no submission; `after_request` comes later and cannot change the outcome. A
form that comes with POST is a submission; in mode hooked or separate the guard claims it, in joined
and fenced `once` does.

An exception of the view is seen here before an error handler makes a page of it, so that it counts
as what it is. In mode separate an HTTP error that is raised (`abort(404)`) is an answer like one
that is returned; everywhere else what is raised undoes what was not committed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from werkzeug.exceptions import HTTPException

from ..core.body import is_form
from ..core.flows import Answer, submission
from ..core.ops import Handle
from ..core.origin import SAFE_METHODS
from ..core.policy import Mode
from ..core.values import Handled, Response
from ..errors import PolicyError, SeeOtherError
from ..setup import performing
from .answers import apply, core_response, flask_response
from .visits import FlaskVisit

if TYPE_CHECKING:
    from flask import Flask
    from flask.wrappers import Response as FlaskResponse

    from .extension import State

ONCE: Final = "__seeother_once__"
BY_ONCE: Final[tuple[Mode, ...]] = ("joined", "fenced")
View = Callable[[], Any]


class Run:
    """One view inside one submission: its response, kept apart from what is recorded of it."""

    def __init__(self, app: Flask, visit: FlaskVisit, view: View, *, catches: bool) -> None:
        self.app, self.visit = app, visit
        self._view, self._catches = view, catches
        self.response: FlaskResponse | None = None

    def __call__(self, _op: Handle | None = None) -> Handled:
        """Run it."""
        return self.visit.handled(self.core())

    def core(self) -> Response:
        """Run it, and return its answer as the core sees it."""
        self.visit.running_view = True
        self.response = self.app.make_response(self._returned())
        return core_response(self.response)

    def _returned(self) -> Any:
        try:
            return self._view()
        except HTTPException as error:
            if not self._catches:
                raise
            return self.app.handle_user_exception(error)

    def answered(self, answer: Answer) -> FlaskResponse:
        """The answer for the client; what the view left in its visit is written."""
        visit = self.visit
        visit.running_view = False
        visit.settled, visit.word = answer.cookies, answer.word
        if answer.handled is None or self.response is None:
            if self.response is not None:  # it ran, and somebody else's outcome counts
                visit.forget()
            return flask_response(visit.complete(answer.response), self.app)
        if answer.word == "undone":
            visit.forget()
        else:
            visit.wrote()
        apply(answer.response, self.response)
        return self.response

    def refused(self, error: SeeOtherError) -> FlaskResponse:
        """Nothing took effect; what the view left in its visit goes with it."""
        self.visit.running_view = False
        self.visit.forget()
        self.visit.word = error.reason
        return flask_response(self.visit.refusal(error), self.app)


def claims(state: State, visit: FlaskVisit, view: object, method: str) -> bool:
    """Is this a submission that the guard claims?"""
    form = visit.entry is not None and is_form(visit.greeting.request)
    return form and state.settings.mode not in BY_ONCE and not is_once(view, method)


def is_once(view: object, method: str) -> bool:
    """Is `once` on this view, or on this method of its class?

    Decorators outside of it are seen through if they use `functools.wraps`.
    """
    of_class = getattr(getattr(view, "view_class", None), method.lower(), None)
    return hasattr(view, ONCE) or hasattr(of_class, ONCE)


def submits(app: Flask) -> bool:
    """Has this app a view for the guard: one that a form may be sent to, and no `once` on it?"""
    return any(
        not is_once(app.view_functions.get(rule.endpoint), method)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or {"POST"}) - SAFE_METHODS
    )


def guarded(state: State, visit: FlaskVisit, view: View) -> FlaskResponse:
    """Run a view as a submission in the app's own mode (hooked or separate)."""
    app, settings, entry = state.app, state.settings, visit.entry
    assert entry is not None
    visit.running = entry.key
    if settings.mode == "hooked":
        from .hooked import hooked  # noqa: PLC0415 - SQLAlchemy is an extra

        return hooked(state, visit, view)
    run = Run(app, visit, view, catches=True)
    perform = performing(settings.store.perform, settings.policy)
    try:
        flow = submission(entry, settings.policy, "separate")
        return run.answered(state.outer.driver.run(flow, perform, run))
    except PolicyError:
        raise
    except SeeOtherError as error:
        return run.refused(error)
