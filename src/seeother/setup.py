"""From settings to a working policy and store: defaults, and the key file.

An app that names no secret gets one of its own, in a key file beside its SQLite store. The file is
written under another name and then linked into place, so that of twenty first workers one wins and
all others read the winner's key; it has mode 0600, and one that others may read is refused.
"""

from __future__ import annotations

import logging
import os
import secrets
import stat
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Final

from .core.ops import Op, Reconcile, Report
from .core.policy import Policy
from .core.principal import unreadable
from .core.values import Response
from .drive import Driver, Perform
from .errors import PolicyError
from .log import EVENTS, clean, count, happened
from .stores import Store, open_store
from .stores.base import joins
from .stores.ledgerstore import LedgerStore
from .stores.sqlite import SQLiteStore, create_folder
from .visit_start import Start

DEFAULT_STORE: Final = "sqlite:///seeother.db"
SECRET_BYTES: Final = 32
MARGIN: Final = 600.0
MOST_NAMES: Final = 256
ASIDE: Final = frozenset({Reconcile.verb, Report.verb})


def prepared(policy: Policy) -> tuple[Policy, Store]:
    """The policy with a secret, and its store; the store is not opened yet."""
    store = open_store(policy.store or DEFAULT_STORE)
    if isinstance(store, LedgerStore):
        store.retention = policy.max_age + MARGIN
        store.idle, store.lifetime = policy.session_idle, policy.session_lifetime
        store.max_rows_per_token, store.max_kept = policy.max_rows_per_token, policy.max_kept
    if policy.secret is None:
        if not isinstance(store, SQLiteStore):
            raise PolicyError("set `secret`: this store has no folder where a key file could stand")
        policy = replace(policy, secret=key_file(store.path.with_suffix(".key")))
    return policy, store


class Middleware:
    """What stands around an app, whatever its protocol: a driver, a policy and a store.

    Nothing is read or opened before the first request. `explicit`: the app inside knows of it, and
    relies on what the visit says of its form.
    """

    explicit: ClassVar[bool] = False

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.driver = Driver()
        self.said: set[bytes] = set()  # the app's cookies that no script may read
        self.unread: Counter[str] = Counter()  # forms that passed, by the reason
        self._given = Policy.of(settings)
        if self._given.mode == "hooked":
            raise PolicyError('mode "hooked" needs an adapter that knows the app\'s commits')
        claims_inside = self._given.mode in ("joined", "fenced") and self._given.inject
        if claims_inside and not joins(self._given.store or DEFAULT_STORE):
            raise PolicyError(
                f'mode "{self._given.mode}" needs a store in the app\'s own database, which no'
                " Redis is: name that database in `store`, or leave the mode out (separate: at"
                " most once, in doubt after a crash)"
            )

    @cached_property
    def _prepared(self) -> tuple[Policy, Store]:
        found = prepared(self._given)
        self.driver.suit(found[1])
        return found

    def learn(self, head: Response) -> None:
        """What the app says of its cookies tells later who is signed in (`core.principal`)."""
        lines = head.all(b"set-cookie")
        if lines and len(self.said) < MOST_NAMES:
            self.said |= unreadable(lines)

    def admitted(self, visit: Start) -> None:
        """Count a form that passes unread (`Visit.pass_unread`); each reason is said once."""
        error = visit.unread
        if error is None or visit.entry is not None:
            return
        self.unread[error.reason] += 1
        count("unprotected")
        if self.unread[error.reason] == 1:
            request = visit.greeting.request
            where = clean(request.root + request.path)
            EVENTS.warning(
                "unprotected: a form for %s cannot be read and passes (%s: %s); this is said once",
                where,
                error.reason,
                error.detail,
            )

    @property
    def policy(self) -> Policy:
        """The settings, with the secret in place."""
        return self._prepared[0]

    @property
    def store(self) -> Store:
        """The store; it opens itself at its first use in each process."""
        return self._prepared[1]


def performing(perform: Perform, policy: Policy) -> Perform:
    """A store's `perform` with the two questions that are not for stores."""

    def answer(op: Op[Any]) -> Any:
        if op.verb not in ASIDE:
            return perform(op)
        if isinstance(op, Reconcile):
            return policy.reconcile(op.key.id.hex())
        if isinstance(op, Report):
            name = op.key.id.hex() if op.key else "-"
            happened(logging.ERROR, op.what, "%s: submission %s", op.what, name)
        return perform(op)

    return answer


def key_file(path: Path) -> bytes:
    """The secret in a key file, made at first use.

    Raises PolicyError where the file can be read by others, is too short to be a key, or can be
    neither read nor made.
    """
    try:
        if not path.exists():
            _create(path)
        mode = stat.S_IMODE(path.stat().st_mode)
        secret = path.read_bytes()
    except OSError as error:
        raise PolicyError(f"the key file {path} cannot be used: {error.strerror}") from error
    if mode & 0o077:
        raise PolicyError(f"{path} may be read by others (mode {mode:o}); run: chmod 600 {path}")
    if len(secret) < SECRET_BYTES:
        raise PolicyError(f"{path} is too short to be a key; delete it and start again")
    return secret


def _create(path: Path) -> None:
    create_folder(path.parent)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_urlsafe(SECRET_BYTES).encode())
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return  # another worker was first; its key is the one
    finally:
        draft.unlink()
