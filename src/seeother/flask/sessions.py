"""`flask.session` and `flask.flash` on a visit.

The session object has no state of its own: it is a view of the visit's session, so it stays true
after a submission was undone. One key of it is none: under `_flashes` Flask keeps its messages,
here they are the visit's. `flash()` reads the list, adds to it and puts it back; putting it back
leaves the messages for the page behind the redirect. `get_flashed_messages()` pops it; popping it
takes what waits for this page. What comes from neither (a test that prepares messages, a message
for a first visit) is kept in the session itself and shown with the others.

`SeeOtherSessionInterface` finds the visit that `SeeOther(app)` put into the environ. Alone it makes
one itself, and surrounds the request from `open_session` to `save_session`: sessions that merge,
messages bound to their redirect, 303 after a POST. What needs to stand around the app (tokens,
submissions that happen once) it cannot do. The same way it opens the session of a test client.

A cookie that Flask's own interface has signed is read once and upgraded (`legacy`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

from flask.sessions import SessionInterface, SessionMixin

from ..core.entry import Greeting, greet
from ..core.fetching import insist
from ..core.flows import Answer, page
from ..core.ops import Close, Handle, Lane, Op, Open, Pause, Paused
from ..core.origin import is_unsafe
from ..core.session import Session
from ..core.values import SessionWrite
from ..drive import Perform, Talk, advance
from ..errors import SeeOtherError
from ..setup import performing
from ..visit import Visit
from ..wsgi import KEY
from ..wsgi_exchange import request_of
from .answers import apply, core_response
from .legacy import ALONE, Upgrade, upgrade_of
from .settings import Settings, settle
from .visits import FLASHES, FlaskVisit, Style, flash_of, message_of, session_of

if TYPE_CHECKING:
    from flask import Flask
    from werkzeug.wrappers import Request, Response

MISSING: Final = object()


class FlaskSession(SessionMixin):
    """The session of a visit as Flask's views know it: a full mapping, and Flask's attributes."""

    def __init__(self, visit: Visit, upgrade: Upgrade | None = None) -> None:
        self.visit, self.upgrade = visit, upgrade
        self.alone: Alone | None = None

    @property
    def _data(self) -> Session:
        return session_of(self.visit)

    # A mapping -------------------------------------------------------------------------------

    def __getitem__(self, name: str) -> Any:
        if name != FLASHES:
            return self._data[name]
        found = self._messages()
        if not found:
            raise KeyError(name)
        return found

    def __setitem__(self, name: str, value: Any) -> None:
        self._modify(name)
        if name != FLASHES:
            self._data[name] = value
            return
        messages, waiting = [tuple(one) for one in value], self._messages(given=False)
        held = len(waiting) if messages[: len(waiting)] == waiting else 0
        self.visit.leave(flash_of(one) for one in messages[held:])

    def __delitem__(self, name: str) -> None:
        self._modify(name)
        if name != FLASHES:
            del self._data[name]
        else:
            self.pop(name)

    def __iter__(self) -> Iterator[str]:
        yield from (name for name in self._data if name != FLASHES)
        if FLASHES in self:
            yield FLASHES

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        return bool(self._messages()) if name == FLASHES else name in self._data

    def pop(self, name: str, default: Any = MISSING) -> Any:
        """Take a value out. Messages that are popped are about to be shown."""
        self._modify(name)
        if name != FLASHES:
            return self._data.pop(name) if default is MISSING else self._data.pop(name, default)
        kept = self._data.pop(FLASHES, [])
        messages = [*map(tuple, kept), *map(message_of, self.visit.flashes())]
        if messages or default is not MISSING:
            return messages or default
        raise KeyError(name)

    def clear(self) -> None:
        """Forget everything; messages left for the next page stay."""
        self.modified = True
        self._data.clear()

    def _messages(self, *, given: bool = True) -> list[Any]:
        kept = [tuple(one) for one in self._data.get(FLASHES, ())]
        return [*kept, *map(message_of, self.visit.waiting(given=given))]

    # Flask's and ours ------------------------------------------------------------------------

    @property
    def modified(self) -> bool:
        """Was anything written, or changed inside a value? Then the cookie is renewed."""
        visit = self.visit
        touched = isinstance(visit, FlaskVisit) and (visit.touched or visit.noted)
        return touched or bool(self._data.changes())

    @modified.setter
    def modified(self, value: bool) -> None:
        if isinstance(self.visit, FlaskVisit):
            self.visit.touched = self.visit.noted = value

    def _modify(self, name: str) -> None:
        if name != FLASHES:
            self.modified = True
        elif isinstance(self.visit, FlaskVisit):
            self.visit.noted = True

    @property
    def new(self) -> bool:  # type: ignore[override]
        """Did this request bring no session with it?"""
        return self.visit.session_is_new

    def change(self, name: str, fn: Any, default: Any = None) -> None:
        """Replace a value by `fn(value)`, exactly, also if others change it at the same time."""
        self._data.change(name, fn, default)

    def rotate(self) -> None:
        """Go on under a new id; to be called when somebody signs in or out."""
        self._data.rotate()

    def __repr__(self) -> str:
        return repr(self._data)


class SeeOtherSessionInterface(SessionInterface):
    """Flask's session and messages on seeother: `app.session_interface = ...()`.

    `SeeOther(app)` does that by itself. Alone it keeps sessions and messages safe, and no more.
    """

    def open_session(self, app: Flask, request: Request) -> FlaskSession | None:
        """The session of the visit, or of a visit of our own; None where the app has no secret."""
        visit = request.environ.get(KEY)
        if isinstance(visit, Visit):
            return FlaskSession(visit, upgrade_of(app, visit))
        config = cast("Mapping[str, Any]", app.config)
        if not app.secret_key and not config.get("SEEOTHER_SECRET"):
            return None
        if ALONE not in request.environ:  # a test client opens its session twice
            request.environ[ALONE] = self._alone(app, request)
        found: FlaskSession | None = request.environ[ALONE]
        return found

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Everything is written with the visit; here only what cannot wait for that."""
        if not isinstance(session, FlaskSession):
            return
        if session.accessed:
            response.vary.add("Cookie")
        if session.upgrade is not None:
            session.upgrade.end()
        if session.alone is not None:
            session.alone.end(response)
        elif isinstance(session.visit, FlaskVisit) and session.visit.settled is not None:
            state = app.extensions[KEY]
            write_late(session.visit, state.settings, state.outer.driver.run)

    def style(self, app: Flask) -> Style:
        """How this app wants its cookie."""
        return Style(self, app)

    def _alone(self, app: Flask, request: Request) -> FlaskSession | None:
        """A visit that nobody made yet: of a test client, or because nobody stands around us."""
        state = app.extensions.get(KEY)
        if state is not None:
            settings: Settings = state.settings
        else:
            settings = app.extensions.setdefault(ALONE, settle(app, {}))
        try:
            greeting = _greeted(request.environ, settings)
        except (SeeOtherError, UnicodeError):
            return None
        visit = FlaskVisit(greeting, settings.policy, self.style(app))
        session = FlaskSession(visit)
        session.alone = Alone(visit, settings, peeks=state is not None)
        session.alone.begin()
        session.upgrade = upgrade_of(app, visit)
        query = visit.greeting.request.query
        request.environ["QUERY_STRING"] = query.decode("latin-1")
        request.query_string = query
        return session


class Alone:
    """A page's conversation, held open between the two calls that Flask makes.

    `peeks`: a test client looks into the session, so it finds every message at once.
    """

    def __init__(self, visit: FlaskVisit, settings: Settings, *, peeks: bool) -> None:
        self.visit, self._peeks = visit, peeks
        visit.receipts = not peeks
        self._perform: Perform = performing(settings.store.perform, settings.policy)
        self._talk: Talk[Answer] = Talk(page(visit.greeting, visit.policy))

    def begin(self) -> None:
        """Up to the place where the view is to run."""
        advance(self._talk, self._ask, Lane.LOOP, stop=Handle)
        op = self._talk.op
        assert isinstance(op, Handle)
        self.visit.begin(op.opened, op.taken)

    def end(self, response: Response) -> None:
        """The view has answered: write, acknowledge, and finish the answer."""
        if self._talk.done:
            return
        visit = self.visit
        if not self._peeks and visit.greeting.visitor is None and visit.session.changes():
            visit.token()  # nobody plants one here, and receipts need a visitor's cookie
        self._talk.answer(self.visit.handled(core_response(response)))
        advance(self._talk, self._ask, Lane.LOOP)
        answer = self._talk.value
        apply(answer.response, response)
        for cookie in answer.cookies:
            response.headers.add("Set-Cookie", cookie.header().decode("ascii"))

    def _ask(self, op: Op[Any]) -> Any:
        if isinstance(op, Pause):
            time.sleep(min(op.nap, op.limit))
            return Paused(min(op.nap, op.limit))
        if isinstance(op, Open) and self._peeks:
            op = replace(op, messages=True, orphans=True, orphan_age=0.0)
        return self._perform(op)


def _greeted(environ: Mapping[str, Any], settings: Settings) -> Greeting:
    """The greeting without a judgement of the origin: a session alone decides about no effect."""
    request = request_of(dict(environ))
    greeting = greet(replace(request, method="GET"), settings.policy)
    unsafe = is_unsafe(request.method, request.headers, request.query)
    seen = replace(greeting.request, method=request.method)
    return replace(greeting, request=seen, unsafe=unsafe)


def write_late(visit: FlaskVisit, settings: Settings, run: Any) -> None:
    """Write what hooks changed in the session after the submission was settled."""
    write: SessionWrite | None = visit.late()
    if write is not None:
        perform = performing(settings.store.perform, settings.policy)
        run(insist(Close(session=write), settings.policy.patience), perform, partial(_no_view))
        visit.wrote()


def _no_view(_op: Handle) -> Any:
    raise AssertionError("there is no view to run")
