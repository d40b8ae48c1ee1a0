"""What has to be known of an app to play with it, and where it is installed.

One folder for each app and Python below `.upstream/apps/`, with an environment of its own in it.
The list of what was installed is written last, so a folder without it, or with another list, is
made anew.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.upstream.projects import CACHE, OURS, PIP, STAMP, pinned, run

if TYPE_CHECKING:
    from collections.abc import Callable

    from .person import Person

SERVERS: Final = {"wsgi": "gunicorn", "asgi": "uvicorn"}
PLAYER: Final = "player"  # who signs in, everywhere
PASSWORD: Final = "a-long-pass-phrase-7319"  # nowhere but in databases that are thrown away


@dataclass(frozen=True)
class Task:
    """The form that is sent: the page it stands on, which one it is, what is typed, what pressed.

    `typed` maps the names of its fields to what goes into them, `{}` standing for the text by which
    the effect is found again; `pressed` is the name of a button, if it has one; `landing` is what
    the page says behind the redirect, where it says always the same.
    """

    page: str
    form: str
    typed: Mapping[str, str]
    pressed: str = ""
    landing: str = ""


@dataclass(frozen=True)
class Effect:
    """Where the effect is: a SQLite file of the app, a table, and the column of the text."""

    database: str
    table: str
    column: str


@dataclass(frozen=True)
class App:
    """One app. Its folder has `site_of_app.py`, in which `application` is what a server runs.

    `needs` is what is installed, with versions: the first one is the app. `files` are written into
    a new folder, then the commands of `create` run in it, each begun by a program of the app's
    environment.
    """

    name: str
    kind: Literal["wsgi", "asgi"]
    says: str
    needs: tuple[str, ...]
    files: Mapping[str, str]
    create: tuple[tuple[str, ...], ...]
    login: Callable[[Person], None]
    task: Task
    effect: Effect
    bare: Mapping[str, int] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The app with its version."""
        return f"{self.name} {self.needs[0].partition('==')[2]}"

    @property
    def home(self) -> Path:
        """Where it is installed; what needs the same shares it."""
        name = canonicalize_name(Requirement(self.needs[0]).name)
        return CACHE / "apps" / "{}-py{}.{}".format(name, *sys.version_info)

    def program(self, name: str) -> Path:
        """A program of its environment."""
        return self.home / "venv" / "bin" / name

    def fetch(self) -> None:
        """Install what is not there yet. Raises NotFetched."""
        asked = {canonicalize_name(Requirement(line).name) for line in self.needs}
        pins = {name: version for name, version in pinned().items() if name not in asked}
        more = [f"{name}=={pins[name]}" for name in (SERVERS[self.kind], *OURS) if name in pins]
        wanted = "\n".join((*self.needs, *more))
        if (self.home / STAMP).exists() and (self.home / STAMP).read_text("utf-8") == wanted:
            return
        shutil.rmtree(self.home, ignore_errors=True)
        self.home.mkdir(parents=True)
        listed = self.home / "constraints.txt"
        listed.write_text("\n".join(f"{name}=={version}" for name, version in pins.items()))
        run(sys.executable, "-m", "venv", str(self.home / "venv"))
        run(str(self.program("python")), *PIP, "install", "-c", str(listed), *self.needs, *more)
        (self.home / STAMP).write_text(wanted, "utf-8")
