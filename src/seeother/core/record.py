"""What the answer of a view means, and what is kept of it.

| answer                        | verdict | joined and fenced  | duplicates get          |
|-------------------------------|---------|--------------------|-------------------------|
| 2xx, 3xx                      | accept  | commit, accepted   | replay, for ever        |
| a draft given, or another 4xx | reject  | commit, rejected   | replay for `patience`* |
| 401, 408, 425, 429, 503       | release | commit, no row     | run again               |
| raised, other 5xx             | undo    | rollback, no row   | run again               |

(*) where it was answered by a redirect. A rejected page keeps no row: its body is not recorded, and
"this was already done" would be a lie, so the duplicate is asked and rejected again.

A redirect after an unsafe method is 303 (RFC 9110 section 15.4.4), also where the framework says
302; an explicit 307 or 308 stays, because there the method and the body are meant to be repeated
(`Handled.repeat`: where 307 is a framework's default, it counts only if it was asked for).
The mark is added when the receipt carries something, or when the page lands on the URL it posted
to, or follows a submission of a script that may stay on its page: the answer to the marked GET
renews the token of that page (`Visit.renews`). Only visitors with a cookie can open a receipt, so
nobody else gets one.

In zero-code mode an answer that is a page is kept, and the redirect leads to it (`core.stored`).

A GET that is redirected shows nothing. If it leaves nothing of its own it gives back what it took
and hands on the mark that it came with: draft and messages wait behind it for the next page. If it
leaves a message, old and new ones move into one receipt.
"""

from __future__ import annotations

import json
from dataclasses import replace
from enum import Enum
from functools import cache
from typing import Final, NamedTuple

from ..errors import UnsafeTarget
from .again import keep_cookies
from .cookie import SetCookie
from .entry import Entry, Greeting
from .fingerprint import echo_digest
from .headers import personal, redirect
from .mark import add, named, sign, strip
from .ops import Close, Taken
from .origin import Origin
from .policy import Policy
from .principal import unreadable
from .seal import NONCE, can_seal, seal
from .stored import address, seal_page
from .target import clean_location, safe_target, same_url
from .values import (
    ACCEPTED,
    REJECTED,
    Draft,
    Flash,
    Handled,
    KeptPage,
    Outcome,
    Receipt,
    Response,
)

RELEASING: Final = frozenset({401, 408, 425, 429, 503})
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
HINT_SECONDS: Final = 300


class Verdict(Enum):
    """What becomes of the row."""

    ACCEPT = "accepted"
    REJECT = "rejected"
    RELEASE = "released"
    UNDO = "undone"


class Record(NamedTuple):
    """A submission's answer as recorded and as sent; `keep` False = no row stays."""

    outcome: Outcome
    response: Response
    receipt: Receipt | None
    cookies: tuple[SetCookie, ...]
    keep: bool


class PageRecord(NamedTuple):
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
    greeting, page = _left_for(entry.greeting, handled), handled.page
    if page is not None:
        handled = replace(handled, response=_to_itself(greeting, page.response))
    redirects = _redirects(handled.response)
    draft = handled.draft if redirects else None
    receipt = _receipt(greeting, policy, handled.flashes, draft=draft, entry=entry, page=page)
    if receipt is not None and not (entry.named or receipt.carries):
        receipt = None  # no token of ours that Back could show, and no row that an echo could find
    if redirects:
        stays = entry.page_keeping and not entry.replaced
        response, receipt = _landed(greeting, handled, receipt, policy, stays=stays)
    else:
        response, receipt = handled.response, receipt if handled.flashes else None
    kind = ACCEPTED if verdict is Verdict.ACCEPT else REJECTED
    location = response.header(b"location") if redirects else None
    lines = (*response.all(b"set-cookie"), *(cookie.header() for cookie in handled.cookies))
    again = keep_cookies(entry, lines, policy) if verdict is Verdict.ACCEPT else b""
    owner = receipt.id if receipt else None
    outcome = Outcome(kind, response.status, location, owner, cookies=again)
    keep = verdict is Verdict.ACCEPT or (verdict is Verdict.REJECT and redirects)
    cookies = (*handled.cookies, *_hint(greeting, receipt))
    return Record(outcome, _guarded(response, handled, cookies), receipt, cookies, keep)


def record_page(
    greeting: Greeting, handled: Handled, taken: tuple[Taken, ...], policy: Policy
) -> PageRecord:
    """The answer of a request that claimed nothing, and what has to be written for it."""
    greeting, ids = _left_for(greeting, handled), tuple([one.receipt for one in taken])
    if handled.final:
        response = _guarded(handled.response, handled, handled.cookies)
        return PageRecord(response, Close(unshown=ids) if ids else None, handled.cookies)
    if _redirects(handled.response):
        response, receipt = _moved(greeting, handled, taken, policy)
        shown, cookies = receipt is not None, _hint(greeting, receipt)
    else:
        response, shown = handled.response, handled.shown
        receipt = _receipt(greeting, policy, handled.flashes) if handled.flashes else None
        cookies = _hint(greeting, receipt) or _unhint(greeting, taken, shown=shown)
    cookies, close = (*handled.cookies, *cookies), None
    if handled.session is not None or receipt is not None or ids:
        close = Close(handled.session, receipt, ids if shown else (), () if shown else ids)
    nobody = _nobodys(greeting, handled, policy)
    return PageRecord(_guarded(response, handled, cookies, nobody=nobody), close, cookies)


def _moved(
    greeting: Greeting, handled: Handled, taken: tuple[Taken, ...], policy: Policy
) -> tuple[Response, Receipt | None]:
    """A redirect without a submission; as the app made it, unless something goes with it."""
    receipt = None
    if greeting.unsafe or handled.flashes or handled.draft is not None:
        own = taken if handled.visitor is None else ()
        messages = (*(message for one in own for message in one.messages), *handled.flashes)
        receipt = _receipt(greeting, policy, messages, draft=handled.draft)
    if greeting.unsafe or receipt is not None or greeting.mark is not None or handled.cookies:
        return _landed(greeting, handled, receipt, policy)
    return handled.response, None


def _left_for(greeting: Greeting, handled: Handled) -> Greeting:
    """Whose it is what the view leaves: the visitor's who came, unless he has just gone."""
    return greeting if handled.visitor is None else replace(greeting, visitor=handled.visitor)


def _to_itself(greeting: Greeting, page: Response) -> Response:
    """From the page that a submission was answered with to the address where it will stand."""
    kept = tuple((k, v) for k, v in page.headers if k != b"location")
    here = address(greeting.request)
    assert here is not None, "a page without an address of its own is not kept"
    return Response(303, (*kept, (b"location", here.encode("ascii"))))


def _redirects(response: Response) -> bool:
    return response.status in REDIRECTS and response.header(b"location") is not None


def _location(response: Response) -> str:
    """The Location as text. Apps send bytes: UTF-8 where they are that, else Latin-1."""
    found = response.header(b"location") or ""
    if found.isascii():
        return found
    try:
        return found.encode("latin-1").decode()
    except UnicodeDecodeError:
        return found


def _nobodys(greeting: Greeting, handled: Handled, policy: Policy) -> bool:
    """A form of an unmodified app, for somebody who has shown nothing that says who it is.

    A GET may sign in (a link from a mail), or begin a session; its page is not shown to whoever
    comes back later.
    """
    alone = policy.convert and greeting.is_nobody and handled.rendered and not handled.shown
    return alone and handled.session is None and not unreadable(handled.response.all(b"set-cookie"))


def _guarded(
    response: Response, handled: Handled, cookies: tuple[SetCookie, ...], *, nobody: bool = False
) -> Response:
    """No cache may keep a page with a token, a message or a new cookie (security rule 20)."""
    if _redirects(response) or not (handled.rendered or handled.shown or cookies):
        return response
    form = handled.rendered or not handled.shown
    headers = personal(response.headers, form=form, nobody=nobody)
    return Response(response.status, headers, response.body)


def _landed(
    greeting: Greeting,
    handled: Handled,
    receipt: Receipt | None,
    policy: Policy,
    *,
    stays: bool = False,
) -> tuple[Response, Receipt | None]:
    """A redirect as it is sent, and the receipt if anybody can ever open it."""
    response, status = handled.response, handled.response.status
    repeats = status == 308 or (status == 307 and handled.repeat)
    if greeting.unsafe and not repeats:
        status = policy.redirect_status
    given = clean_location(_location(response))
    local = _local(given, greeting) if policy.mark is not None else None
    if policy.mark is None or local is None:
        location = given
        receipt = receipt if receipt is not None and receipt.messages else None
    else:
        bare = strip(local, policy.mark, policy.ring)
        receipt = receipt if stays or _marks(greeting, bare, receipt) else None
        mark = _mark(greeting, receipt)
        unmarked = given if bare == local else bare
        location = add(bare, policy.mark, sign(policy.ring, mark)) if mark else unmarked
    return Response(status, redirect(status, location, response.headers)), receipt


def _marks(greeting: Greeting, location: str, receipt: Receipt | None) -> bool:
    """Is this receipt worth a mark? It carries something, or Back would show an old form."""
    if receipt is None or receipt.carries:
        return receipt is not None
    return greeting.unsafe and same_url(location, greeting.request.url)


def _mark(greeting: Greeting, receipt: Receipt | None) -> bytes | None:
    """The receipt that a Location names: the new one, else the one that this page came with."""
    if receipt is not None:
        return receipt.id
    return greeting.mark if greeting.visitor is not None and not greeting.unsafe else None


def _local(location: str, greeting: Greeting) -> str | None:
    """The location if it is proved to come back to this very app, else None."""
    request = greeting.request
    try:
        found = safe_target(location, base=request.url)
    except UnsafeTarget:
        return None
    here = "" if found[0] in "/?#" else str(Origin.parse(request.origin))
    path = found.removeprefix(here).partition("#")[0].partition("?")[0]
    inside = path in ("", request.root) or path.startswith(request.root + "/")
    return found if inside else None


def _receipt(
    greeting: Greeting,
    policy: Policy,
    messages: tuple[Flash, ...],
    *,
    draft: Draft | None = None,
    entry: Entry | None = None,
    page: KeptPage | None = None,
) -> Receipt | None:
    """A new receipt; None for who has no cookie to open it with."""
    visitor, visitor_id = greeting.visitor, greeting.visitor_id
    if visitor is None or visitor_id is None:
        return None
    new = named(greeting.request.entropy(8), page=page is not None)
    key = entry.key if entry is not None else None
    echo = echo_digest(policy.ring, visitor, entry.canonical) if entry and policy.echo else b""
    sealed = seal_page(greeting, page, new, policy) if page is not None else b""
    if draft is not None and can_seal():
        sealed = seal(
            policy.ring,
            pack_draft(draft, policy),
            purpose="draft",
            row=new,
            visitor=visitor,
            nonce=greeting.request.entropy(NONCE),
            who=draft.who,
        )
    return Receipt(new, visitor_id, key, echo, messages, sealed)


def pack_draft(draft: Draft, policy: Policy) -> bytes:
    """A draft as bytes to be sealed; secret fields and tokens are never among them."""
    dropped = policy.ignored
    values = [
        (name, value)
        for name, value in draft.values
        if name not in dropped and not policy.is_secret(name)
    ]
    return json.dumps([values, draft.errors], separators=(",", ":"), ensure_ascii=False).encode()


def unpack_draft(data: bytes) -> Draft:
    """The inverse of `pack_draft`."""
    values, errors = json.loads(data)
    return Draft(tuple((n, v) for n, v in values), tuple((n, t) for n, t in errors))


def hint_cookie(greeting: Greeting) -> tuple[SetCookie, ...]:
    """The cookie that says that a message waits."""
    return _hint_cookie(greeting.names.hint, greeting.secure)


@cache
def _hint_cookie(name: str, secure: bool) -> tuple[SetCookie, ...]:
    return (SetCookie(name, "1", max_age=HINT_SECONDS, secure=secure),)


def _hint(greeting: Greeting, receipt: Receipt | None) -> tuple[SetCookie, ...]:
    return hint_cookie(greeting) if receipt is not None and receipt.messages else ()


def _unhint(greeting: Greeting, taken: tuple[Taken, ...], *, shown: bool) -> tuple[SetCookie, ...]:
    """The hint goes with the message that it announced; a page that found none leaves it."""
    if not (greeting.hinted and taken and shown):
        return ()
    return _expired(greeting.names.hint, greeting.secure)


@cache
def _expired(name: str, secure: bool) -> tuple[SetCookie, ...]:
    return (SetCookie.expired(name, secure=secure),)
