"""Flask's own session cookie, read once and upgraded (`core.legacy` says what that means).

Flask calls its session interface at two places that suffice: `open_session` comes before any view,
so a request that is unsafe is upgraded there, and `once` finds a session like any other;
`save_session` comes before anything of the answer is written, so there a request that only reads is
upgraded if its view has changed the session. The new cookie has the name of the old one and takes
its place in the browser. The two cannot be confused: ours is 22 characters without a dot.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from flask.sessions import SecureCookieSessionInterface
from itsdangerous import BadData
from itsdangerous.encoding import base64_decode

from ..core.cookie import read_cookie
from ..core.legacy import Old, adopt, limit, look
from ..core.ops import Flow, Lane, Op, Opened, Pause, Paused
from ..drive import Talk, advance
from ..setup import performing
from ..visit import Visit
from ..wsgi import KEY
from .settings import Settings
from .visits import FlaskVisit, dump

if TYPE_CHECKING:
    from flask import Flask

T = TypeVar("T")

ALONE: Final = "seeother.session"  # where the settings are of an app with our interface alone
FLASKS: Final = SecureCookieSessionInterface()


class Upgrade:
    """One request that came with an old cookie."""

    def __init__(self, old: Old, visit: FlaskVisit, settings: Settings) -> None:
        self._old, self._visit, self._settings = old, visit, settings
        self._opened: Opened | None = None

    def begin(self) -> None:
        """Before the view: what the cookie stands for is the session."""
        visit = self._visit
        if visit.greeting.unsafe:
            self._adopt()
        else:
            self._opened = self._driven(look(self._old))
        rows = self._old.rows if self._opened is None else self._opened.session
        visit._opened = replace(visit._opened, session=rows)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        self._name_it()

    def end(self) -> None:
        """After the view: what it changed is about to be written."""
        visit = self._visit
        changed = visit.touched or visit.session.rotated or bool(visit.session.changes())
        if changed and self._opened is None:
            self._adopt()
            self._name_it()

    def _adopt(self) -> None:
        self._opened = self._driven(adopt(self._old, self._settings.policy.patience))

    def _name_it(self) -> None:
        """From here on the visit writes to the heir, and its cookie goes out with the answer."""
        if self._opened is not None:
            self._visit.greeting = replace(self._visit.greeting, sid=self._old.heir)
            self._visit.touched = True

    def _driven(self, flow: Flow[T]) -> T:
        perform = performing(self._settings.store.perform, self._settings.policy)

        def answer(op: Op[Any]) -> Any:
            return _paused(op) if isinstance(op, Pause) else perform(op)

        talk = Talk(flow)
        advance(talk, answer, Lane.LOOP)
        return talk.value


def upgrade_of(app: Flask, visit: Visit) -> Upgrade | None:
    """What is to be done about the old cookie of a request, if there is one: begun."""
    state = app.extensions.get(KEY)
    settings = app.extensions.get(ALONE) if state is None else state.settings
    if not isinstance(visit, FlaskVisit) or settings is None or visit.greeting.sid is not None:
        return None
    old = _read(app, visit)
    if old is None:
        return None
    upgrade = Upgrade(old, visit, settings)
    upgrade.begin()
    return upgrade


def _read(app: Flask, visit: FlaskVisit) -> Old | None:
    """The old cookie, if it is whole and not too old; Flask's secrets, also those of before."""
    lines = [value for key, value in visit.greeting.request.headers if key == b"cookie"]
    cookie = read_cookie(lines, visit.style.name.encode())
    serializer: Any = FLASKS.get_signing_serializer(app) if cookie else None
    if cookie is None or serializer is None:
        return None
    seconds = limit(app.permanent_session_lifetime.total_seconds(), visit.policy)
    try:
        values: object = serializer.loads(cookie, max_age=int(seconds))
    except (BadData, ValueError):
        return None
    if not isinstance(values, dict):
        return None
    items = cast("dict[str, Any]", values).items()
    signed, _, signature = cookie.rpartition(b".")
    return Old.of(signed, base64_decode(signature), tuple((k, dump(v)) for k, v in items))


def _paused(op: Pause) -> Paused:
    seconds = min(op.nap, op.limit)
    time.sleep(seconds)
    return Paused(seconds)
