"""The two conversations, each read from top to bottom.

`submission` runs a view at most once per submission and gives everybody else its outcome; `page`
surrounds any request that fetches or leaves something. Both are plain generators that yield ops and
never wait, never read a clock and never touch a database: a driver does that for them, and a test
can do it by hand. The yields are the list of all places where a crash can hit, so crash tests are
generated from them.

The modes differ in three places only, and `SHAPES` says which: whether a lapsed claim may be taken
over, what is said when a view raises, and whether others can see that somebody is at it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from ..errors import EditRefused, EditUnconfirmed, OutcomeUnknown, StoreBusy, StoreError
from .again import cookies_again
from .cookie import SetCookie
from .entry import Entry, Greeting
from .fetching import LONGEST_NAP, NAP, NOTHING, insist, opened_for, taken_by
from .frozen import quick
from .headers import redirect
from .ops import (
    Abandon,
    Busy,
    Claim,
    ClaimReply,
    Close,
    Done,
    Doubt,
    Edited,
    Fenced,
    Flow,
    Granted,
    Handle,
    InDoubt,
    InFlight,
    Lookup,
    Pause,
    Rearm,
    Reconcile,
    Report,
    Resolve,
    Settle,
    Settled,
)
from .policy import Mode, Policy
from .record import Verdict, hint_cookie, judge_answer, record, record_page
from .shapes import SHAPES
from .stored import GONE, address, open_page
from .values import ACCEPTED, Handled, Outcome, Response
from .waiting import wait_for

FRESH: Final = 10.0
TRIES: Final = 3
NOT_FOR_GET: Final = (404, 405)


@quick
@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back to the client, and one word for the log: new, replayed, page, stored."""

    response: Response
    word: str = "page"
    cookies: tuple[SetCookie, ...] = ()
    handled: Handled | None = None


def submission(
    entry: Entry, policy: Policy, mode: Mode = "joined", *, surround: bool = False
) -> Flow[Answer]:
    """Run the view of a submission once, or give the outcome of the time that it ran.

    `surround`: fetch session and messages for the view, as `page` does. Raises StoreBusy when
    nobody could be asked within `patience` seconds, OutcomeUnknown when a crash left a doubt
    (separate), EditRefused by policy, and whatever the view raises.
    """
    waited, nap, unsure = 0.0, NAP, False
    while True:
        reply, unsure = yield from _ask(entry, policy, mode, unsure=unsure)
        match reply:
            case Granted():
                return (yield from _run(entry, reply, policy, mode, surround=surround))
            case Settled():
                return (yield from _replay(entry, reply, policy, waited))
            case Edited():
                raise _edited(entry)
            case InDoubt():
                if not (yield from _reconciled(entry, policy)):
                    raise OutcomeUnknown(f"an earlier attempt ended without an answer ({mode})")
            case InFlight() | Busy():  # pragma: no branch - exhaustive
                left = policy.patience - waited
                paused = yield from Pause(entry.key, nap, max(left, 0.0))
                if left <= 0 or paused.crowded:
                    if unsure:
                        yield from _said(Abandon(entry.key, Granted(0, entry.claim_id)))
                    return _not_yet(entry, reply, policy, mode, waited)
                waited, nap = waited + paused.seconds, min(2 * nap, LONGEST_NAP)


def resumed(entry: Entry, grant: Granted, policy: Policy) -> Flow[Answer]:
    """The rest of a submission that the adapter has claimed (separate), as fenced.

    For `once` inside an app that is wrapped as a whole: the effect and the step from claimed to
    settled commit together, so what would be at most once is exactly once (fenced).
    """
    return (yield from _run(entry, grant, policy, "fenced", surround=False))


def _ask(
    entry: Entry, policy: Policy, mode: Mode, *, unsure: bool
) -> Flow[tuple[ClaimReply, bool]]:
    """A read first, so that a duplicate never takes the write lock; then the claim.

    `unsure`: the answer to a claim of ours got lost, so who is at it may be ourselves. Only a claim
    with the same id can tell, and it withdraws where it cannot be asked.
    """
    if entry.named and not unsure:
        look = Lookup(entry.key, entry.fingerprint, policy.patience, entry.page_keeping, entry.echo)
        found = yield from look
        if isinstance(found, Settled | InFlight):
            return found, unsure
    claim = Claim(
        entry.key,
        entry.fingerprint,
        entry.claim_id,
        policy.lease,
        policy.patience,
        takeover=SHAPES[mode].takeover or policy.retry_safe,
        retry_safe=policy.retry_safe and not SHAPES[mode].takeover,
        page_keeping=entry.page_keeping,
        keep=entry.named,
        renew=SHAPES[mode].visible,
    )
    reply, lost = yield from _claimed(claim)
    return reply, unsure or lost


def _claimed(claim: Claim) -> Flow[tuple[ClaimReply, bool]]:
    """Ask a few times where the answer gets lost: the same claim id is granted once and again.

    Also says whether an answer was lost. Who gives up says so, lest a claim that did arrive decays
    into a doubt.
    """
    lost = False
    for _ in range(TRIES - 1):
        try:
            return (yield from claim), lost
        except StoreError:
            lost = True
            yield from Pause(None, LONGEST_NAP, LONGEST_NAP)
    try:
        return (yield from claim), lost
    except StoreError:
        yield from _said(Abandon(claim.key, Granted(0, claim.claim_id)))
        raise


def _run(
    entry: Entry, grant: Granted, policy: Policy, mode: Mode, *, surround: bool
) -> Flow[Answer]:
    """The view, then its outcome; or, where the view failed, what the mode can promise then."""
    shape = SHAPES[mode]
    raised = Abandon if policy.retry_safe else shape.raised
    try:
        opened = (yield from opened_for(entry.greeting, policy)) if surround else NOTHING
        handled = yield from Handle(grant, opened)
        if handled.final:  # `once` inside settled it under this very grant (fenced)
            return Answer(handled.response, "new", handled.cookies, handled)
        verdict = judge_answer(handled)
        if verdict is Verdict.UNDO:
            yield from _said(raised(entry.key, grant))
            return Answer(handled.response, "undone", handled=handled)
        kept = record(entry, handled, verdict, policy)
    except Exception:
        yield from _said(raised(entry.key, grant))
        raise
    settle = Settle(
        entry.key,
        grant,
        entry.fingerprint,
        kept.outcome,
        kept.receipt,
        handled.session,
        entry.stays(kept.outcome),
        keep=entry.named and kept.keep,
    )
    later = mode == "separate"
    reply = yield from (_settled_later(settle, policy.patience) if later else _settled_now(settle))
    if reply is None and policy.retry_safe:
        raise OutcomeUnknown("the outcome could not be recorded")
    if isinstance(reply, Fenced):
        return (yield from _overtaken(entry, reply, mode))
    word = "new" if verdict is Verdict.ACCEPT else verdict.value
    return Answer(kept.response, word, kept.cookies, handled)


def _edited(entry: Entry) -> EditRefused:
    """What is said of other input under a token that stands for one submission."""
    confirm = entry.token is not None and entry.token.on_edit == "confirm"
    kind = EditUnconfirmed if confirm else EditRefused
    return kind("the token was used with other input")


def _overtaken(entry: Entry, reply: Fenced, mode: Mode) -> Flow[Answer]:
    """Somebody else took it over meanwhile: the answer is his outcome, if he has one already."""
    yield from Report("fenced", entry.key)
    if reply.edited:
        raise _edited(entry)
    if reply.winner is not None:
        return Answer(_of(reply.winner), "replayed")
    if mode == "separate":
        raise OutcomeUnknown("another worker took this submission over")
    raise StoreBusy("another worker took this submission over and is still at it")


def _settled_now(settle: Settle) -> Flow[Done | Fenced]:
    """Settle is the COMMIT of the effect. If its answer is lost, only a read can tell."""
    try:
        return (yield from settle)
    except StoreError:
        yield from _said(Abandon(settle.key, settle.grant))
        found = yield from Lookup(settle.key, settle.fingerprint, 0.0)
        if isinstance(found, Settled):
            return Fenced(found.outcome)
        raise
    except Exception:  # the view's own: a constraint that was deferred to the COMMIT
        yield from _said(Abandon(settle.key, settle.grant))
        raise


def _settled_later(settle: Settle, patience: float) -> Flow[Done | Fenced | None]:
    """The effect stands already; ask a few times to record it. None: it could not be recorded.

    Then nobody else may run it, and the client can be told the truth; but where take-overs are
    allowed another worker may record another outcome, and the truth is a doubt. A store that is
    only busy is asked for the whole patience: other writers are no outage.
    """
    waited, tries = 0.0, 0
    while True:
        try:
            return (yield from settle)
        except StoreError as error:
            tries += 1
            if tries >= TRIES and (not isinstance(error, StoreBusy) or waited >= patience):
                break
        paused = yield from Pause(None, LONGEST_NAP, LONGEST_NAP)
        waited += paused.seconds
    yield from Report("unrecorded", settle.key)
    return None


def _said(op: Abandon | Doubt) -> Flow[None]:
    """Say it; if the store cannot hear, the lease will run out and say the same."""
    for _ in range(TRIES):
        try:
            yield from op
        except StoreBusy:
            yield from Pause(None, LONGEST_NAP, LONGEST_NAP)
        except StoreError:
            break
        else:
            return
    yield from Report("unheard", op.key)


def _reconciled(entry: Entry, policy: Policy) -> Flow[bool]:
    """Ask the app's `reconcile(ledger id)` whether it happened; True if the doubt has ended."""
    if policy.reconcile is None:
        return False
    happened = yield from Reconcile(entry.key)
    if happened is None:
        return False
    request = entry.greeting.request
    here = request.path if address(request) is not None else "/"
    outcome = Outcome(ACCEPTED, 303, request.root + here)
    yield from Resolve(entry.key, happened, outcome if happened else None)
    return True


def _not_yet(
    entry: Entry, reply: InFlight | Busy, policy: Policy, mode: Mode, waited: float
) -> Answer:
    """Patience is over: the waiting page where the claim is visible, else 503 with the text."""
    visible = SHAPES[mode].visible and isinstance(reply, InFlight)
    known = entry.greeting.visitor is not None and address(entry.greeting.request) is not None
    if not (visible and known) or policy.mark is None:
        raise StoreBusy(f"{type(reply).__name__} for {waited:.1f} s")
    return Answer(wait_for(entry, policy), "waiting")


def _replay(entry: Entry, found: Settled, policy: Policy, waited: float) -> Flow[Answer]:
    """The recorded outcome once more; only a message that somebody saw already costs a write."""
    if found.taken and found.outcome.receipt is not None:
        yield from insist(Rearm(found.outcome.receipt, FRESH), policy.patience)
    hint = hint_cookie(entry.greeting) if found.outcome.receipt else ()
    answer, again = _of(found.outcome), cookies_again(entry, found.outcome.cookies, policy)
    if again:
        lines = tuple((b"set-cookie", line) for line in again)
        answer = replace(answer, headers=(*answer.headers, *lines))
    return Answer(answer, "waited" if waited else "replayed", hint)


def _of(outcome: Outcome) -> Response:
    """The answer that an outcome stands for; without a Location the adapter renders a page."""
    if outcome.location is None:
        return Response(outcome.status, outcome.headers)
    return Response(outcome.status, redirect(outcome.status, outcome.location, outcome.headers))


def page(greeting: Greeting, policy: Policy) -> Flow[Answer]:
    """Surround a view: fetch what it may show, keep what it leaves, acknowledge what was shown.

    A request that has nothing to fetch and leaves nothing makes no op but Handle. A page that was
    stored for this address is shown without a view; where it is gone, the app shows its own, or
    has none for a GET, and the answer is that it was done.
    """
    opened = yield from opened_for(greeting, policy)
    stored = open_page(greeting, opened.draft, policy, known=opened.known)
    if stored is not None and stored is not GONE:
        return Answer(stored, "stored")
    lease_id = greeting.request.entropy(8) if opened.waiting else b""
    taken = (yield from taken_by(greeting, opened, lease_id, policy)) if opened.waiting else ()
    try:
        handled = yield from Handle(opened=opened, taken=taken)
    except Exception:
        if taken:
            yield from Close(unshown=tuple(t.receipt for t in taken), lease_id=lease_id)
        raise
    kept = record_page(greeting, handled, taken, policy)
    if kept.close is not None:
        yield from _close(replace(kept.close, lease_id=lease_id) if taken else kept.close, policy)
    if stored is GONE and handled.response.status in NOT_FOR_GET:
        return Answer(Response(200), "gone", kept.cookies)  # nothing stands there, but it was done
    return Answer(kept.response, "page", kept.cookies, handled)


def _close(close: Close, policy: Policy) -> Flow[None]:
    """Write what the visit leaves. A message that could only not be acknowledged is no failure."""
    needed = close.session is not None or close.receipt is not None
    try:
        reply = yield from insist(close, policy.patience)
    except StoreError:
        if needed:
            raise
        yield from Report("unacknowledged")
    else:
        if needed and isinstance(reply, Busy):
            raise StoreBusy("what the visit left could not be written")
