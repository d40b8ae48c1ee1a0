"""What operators ask of the project's ledger: the admin and the commands stand on this.

An operator knows less than the project: this store has no limits of its own, so that it deletes
only what every app on the database refuses for its age.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, cast

from django.core.management.base import CommandError

from ..errors import SeeOtherError
from ..stores.sqlite import SQLiteStore
from .settings import ALIAS
from .store import store_for


def operators_store() -> SQLiteStore:
    """The project's ledger, for `seeother.stores.inspect` and `examine`.

    They ask for an SQLite store's steps and path, and a DjangoStore has both; what is asked of
    PostgreSQL stands in `seeother.stores.pg_inspect`.
    """
    limits: dict[str, Any] = {"retention": 0.0, "idle": math.inf, "lifetime": math.inf}
    return cast("SQLiteStore", store_for(ALIAS, max_kept=sys.maxsize, **limits))


@contextmanager
def asked() -> Generator[SQLiteStore]:
    """The ledger for one command; what cannot be asked ends it with a sentence and code 2."""
    try:
        store = operators_store()
        store.prepare()
        yield store
    except SeeOtherError as error:
        raise CommandError(error.detail or error.hint, returncode=2) from error
