"""From a lesson and an arm to a WSGI app that can be mounted beside all the others.

The text of the arm is run as it is. What the tour adds stands around it: a cookie jar of its own
(`jar`), and the context that says whose effects `record` writes (`effects`). What it sets from the
outside are the things that a site sets from the outside anyway: where files are kept, and the
secret key. None of it makes an arm what it is; that is the one line of `source`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Final

from ... import wsgi
from ...core.keys import encode, hkdf
from ...wsgi import App, Environ, StartResponse
from .effects import FILE, Effects
from .jar import Jar
from .lessons import Lesson
from .source import load

if TYPE_CHECKING:
    from flask import Flask

BROWSER: Final = "seeother.tour.browser"


@dataclass(frozen=True, slots=True)
class Setting:
    """What an arm gets from the outside. `hosts` is None where every name will do."""

    lesson: Lesson
    arm: str
    data: Path
    secret: bytes
    hosts: tuple[str, ...] | None

    @property
    def store(self) -> str:
        """Where its ledger is kept, if it has one."""
        return f"sqlite:///{self.data.absolute() / self.lesson.name}.db"

    @property
    def key(self) -> str:
        """Its secret key, as text."""
        return encode(hkdf(self.secret, b"tour", self.lesson.name.encode()))


class Arm:
    """One arm of one lesson; a WSGI app."""

    def __init__(self, setting: Setting, app: App, effects: Effects) -> None:
        self.lesson, self.arm = setting.lesson, setting.arm
        self._app = Jar(app, f"tour-{self.lesson.name}-{self.arm}.")
        self._effects = effects

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """One WSGI request; whatever its view records is this browser's."""
        browser = environ.get(BROWSER, "")
        with self._effects.recording(self.lesson.name, self.arm, browser):
            return self._app(environ, start_response)


def build(
    lesson: Lesson,
    arm: str,
    *,
    prefix: str,
    data: Path,
    secret: bytes,
    hosts: Iterable[str] | None = None,
) -> Arm:
    """An arm, to be mounted at `prefix` (SCRIPT_NAME) with the lesson's paths below it.

    `data` is the folder for its files, `secret` what its keys are derived from (32 bytes or more),
    `hosts` the names under which the site may be reached. `environ["seeother.tour.browser"]` says
    whose effects are written. Django is configured once in a process, with the first `data`.
    Raises CannotEdit for an arm that does not exist.
    """
    del prefix  # SCRIPT_NAME says it with each request
    setting = Setting(lesson, arm, data, secret, None if hosts is None else tuple(hosts))
    app = KINDS[lesson.framework](load(lesson, arm), setting)
    return Arm(setting, app, Effects(data / FILE))


def _plain(module: ModuleType, setting: Setting) -> App:
    """`http.server`: where the line is there, what it made is made once more, with our files."""
    app: App = module.app
    if not isinstance(app, wsgi.SeeOther):
        return app
    return wsgi.SeeOther(
        app.app,
        store=setting.store,
        secret=setting.key,
        namespace=setting.lesson.name,
        hosts=setting.hosts,
    )


def _flask(module: ModuleType, setting: Setting) -> App:
    """Flask: a secret key, and where seeother's files are; the bare arms do not read the latter."""
    app: Flask = module.app
    app.secret_key = setting.key
    app.config["SEEOTHER_STORE"] = setting.store
    app.config["SEEOTHER_HOSTS"] = setting.hosts
    return app


def _django(module: ModuleType, setting: Setting) -> App:
    """Django: one project in the process, a handler with its own middleware for each arm."""
    from .project import handler  # noqa: PLC0415 - the other lessons need no Django

    return handler(module, setting)


KINDS: Final[dict[str, Callable[[ModuleType, Setting], App]]] = {
    "Django": _django,
    "http.server": _plain,
    "Flask + Flask-WTF": _flask,
    "Flask": _flask,
}
