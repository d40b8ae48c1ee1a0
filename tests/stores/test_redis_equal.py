"""The decisions of the Lua scripts are those of the core: random ops, the same answers.

`StoreMachine` goes the ways that flows go. `test_any_ops_in_any_order` goes all others as well: any
op with any words, whether a flow would say them or not, and after each of them the whole state.
"""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from seeother.core import ops
from seeother.core.ledger import Row, State
from seeother.core.values import ACCEPTED, Flash, Key, Outcome, Receipt, SessionWrite, pack_outcome
from seeother.stores import redis_scripts
from seeother.stores.base import Clock
from seeother.stores.memory import MemoryStore
from seeother.stores.redis import RedisStore
from seeother.testing import FakeClock
from seeother.testing.harness import ANN, BOB, LEASE, PATIENCE, START, named
from seeother.testing.machine import StoreMachine
from seeother.testing.strategies import KEYS, STEPS, changes, inputs, keys, kinds, texts, visitors
from tests.servers.redis import address


def on(clock: Clock, **limits: Any) -> RedisStore:
    """A store under a prefix of its own, on this clock."""
    named = RedisStore.from_url(address())
    return RedisStore(named.url, named.prefix[1:-2], clock=clock, **limits)


class RedisMachine(StoreMachine):
    def make(self, clock: Clock) -> RedisStore:
        return on(clock)

    def end(self) -> None:
        """Nothing of it is left on disk but keys that age."""


TestRedisMachine = RedisMachine.TestCase
TestRedisMachine.settings = settings(
    max_examples=min(settings().max_examples // 2, 100), stateful_step_count=40
)

# Any ops in any order -----------------------------------------------------------------------------

RECEIPTS = tuple(named(f"receipt {n}", 8) for n in range(4))
SIDS = tuple(named(f"sid {n}") for n in range(4))

claim_ids = st.sampled_from((named("one"), named("two"), named("three")))
receipt_ids, sids = st.sampled_from(RECEIPTS), st.sampled_from(SIDS)
flags, fences = st.booleans(), st.integers(0, 4)
outcomes = st.builds(
    Outcome, kinds, st.just(303), st.sampled_from(("/a", "/b", None)), st.none() | receipt_ids
)
grants = st.builds(ops.Granted, fences, claim_ids)
receipts = st.builds(
    Receipt,
    receipt_ids,
    visitors,
    st.none() | keys,
    inputs,
    texts.map(tuple),
    st.binary(max_size=20),
)


def is_possible(write: SessionWrite) -> bool:
    """A rotation is to another id, of a session that does not begin or end in the same write."""
    return write.moves is None or not (write.fresh or write.ends or write.moves == write.sid)


writes = st.builds(SessionWrite, sids, changes, flags, st.none() | sids, st.none() | sids).filter(
    is_possible
)
lease_ids = st.sampled_from((b"l1", b"l2"))
few = st.lists(receipt_ids, max_size=3).map(tuple)

any_op = st.one_of(
    st.builds(
        ops.Lookup,
        keys,
        inputs,
        st.just(PATIENCE),
        flags,
        st.none() | st.builds(ops.Echo, receipt_ids, inputs, visitors, st.just(1.0)),
    ),
    st.builds(ops.Claim, keys, inputs, claim_ids, st.just(LEASE), st.just(PATIENCE), *[flags] * 4),
    st.builds(ops.Renew, keys, grants, st.just(LEASE)),
    st.builds(
        ops.Settle,
        keys,
        grants,
        inputs,
        outcomes,
        st.none() | receipts,
        st.none() | writes,
        flags,
        flags,
    ),
    st.builds(ops.Abandon, keys, grants),
    st.builds(ops.Doubt, keys, grants),
    keys.map(lambda key: ops.Resolve(key, True, Outcome(ACCEPTED, 200))),
    keys.map(lambda key: ops.Resolve(key, False)),
    st.builds(ops.Take, visitors, few, lease_ids, st.just(LEASE)),
    st.builds(ops.Close, st.none() | writes, st.none() | receipts, few, few, lease_ids),
    st.builds(ops.Rearm, receipt_ids, st.just(10.0)),
)
steps = st.lists(st.sampled_from(STEPS) | any_op, max_size=40)


def state(store: Any) -> Any:
    """All that can be asked of a store without changing it."""
    rows = [
        store.perform(ops.Lookup(key, fp, PATIENCE, keeping))
        for key in KEYS
        for fp in (named("input"), named("edited"))
        for keeping in (True, False)
    ]
    pages = [
        store.perform(ops.Open(visitor, None, mark, True, True, 0.0))
        for visitor in (ANN, BOB)
        for mark in RECEIPTS
    ]
    sessions = [store.perform(ops.Open(sid=sid)) for sid in SIDS]
    found = [None if one.session is None else dict(one.session) for one in sessions]
    return rows, pages, found, [one.unseen for one in sessions]


@given(steps=steps)
@settings(max_examples=min(settings().max_examples, 200))
def test_any_ops_in_any_order(steps: list[Any]) -> None:
    """Every answer, and everything that can be asked in between, is that of the memory store."""
    clock = FakeClock()
    limits: dict[str, Any] = {"max_kept": 60, "max_rows_per_token": 2}
    real, model = on(clock, **limits), MemoryStore(clock=clock, **limits)
    try:
        for step in steps:
            if isinstance(step, float):
                clock.tick(step)
            else:
                assert asked(real, step) == asked(model, step), step
            assert state(real) == state(model), step
    finally:
        real.shut()


# Any ask that meets any row -------------------------------------------------------------------

AGES = (0.0, 1.0, 5.0, 5.25, PATIENCE, PATIENCE + 0.25, 60.0)
LEASES = (-1.0, -0.25, 0.0, 0.25, LEASE)


@st.composite
def rows(draw: st.DrawFn) -> Row:
    """Any row that the ledger can have; ages and leases in seconds from now."""
    state = draw(st.sampled_from(State))
    accepted = outcomes.filter(lambda one: one.kind == ACCEPTED)
    outcome = draw(outcomes if state is State.SETTLED else st.none() | accepted)
    return Row(
        state,
        draw(st.integers(1, 3)),
        draw(claim_ids),
        draw(inputs),
        START + draw(st.sampled_from(LEASES)),
        draw(flags),
        draw(flags),
        outcome,
        START - draw(st.sampled_from(AGES)) if outcome else 0.0,
    )


PLANT = """
local token, variant, issued = KEYS[1], arg(), number()
keep(token, variant, {
  state = arg(), fence = number(), claim_id = arg(), fingerprint = arg(), lease_until = number(),
  tainted = flag(), page_keeping = flag(), outcome = flag() and arg() or arg() == '-',
  settled_at = number(), kind = flag() and arg() or arg() == '-',
  receipt = flag() and arg() or arg() == '-',
}, issued)
"""


READ = """
local row = row_of(KEYS[1], arg())
if not row then return false end
return {
  row.state, row.fence, row.claim_id, row.fingerprint, text(row.lease_until), tostring(row.tainted),
  tostring(row.page_keeping), row.outcome, text(row.settled_at), row.kind, row.receipt,
}
"""


def run(store: RedisStore, key: Key, script: str, *words: Any) -> Any:
    """A script of ours, with what the store's scripts begin with."""
    parts = [redis_scripts._constants(), redis_scripts._limits(("prefix", "retention"))]
    parts += [redis_scripts._piece(name) for name in ("start", "row")]
    given: list[Any] = [repr(store.clock()), store.prefix, store.retention, *words]
    token = f"{store.prefix}t:{key.id.hex()}"
    return store.client.eval("\n".join([*parts, script]), 1, token, *given)


def read(store: RedisStore, key: Key) -> Any:
    """A row as it is kept."""
    found = run(store, key, READ, key.variant)
    return (
        None
        if found is None
        else [
            None if word is None else bytes(str(word), "latin-1") if isinstance(word, int) else word
            for word in found
        ]
    )


def as_read(row: Row | None) -> Any:
    """What `read` gives for a row."""
    if row is None:
        return None
    outcome, kind, receipt = None, None, None
    if row.outcome is not None:
        outcome, kind = pack_outcome(row.outcome), row.outcome.kind.encode()
        receipt = row.outcome.receipt and row.outcome.receipt.hex().encode()
    numbers = [f"{number:.17g}".encode() for number in (row.lease_until, row.settled_at)]
    told = [str(one).lower().encode() for one in (row.tainted, row.page_keeping)]
    head = [row.state.value.encode(), str(row.fence).encode(), row.claim_id, row.fingerprint]
    return [*head, numbers[0], *told, outcome, numbers[1], kind, receipt]


def plant(store: RedisStore, key: Key, row: Row) -> None:
    """Write a row as a script of the store would."""
    found = row.outcome
    packed = [b"0", b"x"] if found is None else [b"1", pack_outcome(found)]
    kind = ["0", "x"] if found is None else ["1", found.kind]
    receipt = ["1", found.receipt.hex()] if found and found.receipt else ["0", "x"]
    words: list[Any] = [key.variant, int.from_bytes(key.id[:4], "big"), row.state.value, row.fence]
    words += [row.claim_id, row.fingerprint, row.lease_until, int(row.tainted)]
    words += [int(row.page_keeping), *packed, row.settled_at, *kind, *receipt]
    run(store, key, PLANT, *words)


mine = KEYS[2]
asks = st.one_of(
    st.builds(
        ops.Claim, st.just(mine), inputs, claim_ids, st.just(LEASE), st.just(PATIENCE), *[flags] * 4
    ),
    st.builds(ops.Lookup, st.just(mine), inputs, st.just(PATIENCE), flags),
    st.builds(ops.Renew, st.just(mine), grants, st.just(LEASE)),
    st.builds(
        ops.Settle,
        st.just(mine),
        grants,
        inputs,
        outcomes,
        st.none(),
        st.none(),
        flags,
        flags,
    ),
    st.builds(ops.Abandon, st.just(mine), grants),
    st.builds(ops.Doubt, st.just(mine), grants),
    st.just(ops.Resolve(mine, True, Outcome(ACCEPTED, 200))),
    st.just(ops.Resolve(mine, False)),
)


@given(met=st.lists(st.tuples(rows(), asks, asks), min_size=5, max_size=15))
@settings(max_examples=min(settings().max_examples, 200))
def test_any_ask_that_meets_any_row(met: list[tuple[Row, Any, Any]]) -> None:
    """The answer, the row that it leaves, and the same for the next one."""
    clock = FakeClock()
    real, model = on(clock), MemoryStore(clock=clock)
    try:
        for row, first, second in met:
            plant(real, mine, row)
            model.rows[mine] = row
            for ask in (first, second):
                assert asked(real, ask) == asked(model, ask), (row, ask)
                assert read(real, mine) == as_read(model.rows.get(mine)), (row, ask)
    finally:
        real.shut()


def asked(store: Any, op: ops.Op[Any]) -> Any:
    """The answer, or the kind of error that it is."""
    try:
        return store.perform(op)
    except Exception as error:  # noqa: BLE001 - to be compared
        return type(error)


def test_orphans_are_found_behind_many_that_are_shown_elsewhere() -> None:
    """The index of a visitor is read in pieces; what waits in a later one is found as well."""
    clock = FakeClock()
    found: list[Any] = []
    for store in (on(clock), MemoryStore(clock=clock)):
        names = [named(f"r{number:03}", 8) for number in range(2 * redis_scripts.CHUNK + 3)]
        for name in names:
            store.close(ops.Close(receipt=Receipt(name, ANN, None, b"", (Flash("saved"),))))
        store.take(ops.Take(ANN, tuple(names[:-2]), b"l1", LEASE))
        found.append(store.open(ops.Open(ANN, orphans=True, orphan_age=0.0)).waiting)
        assert found[-1] == tuple(names[-2:])
        store.shut()
    assert found[0] == found[1]
