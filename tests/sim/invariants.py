"""What must hold of submissions, with the numbers of the protocol; each is one small function.

A function is True where its invariant is broken. Those of messages and sessions are in `promises`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from seeother.core.ledger import PAGE_KEEPING_SECONDS, State
from seeother.core.ops import Claim, Fenced, Settle
from seeother.core.values import ACCEPTED, REJECTED

from . import promises
from .judging import AT_ANSWER, AT_END, AT_OP, Seen, on

if TYPE_CHECKING:
    from .clients import Told
    from .world import World

RECONCILED: Final = "/form"  # where the library leads when only the app knew that it happened

# After every op -----------------------------------------------------------------------------


@on(AT_OP, "I1")
def accepted_is_final(seen: Seen) -> bool:
    """An accepted submission was claimed again before its time."""
    before, after = seen.before, seen.after
    if before is None or before.outcome is None or before.outcome.kind != ACCEPTED:
        return False
    if before.state is not State.SETTLED:
        return False
    if after is not None and after.outcome == before.outcome and not seen.grants_anew:
        return False
    if seen.mode == "joined" and isinstance(seen.op, Settle) and before.page_keeping:
        return False  # judged at its claim, and locked since
    over = seen.worker.world.now - before.settled_at > PAGE_KEEPING_SECONDS
    return not (before.page_keeping and isinstance(seen.op, Claim) and over)


@on(AT_OP, "I8")
def rejection_is_patient(seen: Seen) -> bool:
    """Rejected input ran again while its duplicates should still have got the rejection."""
    before = seen.before
    if not isinstance(seen.op, Claim) or before is None or not seen.grants_anew:
        return False
    if before.outcome is None or before.outcome.kind != REJECTED:
        return False
    if before.state is not State.SETTLED or before.fingerprint != seen.op.fingerprint:
        return False
    return seen.worker.world.now - before.settled_at <= seen.op.patience


@on(AT_OP, "I9")
def bad_tokens_touch_nothing(seen: Seen) -> bool:
    """A request with a bad or stale token reached the store."""
    return seen.worker.unit.startswith("bad")


@on(AT_OP, "I10")
def only_the_holder_settles(seen: Seen) -> bool:
    """A stale fence wrote an outcome."""
    if not seen.settles or seen.mode == "joined":
        return False
    before, grant = seen.before, seen.op.grant
    return before is None or (before.fence, before.claim_id) != (grant.fence, grant.claim_id)


@on(AT_OP, "I10")
def the_holder_may_settle(seen: Seen) -> bool:
    """The holder of the fence was refused."""
    before = seen.before
    if not isinstance(seen.op, Settle) or not isinstance(seen.reply, Fenced) or before is None:
        return False
    if seen.mode == "joined" or before.state is State.SETTLED:
        return False
    grant = seen.op.grant
    return (before.fence, before.claim_id) == (grant.fence, grant.claim_id)


@on(AT_OP, "I11")
def fences_grow(seen: Seen) -> bool:
    """A fence went backwards, or a new holder got an old one."""
    if seen.before is None or seen.after is None:
        return False
    if seen.grants_anew and seen.mode != "joined":
        return seen.after.fence <= seen.before.fence
    return seen.after.fence < seen.before.fence


@on(AT_OP, "I12")
def unknown_fates_are_kept(seen: Seen) -> bool:
    """A row was forgotten though nobody knows what its first holder did."""
    gone = seen.before is not None and seen.after is None
    return gone and seen.before is not None and seen.before.tainted


# With every answer --------------------------------------------------------------------------


@on(AT_ANSWER, "I3")
def accepted_means_done(world: World, told: Told) -> bool:
    """Told accepted, but there is no effect of that request's input."""
    if told.kind != "accepted":
        return False
    units = [told.unit, *promises.echoed_from(world, told)]
    effects = [effect for unit in units for effect in world.backend.table.of(unit)]
    return all(effect.payload != told.payload for effect in effects)


@on(AT_ANSWER, "I4")
def one_outcome(world: World, told: Told) -> bool:
    """Two different outcomes were told for one submission."""
    if told.kind != "accepted" or told.form.keeps_page or told.form.echoes:
        return False
    if told.location == RECONCILED:
        return False
    first = world.memo.setdefault("outcomes", {}).setdefault(told.unit, told.location)
    return bool(first != told.location)


@on(AT_ANSWER, "I5")
def accepted_stays_accepted(world: World, told: Told) -> bool:
    """Accepted and recorded, yet who asked later was told something else."""
    known: dict[tuple[str, str], float] = world.memo.setdefault("accepted", {})
    key = world.memo["keys"].get(told.unit)
    if told.kind == "accepted":
        row = world.backend.row(key)
        if row is not None and row.state is State.SETTLED:
            known.setdefault((told.unit, told.payload), told.at)
        return False
    since = known.get((told.unit, told.payload))
    denied = told.kind in ("doubt", "rejected", "edited", "gone")
    return denied and since is not None and told.began > since and not told.form.keeps_page


@on(AT_ANSWER, "I7")
def no_trouble_without_fault(world: World, told: Told) -> bool:
    """A doubt or an error although nothing went wrong."""
    return told.kind in ("doubt", "error") and told.unit not in world.faulted


@on(AT_ANSWER, "I7")
def doubt_is_for_separate(world: World, told: Told) -> bool:
    """A doubt in a mode where a lapsed claim simply runs again."""
    return told.kind == "doubt" and world.memo["mode"] != "separate"


@on(AT_ANSWER, "I7")
def no_busy_without_reason(world: World, told: Told) -> bool:
    """Busy although nothing went wrong and no view was slow."""
    if told.kind != "busy" or told.crowded or told.unit in world.faulted:
        return False
    one_writer = world.memo["mode"] == "joined" or world.backend.one_writer
    return not (told.unit in world.slow or (one_writer and (world.slow or world.stirred)))


@on(AT_ANSWER, "I8")
def rejected_means_nothing(world: World, told: Told) -> bool:
    """Told rejected by a run that left an effect."""
    if told.kind not in ("rejected", "released") or not told.fresh:
        return False
    return any(effect.run == told.run for effect in world.backend.table.of(told.unit))


# At the end ---------------------------------------------------------------------------------


@on(AT_END, "I1/I2")
def once(world: World, unit: str) -> bool:
    """More than one effect of one submission."""
    if world.memo["retry safe"] or unit in world.memo["keeps page"]:
        return False
    return len(world.backend.table.of(unit)) > 1


@on(AT_END, "I1/I2")
def one_input(world: World, unit: str) -> bool:
    """Effects of two different inputs under a token that allows one."""
    return len({effect.payload for effect in world.backend.table.of(unit)}) > 1


@on(AT_END, "I6")
def healed(world: World, unit: str) -> bool:
    """Asked once more without faults, it did not end as its mode promises."""
    final = world.memo["final"].get(unit)
    if world.memo["mode"] == "separate":
        return final not in ("accepted", "doubt")
    return final != "accepted" or not world.backend.table.of(unit)


@on(AT_END, "I7")
def no_doubt_about_nothing(world: World, unit: str) -> bool:
    """In doubt for ever although no view ever ran and the store could be told so."""
    if world.memo["final"].get(unit) != "doubt" or unit in world.memo.get("ran", ()):
        return False
    lost = world.faulted.get(unit, set()) & {"crash", "pause"}
    return not lost and unit not in world.memo.get("unheard", ())


@on(AT_END, "I12")
def rows_stay(world: World, unit: str) -> bool:
    """An accepted row is gone while its token is still valid."""
    accepted = world.memo.get("recorded", {})
    key = world.memo["keys"].get(unit)
    return key in accepted and world.backend.row(key) is None
