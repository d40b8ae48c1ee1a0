"""The ledger on Redis: each op against one bare round trip to the same server.

The bare round trip is EVALSHA of a script that returns 1, by redis-py, while the server syncs its
append-only file once a second. The store's own connections are quicker than that client, so the
same is said once more against the same script on one of them: there a round trip on one machine is
little more than two switches of processes, and what a script does is most of the rest. With a sync
at each write, as a ledger should be kept, the disk is most of it: there, what writes is held
against one SET.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from typing import Any

from seeother.core.ops import Close, Granted, Lookup, Op, Open, Renew, Settle, Take
from seeother.stores.redis import RedisStore
from seeother.stores.redis_wire import evalsha
from seeother.testing.harness import LEASE, PATIENCE, claim, key, named, outcome, receipt, write
from tests.bench.measure import (
    Contestant,
    Figures,
    Scale,
    Summary,
    interleaved,
    spent,
    times,
)
from tests.bench.report import Line
from tests.servers import NoServer
from tests.servers.redis import RedisServer, address

FUTURE = 2e9
BUDGET = 1.25


def lines(scale: Scale) -> Iterator[Line]:
    """P9."""
    try:
        server = RedisServer()
    except NoServer:
        return
    with server:
        store = RedisStore.from_url(address(server))
        store.client.config_set("appendfsync", "everysec")
        try:
            made = Made(store)
            yield from _ops(scale, store, made)
            store.client.config_set("appendfsync", "always")
            yield from _synced(scale, store, made)
        finally:
            store.shut()


def _ops(scale: Scale, store: RedisStore, made: "Made") -> Iterator[Line]:
    client: Any = store.client
    digest = client.script_load("return 1")
    wires, nothing = store.here().wires, evalsha(digest, [], (), [])
    asked: dict[str, Callable[[int], list[Op[Any]]]] = {
        "look-up of what is new": made.lookups,
        "claim": made.claims,
        "settle": made.settles,
        "settle with message and session": made.whole,
        "look-up of what is settled": made.replays,
        "open: session, message under the mark": made.opens,
        "take a message": made.takes,
        "close: acknowledge it": made.closes,
        "renew": made.renews,
    }
    found = interleaved(
        {
            "ping": Contestant(lambda _item: client.ping()),
            "bare": Contestant(lambda _item: client.evalsha(digest, 0)),
            "wire": Contestant(lambda _item: wires.ask(nothing)),
            **{name: Contestant(store.perform, make) for name, make in asked.items()},
        },
        rounds=scale.rounds,
        block=scale.block,
    )
    yield Line.of("P9", "Redis: PING, p50", spent(found["ping"], "wall"), "us")
    for who, word in (("bare", "by redis-py"), ("wire", "on the store's own connection")):
        yield Line.of("P9", f"  a script that does nothing, {word}, p50", _wall(found[who]), "us")
        yield Line.of("P9", f"  a script that does nothing, {word}, CPU", spent(found[who]), "us")
    for name in asked:
        ratio = times(found["bare"], found[name], "wall")
        yield Line.of("P9", f"  {name}, p50, against redis-py's nothing", ratio, "x", BUDGET)
    for name in asked:
        ratio = times(found["wire"], found[name], "wall")
        yield Line.of("P9", f"  {name}, p50, against the store's own nothing", ratio, "x")
    for name in asked:
        yield Line.of("P9", f"  {name}, CPU of the worker", spent(found[name]), "us")


def _wall(found: Figures) -> Summary:
    return spent(found, "wall")


def _synced(scale: Scale, store: RedisStore, made: "Made") -> Iterator[Line]:
    client: Any = store.client
    digest = client.script_load("return redis.call('SET', KEYS[1], ARGV[1], 'EX', 9)")
    asked: dict[str, Callable[[int], list[Op[Any]]]] = {
        "claim": made.claims,
        "settle": made.settles,
        "settle with message and session": made.whole,
    }
    found = interleaved(
        {
            "bare": Contestant(lambda _item: client.evalsha(digest, 1, "{bench}:1", "x" * 100)),
            **{name: Contestant(store.perform, make) for name, make in asked.items()},
        },
        rounds=scale.rounds,
        block=max(1, scale.block // 5),
    )
    bare = spent(found["bare"], "wall")
    yield Line.of("P9", "Redis, appendfsync always: one SET, p50", bare, "us")
    for name in asked:
        ratio = times(found["bare"], found[name], "wall")
        yield Line.of("P9", f"  {name}, p50, against that", ratio, "x", BUDGET)


class Made:
    """Ops that were made, and everything before them done, before they are measured."""

    def __init__(self, store: RedisStore) -> None:
        self._store, self._numbers = store, count()

    def claims(self, amount: int) -> list[Op[Any]]:
        """New submissions."""
        return [claim(key(f"{next(self._numbers)}", issued=FUTURE)) for _ in range(amount)]

    def lookups(self, amount: int) -> list[Op[Any]]:
        """Of submissions that nobody has sent."""
        return [_look(mine) for mine in self.claims(amount)]

    def replays(self, amount: int) -> list[Op[Any]]:
        """Of submissions that are settled."""
        settles = self.settles(amount)
        for settle in settles:
            self._store.perform(settle)
        return [_look(settle) for settle in settles]

    def renews(self, amount: int) -> list[Op[Any]]:
        """Of claims that are held."""
        return [Renew(settle.key, settle.grant, LEASE) for settle in self.settles(amount)]

    def settles(self, amount: int) -> list[Any]:
        """Of claims that are held, with an outcome and nothing else."""
        return [self._settle(mine) for mine in self.claims(amount)]

    def whole(self, amount: int) -> list[Any]:
        """Of claims that are held, with a message and a new session key."""
        return [self._whole(settle) for settle in self.settles(amount)]

    def opens(self, amount: int) -> list[Op[Any]]:
        """The landing pages of as many submissions."""
        settles = self.whole(amount)
        for settle in settles:
            self._store.perform(settle)
        return [
            Open(one.receipt.visitor, one.session.sid, one.receipt.id, messages=True)
            for one in settles
        ]

    def takes(self, amount: int) -> list[Op[Any]]:
        """The messages of as many landing pages."""
        opens: list[Any] = self.opens(amount)
        return [Take(one.visitor, (one.mark,), b"lease", LEASE) for one in opens]

    def closes(self, amount: int) -> list[Op[Any]]:
        """The ends of as many landing pages."""
        takes: list[Any] = self.takes(amount)
        for take in takes:
            self._store.perform(take)
        return [Close(shown=take.receipts, lease_id=b"lease") for take in takes]

    def _settle(self, mine: Any) -> Settle:
        grant = self._store.claim(mine)
        assert isinstance(grant, Granted)
        return Settle(mine.key, grant, mine.fingerprint, outcome())

    def _whole(self, settle: Settle) -> Settle:
        name = f"{next(self._numbers)}"
        left = receipt(name, "saved", key=settle.key, visitor=named(name))
        new = write(named(name), fresh=True, sets={"user": b'"ann"'})
        told = outcome(receipt=left.id)
        return replace(settle, outcome=told, receipt=left, session=new)


def _look(of: Any) -> Lookup:
    return Lookup(of.key, of.fingerprint, PATIENCE)
