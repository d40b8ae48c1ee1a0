"""Looking at a ledger on Redis from outside: what `inspect` and `examine` are for a file.

Keys are found by SCAN, which disturbs nobody and sees everything that was there all the time; so
the numbers of a busy ledger are those of the last seconds, not of one and the same moment.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Generator
from typing import Any, Final, NamedTuple

from ..core.ledger import State
from ..core.ops import Done
from ..core.values import ACCEPTED, Key, Outcome, unpack_messages, unpack_outcome
from ..errors import StoreDown
from .delivery import Stage
from .examine import UNREADABLE, Finding, some
from .inspect import InQuestion, Survey
from .redis import RedisStore
from .redis_server import outages, risks, told
from .redis_words import issued, outcome_words, said, token_key

BATCH: Final = 500
CLOSE_TO_FULL: Final = 0.9


class _Seen(NamedTuple):
    """One row, as the server gave it; without a state it could not be read."""

    key: Key
    state: str
    fence: int
    outcome: bytes
    in_question: bool


def entered(store: RedisStore) -> RedisStore:
    """The store, open, with the retention that its apps have asked for.

    Raises StoreDown where there is no ledger under its prefix.
    """
    store.retention = 0.0
    store.prepare()
    if not store.retention:
        raise StoreDown(f"there is no ledger under {store.prefix}*; name it by ?prefix=")
    return store


def survey(store: RedisStore) -> Survey:
    """Count what is in a ledger; reads everything once."""
    states = Counter(seen.state for seen in _rows(store))
    with outages():
        receipts = sum(len(names) for names in _names(store, "r"))
        waiting = sum(sum(_each(store, "zcard", names)) for names in _names(store, "v"))
        sessions = sum(
            _each(store, "hexists", names, "moved").count(False) for names in _names(store, "s")
        )
        size = sum(
            sum(filter(None, _each(store, "memory_usage", names)))
            for kind in "trvs"
            for names in _names(store, kind)
        )
        drafts = _number(store, "draft-bytes")
    settled, claimed, in_doubt = (
        states[state.value] for state in (State.SETTLED, State.CLAIMED, State.IN_DOUBT)
    )
    return Survey(settled, claimed, in_doubt, receipts, waiting, sessions, drafts, size)


def doubts(store: RedisStore) -> tuple[InQuestion, ...]:
    """All submissions in doubt, and the claims that ran out without an outcome; oldest first."""
    found = sorted((s for s in _rows(store) if s.in_question), key=lambda s: _order(s.key))
    return tuple(InQuestion(seen.key, State(seen.state), seen.fence) for seen in found)


def resolve(store: RedisStore, key: Key, *, happened: bool) -> bool:
    """End a doubt; False if there is none (any more)."""
    outcome = Outcome(ACCEPTED, 200) if happened else None
    name = "resolve" if happened else "resolve undone"
    words = [key.variant, issued(key), *outcome_words(outcome), name]
    reply = store.call("found_out", [token_key(store.prefix, key)], words)
    return isinstance(said(reply), Done)


def purge(store: RedisStore) -> int:
    """Nothing is ever left to delete: each key ends by itself."""
    return store.expire_now()


def forget(store: RedisStore, visitor: bytes, session: bytes | None) -> int:
    """Delete what is kept of one visitor, and end a session; how many receipts it was."""
    with outages():
        if session is not None:
            store.client.delete(f"{store.prefix}s:{session.hex()}")
        found = [
            store.call("forget", [name.decode() for name in names], [visitor.hex()])
            for names in _names(store, "r")
        ]
    return sum(map(int, found))


# Is it sound, is it kept well? --------------------------------------------------------------


def verify(store: RedisStore) -> tuple[Finding, ...]:
    """Is everything in the ledger as the ledger's own rules say? What cannot be read is not."""
    broken = [seen.key.id.hex() for seen in _rows(store) if not _is_sound(seen)]
    with outages():
        unread, there = list[str](), 0
        for names in _names(store, "r"):
            for name, fields in zip(names, _each(store, "hgetall", names), strict=True):
                there += len(fields.get(b"draft", b""))
                unread += [] if _is_readable(fields) else [_id(name).hex()]
        counted = _number(store, "draft-bytes")
    return (
        Finding(not broken, f"rows without a sound outcome: {some(broken)}"),
        Finding(not unread, f"receipts that cannot be read: {some(unread)}"),
        # Drafts that expired are counted off when the next one comes.
        Finding(counted >= there, f"drafts: {there} bytes, counted as {counted}"),
    )


def examine(store: RedisStore, listing: str = "seeother ledger doubts") -> tuple[Finding, ...]:
    """What stands around the ledger: the server, its settings, its memory, the doubts."""
    with outages():
        client = store.client
        server, memory = told(client, "server"), told(client, "memory")
        followers = told(client, "replication").get("connected_slaves", 0)
        found = risks(client)
    count = len(doubts(store))
    see = f"; see: {listing}" if count else ""
    name = "Valkey" if "valkey_version" in server else "Redis"
    version = server.get("valkey_version") or server.get("redis_version") or "(version not told)"
    return (
        Finding(True, f"{name} {version}, rows are kept for {store.retention / 3600:.1f} h"),
        *(Finding(one.good, one.text) for one in found),
        _memory(memory),
        *_replicas(followers),
        Finding(not count, f"{count} submissions in doubt{see}"),
    )


def _memory(found: dict[str, Any]) -> Finding:
    used, most = int(found.get("used_memory", 0)), int(found.get("maxmemory", 0))
    limit = f" of {most >> 20}" if most else ""
    return Finding(not most or used < most * CLOSE_TO_FULL, f"{used >> 20}{limit} MiB used")


def _replicas(count: int) -> tuple[Finding, ...]:
    if not count:
        return ()
    return (Finding(True, f"note: {count} replicas; one that takes over may lack the last writes"),)


def _is_sound(seen: _Seen) -> bool:
    """A settled row has an outcome with a status of HTTP, and every row a fence."""
    if seen.state not in set(State) or seen.fence < 1:
        return False
    if not seen.outcome:
        return seen.state != State.SETTLED
    try:
        return 100 <= unpack_outcome(seen.outcome).status <= 599
    except UNREADABLE:
        return False


def _is_readable(fields: dict[bytes, bytes]) -> bool:
    try:
        unpack_messages(fields[b"messages"])
        times = [float(fields[name]) for name in (b"settled", b"score")]
        times += [float(fields.get(name, b"0")) for name in (b"armed", b"lease_until")]
        return bool(Stage(int(fields[b"stage"]))) and len(times) > 0 and b"visitor" in fields
    except (*UNREADABLE, KeyError):
        return False


# Reading everything -------------------------------------------------------------------------


def _rows(store: RedisStore) -> Generator[_Seen]:
    with outages():
        for names in _names(store, "t"):
            for token, variant, state, fence, outcome, open_ in store.call("rows", [*names], []):
                key = Key(_id(token), variant)
                yield _Seen(key, state.decode(), fence, outcome, bool(open_))


def _names(store: RedisStore, kind: str) -> Generator[list[bytes]]:
    """All keys of a kind, in batches; SCAN may name one twice."""
    pattern = re.sub(r"([*?\[\]\\])", r"\\\1", f"{store.prefix}{kind}:") + "*"
    client: Any = store.client
    names = list(dict.fromkeys(client.scan_iter(pattern, count=BATCH)))
    for start in range(0, len(names), BATCH):
        yield names[start : start + BATCH]


def _each(store: RedisStore, command: str, names: list[bytes], *words: str) -> list[Any]:
    """One command for each of these keys, in one round trip."""
    client: Any = store.client
    pipe = client.pipeline(transaction=False)
    for name in names:
        getattr(pipe, command)(name, *words)
    found: list[Any] = pipe.execute()
    return found


def _number(store: RedisStore, name: str) -> int:
    client: Any = store.client
    return int(client.get(f"{store.prefix}{name}") or 0)


def _id(name: bytes) -> bytes:
    return bytes.fromhex(name.rpartition(b":")[2].decode())


def _order(key: Key) -> bytes:
    return key.id + key.variant
