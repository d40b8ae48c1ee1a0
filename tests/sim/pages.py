"""People who read: two visitors, several tabs, prefetching, replays, and pages that fail.

Every accepted form leaves a message under a mark. It may be taken by one page only, of its own
visitor, that really shows something; what no page shows must wait for the next one.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from seeother.core.entry import greet
from seeother.core.fingerprint import visitor_id
from seeother.core.flows import Answer, page
from seeother.core.mark import cut
from seeother.core.ops import Handle
from seeother.core.policy import Mode
from seeother.core.values import Handled, Response

from . import promises
from .clients import NOTHING, Desk, Form, Hear, Heard, Script, Send, policy_of
from .effects import ACCEPT, ViewError
from .network import Net, follow
from .worker import Ended, Worker

if TYPE_CHECKING:
    from .world import World

MODES: Final[tuple[Mode, ...]] = ("joined", "fenced", "separate")
ENDS: Final = ("shown", "shown", "shown", "unread", "redirect", "500", "raises")
DOCUMENT: Final = ((b"sec-fetch-dest", b"document"), (b"accept", b"text/html"))
PREFETCH: Final = (*DOCUMENT, (b"sec-purpose", b"prefetch;prerender"))
CROSS_SITE: Final = (*DOCUMENT, (b"sec-fetch-site", b"cross-site"))
ROUNDS: Final = 12


@dataclass(frozen=True, slots=True)
class Get:
    """Somebody opens a page; `ends`: what becomes of it."""

    target: str
    visitor: bytes | None
    ends: str = "shown"
    method: str = "GET"
    headers: tuple[tuple[bytes, bytes], ...] = DOCUMENT
    session: Any = None

    @property
    def eligible(self) -> bool:
        """May this request take messages? Judged here anew, not by the library's own rule."""
        own = self.headers is not CROSS_SITE or "so=" in self.target
        return self.method == "GET" and self.headers is not PREFETCH and own

    def do(self, net: Net, hear: Hear) -> None:
        """Open it in some process."""
        hear = once_heard(hear)
        world, desk = net.world, net.desk
        process = world.processes[world.rng.randrange(len(world.processes))]
        request = desk.request(
            self.method, self.target, self.visitor, self.headers, hinted=self.visitor is not None
        )
        flow = page(greet(request, desk.policy), desk.policy)
        port = world.backend.port(process, desk.mode)
        unit = f"page {world.number()}"

        def then(worker: Worker, ended: Ended) -> None:
            hear(self._seen(worker, ended))

        world.at(
            world.rng.random() * 0.2,
            Worker(world, process, flow, port, unit=unit, view=Showing(self), then=then).start,
            process,
        )
        world.at(100.0, lambda: hear(NOTHING))

    def _seen(self, worker: Worker, ended: Ended) -> Heard:
        if not isinstance(ended.value, Answer):
            return NOTHING
        if self.ends == "shown":
            promises.shown(worker, worker.taken)
        return Heard("page", ended.value.response.header(b"location") or "")


class Showing:
    """The view of a page."""

    def __init__(self, get: Get) -> None:
        self.get = get

    def steps(self, worker: Worker, op: Handle) -> Generator[float, None, Any]:
        """Take the messages, render for a while, end in one of several ways."""
        world, get = worker.world, self.get
        worker.taken = op.taken
        own = b"" if get.visitor is None else visitor_id(get.visitor)
        promises.may_take(worker, op.taken, eligible=get.eligible, visitor=own)
        yield world.rng.random() * world.rng.choice((0.1, 2.0, 2.0, 90.0))
        if get.ends == "raises":
            raise ViewError
        if get.ends == "redirect":
            return Handled(Response(302, ((b"location", b"/elsewhere"),)))
        if get.ends == "500":
            return Handled(Response(500), rendered=True)
        return Handled(Response(200), rendered=True, shown=get.ends == "shown")


def once_heard(hear: Hear) -> Hear:
    """Only the first answer counts."""
    heard: list[Heard] = []

    def first(answer: Heard) -> None:
        if not heard:
            heard.append(answer)
            hear(answer)

    return first


def messages(world: World) -> None:
    """Two visitors with one or two tabs each send forms, double-click, and read."""
    rng = world.rng
    mode = rng.choice(MODES)
    desk = Desk(world, policy_of(mode, 10.0), mode)
    net, visitors = Net(desk), (rng.randbytes(16), rng.randbytes(16))
    world.memo["reconcile"] = lambda _key: None
    for number in range(rng.choice((2, 3, 4))):
        mine, other = rng.sample(visitors, 2)
        form = desk.form(f"m{number}", "new", mine, speaks=True)
        for _ in range(rng.choice((1, 1, 2))):
            start = rng.random() * rng.choice((0.3, 3.0, 12.0))
            tab = _tab(net, form, other)
            world.at(start, lambda tab=tab: follow(net, tab))  # type: ignore[misc]
    world.run()
    _probe(net, visitors)


def _tab(net: Net, form: Form, other: bytes) -> Script:
    """Send, follow the answer, and see what else happens to its address."""
    rng, mine = net.world.rng, form.visitor
    heard = yield Send(form, "A", ACCEPT, 15.0)
    if heard.kind != "accepted":
        return
    landing = heard.location
    if "so=" in landing and rng.random() < 0.4:
        yield from _second_click(net, form, landing, other)
    for _ in range(rng.choice((0, 0, 1, 2))):
        yield _foreign(net, landing, mine, other)
    for _ in range(rng.choice((1, 1, 2))):
        ends = rng.choice(ENDS)
        heard = yield Get(landing, mine, ends)
        if ends == "redirect" and heard.location:
            yield Get(heard.location, mine)
    if rng.random() < 0.3:
        yield rng.random() * 20
        yield Send(form, "A", ACCEPT, 15.0)
        yield Get(landing, mine)


def _foreign(net: Net, landing: str, mine: bytes | None, other: bytes) -> Get:
    """A request that must not get the message, though it knows its address."""
    plain = landing.partition("?")[0]
    return net.world.rng.choice(
        (
            Get(landing, mine, method="HEAD"),
            Get(landing, mine, headers=PREFETCH),
            Get(landing, other),
            Get(landing, None),
            Get(plain, other),
            Get(plain, mine, headers=CROSS_SITE),
        )
    )


def _second_click(net: Net, form: Form, landing: str, other: bytes) -> Script:
    """The landing page's form carries the receipt; the second click of a double click hits it."""
    rng, ring = net.world.rng, net.desk.policy.ring
    receipt = cut(ring, landing.partition("?")[2].encode(), "so", unsafe=False).receipt
    thief = rng.random() < 0.3
    visitor = other if thief else form.visitor
    name = f"{form.name}-{net.world.number()}"
    again = net.desk.form(name, "new", visitor, speaks=True, receipt=receipt)
    yield rng.random() * rng.choice((0.3, 3.0))
    yield Send(replace(again, echoes=form), rng.choice("AAB"), ACCEPT, 15.0)


def _probe(net: Net, visitors: tuple[bytes, ...]) -> None:
    """Without faults, every visitor opens pages until nothing waits for anybody."""
    net.world.heal()
    for visitor in visitors:
        follow(net, _read(visitor))
    net.world.run()
    promises.all_delivered(net.world)
    net.world.stats["messages"] += len(promises.notes(net.world).visitors)


def _read(visitor: bytes) -> Script:
    for _ in range(ROUNDS):
        yield Get("/", visitor)
        yield 70.0
