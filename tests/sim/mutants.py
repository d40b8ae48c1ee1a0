"""Planted bugs: each is a mistake that somebody made or could make, and each must be caught.

A bug is planted around the library's own pieces: a row of the ledger's table, a function of a flow,
a method of a store, the answer to one op. Nothing of the simulation itself is weakened, so a bug
that nobody notices means that the simulation does not look closely enough.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

from seeother.core import entry, flows, ledger, record
from seeother.core.entry import Greeting
from seeother.core.ledger import Case, Move, State
from seeother.core.ops import Abandon, Done, Fenced, Granted, InFlight, Op
from seeother.core.policy import Mode
from seeother.core.session import Session
from seeother.core.shapes import SHAPES
from seeother.stores.delivery import Delivery
from seeother.stores.memory import _MemoryWork
from seeother.stores.work import Work

from . import bugs
from .backends import MemoryBackend

if TYPE_CHECKING:
    from .worker import Worker

JOINED: Final = "joined"
FENCED: Final = "fenced"
SEPARATE: Final = "separate"
FLASH: Final = "flash"
SESSION: Final = "session"
KEEP: Final = ledger.KEEP


@dataclass(frozen=True)
class Mutant:
    """One planted bug, and the scenario in which it shows.

    `patches` are attributes of the library, `moves` rows of the ledger's table; `bend` may answer
    an op instead of the store; `before` is told of every op before it is asked; `retry_safe` fixes
    the policy of that name.
    """

    name: str
    scenario: str
    patches: tuple[tuple[Any, str, Any], ...] = ()
    moves: tuple[tuple[str, Case, Move], ...] = ()
    bend: Callable[[Worker, Op[Any]], Any] | None = None
    before: Callable[[Worker, Op[Any]], None] | None = None
    retry_safe: bool | None = None

    @contextmanager
    def planted(self) -> Generator[None]:
        """The library with this bug in it."""
        with ExitStack() as stack:
            for where, name, value in self.patches:
                stack.enter_context(patch.object(where, name, value))
            moves = {(verb, case): move for verb, case, move in self.moves}
            stack.enter_context(patch.dict(ledger.TABLE, moves))
            yield


def _of(where: Any, name: str, value: Any) -> tuple[tuple[Any, str, Any], ...]:
    return ((where, name, value),)


def _shape(mode: Mode, **changes: Any) -> tuple[tuple[Any, str, Any], ...]:
    changed = {**SHAPES, mode: replace(SHAPES[mode], **changes)}
    return _of(flows, "SHAPES", changed)


def _move(verb: str, case: Case, to: State | str | None, reply: type[object]) -> Any:
    return ((verb, case, Move(to, reply)),)


def _takes(rule: Callable[[Greeting], bool]) -> tuple[tuple[Any, str, Any], ...]:
    return _of(Greeting, "takes_messages", property(rule))


def _is_get(greeting: Greeting) -> bool:
    return greeting.request.method == "GET"


def _is_not_ahead(greeting: Greeting) -> bool:
    return greeting.request.header(b"sec-purpose") is None


NO_FENCE: Final = _of(ledger, "_case_of_holder", bugs.any_fence)
ONE_INPUT: Final = (
    *_of(entry, "variant", bugs.nothing_of_input),
    *_of(entry, "fingerprint", bugs.nothing_of_input),
)
NO_VISITOR: Final = (
    *_of(_MemoryWork, "orphans", bugs.everybodys_orphans),
    *_of(Work, "take", bugs.take_for_anybody),
)
ANY_ECHO: Final = (
    *_of(Work, "_echoed", bugs.echo_for_anybody),
    *_of(entry, "echo_digest", bugs.echo_without_visitor),
    *_of(record, "echo_digest", bugs.echo_without_visitor),
)
ONE_BLOB: Final = (
    *_of(Session, "changes", bugs.whole_session),
    *_of(_MemoryWork, "change", bugs.replace_session),
)


def _settled(decide: Any) -> tuple[tuple[Any, str, Any], ...]:
    return _of(ledger, "_case_of_settled", decide)


LEDGER: Final = (
    Mutant("claim trusts the lookup before it", SEPARATE, bend=bugs.claim_by_lookup),
    Mutant("claim trusts the lookup before it", FENCED, bend=bugs.claim_by_lookup),
    Mutant("take-over when a lease is over", SEPARATE, _shape(SEPARATE, takeover=True)),
    Mutant("lease by the worker's clock", SEPARATE, _of(MemoryBackend, "clock", bugs.worker_clock)),
    Mutant("no heartbeat", SEPARATE, before=bugs.no_heartbeat),
    Mutant("fence starts anew", FENCED, _of(ledger, "_granted", bugs.first_fence)),
    Mutant("own claim not recognised", SEPARATE, moves=_move("claim", Case.MINE, KEEP, InFlight)),
    Mutant("lost claim not given back", SEPARATE, bend=bugs.no_release),
    Mutant("settle ignores the fence", SEPARATE, NO_FENCE, retry_safe=True),
    Mutant("settle ignores the fence", FENCED, NO_FENCE),
    Mutant("effect and row in two commits", FENCED, bend=bugs.settle_in_two_steps),
    Mutant("row written after the commit", JOINED, bend=bugs.record_after_commit),
    Mutant("several writers at once", JOINED, _of(MemoryBackend, "crowd", True)),
    Mutant("answer before settle", JOINED, before=bugs.answer_before_settle),
    Mutant(
        "late settle of a doubt refused",
        SEPARATE,
        moves=_move("settle", Case.DOUBTFUL, KEEP, Fenced),
    ),
    Mutant(
        "unrecorded, yet told accepted",
        SEPARATE,
        _of(flows, "_settled_later", bugs.settled_or_not),
        retry_safe=True,
    ),
    Mutant(
        "row deleted when the view raised",
        SEPARATE,
        _shape(SEPARATE, raised=Abandon),
        retry_safe=False,
    ),
    Mutant("doubt not written", SEPARATE, moves=_move("doubt", Case.HELD, None, Done)),
    Mutant(
        "abandon forgets an earlier attempt",
        SEPARATE,
        moves=_move("abandon", Case.TAINTED, None, Done),
        retry_safe=True,
    ),
    Mutant("errors are accepted", JOINED, _of(flows, "judge_answer", bugs.errors_accepted)),
    Mutant("replay ignores the input", SEPARATE, ONE_INPUT),
    Mutant("replay ignores the input", JOINED, ONE_INPUT),
    Mutant(
        "edited input granted", FENCED, moves=_move("claim", Case.EDITED, State.CLAIMED, Granted)
    ),
    Mutant("rejection replayed for ever", JOINED, _settled(bugs.REPLAYED_FOR_EVER)),
    Mutant("rejection not replayed at all", SEPARATE, _settled(bugs.NEVER_REPLAYED)),
    Mutant("page-keeping reopened at once", SEPARATE, _settled(bugs.REOPENED_AT_ONCE)),
    Mutant("rows expire too early", FENCED, _of(_MemoryWork, "expire", bugs.expire_early)),
    Mutant("stale token let through", SEPARATE, _of(entry, "verify", bugs.lenient_verify)),
)
READERS: Final = (
    Mutant("take does not look again", FLASH, _of(Delivery, "waits", lambda *_: True)),
    Mutant("taken counts as shown", FLASH, _of(Work, "take", bugs.acknowledge_at_take)),
    Mutant("prefetch takes", FLASH, _takes(_is_get)),
    Mutant("HEAD takes", FLASH, _takes(_is_not_ahead)),
    Mutant("failed page keeps its lease", FLASH, _of(Delivery, "given_back", lambda own, _: own)),
    Mutant("orphans of another visitor", FLASH, NO_VISITOR),
    Mutant("replay arms a copy as well", FLASH, _of(Work, "rearm", bugs.copy_at_rearm)),
    Mutant("settle without its message", FLASH, _of(_MemoryWork, "put", bugs.no_message)),
    Mutant("echo for another visitor", FLASH, ANY_ECHO),
    Mutant("echo at any time", FLASH, _of(entry, "Echo", bugs.echo_at_any_time)),
    Mutant("session written as one blob", SESSION, ONE_BLOB),
    Mutant("save re-creates what ended", SESSION, _of(Work, "_merge", bugs.merge_into_the_dead)),
    Mutant(
        "change computed from a copy",
        SESSION,
        _of(Session, "changes", bugs.change_by_what_was_read),
    ),
    Mutant("old id opens after rotation", SESSION, _of(Work, "_alive", bugs.alive_after_move)),
    Mutant("rotation drops earlier writes", SESSION, _of(Work, "_now_at", bugs.not_forwarded)),
    Mutant("sign-out ends one id only", SESSION, _of(Work, "_merge", bugs.end_this_id_only)),
)
MUTANTS: Final = (*LEDGER, *READERS)
