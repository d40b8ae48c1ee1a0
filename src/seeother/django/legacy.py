"""Sessions of Django's own database backend, read once and upgraded.

    SESSION_ENGINE = "django.contrib.sessions.backends.db"      # before; also cached_db

The cookie stays as it is: both engines name a session by the same kind of key, and the key is kept.
A key that names no session of ours may name a row of Django's table; then that row's values are the
session. The first save puts them into our rows and deletes the row in one transaction, so they are
taken once, by one of many requests. Whoever only reads writes nothing.

A sign-out deletes both: nothing is left that the key could open. A row that was tampered with, has
expired, or was signed with a secret that is no longer known gives no values.

The statements go to the driver, like those of the ledger: `assertNumQueries` does not count them.
"""

from __future__ import annotations

from typing import Any, Final

from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.utils import timezone

from ..stores.rows import SQLWork
from .settings import session_store

TABLE: Final = "django_session"
READ: Final = "SELECT session_data FROM django_session WHERE session_key=? AND expire_date>?"
TAKE: Final = "DELETE FROM django_session WHERE session_key=?"
EXPIRE: Final = "DELETE FROM django_session WHERE expire_date<=?"


def read(key: str) -> dict[str, Any] | None:
    """The values of a session in Django's table; None where there is none, or it has expired."""
    with session_store().reading() as work:
        if not work.has_table(TABLE):
            return None
        found = work.run(READ, key, _now()).fetchone()
    # A class of its own name: the name is part of what Django signs the values with.
    return None if found is None else DatabaseStore(key).decode(found[0]) or None


def drop(work: SQLWork, key: str) -> None:
    """Delete it, in this step."""
    if work.has_table(TABLE):
        work.run(TAKE, key)


def expire(work: SQLWork) -> None:
    """Delete what has expired in Django's table; without its engine nobody else does."""
    if work.has_table(TABLE):
        work.run(EXPIRE, _now())


def _now() -> Any:
    operations = session_store().connection.ops
    return operations.adapt_datetimefield_value(timezone.now())
