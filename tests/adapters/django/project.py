"""A tiny Django project, configured once per process, and the database that each test gets."""

import os
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import django
import django_stubs_ext
from django.conf import settings
from django.core.management import call_command
from django.db import close_old_connections, connections
from django.test import Client, override_settings
from django.test.utils import setup_test_environment

WAIT = 30.0
NUMBERS = count()
POSTGRES = os.environ.get("SEEOTHER_TEST_DJANGO_ON", "")
APP = "tests.adapters.django.shop"
MIDDLEWARE = [
    "seeother.django.middleware.SeeOtherMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
CONTEXT = [
    "django.template.context_processors.request",
    "django.contrib.auth.context_processors.auth",
    "django.contrib.messages.context_processors.messages",
]


def configure(database: str = ":memory:") -> None:
    """Set Django up; a second call does nothing."""
    if settings.configured:
        return
    settings.configure(
        SECRET_KEY="a key that is long enough for everybody here",
        ALLOWED_HOSTS=["localhost", "127.0.0.1", "testserver"],
        ROOT_URLCONF=f"{APP}.urls",
        INSTALLED_APPS=[
            "seeother.django",
            "django.contrib.admin",
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "django.contrib.messages",
            APP,
        ],
        MIDDLEWARE=MIDDLEWARE,
        SESSION_ENGINE="seeother.django.sessions",
        MESSAGE_STORAGE="seeother.django.messages.FlashStorage",
        CSRF_FAILURE_VIEW="seeother.django.csrf.failure",
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        DATABASES={"default": on_postgres(POSTGRES) if POSTGRES else on_sqlite(database)},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {"context_processors": CONTEXT},
            }
        ],
        USE_TZ=True,
    )
    django_stubs_ext.monkeypatch()  # generic views and forms may be subscripted
    django.setup()
    setup_test_environment()


def on_sqlite(path: str) -> dict[str, Any]:
    """No test here cuts the power, and the suite has 500 files to write."""
    options = {"init_command": "PRAGMA synchronous=OFF"}
    return {"ENGINE": "django.db.backends.sqlite3", "NAME": path, "OPTIONS": options}


def on_postgres(url: str) -> dict[str, Any]:
    """The same tests on PostgreSQL (tests/adapters/django/test_postgres.py)."""
    from psycopg.conninfo import conninfo_to_dict

    said = {name.upper(): value for name, value in conninfo_to_dict(url).items()}
    return {"ENGINE": "django.db.backends.postgresql", "NAME": said.pop("DBNAME"), **said}


def fresh_database() -> str:
    """A copy of the migrated database, for one test; its address."""
    name = f"copy{next(NUMBERS)}"
    administer(f"CREATE DATABASE {name} TEMPLATE migrated STRATEGY FILE_COPY")
    name_database(name)
    return POSTGRES.rpartition("/")[0] + f"/{name}"


def administer(sql: str) -> None:
    """What no transaction may contain."""
    import psycopg

    with psycopg.connect(POSTGRES, autocommit=True) as connection:
        connection.execute(sql)


def name_database(name: str) -> None:
    """From here on the project's database is called this."""
    connections.close_all()
    connections.settings["default"]["NAME"] = name
    connections["default"].settings_dict["NAME"] = name


def use_database(path: Path | str) -> None:
    """From here on the project's database is this file."""
    if not POSTGRES:
        name_database(str(path))


def migrate() -> None:
    """Make every table."""
    call_command("migrate", run_syncdb=True, verbosity=0)


def tokens(text: str) -> dict[str, str]:
    """The hidden fields of the first form in a page, by name."""
    return dict(re.findall(r'type="hidden" name="([\w-]+)" value="([^"]*)"', text))


def filled(client: Client, path: str, **values: str) -> dict[str, str]:
    """What a browser sends from the form of this page."""
    return {**tokens(client.get(path).content.decode()), **values}


def together(*jobs: Callable[[], Any]) -> list[Any]:
    """Run these at the same time, each on a thread with a database connection of its own."""
    start = threading.Barrier(len(jobs))

    def run(job: Callable[[], Any]) -> Any:
        start.wait(WAIT)
        try:
            return job()
        finally:
            close_old_connections()
            connections.close_all()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return [done.result(WAIT) for done in [pool.submit(run, job) for job in jobs]]


@contextmanager
def saying(**policy: Any) -> Iterator[None]:
    """With these settings in SEEOTHER."""
    with override_settings(SEEOTHER=policy):
        yield
