"""`SeeOther(app)`: what stands around a Flask app, and `once`.

The WSGI machinery is wrapped around `app.wsgi_app`; it judges, reads the form, plants, and
surrounds every request as a page. The guard is wrapped around `app.dispatch_request`; it runs the
views that submit something. All state is the app's (`app.extensions["seeother"]`), so one
`SeeOther()` may serve several apps of a factory, and nothing is opened before the first request.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import wraps
from io import BytesIO
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakSet

from flask import current_app, request
from flask.testing import FlaskClient

from .. import wsgi
from ..core.entry import Greeting
from ..core.policy import Mode, Policy
from ..errors import PolicyError
from ..stores import Store
from ..visit import Visit
from ..wsgi_exchange import request_of
from .commands import seeother
from .exempt import is_exempt
from .guard import BY_ONCE, ONCE, claims, guarded, submits
from .login import watch
from .sessions import SeeOtherSessionInterface
from .settings import Settings, said, settle, shares
from .verbs import GLOBALS
from .visits import FlaskVisit

if TYPE_CHECKING:
    from flask import Flask
    from sqlalchemy import Engine

KEY = wsgi.KEY
F = TypeVar("F", bound=Callable[..., Any])


class SeeOther:
    """The extension: `SeeOther(app)`, or `so = SeeOther()` and `so.init_app(app)` in a factory.

    Settings are keyword arguments or `SEEOTHER_<NAME>` in the app's config; raises PolicyError for
    one that does not exist.

    >>> from flask import Flask
    >>> app = Flask("shop")
    >>> app.secret_key = "0123456789abcdef0123456789abcdef"
    >>> so = SeeOther(app, store="memory://")
    """

    def __init__(self, app: Flask | None = None, **policy: Any) -> None:
        said({}, policy)
        self._given = policy
        self._bind: Any = None
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Stand around this app. Nothing is opened; raises PolicyError for an unknown setting."""
        if KEY in app.extensions:
            raise PolicyError("seeother stands around this app already")
        said(app.config, self._given)
        state = app.extensions[KEY] = State(app, self)
        app.wsgi_app = state.outer  # type: ignore[method-assign]
        app.dispatch_request = _around(state, app.dispatch_request)  # type: ignore[method-assign]
        if type(app.session_interface).__module__.startswith("flask."):
            app.session_interface = SeeOtherSessionInterface()
        _add_globals(app)
        if app.test_client_class is None:
            app.test_client_class = SameOriginClient
        app.cli.add_command(seeother)

    def once(self, db: Any, *, mode: Mode | None = None) -> Callable[[F], F]:
        """Run a view exactly once for each submission (mode joined or fenced).

        `db` is Flask-SQLAlchemy's `SQLAlchemy`, or a (scoped) session of SQLAlchemy, on the SQLite
        file or the PostgreSQL in which the ledger stands. `mode` is "joined", or "fenced" for a
        view that takes long: nothing is locked before its first write; else the app's own mode
        decides (joined unless that is fenced). Raises PolicyError for another one.

        The view's rows, its answer, its messages and its session changes are ONE transaction: its
        `commit()` and `rollback()` work on a savepoint, and it is committed at the end. A duplicate
        gets the recorded answer and the view is not called; a view that raises leaves nothing, and
        its token may be sent again. It is for unsafe methods; a GET of the same view runs as ever.
        Put it nearest to the view: whatever stands outside of it (`login_required`) runs for every
        duplicate.
        """
        if mode not in (None, *BY_ONCE):
            raise PolicyError(f'once() runs a view "joined" or "fenced", not {mode!r}')
        self._bind = self._bind or db

        def decorate(view: F) -> F:
            @wraps(view)
            def run(*args: Any, **kwargs: Any) -> Any:
                return _once(db, mode, view, args, kwargs)

            setattr(run, ONCE, True)
            return run  # type: ignore[return-value]

        return decorate

    @property
    def given(self) -> dict[str, Any]:
        """The settings that were given as arguments."""
        return self._given

    @property
    def bind(self) -> Any:
        """What `once` was given first; the app's database where there is no Flask-SQLAlchemy."""
        return self._bind


def _add_globals(app: Flask) -> None:
    """Add ours when the environment is made: until then the app may still choose its settings."""
    if "jinja_env" in vars(app):
        app.jinja_env.globals.update(GLOBALS)
        return
    create = app.create_jinja_environment

    def made() -> Any:
        environment = create()
        environment.globals.update(GLOBALS)
        return environment

    app.create_jinja_environment = made  # type: ignore[method-assign]


class State:
    """One app's own: its machinery, and its settings from the first request on."""

    def __init__(self, app: Flask, extension: SeeOther) -> None:
        self.app = app
        self._extension = extension
        self._lock = threading.Lock()
        self._settings: Settings | None = None
        self._sharing: WeakSet[Engine] = WeakSet()
        self.outer = Machinery(app.wsgi_app, self)

    @property
    def bind(self) -> Any:
        """The database that `once` was given."""
        return self._extension.bind

    @property
    def settings(self) -> Settings:
        """Read once, at first use. Raises PolicyError for what cannot be."""
        if self._settings is None:
            with self._lock:
                if self._settings is None:
                    self._settings = self._settled()
        return self._settings

    def shares(self, engine: Engine) -> bool:
        """Does the ledger live in the database of this engine? Files are compared once for each."""
        if engine not in self._sharing and shares(self.settings.store, engine):
            self._sharing.add(engine)
        return engine in self._sharing

    def _settled(self) -> Settings:
        found = settle(self.app, self._extension.given, self.bind)
        # Before any view runs: a listener must not come in a commit. Not for nothing, because then
        # SQLAlchemy looks for listeners at every statement (15 us per page).
        if found.engine is not None and submits(self.app):
            from .hooked import listen  # noqa: PLC0415 - SQLAlchemy is the app's, if it has it

            listen(found.engine)
        self.outer.driver.suit(found.store)
        watch(self.app)
        return found


class Machinery(wsgi.SeeOther):
    """The WSGI middleware with the settings and the visits of a Flask app."""

    def __init__(self, app: wsgi.App, state: State) -> None:
        super().__init__(app, mode="joined")
        self._state = state

    def __call__(self, environ: wsgi.Environ, start_response: Any) -> Iterable[bytes]:
        """One request; a view that is exempt in Flask-WTF may be posted to from anywhere."""
        if KEY not in environ and is_exempt(self._state.app, environ):
            return Exempt(self, self._state)(environ, start_response)
        return super().__call__(environ, start_response)

    @property
    def policy(self) -> Policy:
        """The app's settings."""
        return self._state.settings.policy

    @property
    def store(self) -> Store:
        """The app's store."""
        return self._state.settings.store

    def visit(self, greeting: Greeting) -> FlaskVisit:
        """A visit with Flask's session in it."""
        state = self._state
        interface = state.app.session_interface
        own = interface if isinstance(interface, SeeOtherSessionInterface) else OWN
        notices = state.settings.mode in BY_ONCE
        return FlaskVisit(greeting, self.policy, own.style(state.app), notices=notices)


class Exempt(Machinery):
    """The machinery for one request whose origin is not asked for."""

    def __init__(self, outer: Machinery, state: State) -> None:
        super().__init__(outer.app, state)
        self.driver = outer.driver
        self._path = ""

    def __call__(self, environ: wsgi.Environ, start_response: Any) -> Iterable[bytes]:
        """Run it, with this very path among the exempt ones."""
        request = request_of(environ)
        self._path = request.root + request.path
        return wsgi.SeeOther.__call__(self, environ, start_response)

    @property
    def policy(self) -> Policy:
        """The app's settings, with the path exempt."""
        policy = self._state.settings.policy
        return replace(policy, exempt=(*policy.exempt, self._path))


OWN = SeeOtherSessionInterface()


class SameOriginClient(FlaskClient):
    """Flask's test client as a browser on this site: its posts come from our own pages.

    When a 307 or 308 is followed it sends the body's stream once more, which we have read by then.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.environ_base["HTTP_SEC_FETCH_SITE"] = "same-origin"

    def run_wsgi_app(self, environ: wsgi.Environ, buffered: bool = False) -> Any:
        """Run the app, and leave the body as it was."""
        stream = environ["wsgi.input"]
        before = stream.tell() if isinstance(stream, BytesIO) else 0
        answer = super().run_wsgi_app(environ, buffered)
        if isinstance(stream, BytesIO) and not stream.closed:
            stream.seek(before)
        return answer


def _around(state: State, dispatch: Callable[..., Any]) -> Callable[..., Any]:
    """Flask's dispatch with the guard around it."""

    @wraps(dispatch)
    def run(*args: Any, **kwargs: Any) -> Any:
        visit, rule = request.environ.get(KEY), request.url_rule
        if not isinstance(visit, FlaskVisit) or rule is None or request.routing_exception:
            return dispatch(*args, **kwargs)
        visit.route = rule.rule
        view = state.app.view_functions.get(rule.endpoint)
        if not claims(state, visit, view, request.method):
            return dispatch(*args, **kwargs)
        return guarded(state, visit, lambda: dispatch(*args, **kwargs))

    return run


def _once(db: Any, mode: Mode | None, view: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """One call of a view under `once`."""
    visit = request.environ.get(KEY)
    if not isinstance(visit, Visit):
        raise PolicyError("no visit: call SeeOther(app)")
    if visit.entry is None or not isinstance(visit, FlaskVisit):  # another one is at it, around us
        return current_app.ensure_sync(view)(*args, **kwargs)
    if visit.running is not None:
        raise PolicyError("a decorator hides once(): let it use functools.wraps, or put it inside")
    from .effect import run_once  # noqa: PLC0415 - SQLAlchemy is an extra

    state, inside = current_app.extensions[KEY], current_app.ensure_sync(view)
    own = mode or state.settings.policy.mode
    return run_once(state, visit, db, lambda: inside(*args, **kwargs), own)
