"""The turns of the two conversations, for the tests that answer them by hand."""

from dataclasses import replace

from seeother.core.cookie import SetCookie, cookie_names
from seeother.core.entry import Entry, Greeting, greet
from seeother.core.keys import encode
from seeother.core.mark import sign
from seeother.core.ops import (
    Abandon,
    Claim,
    Done,
    Doubt,
    Granted,
    Handle,
    Lookup,
    Op,
    Opened,
    Pause,
    Paused,
    Settle,
    Unknown,
)
from seeother.core.policy import Mode, Policy
from seeother.core.record import judge_answer, record
from seeother.core.token import OnEdit
from seeother.core.values import ACCEPTED, Flash, Handled, Outcome, Request, Response
from seeother.errors import StoreBusy, StoreDown
from tests.core.arrivals import POLICY, admitted, arrival, from_visitor, token, visitor_cookie
from tests.core.conversation import Turn

MODES: tuple[Mode, ...] = ("joined", "fenced", "hooked", "separate")
SID = b"s" * 16
RECEIPT = b"12345678"
EVENT = b"e" * 8  # what steady entropy gives for a receipt or a lease
NAP, LONGEST_NAP, TRIES = 0.002, 0.05, 3

DONE = Outcome(ACCEPTED, 303, "/done")
BARE = Response(303, ((b"location", b"/done"),))
HANDLED = Handled(BARE)
POSTED = Handled(BARE, (Flash("Posted."),), cookies=(SetCookie("theirs", "1", secure=False),))
DOWN, BUSY = StoreDown("it"), StoreBusy("it")
SAFE = replace(POLICY, retry_safe=True)
STUBBORN = replace(POLICY, patience=0.0)

LONG_NAP = Pause(None, LONGEST_NAP, LONGEST_NAP)
NAPPED = Paused(LONGEST_NAP)
TIRED: Turn = (LONG_NAP, NAPPED)


def steady(request: Request) -> Request:
    """The same request, whose entropy is always the same, so that answers can be compared."""
    return replace(request, entropy=lambda size: b"e" * size)


def arrived(
    method: str = "POST", url: str = "/form", *, session: bool = False, **more: str
) -> Request:
    """A request of the visitor; `more` are headers."""
    headers = from_visitor({name.replace("_", "-"): value for name, value in more.items()})
    if session:
        name = cookie_names(POLICY.ring.tag, secure=False, override=None).session
        headers["cookie"] = f"{visitor_cookie()}; {name}={encode(SID)}"
    return steady(arrival(method, url, headers))


def entered(
    on_edit: OnEdit = "new", *, url: str = "/form", session: bool = False, **more: str
) -> Entry:
    """A submission of the visitor, with a token."""
    request = arrived(url=url, session=session, **more)
    return admitted(request, ("message", "hello"), token=token(on_edit=on_edit))


def greeted(url: str = "/list", *, mark: bytes | None = None, session: bool = False) -> Greeting:
    """A page that the visitor asks for, perhaps with a mark."""
    named = url if mark is None else f"{url}?so={sign(POLICY.ring, mark)}"
    return greet(arrived("GET", named, session=session), POLICY)


ENTRY = entered()
GRANT = Granted(1, ENTRY.claim_id)
UNSURE = Granted(0, ENTRY.claim_id)
HANDLE = Handle(GRANT, Opened())


def looking(entry: Entry = ENTRY, policy: Policy = POLICY) -> Lookup:
    """The read before the claim."""
    return Lookup(entry.key, entry.fingerprint, policy.patience, entry.page_keeping, entry.echo)


def claiming(mode: Mode = "joined", entry: Entry = ENTRY, policy: Policy = POLICY) -> Claim:
    """The claim of this mode."""
    return Claim(
        entry.key,
        entry.fingerprint,
        entry.claim_id,
        policy.lease,
        policy.patience,
        takeover=mode != "separate" or policy.retry_safe,
        retry_safe=mode == "separate" and policy.retry_safe,
        page_keeping=entry.page_keeping,
        keep=entry.named,
        renew=mode in ("fenced", "separate"),
    )


def settling(handled: Handled = HANDLED, entry: Entry = ENTRY, policy: Policy = POLICY) -> Settle:
    """What is written when the view has answered."""
    kept = record(entry, handled, judge_answer(handled), policy)
    return Settle(
        entry.key,
        Granted(1, entry.claim_id),
        entry.fingerprint,
        kept.outcome,
        kept.receipt,
        handled.session,
        entry.page_keeping,
        keep=entry.named and kept.keep,
    )


def sent(handled: Handled = HANDLED, entry: Entry = ENTRY, policy: Policy = POLICY) -> Response:
    """The answer of a view as it goes out."""
    return record(entry, handled, judge_answer(handled), policy).response


def granted(mode: Mode = "joined", entry: Entry = ENTRY, policy: Policy = POLICY) -> list[Turn]:
    """The turns up to the view."""
    claim: Turn = (claiming(mode, entry, policy), Granted(1, entry.claim_id))
    return [(looking(entry, policy), Unknown()), claim] if entry.named else [claim]


def ran(
    mode: Mode = "joined",
    handled: Handled | Exception = HANDLED,
    *,
    entry: Entry = ENTRY,
    policy: Policy = POLICY,
) -> list[Turn]:
    """The turns up to what the view says."""
    handle = Handle(Granted(1, entry.claim_id), Opened())
    return [*granted(mode, entry, policy), (handle, handled)]


def raised(mode: Mode = "joined", policy: Policy = POLICY) -> Op[Done]:
    """What is said of a view that raised."""
    sure = mode != "separate" or policy.retry_safe
    return Abandon(ENTRY.key, GRANT) if sure else Doubt(ENTRY.key, GRANT)  # type: ignore[return-value]
