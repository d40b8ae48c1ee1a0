"""Ops as the words of a script (its keys and arguments), and its replies as answers.

Every id is written in hexadecimal, so that a key can be read by people: `{shop}:t:6553f10c...` are
the rows of a token, `r:` a receipt, `v:` what waits for a visitor, `s:` a session. Everything
before the colon is one hash tag, so one op concerns one slot of a cluster and no two of them.

Which keys an op touches is known before it runs, but for those that a stored value names (the
receipt of a recorded outcome, the session that another one moved to, the oldest drafts).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

from ..core import ops
from ..core.values import (
    Changes,
    Key,
    Outcome,
    Receipt,
    SessionWrite,
    pack_messages,
    pack_outcome,
    unpack_messages,
    unpack_outcome,
)
from ..errors import SentTooOften
from .delivery import Delivery, Kept, Stage

Word: TypeAlias = bytes | str | int | float
Words: TypeAlias = list[Word]
# What an update took a key of a session to hold; None: there is no such key.
Known: TypeAlias = Mapping[str, bytes | None]

STATES: Final[dict[bytes, Any]] = {
    b"InFlight": ops.InFlight(),
    b"InDoubt": ops.InDoubt(),
    b"Unknown": ops.Unknown(),
    b"Done": ops.Done(),
}


class Asked(NamedTuple):
    """One call of a script."""

    keys: Words
    words: Words


class Changed(Exception):
    """Nothing was written: an update took a key to hold what it does not hold."""

    def __init__(self, stored: list[bytes | None]) -> None:
        super().__init__()
        self.stored = stored


def _flag(value: object) -> str:
    return "1" if value else "0"


def token_key(prefix: str, key: Key) -> str:
    """The name of the rows of a token."""
    return f"{prefix}t:{key.id.hex()}"


def issued(key: Key) -> int:
    """When the token of a key was issued, in seconds since the epoch."""
    return int.from_bytes(key.id[:4], "big")


def _list(words: Iterable[Word]) -> Words:
    every = list(words)
    return [len(every), *every]


# Questions ----------------------------------------------------------------------------------


def _lookup(prefix: str, op: ops.Lookup, _known: Known | None) -> Asked:
    keys: Words = [token_key(prefix, op.key)]
    words: Words = [op.key.variant, issued(op.key), op.fingerprint, op.patience]
    words.append(_flag(op.page_keeping))
    if op.echo is not None:
        keys.append(f"{prefix}r:{op.echo.receipt.hex()}")
        words += [op.echo.digest, op.echo.visitor.hex(), op.echo.within]
    return Asked(keys, words)


def _claim(prefix: str, op: ops.Claim, _known: Known | None) -> Asked:
    words: Words = [op.key.variant, issued(op.key), op.fingerprint, op.claim_id, op.lease]
    words.append(op.patience)
    words += map(_flag, (op.takeover, op.retry_safe, op.page_keeping, op.keep))
    return Asked([token_key(prefix, op.key)], words)


def _held(
    prefix: str, op: ops.Renew | ops.Abandon | ops.Doubt | ops.Resolve, _known: Known | None
) -> Asked:
    undone = isinstance(op, ops.Resolve) and not op.happened
    grant = ops.Granted(0, b"") if isinstance(op, ops.Resolve) else op.grant
    lease = op.lease if isinstance(op, ops.Renew) else 0.0
    outcome = outcome_words(op.outcome if isinstance(op, ops.Resolve) else None)
    words: Words = [op.key.variant, issued(op.key), op.verb, grant.claim_id, grant.fence, lease]
    name = "resolve undone" if undone else op.verb
    return Asked([token_key(prefix, op.key)], [*words, *outcome, name])


def _settle(prefix: str, op: ops.Settle, known: Known | None) -> Asked:
    words: Words = [op.key.variant, issued(op.key), op.grant.claim_id, op.grant.fence]
    words += [op.fingerprint, *outcome_words(op.outcome), _flag(op.keep), _flag(op.page_keeping)]
    words += [*_session(op.session, known), *_receipt(op.receipt)]
    keys = [token_key(prefix, op.key), *_session_keys(prefix, op.session)]
    return Asked([*keys, *_receipt_keys(prefix, op.receipt)], words)


def _open(prefix: str, op: ops.Open, _known: Known | None) -> Asked:
    named = (("v", op.visitor), ("s", op.sid), ("r", op.mark))
    keys: Words = [f"{prefix}{kind}:{id_.hex()}" for kind, id_ in named if id_ is not None]
    words: Words = [(id_ or b"").hex() for _, id_ in named]
    return Asked(keys, [*words, _flag(op.messages), _flag(op.orphans), op.orphan_age])


def _take(prefix: str, op: ops.Take, _known: Known | None) -> Asked:
    ids = [receipt.hex() for receipt in dict.fromkeys(op.receipts)]
    keys: Words = [f"{prefix}r:{id_}" for id_ in ids]
    return Asked(keys, [op.visitor.hex(), op.lease_id, op.lease, *_list(ids)])


def _close(prefix: str, op: ops.Close, known: Known | None) -> Asked:
    shown, unshown = ([id_.hex() for id_ in ids] for ids in (op.shown, op.unshown))
    keys: Words = [f"{prefix}r:{id_}" for id_ in (*shown, *unshown)]
    keys += [*_session_keys(prefix, op.session), *_receipt_keys(prefix, op.receipt)]
    words = [*_session(op.session, known), *_receipt(op.receipt), op.lease_id]
    return Asked(keys, [*words, *_list(shown), *_list(unshown)])


def _rearm(prefix: str, op: ops.Rearm, _known: Known | None) -> Asked:
    return Asked([f"{prefix}r:{op.receipt.hex()}"], [op.receipt.hex(), op.fresh])


ASKED: Final[dict[str, Callable[[str, Any, Known | None], Asked]]] = {
    "lookup": _lookup,
    "claim": _claim,
    "settle": _settle,
    "renew": _held,
    "abandon": _held,
    "doubt": _held,
    "resolve": _held,
    "open": _open,
    "take": _take,
    "close": _close,
    "rearm": _rearm,
}


def outcome_words(outcome: Outcome | None) -> Words:
    """An outcome, and beside it the two things in it that a script has to know."""
    if outcome is None:
        return [b"", "", ""]
    return [pack_outcome(outcome), outcome.kind, (outcome.receipt or b"").hex()]


def _receipt(receipt: Receipt | None) -> Words:
    if receipt is None:
        return ["0"]
    words: Words = ["1", receipt.id.hex(), receipt.visitor.hex()]
    words += ["", "", ""] if receipt.key is None else _key(receipt.key)
    messages = pack_messages(receipt.messages)
    return [*words, receipt.echo, messages, receipt.draft, _flag(receipt.messages)]


def _key(key: Key) -> Words:
    return [key.id.hex(), key.variant, issued(key)]


def _receipt_keys(prefix: str, receipt: Receipt | None) -> Words:
    if receipt is None:
        return []
    counts = [f"{prefix}{name}" for name in ("last", "drafts", "draft-bytes")]
    return [f"{prefix}r:{receipt.id.hex()}", f"{prefix}v:{receipt.visitor.hex()}", *counts]


def _session_keys(prefix: str, write: SessionWrite | None) -> Words:
    if write is None:
        return []
    named = dict.fromkeys((write.sid, write.moves, write.ends))
    return [f"{prefix}s:{sid.hex()}" for sid in named if sid is not None]


def _session(write: SessionWrite | None, known: Known | None) -> Words:
    if write is None:
        return ["0"]
    words: Words = ["1", write.sid.hex(), _flag(write.fresh)]
    words += [(write.moves or b"").hex(), (write.ends or b"").hex()]
    return [*words, *_changes(write.changes, known)]


def _changes(changes: Changes, known: Known | None) -> Words:
    """Deletes, sets, and what the updates were computed from."""
    sets = (*changes.sets, *computed(changes, known or {}).items())
    flat: Words = [word for name, value in sets for word in (f"k{name}", value)]
    deletes = _list(f"k{name}" for name in changes.deletes)
    return [_flag(changes.cleared), *deletes, *_list(flat), *_expected(changes, known)]


def _expected(changes: Changes, known: Known | None) -> Words:
    names = updated(changes)
    words: Words = [len(names)]
    for name in names:
        value = None if known is None else known[name]
        there = "?" if known is None else _flag(value is not None)
        words += [name, there, value or b""]
    return words


def updated(changes: Changes) -> list[str]:
    """The keys whose stored values the updates of a visit depend on."""
    return [] if changes.cleared else list(dict.fromkeys(name for name, _ in changes.updates))


def computed(changes: Changes, known: Known) -> dict[str, bytes]:
    """What the updates make of what is stored; nothing as long as that is not known."""
    if not known and updated(changes):
        return {}
    stored: dict[str, bytes | None] = dict(known)
    out: dict[str, bytes] = {}
    for name, update in changes.updates:
        out[name] = stored[name] = update(stored.get(name))
    return out


# Answers ------------------------------------------------------------------------------------


def answered(op: ops.Op[Any], reply: Any) -> Any:
    """A reply as the answer to its op. Raises SentTooOften and `Changed`."""
    if op.verb == "open":
        return _opened(*reply)
    if op.verb == "take":
        return tuple(_taken(*one) for one in reply)
    return said(reply)


def said(reply: bytes | list[Any]) -> Any:
    """A word, or a word and what belongs to it. Raises SentTooOften and `Changed`."""
    words: list[Any] = [reply] if isinstance(reply, bytes) else reply
    word, more = words[0], words[1:]
    match word:
        case b"Granted":
            return ops.Granted(*more)
        case b"Settled":
            outcome, age, taken = more
            return ops.Settled(unpack_outcome(outcome), float(age), bool(taken))
        case b"Edited":
            outcome, age = more
            return ops.Edited(unpack_outcome(outcome), float(age))
        case b"Fenced":
            return _fenced(*more)
        case b"Changed":
            raise Changed(more)
        case b"SentTooOften":
            raise SentTooOften("the token has as many rows as it may have, max_rows_per_token")
        case _:
            return STATES[word]


def _fenced(winner: bytes = b"", edited: int = 0) -> ops.Fenced:
    return ops.Fenced(unpack_outcome(winner) if winner else None, bool(edited))


# `known` in the reply of open.lua: there, and leased to another page.
LEASED: Final = 2


def _opened(draft: bytes, known: int, unseen: bytes, count: int, *more: bytes) -> ops.Opened:
    ids, fields = tuple(bytes.fromhex(id_.decode()) for id_ in more[:count]), more[count:]
    if not unseen:
        return ops.Opened(None, draft, ids, known=bool(known), elsewhere=known == LEASED)
    pairs = zip(fields[::2], fields[1::2], strict=True)
    kept = tuple((name[1:].decode(), value) for name, value in pairs)
    return ops.Opened(kept, draft, ids, float(unseen), known=bool(known), elsewhere=known == LEASED)


def _taken(id_: bytes, messages: bytes, again: bytes) -> ops.Taken:
    receipt, late = bytes.fromhex(id_.decode()), again == b"1"
    delivery = Delivery(Stage.LEASED, 0.0, 0.0, again=late)
    kept = Kept(receipt, b"", None, b"", unpack_messages(messages), b"", delivery)
    return ops.Taken(receipt, kept.text, late)
