"""The shops on the servers that people use, each with two workers: gunicorn and uvicorn.

Each runs in a folder of its own, with nothing in it but what the shop writes: one SQLite file.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.browser.polling import at_rest, until
from tests.browser.server import Server

ROOT: Final = Path(__file__).parents[2]
WORKERS: Final = 2
THREADS: Final = 4
LOOKS: Final = 25  # as often the orders have to be the same before they are believed to be all
GUNICORN: Final = (
    *("-m", "gunicorn", "--workers", str(WORKERS), "--worker-class", "gthread"),
    *("--threads", str(THREADS), "--log-level", "warning", "--bind", "127.0.0.1:{port}"),
)
UVICORN: Final = (
    *("-m", "uvicorn", "--workers", str(WORKERS), "--log-level", "warning", "--no-access-log"),
    *("--port", "{port}"),
)


@dataclass(frozen=True)
class Framework:
    """A framework, the server for it, and what its bare shop is made of."""

    name: str
    title: str
    server: tuple[str, ...]
    module: str
    packages: tuple[str, ...]
    says: str

    def app(self, *, protected: bool) -> str:
        """The module with the shop's `application`."""
        return self.module.format("seeother" if protected else "bare")

    def environ(self, *, protected: bool) -> dict[str, str]:
        """What is said to the process."""
        settings = f"tests.versus.apps.{self.name}_{'seeother' if protected else 'bare'}"
        return {"DJANGO_SETTINGS_MODULE": settings} if self.name == "django" else {}


FRAMEWORKS: Final = (
    Framework(
        "flask",
        "Flask",
        GUNICORN,
        "tests.versus.apps.flask_{}",
        ("flask", "flask-wtf", "flask-sqlalchemy", "gunicorn"),
        "its session and `flash()`, Flask-WTF's `CSRFProtect`, Flask-SQLAlchemy",
    ),
    Framework(
        "django",
        "Django",
        GUNICORN,
        "tests.versus.apps.django_wsgi",
        ("django", "gunicorn"),
        "`CsrfViewMiddleware`, sessions in the database, `messages`",
    ),
    Framework(
        "starlette",
        "Starlette",
        UVICORN,
        "tests.versus.apps.starlette_{}",
        ("starlette", "sqlalchemy", "uvicorn"),
        "its `SessionMiddleware`, messages in the session, SQLAlchemy",
    ),
)


class Shop(Server):
    """One shop; a context manager that makes its tables, starts it and ends it."""

    def __init__(self, framework: Framework, folder: Path, *, protected: bool) -> None:
        super().__init__(folder, ())
        self.framework, self.folder, self.protected = framework, folder, protected
        self.database = folder / "shop.db"
        told = framework.environ(protected=protected)
        told |= {"PYTHONPATH": f"{ROOT}:{ROOT / 'src'}", "HOME": str(folder)}
        self._env = ["/usr/bin/env", *(f"{name}={value}" for name, value in told.items())]
        app = framework.app(protected=protected)
        start = [part.format(port=self.port) for part in framework.server]
        self._command = [*self._env, sys.executable, *start, f"{app}:application"]

    def start(self) -> Shop:
        """Make the tables and start the server."""
        module = self.framework.app(protected=self.protected)
        create = [*self._env, sys.executable, "-m", module]
        made = subprocess.run(create, cwd=self.folder, capture_output=True, text=True, check=False)
        assert made.returncode == 0, made.stderr
        with closing(sqlite3.connect(self.database)) as db:
            db.execute("PRAGMA journal_mode=WAL")  # for all alike
        super().start()
        return self

    def orders(self) -> Counter[str]:
        """How often each tea was ordered, once nothing more comes: who has left may still run."""

        def look() -> Counter[str]:
            with closing(sqlite3.connect(self.database, timeout=60)) as db:
                return Counter(dict(db.execute("SELECT tea, count(*) FROM orders GROUP BY tea")))

        return at_rest(look, "orders", looks=LOOKS)

    def told(self, name: str) -> int:
        """Wait until a view has said that it is where it was asked about; its process."""
        return int(until(lambda: self._said(name), f"{name} in a view"))

    def _said(self, name: str) -> str:
        path = self.folder / name
        return path.read_text() if path.exists() else ""

    @property
    def log_tail(self) -> str:
        """The last that the server said."""
        return self.log.read_text(errors="replace")[-4000:] if self.log.exists() else ""
