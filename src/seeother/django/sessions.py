"""Django's sessions on seeother: two requests at once cannot lose each other's writes.

    SESSION_ENGINE = "seeother.django.sessions"

Every engine of Django's keeps a session as one value, so of two requests that read it and save it
the later one wins. Here each key is a row of its own, encoded by SESSION_SERIALIZER, and a save
writes what this request changed: keys set and keys deleted. What `modified`, `set_expiry`,
`cycle_key` and `flush` mean stays as it is; the store knows a hash of the session key only.

| Django | here |
|---|---|
| `cycle_key()`, so also `login()` | the id rotates: the old one opens nothing any more |
| a save of a request from before it | lands in the rotated session; no cookie names it |
| `flush()`, so also `logout()` | the session ends; another request's save raises UpdateError |
| `set_expiry(...)` | kept, and the row goes when it says so |

Sessions of Django's own database engine go on: their rows are read once and upgraded (`legacy`).

A session ends for good 90 days after it began (policy `session_lifetime`). Inside of the middleware
a save is a part of the submission's transaction: what had no effect changed no session either.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, TypeVar

from asgiref.sync import sync_to_async
from django.contrib.sessions.backends.base import CreateError, SessionBase, UpdateError

from ..core.fingerprint import session_id
from ..core.ops import Close, Open
from ..core.values import Changes, SessionWrite
from ..errors import StoreBusy
from ..stores.rows import SQLWork
from . import legacy
from .settings import session_store
from .store import DjangoStore
from .visits import visit_of

T = TypeVar("T")

EVENTS: Final = logging.getLogger("django.security.SuspiciousSession")
EXPIRY: Final = "_session_expiry"
PATIENCE: Final = 10.0
NAP: Final = 0.01
EXPIRES: Final = "UPDATE so_session_head SET seen=? WHERE sid=?"


class SessionStore(SessionBase):
    """One session; Django finds it by SESSION_ENGINE and names it by its key.

    `moved`: another request has rotated it meanwhile, so this one must not name it any more.
    """

    if TYPE_CHECKING:  # the part of the base class that is for engines

        def _get_new_session_key(self) -> str: ...
        def _get_session(self, no_load: bool = False) -> dict[str, Any]: ...

    def __init__(self, session_key: str | None = None) -> None:
        super().__init__(session_key)
        self._rows: dict[str, bytes] = {}
        self._cleared = False
        self.moved = False

    # What Django asks ------------------------------------------------------------------------

    def load(self) -> dict[str, Any]:
        """Everything in it; nothing, and no key, where it has ended or never was."""
        key = self.session_key
        found = None if key is None else self._found(key)
        self._rows = dict(found or ())
        if found is None:
            self._session_key = None
        return dict(self._loaded())

    def exists(self, session_key: str | None) -> bool:
        """Does this key open a session? A session that was never saved has none."""
        return session_key is not None and self._found(session_key) is not None

    def create(self) -> None:
        """Begin a session under a new key; it is saved once."""
        while True:
            self._session_key = self._get_new_session_key()
            try:
                self.save(must_create=True)
            except CreateError:
                continue
            self.modified = True
            return

    def save(self, must_create: bool = False) -> None:
        """Write what was changed.

        Raises UpdateError for a session that has ended, CreateError for a new one that exists.
        """
        key = self.session_key
        if key is None:
            self.create()
            return
        dumped = self._dumped(no_load=must_create)
        changes = self._changes({} if must_create else self._rows, dumped)
        _write(lambda work: self._merge(work, key, changes, must_create=must_create))
        self._rows, self._cleared = dumped, False

    def delete(self, session_key: str | None = None) -> None:
        """End it: no request that still runs can bring it back."""
        key = session_key or self.session_key
        if key is not None:
            _write(lambda work: _end(work, key))

    def clear(self) -> None:
        """Forget everything, also what another request adds until this one is saved."""
        super().clear()
        self._cleared = True

    def cycle_key(self) -> None:
        """Rotate: everything goes on under a new key, and the old one opens nothing."""
        dumped, old = self._dumped(no_load=False), self.session_key
        if old is None or not self.exists(old):
            self._rows = {}
            self.create()
            return
        new = self._get_new_session_key()
        move = SessionWrite(_id(new), self._changes(self._rows, dumped), moves=_id(old))
        _write(lambda work: self._close(work, old, move))
        self._session_key = new
        self._rows, self._cleared, self.modified = dumped, False, True

    async def acycle_key(self) -> None:
        """The same for async views."""
        await sync_to_async(self.cycle_key)()

    # What Django has not ---------------------------------------------------------------------

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self.keys()))

    def rotate(self) -> None:
        """Go on under a new key; to be called when somebody signs in or out."""
        self.cycle_key()

    def change(self, name: str, fn: Callable[[Any], Any], default: Any = None) -> Any:
        """Replace a value by `fn(value)`, exactly, also if others change it at the same time.

        It is written at once. `fn` may run more than once; returns the new value.
        """
        blank, seen = self._codec().dumps(default), list[bytes]()

        def update(stored: bytes | None) -> bytes:
            before = self._codec().loads(blank if stored is None else stored)
            seen.append(self._codec().dumps(fn(before)))
            return seen[-1]

        if self.session_key is None or not self.exists(self.session_key):
            self.create()
        key = str(self.session_key)
        write = SessionWrite(_id(key), Changes(updates=((name, update),)))
        _write(lambda work: self._close(work, key, write))
        self._rows[name] = seen[-1]
        self[name] = self._codec().loads(seen[-1])
        return self[name]

    @classmethod
    def clear_expired(cls) -> None:
        """Delete what has expired (`manage.py clearsessions`)."""
        while session_store().expire_now():
            pass
        _write(legacy.expire)

    # Keys and rows ---------------------------------------------------------------------------

    def _loaded(self) -> dict[str, Any]:
        """The rows as values; what cannot be read is left out, and said."""
        values: dict[str, Any] = {}
        for name, data in self._rows.items():
            try:
                values[name] = self._codec().loads(data)
            except Exception:  # noqa: BLE001 - whatever a serializer raises, as Django does
                EVENTS.warning("Session data corrupted")
        return values

    def _dumped(self, *, no_load: bool) -> dict[str, bytes]:
        """What is in it now, encoded."""
        values = self._get_session(no_load=no_load)
        return {str(name): self._codec().dumps(value) for name, value in values.items()}

    def _changes(self, before: dict[str, bytes], after: dict[str, bytes]) -> Changes:
        if self._cleared:
            return Changes(tuple(after.items()), cleared=True)
        sets = tuple((n, data) for n, data in after.items() if self._differs(before.get(n), data))
        return Changes(sets, tuple(sorted(before.keys() - after.keys())))

    def _differs(self, stored: bytes | None, data: bytes) -> bool:
        if stored is None or stored == data:
            return stored is None
        try:  # other bytes for the same value are no change
            return bool(self._codec().dumps(self._codec().loads(stored)) != data)
        except Exception:  # noqa: BLE001 - what cannot be read is overwritten
            return True

    def _codec(self) -> Any:
        return self.serializer()

    def _found(self, key: str) -> tuple[tuple[str, bytes], ...] | None:
        """The rows of a session, also of one that is still Django's; None where there is none.

        Asked once more at the end: between the two questions another request may have upgraded it.
        """
        found = self._ours(key)
        if found is None:
            found = self._before(key)
        return self._ours(key) if found is None else found

    def _ours(self, key: str) -> tuple[tuple[str, bytes], ...] | None:
        return session_store().open(Open(sid=_id(key))).session

    def _before(self, key: str) -> tuple[tuple[str, bytes], ...] | None:
        values = legacy.read(key)
        if values is None:
            return None
        return tuple((str(name), self._codec().dumps(value)) for name, value in values.items())

    def _adopt(self, work: SQLWork, key: str) -> None:
        """One that is still Django's becomes ours, under its key, unless it is ours already."""
        if work.head(_id(key)) is not None:
            return
        rows = self._before(key)
        if rows is not None:
            work.close(Close(session=SessionWrite(_id(key), Changes(rows), fresh=True)))
            legacy.drop(work, key)

    def _close(self, work: SQLWork, key: str, write: SessionWrite) -> None:
        self._adopt(work, key)
        work.close(Close(session=write))

    def _merge(self, work: SQLWork, key: str, changes: Changes, *, must_create: bool) -> None:
        """One step: look whether it is there, then write."""
        sid = _id(key)
        self._adopt(work, key)
        head = work.head(sid)
        if must_create and head is not None:
            raise CreateError
        if not must_create:
            self.moved = head is not None and head.moved_to is not None
            if not self.moved and work.open(Open(sid=sid)).session is None:
                visit = visit_of()
                if visit is not None:
                    visit.undo = True
                raise UpdateError
        work.close(Close(session=SessionWrite(sid, changes, fresh=must_create)))
        if not self.moved:
            self._expire(work, sid)

    def _expire(self, work: SQLWork, sid: bytes) -> None:
        """A session lives `idle` seconds from when it was seen: with an expiry of its own, later.

        Or earlier; what expires it and what deletes it then need to know no more.
        """
        expiry = self._get_session(no_load=True).get(EXPIRY)
        if expiry:
            seen = work.now + self.get_expiry_age(expiry=expiry) - work.store.idle
            work.run(EXPIRES, seen, sid)


def _id(key: str) -> bytes:
    return session_id(key.encode())


def _end(work: SQLWork, key: str) -> None:
    legacy.drop(work, key)
    work.close(Close(session=SessionWrite(_id(key), Changes(), ends=_id(key))))


def _write(step: Callable[[SQLWork], T]) -> T:
    """One step that writes; another writer's lock is waited for. Raises StoreBusy."""
    store: DjangoStore = session_store()
    deadline = time.monotonic() + PATIENCE
    while True:
        with store.writing() as work:
            if work is not None:
                return step(work)
        if time.monotonic() > deadline:
            raise StoreBusy("the session could not be written")
        time.sleep(NAP)
