"""The ledger in the effect's own transaction (synchronous=NORMAL), the whole POST, the replay."""

from collections.abc import Iterator

from sqlalchemy import Connection, Engine, create_engine, event, text

from seeother.core.entry import greet
from seeother.core.ops import Lookup, Settled
from seeother.core.values import Key, Response
from seeother.effect import Effect
from seeother.stores import schema
from seeother.stores.sqlite import tune
from seeother.visit import Visit
from tests.bench.measure import Contestant, Scale, added, interleaved, spent, times
from tests.bench.report import Line
from tests.bench.submissions import (
    INSERT,
    POLICY,
    TEXT,
    Asked,
    Sent,
    Site,
    admitted,
    asks,
    forms,
    thanked,
)
from tests.bench.wal import commits

STATEMENT = text("INSERT INTO effect(text) VALUES(:text)")


class Alchemy:
    """The same site as people have it: an SQLAlchemy engine on its file."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.engine: Engine = create_engine(f"sqlite:///{site.path}")
        event.listen(self.engine, "connect", lambda raw, _record: tune(raw, "NORMAL"))

    def effect(self, _item: object) -> None:
        """The effect alone."""
        with self.engine.begin() as connection:
            connection.execute(STATEMENT, {"text": TEXT})

    def post(self, sent: Sent) -> None:
        """The whole submission by `once`, as every adapter calls it."""
        visit, _ = admitted(sent)
        effect = Effect(visit, self.site, self.engine, _save, (), lambda answer: answer)
        driver = self.site.driver
        effect.settled(driver.run(effect.flow(), effect.perform, effect.view, single_writer=True))


def _save(connection: Connection, visit: Visit) -> Response:
    connection.execute(STATEMENT, {"text": TEXT})
    return thanked(visit)


def lines(scale: Scale) -> Iterator[Line]:
    """P1 and P6."""
    site = Site(scale.folder / "ledger.db")
    alchemy = Alchemy(site)
    try:
        yield from _posts(scale, site, alchemy)
        yield from _replays(scale, site)
    finally:
        alchemy.engine.dispose()
        site.close()


def _posts(scale: Scale, site: Site, alchemy: Alchemy) -> Iterator[Line]:
    f = interleaved(
        {
            "effect": Contestant(site.effect),
            "statements": Contestant(lambda asked: _statements(site, asked), asks),
            "joined": Contestant(site.joined, asks),
            "message": Contestant(site.joined, lambda n: asks(n, message=True)),
            "unprotected": Contestant(site.unprotected, forms),
            "greet": Contestant(lambda sent: greet(sent.request, POLICY), forms),
            "admit": Contestant(admitted, forms),
            "post": Contestant(site.post, forms),
            "engine": Contestant(alchemy.effect),
            "once": Contestant(alchemy.post, forms),
        },
        rounds=scale.rounds,
        block=scale.block,
    )
    effect, joined = f["effect"], f["joined"]
    yield Line.of("P1", "effect alone: one row, one transaction, CPU", spent(effect), "us")
    yield Line.of("P1", "claim + outcome joined add, CPU", added(effect, joined), "us", 10)
    yield Line.of("P1", "claim + outcome joined add, p50", added(effect, joined, "wall"), "us", 8)
    more = added(effect, f["statements"])
    yield Line.of("P1", "  of which the two SQL statements, CPU", more, "us")
    yield Line.of(
        "P1", "  with a message (receipt row) they add, CPU", added(effect, f["message"]), "us"
    )
    whole = added(f["unprotected"], f["post"])
    yield Line.of("P1", "the whole POST protection adds, CPU", whole, "us", 25)
    yield Line.of("P1", "  of which host, origin, cookies, mark, CPU", spent(f["greet"]), "us")
    admit = added(f["greet"], f["admit"])
    yield Line.of("P1", "  of which form, token, fingerprint, CPU (form too)", admit, "us")
    as_used = added(f["engine"], f["once"])
    yield Line.of("P1", "the same beside one SQLAlchemy insert adds, CPU", as_used, "us")
    ratio = times(f["engine"], f["once"])
    yield Line.of("P1", "  against that insert alone, CPU", ratio, "x")


def _statements(site: Site, asked: Asked) -> None:
    """The statements of claim and settle without any Python around them: the floor."""
    key, raw = asked.claim.key, site.raw
    raw.execute("BEGIN IMMEDIATE")
    raw.execute(schema.READ_ROW, (key.id, key.variant)).fetchone()
    raw.execute(INSERT, (TEXT,))
    head = ("settled", 1, asked.claim.claim_id, asked.claim.fingerprint, 0.0)
    raw.execute(schema.WRITE_ROW, (*head, False, False, b"{}" * 16, 0.0, key.id, key.variant))
    raw.execute("COMMIT")


def _replays(scale: Scale, site: Site) -> Iterator[Line]:
    done = forms(scale.block)
    keys: list[Key] = []
    for sent in done:
        assert site.post(sent).word == "new"
        keys.append(admitted(sent)[1].key)
    f = interleaved(
        {
            "lookup": Contestant(site.store.lookup, lambda _n: [_look(key) for key in keys]),
            "replay": Contestant(site.post, lambda _n: done),
            "first": Contestant(site.post, forms),
        },
        rounds=scale.rounds,
        block=scale.block,
    )
    assert isinstance(site.store.lookup(_look(keys[0])), Settled)
    lookup = f["lookup"]
    yield Line.of("P6", "replay in the store: one lookup, CPU", spent(lookup), "us", 5)
    yield Line.of("P6", "replay in the store: one lookup, p50", spent(lookup, "wall"), "us")
    yield Line.of(
        "P6", "a replayed POST against the first one, CPU", times(f["first"], f["replay"]), "x", 1
    )
    yield _without_lock(site, done)


def _without_lock(site: Site, done: list[Sent]) -> Line:
    """Replays while another connection holds the write lock: with a write they could not end."""
    holder = Site(site.path)
    before = commits(site.path)
    holder.raw.execute("BEGIN IMMEDIATE")
    words = {site.post(sent).word for sent in done[:20]}
    holder.raw.execute("ROLLBACK")
    holder.close()
    assert words == {"replayed"}
    made = commits(site.path) - before
    return Line("P6", "commits of 20 replays beside a held write lock", made, "commits", 0)


def _look(key: Key) -> Lookup:
    return Lookup(key, key.variant, 10.0)
