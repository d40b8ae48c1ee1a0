"""People and their forms.

A form carries a real token, minted and admitted by the library; admission is pure, so it is done
once per form and input, and every request gets a claim id of its own. A person sends a form, waits,
sends it again when nothing (or only "try again") comes back, goes Back and edits, corrects what was
rejected.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from seeother.core.entry import Entry, admit, greet
from seeother.core.form import read_form
from seeother.core.keys import encode
from seeother.core.mark import sign
from seeother.core.policy import Mode, Policy
from seeother.core.token import OnEdit, mint
from seeother.core.values import Request

if TYPE_CHECKING:
    from .network import Net
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
