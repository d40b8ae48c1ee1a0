"""A page with nothing pending: what session and messages add to a GET."""

import time
from collections.abc import Iterator

from seeother.core.entry import Greeting, greet
from seeother.core.fingerprint import session_id
from seeother.core.flows import page
from seeother.core.ops import Close, Handle, Open, Opened
from seeother.core.values import Changes, Headers, SessionWrite
from seeother.setup import performing
from seeother.visit import Visit
from tests.bench.measure import Contestant, Scale, added, interleaved, spent
from tests.bench.report import Line
from tests.bench.submissions import POLICY, Site, browser, request, see_other
from tests.bench.wal import commits

SID = b"session of bench"


def lines(scale: Scale) -> Iterator[Line]:
    """P14."""
    site = Site(scale.folder / "pages.db")
    write = SessionWrite(session_id(SID), Changes((("name", b'"Ann"'),)), fresh=True)
    site.store.close(Close(session=write))
    try:
        yield from _pages(scale, site)
        yield _without_lock(site)
    finally:
        site.close()


def _pages(scale: Scale, site: Site) -> Iterator[Line]:
    stranger, known = browser()[:5], browser(SID)
    nothing, fetches = _greeting(browser()), _greeting(known)
    ask = Open(nothing.visitor_id, session_id(SID), None, messages=True)
    f = interleaved(
        {
            "view": Contestant(lambda _: see_other(Handle(opened=Opened()))),
            "nothing": Contestant(lambda _: _page(site, nothing)),
            "session": Contestant(lambda _: _page(site, fetches)),
            "open": Contestant(lambda _: site.store.open(ask)),
            "stranger": Contestant(lambda _: _whole(site, stranger)),
            "known": Contestant(lambda _: _whole(site, known)),
        },
        rounds=scale.rounds,
        block=scale.block,
    )
    nothing_adds = added(f["view"], f["nothing"])
    yield Line.of(
        "P14",
        "GET without session, nothing pending: the flow adds, CPU",
        nothing_adds,
        "us",
        5,
    )
    more = added(f["nothing"], f["session"])
    yield Line.of("P14", "GET with session, nothing pending: the look-up adds, CPU", more, "us", 5)
    yield Line.of("P14", "  of which in the store, CPU", spent(f["open"]), "us")
    yield Line.of(
        "P14",
        "  the whole GET of a stranger, CPU",
        spent(f["stranger"]),
        "us",
    )
    yield Line.of("P14", "  the whole GET with a session, CPU", spent(f["known"]), "us")


def _greeting(headers: Headers) -> Greeting:
    return greet(request("GET", headers, time.time()), POLICY)


def _page(site: Site, greeting: Greeting) -> None:
    site.driver.run(page(greeting, POLICY), site.store.perform, see_other)


def _whole(site: Site, headers: Headers) -> None:
    """A GET as an adapter sees it, without its protocol."""
    visit = Visit(_greeting(headers), POLICY)
    perform = performing(site.store.perform, POLICY)

    def handle(op: Handle) -> object:
        visit.begin(op.opened, op.taken)
        return visit.handled(see_other(op).response)

    site.driver.run(visit.flow(), perform, handle)  # type: ignore[arg-type]


def _without_lock(site: Site) -> Line:
    """GETs while another connection holds the write lock: with a write they could not end."""
    before = commits(site.path)
    site.raw.execute("BEGIN IMMEDIATE")
    for _ in range(20):
        _whole(site, browser(SID))
    site.raw.execute("ROLLBACK")
    made = commits(site.path) - before
    return Line("P14", "commits of 20 GETs beside a held write lock", made, "commits", 0)
