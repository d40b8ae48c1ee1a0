"""A database that fails inside a view is no fault of the view, and what was typed is not lost.

Django raises its own errors around the driver's. What only says that the database is gone, full or
busy becomes a StoreError, and with it 503 and the form once more, with the same token; everything
else, such as an IntegrityError or a misspelt table, is the view's own affair.
"""

from __future__ import annotations

import sqlite3

from django.db import Error

from ..errors import PolicyError, SeeOtherError, StoreError
from ..stores.connect import outage
from .visits import DjangoVisit


def refused_in_view(visit: DjangoVisit, error: Exception) -> SeeOtherError | None:
    """What is to be said of an exception of a view, if that is not Django's to say.

    Seeother's own refusals always; outages only where nothing of the view stays (joined, fenced).
    """
    if isinstance(error, SeeOtherError):
        return None if isinstance(error, PolicyError) else error
    return outage_of(error) if visit.undoes else None


def outage_of(error: Exception) -> StoreError | None:
    """The store error behind an error of Django's databases: disk full, locked, server gone."""
    cause = error.__cause__ if isinstance(error, Error) else None
    if isinstance(cause, sqlite3.OperationalError) or type(cause) is sqlite3.DatabaseError:
        code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
        return None if code == sqlite3.SQLITE_ERROR else outage(cause)
    if type(cause).__module__.partition(".")[0] != "psycopg":
        return None
    from ..stores.pg_driver import PgDriver  # noqa: PLC0415 - psycopg is an extra

    return PgDriver().outage(cause)
