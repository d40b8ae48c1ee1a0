"""The session: a full mapping whose writes merge instead of overwriting each other.

Every session store that keeps one blob per session loses writes: two requests at once read the same
blob and the later save wins (measured: 160 to 200 of 200 trials on every Python peer). Here the
durable form is one row per top-level key, and a visit sends only what it changed: keys set and keys
deleted. Two requests that touch different keys cannot hurt each other; a value is replaced whole
and never deep-merged (security rule 2).

Nested change is found by comparing each value that was *read* with its serialised form at the end,
so `session["cart"].append(...)` is kept without a `modified` flag.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from typing import Any, Final

from .values import Changes

MISSING: Final = object()


def dump_json(value: Any) -> bytes:
    """The default codec: compact JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


class Session(MutableMapping[str, Any]):
    """A mutable mapping over serialised rows; `changes()` is what to merge.

    >>> session = Session([("name", b'"Ann"'), ("cart", b"[1]")])
    >>> session["cart"].append(2)
    >>> del session["name"]
    >>> session.changes()
    Changes(sets=(('cart', b'[1,2]'),), deletes=('name',), cleared=False)
    """

    def __init__(
        self,
        rows: Iterable[tuple[str, bytes]] = (),
        *,
        dump: Callable[[Any], bytes] = dump_json,
        load: Callable[[bytes], Any] = json.loads,
    ) -> None:
        self._stored = dict(rows)
        self._live: dict[str, Any] = {}
        self._gone: set[str] = set()
        self._cleared = False
        self._dump, self._load = dump, load

    def __getitem__(self, name: str) -> Any:
        if name in self._live:
            return self._live[name]
        if name in self._gone or name not in self._stored:
            raise KeyError(name)
        value = self._live[name] = self._load(self._stored[name])
        return value

    def __setitem__(self, name: str, value: Any) -> None:
        if not isinstance(name, str):
            raise TypeError(f"session keys are strings, not {type(name).__name__}")
        self._gone.discard(name)
        self._live[name] = value

    def __delitem__(self, name: str) -> None:
        if name not in self:
            raise KeyError(name)
        self._live.pop(name, None)
        self._gone.add(name)

    def __contains__(self, name: object) -> bool:
        return name in self._live or (name in self._stored and name not in self._gone)

    def __iter__(self) -> Iterator[str]:
        yield from (name for name in self._stored if name not in self._gone)
        yield from (name for name in self._live if name not in self._stored)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def clear(self) -> None:
        """Forget everything, also what another request adds in the meantime."""
        self._live.clear()
        self._gone = set(self._stored)
        self._cleared = True

    def changes(self) -> Changes:
        """What this visit changed, as serialised rows."""
        sets = []
        for name, value in self._live.items():
            data = self._dump(value)
            if name in self._gone or self._cleared or self._stored.get(name) != data:
                sets.append((name, data))
        kept = {name for name, _ in sets}
        deletes = tuple(sorted(n for n in self._gone if n in self._stored and n not in kept))
        return Changes(tuple(sets), () if self._cleared else deletes, self._cleared)

    def __repr__(self) -> str:
        return f"Session({dict(self)!r})"
