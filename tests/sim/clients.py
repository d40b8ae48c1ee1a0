"""People, their forms, and the network between them and the processes.

A form carries a real token, minted and admitted by the library; admission is pure, so it is done
once per form and input, and every request gets a claim id of its own. A person sends a form, waits,
sends it again when nothing (or only "try again") comes back, goes Back and edits, corrects what was
rejected. The network loses requests and answers, and delivers some requests twice.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from seeother.core.entry import Entry, admit, greet
from seeother.core.flows import Answer, submission
from seeother.core.form import read_form
from seeother.core.keys import encode
from seeother.core.mark import sign
from seeother.core.policy import Mode, Policy
from seeother.core.token import OnEdit, mint
from seeother.core.values import Request
from seeother.core.waiting import Fate, Waited, cut_wait, waited
from seeother.errors import EditRefused, OutcomeUnknown, Refused, StoreError

from .effects import ACCEPT, BROKEN, Plan, ViewError, answered, effect_of, raising
from .invariants import judge_answer
from .worker import Ended, Worker

if TYPE_CHECKING:
    from .world import World

SECRET: Final = b"a secret of thirty-two bytes or so"
FORM_TYPE: Final = "application/x-www-form-urlencoded"
AGAIN: Final = frozenset({"busy", "error", "released", "gone", "waiting"})


@cache
def policy_of(
    mode: Mode, patience: float, *, retry_safe: bool = False, reconcile: bool = False
) -> Policy:
    """A policy; keys are derived once."""
    asks = (lambda _key: None) if reconcile else None
    return Policy(
        secret=SECRET, mode=mode, patience=patience, retry_safe=retry_safe, reconcile=asks
    )


@dataclass(frozen=True, slots=True)
class Form:
    """A rendered form: its token, whose it is, and what edited input means."""

    name: str
    token: str
    on_edit: OnEdit
    visitor: bytes | None
    keeps_page: bool = False
    speaks: bool = False
    shown: str = ""
    echoes: Form | None = None

    def unit(self, payload: str) -> str:
        """The submission that this input is: one per input, or one per form."""
        return f"{self.name}/{payload}" if self.on_edit == "new" else self.name


@dataclass(frozen=True, slots=True)
class Told:
    """What a process answered; `fresh`: by the run of its own view."""

    at: float
    began: float
    run: int
    form: Form
    payload: str
    kind: str
    location: str | None
    fresh: bool
    crowded: bool

    @property
    def unit(self) -> str:
        return self.form.unit(self.payload)


class Send(NamedTuple):
    """A person presses Send and waits `patience` seconds; `poll`: looks at a waiting page again."""

    form: Form
    payload: str
    verdict: str
    patience: float
    poll: str = ""

    def do(self, net: Net, hear: Hear) -> None:
        """Send it."""
        net.send(self, hear)


class Heard(NamedTuple):
    """What comes back to a person; no kind: nothing did."""

    kind: str | None = None
    location: str = ""


NOTHING: Final = Heard()
Hear = Callable[[Heard], None]


class Deed(Protocol):
    """What a person may do and then waits for: send a form, open a page."""

    def do(self, net: Net, hear: Hear) -> None: ...


Script = Generator["Deed | float", Heard, None]


class Desk:
    """Where forms are rendered and requests admitted, by the library's own code."""

    def __init__(self, world: World, policy: Policy, mode: Mode) -> None:
        self.world, self.policy, self.mode = world, policy, mode
        self._entries: dict[tuple[str, str], Entry] = {}
        world.memo.update(mode=mode, keys={}, final={})
        world.memo.update({"retry safe": policy.retry_safe, "keeps page": set()})

    def form(self, name: str, on_edit: OnEdit, visitor: bytes | None, **more: Any) -> Form:
        """Render a form; `age` seconds ago, and `forged` with a tag that is not ours."""
        world = self.world
        issued = world.now - more.pop("age", 0.0)
        token = mint(
            self.policy.ring,
            visitor=visitor or world.rng.randbytes(16),
            now=issued,
            nonce=world.rng.randbytes(16),
            on_edit=on_edit,
            unbound=visitor is None,
            had_headers=True,
        )
        if more.pop("forged", False):
            token = token[:50] + ("A" if token[50] != "A" else "B") + token[51:]
        receipt = more.pop("receipt", None)
        shown = "" if receipt is None else "~" + sign(self.policy.ring, receipt)
        return Form(name, token, on_edit, visitor, shown=shown, **more)

    def entry(self, form: Form, payload: str) -> Entry:
        """Admit a request; raises Refused. Judging it again would only give the same again."""
        known = self._entries.get((form.name, payload))
        if known is None:
            known = self._entries[form.name, payload] = self._admitted(form, payload)
        return replace(known, claim_id=self.world.rng.randbytes(16))

    def _admitted(self, form: Form, payload: str) -> Entry:
        body = f"a={payload}&so_token={form.token}{form.shown}".encode()
        dest = b"empty" if form.keeps_page else b"document"
        request = self.request("POST", "/form", form.visitor, ((b"sec-fetch-dest", dest),))
        return admit(greet(request, self.policy), read_form(FORM_TYPE, body), body, self.policy)

    def request(
        self,
        method: str,
        target: str,
        visitor: bytes | None,
        more: Any = (),
        *,
        hinted: bool = False,
        sid: bytes | None = None,
    ) -> Request:
        """A request of a visitor, as an adapter would build it."""
        path, _, query = target.partition("?")
        tag = self.policy.ring.tag
        cookies = [] if visitor is None else [f"so-{tag}={encode(visitor)}"]
        cookies += [f"so-h-{tag}=1"] if hinted else []
        cookies += [f"so-s-{tag}={encode(sid)}"] if sid is not None else []
        headers = list(more)
        if not any(name == b"sec-fetch-site" for name, _ in headers):
            headers.append((b"sec-fetch-site", b"same-origin"))
        if cookies:
            headers.append((b"cookie", "; ".join(cookies).encode()))
        world = self.world
        return Request(
            method,
            "http",
            "app.example",
            "",
            path,
            query.encode(),
            tuple(headers),
            world.now,
            world.rng.randbytes,
        )


class Submitting:
    """The view of one request: time, effect, time, answer; or an exception."""

    def __init__(self, desk: Desk, send: Send) -> None:
        self.desk, self.send = desk, send

    def steps(self, worker: Worker, op: Any) -> Generator[float, None, Any]:
        world, (form, payload, verdict, *_) = self.desk.world, self.send
        plan, fails = Plan.drawn(world, verdict), raising(world)
        self._note(world, worker, plan)
        yield plan.before
        if fails == "before":
            raise ViewError
        if verdict == ACCEPT:
            worker.port.effect(effect_of(form, payload, op.grant, worker.run))
            world.log(f"{worker}: the view writes its effect for {worker.unit}")
        yield plan.after
        if fails:
            raise ViewError
        if verdict == BROKEN:
            world.fault(worker.unit, "the view broke")
        return answered(world, form, payload, verdict, worker.run)

    def _note(self, world: World, worker: Worker, plan: Plan) -> None:
        world.log(f"{worker}: runs the view of {worker.unit} ({self.send.verdict})")
        if plan.seconds > self.desk.policy.patience / 4:
            world.slow.add(worker.unit)


class Net:
    """The network: from a person to some process, and perhaps back."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.world = desk, desk.world

    def send(self, send: Send, hear: Hear) -> None:
        """Deliver once, twice or never; `hear` the first answer, or None after a while."""
        world, unit = self.world, send.form.unit(send.payload)
        heard: list[Heard] = []

        def first(answer: Heard) -> None:
            if not heard:
                heard.append(answer)
                hear(answer)

        for copy in range(2 if world.faults.hits(world.rng, "twice") else 1):
            if world.faults.hits(world.rng, "unsent"):
                world.log(f"a request for {unit} is lost on its way")
                continue
            delay = world.rng.random() * (3.0 if copy else 0.2)
            world.at(delay, lambda: self._arrive(send, first))
        world.at(send.patience, lambda: first(NOTHING))

    def _arrive(self, send: Send, hear: Hear) -> None:
        world, desk = self.world, self.desk
        process = world.processes[world.rng.randrange(len(world.processes))]
        unit = send.form.unit(send.payload)

        def then(worker: Worker, ended: Ended) -> None:
            heard = self._told(worker, send, ended)
            if not world.faults.hits(world.rng, "unsent"):
                world.at(0.02, lambda: hear(heard))

        try:
            entry = desk.entry(send.form, send.payload)
        except Refused:
            world.stats["refused"] += 1
            hear(Heard("refused"))
            return
        if send.poll:
            _, named = cut_wait(desk.policy.ring, send.poll.encode(), desk.policy.mark)
            assert named is not None
            flow: Any = waited(named, desk.policy)
            port = world.backend.port(process, "separate")
        else:
            flow = submission(entry, desk.policy, desk.mode)
            port = world.backend.port(process, desk.mode)
        view = Submitting(desk, send)
        worker = Worker(world, process, flow, port, unit=unit, view=view, then=then)
        world.memo.setdefault("keys", {})[unit] = entry.key
        world.at(0.0, worker.start, process)

    def _told(self, worker: Worker, send: Send, ended: Ended) -> Heard:
        """Write down what this process says, and judge it at once."""
        kind, location, fresh = outcome_of(ended)
        if kind is None:
            return NOTHING
        world = self.world
        told = Told(
            world.now,
            worker.began,
            worker.run,
            send.form,
            send.payload,
            kind,
            location,
            fresh,
            worker.crowded,
        )
        world.log(f"{worker}: answers {kind} {location or ''} for {told.unit}")
        world.stats[f"told {kind}"] += 1
        judge_answer(world, told)
        world.told.append(told)
        return Heard(kind, location or "")


def outcome_of(ended: Ended) -> tuple[str | None, str | None, bool]:
    """What an answer says to a person: its kind, where it leads, and whether the view just ran."""
    if ended.error is not None:
        return _error_kind(ended.error), None, False
    match ended.value:
        case Answer() as answer:
            location = answer.response.header(b"location")
            return _kind(answer.response.status, location), location, answer.handled is not None
        case Waited(Fate.SETTLED, outcome) if outcome is not None:
            return _kind(outcome.status, outcome.location), outcome.location, False
        case Waited() as seen:
            kinds = {Fate.RUNNING: "waiting", Fate.GONE: "gone", Fate.IN_DOUBT: "doubt"}
            return kinds[seen.fate], None, False
        case _:
            return None, None, False


def _kind(status: int, location: str | None) -> str:
    if location is None:
        return {422: "rejected", 429: "released"}.get(status, "error")
    if "so=w." in location:
        return "waiting"
    return "rejected" if location.startswith("/form?err") else "accepted"


def _error_kind(error: Exception) -> str:
    kinds: dict[type[Exception], str] = {
        OutcomeUnknown: "doubt",
        EditRefused: "edited",
        StoreError: "busy",
    }
    return next((kind for cls, kind in kinds.items() if isinstance(error, cls)), "error")


def follow(net: Net, script: Script) -> None:
    """Let a person do what the script says, one thing after the other."""

    def go(heard: Heard | None) -> None:
        try:
            want = next(script) if heard is None else script.send(heard)
        except StopIteration:
            return
        if isinstance(want, float):
            net.world.at(want, lambda: go(NOTHING))
        else:
            want.do(net, go)

    go(None)


def person(world: World, form: Form, steps: list[tuple[str, str, int]]) -> Script:
    """Send each input until it is answered, a few times; then think, and do the next."""
    rng = world.rng
    for payload, verdict, retries in steps:
        for _ in range(retries + 1):
            heard = yield Send(form, payload, verdict, rng.choice((3.0, 15.0, 60.0)))
            heard = yield from patient(heard, form, payload, verdict)
            if heard.kind is not None and heard.kind not in AGAIN:
                break
            yield 1.0
        yield rng.random() * 3


def patient(heard: Heard, form: Form, payload: str, verdict: str) -> Generator[Any, Heard, Heard]:
    """Look at the waiting page, a few times."""
    page = heard.location.partition("?")[2]
    for _ in range(5):
        if heard.kind != "waiting":
            break
        yield 1.0
        heard = yield Send(form, payload, verdict, 5.0, poll=page)
    return heard
