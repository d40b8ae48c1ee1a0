"""What the answer of a view means, and what is kept of it.

| answer                                  | verdict | joined and fenced          | duplicates get        |
|-----------------------------------------|---------|----------------------------|-----------------------|
| 2xx, 3xx                                | accept  | commit, accepted           | replay, for ever      |
| a draft given, or another 4xx           | reject  | commit, rejected           | replay for `patience` |
| 401, 408, 425, 429, 503                 | release | commit, no row             | run again             |
| raised, other 5xx                       | undo    | rollback, no row           | run again             |

A redirect after an unsafe method is 303 (RFC 9110 section 15.4.4), also where the framework says
302; an explicit 307 or 308 stays, because there the method and the body are meant to be repeated.
The mark is added when the receipt carries something, or when the page lands on the URL it posted
to; only visitors with a cookie can open a receipt, so nobody else gets one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from ..errors import UnsafeTarget
from .cookie import SetCookie
from .entry import Entry, Greeting
from .fingerprint import echo_digest
from .headers import personal, redirect
from .mark import add, sign, strip
from .ops import Close, Taken
from .policy import Policy
from .seal import seal
from .target import clean_location, safe_target, same_url
from .values import ACCEPTED, REJECTED, Draft, Flash, Handled, Key, Outcome, Receipt, Response

RELEASING: Final = frozenset({401, 408, 425, 429, 503})
REPEATING: Final = frozenset({307, 308})
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
HINT_SECONDS: Final = 300


class Verdict(Enum):
    """What becomes of the row."""

    ACCEPT = "accepted"
    REJECT = "rejected"
    RELEASE = "released"
    UNDO = "undone"


@dataclass(frozen=True, slots=True)
class Record:
    """A submission's answer as recorded and as sent; `keep` False = no row stays."""

    outcome: Outcome
    response: Response
    receipt: Receipt | None
    cookies: tuple[SetCookie, ...]
    keep: bool


@dataclass(frozen=True, slots=True)
class PageRecord:
    """A page as sent, and what is left to write, if anything."""

    response: Response
    close: Close | None
    cookies: tuple[SetCookie, ...]


def judge_answer(handled: Handled) -> Verdict:
    """The table above, for an answer that did not raise."""
    status = handled.response.status
    if handled.draft is not None:
        return Verdict.REJECT
    if status in RELEASING:
        return Verdict.RELEASE
    if status >= 500:
        return Verdict.UNDO
    return Verdict.REJECT if status >= 400 else Verdict.ACCEPT


def record(entry: Entry, handled: Handled, verdict: Verdict, policy: Policy) -> Record:
    """Outcome, receipt and final answer of a submission that is about to be settled."""
    greeting, response = entry.greeting, handled.response
    receipt = _receipt(entry.greeting, handled, handled.flashes, policy, entry.key, entry.canonical)
    kind = ACCEPTED if verdict is Verdict.ACCEPT else REJECTED
    if not _redirects(response):
        receipt = receipt if handled.flashes else None
        outcome = Outcome(kind, response.status, receipt=receipt.id if receipt else None)
        cookies = (*handled.cookies, *_hint(greeting, receipt))
        return Record(outcome, response, receipt, cookies, keep=verdict is Verdict.ACCEPT)
    status, location, receipt = _landing(greeting, response, receipt, policy)
    outcome = Outcome(kind, status, location, receipt.id if receipt else None)
    answer = Response(status, redirect(status, location, response.headers))
    cookies = (*handled.cookies, *_hint(greeting, receipt))
    return Record(outcome, answer, receipt, cookies, keep=verdict is not Verdict.RELEASE)


def record_page(
    greeting: Greeting, handled: Handled, taken: tuple[Taken, ...], policy: Policy
) -> PageRecord:
    """The answer of a request that claimed nothing, and what has to be written for it."""
    response, ids = handled.response, tuple(t.receipt for t in taken)
    if handled.final:
        close = Close(unshown=ids) if ids else None
        return PageRecord(response, close, handled.cookies)
    if _redirects(response):
        handed = tuple(m for t in taken for m in t.messages)
        receipt = _receipt(greeting, handled, (*handed, *handled.flashes), policy, None, b"")
        if greeting.unsafe or (receipt and receipt.carries) or greeting.mark:
            status, location, receipt = _landing(greeting, response, receipt, policy)
            response = Response(status, redirect(status, location, response.headers))
        else:
            receipt = None
        shown, unshown = (ids, ()) if receipt else ((), ids)
        cookies = (*handled.cookies, *_hint(greeting, receipt))
    else:
        shown, unshown = (ids, ()) if handled.shown else ((), ids)
        receipt = (
            _receipt(greeting, handled, handled.flashes, policy, None, b"")
            if handled.flashes
            else None
        )
        cookies = (*handled.cookies, *(_hint(greeting, receipt) or _unhint(greeting, handled)))
        if handled.rendered or handled.shown or cookies:
            response = replace(response, headers=personal(response.headers, form=handled.rendered))
    close = Close(handled.session, receipt, shown, unshown)
    needed = bool(handled.session or receipt or ids)
    return PageRecord(response, close if needed else None, cookies)


def _redirects(response: Response) -> bool:
    return response.status in REDIRECTS and response.header(b"location") is not None


def _landing(
    greeting: Greeting, response: Response, receipt: Receipt | None, policy: Policy
) -> tuple[int, str, Receipt | None]:
    """Status and Location of a redirect, marked where the mark can be of use."""
    status = response.status
    if greeting.unsafe and status not in REPEATING:
        status = policy.redirect_status
    location = clean_location(response.header(b"location") or "")
    local = _local(location, greeting)
    if policy.mark is None or local is None:
        return status, location, receipt if receipt and receipt.carries else None
    local = strip(local, policy.mark, policy.ring)
    if receipt is not None and (
        receipt.carries or (greeting.unsafe and same_url(local, greeting.request.url))
    ):
        return status, add(local, policy.mark, sign(policy.ring, receipt.id)), receipt
    if greeting.mark is not None and not greeting.unsafe:
        return status, add(local, policy.mark, sign(policy.ring, greeting.mark)), None
    return status, local, None


def _local(location: str, greeting: Greeting) -> str | None:
    """The location if it is proved to come back to this very app, else None."""
    try:
        found = safe_target(location, base=greeting.request.url)
    except UnsafeTarget:
        return None
    path = found.removeprefix(greeting.request.origin)
    return found if path.startswith((greeting.request.root + "/", "?", "#")) else None


def _receipt(
    greeting: Greeting,
    handled: Handled,
    messages: tuple[Flash, ...],
    policy: Policy,
    key: Key | None,
    canonical: bytes,
) -> Receipt | None:
    if greeting.visitor is None or greeting.visitor_id is None:
        return None
    new = greeting.request.entropy(8)
    draft = b""
    if handled.draft is not None:
        draft = seal(
            policy.ring,
            pack_draft(handled.draft, policy),
            purpose="draft",
            row=new,
            visitor=greeting.visitor,
            nonce=greeting.request.entropy(12),
        )
    echo = echo_digest(policy.ring, greeting.visitor, canonical) if canonical else b""
    return Receipt(new, greeting.visitor_id, key, echo, messages, draft)


def pack_draft(draft: Draft, policy: Policy) -> bytes:
    """A draft as bytes to be sealed; secret fields are never among them."""
    values = [pair for pair in draft.values if not policy.is_secret(pair[0])]
    return json.dumps([values, draft.errors], separators=(",", ":"), ensure_ascii=False).encode()


def unpack_draft(data: bytes) -> Draft:
    """The inverse of `pack_draft`."""
    values, errors = json.loads(data)
    return Draft(tuple((n, v) for n, v in values), tuple((n, t) for n, t in errors))


def hint_cookie(greeting: Greeting) -> tuple[SetCookie, ...]:
    """The cookie that says that a message waits."""
    return (SetCookie(greeting.names.hint, "1", max_age=HINT_SECONDS, secure=greeting.secure),)


def _hint(greeting: Greeting, receipt: Receipt | None) -> tuple[SetCookie, ...]:
    return hint_cookie(greeting) if receipt is not None and receipt.messages else ()


def _unhint(greeting: Greeting, handled: Handled) -> tuple[SetCookie, ...]:
    if not (greeting.hinted and handled.shown):
        return ()
    return (SetCookie.expired(greeting.names.hint, secure=greeting.secure),)
