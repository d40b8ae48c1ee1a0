"""Stored pages: a POST that was answered by a page becomes a redirect to that page.

An app that answers a form with HTML leaves its visitor on a page that cannot be refreshed, only
sent again. In zero-code mode the answer is kept under the receipt instead, and the browser gets 303
to the form's own address with the receipt as its mark. Behind it stands the very page: it survives
reload, Back, another worker and a restart.

**What is kept.** Whole HTML pages (2xx, and 4xx: rejected input with its errors) that answer a
navigation; not downloads, not fragments for scripts, not what is to be asked again (`UNKEPT`),
nothing that is encoded or longer than what is held back, and nothing whose own address is no safe
target of a redirect (`//evil.example/` is a path, and as a Location another site). Status, type and
every header of the app are kept but those of one single answer (`OF_ONE_ANSWER`); never a token: it
is planted when the page is served.

**Who may see it.** The page is sealed under the visitor's cookie. But a visitor is a browser and no
user, so it is bound to who was signed in as well (`core.principal`), and to its address. Sign out,
and the page is gone: its address then leads to the app's own page, as if nothing had been kept.

**How long.** As long as any receipt; 120 s where the app said `no-store`.
"""

from __future__ import annotations

import json
import zlib
from typing import Final

from ..errors import UnsafeTarget
from .asked import SCRIPTED
from .entry import Entry, Greeting
from .headers import personal
from .mark import names_page
from .policy import Policy
from .principal import principal, telling
from .seal import NONCE, can_seal, seal, unseal
from .target import safe_target
from .values import Headers, KeptPage, Request, Response

PURPOSE: Final = "page"
NO_STORE_SECONDS: Final = 120
SHOWING: Final = ("GET", "HEAD")
NAVIGATING: Final = (None, b"document", b"iframe")
HTML: Final = (b"text/html", b"application/xhtml+xml")
# What is to be asked again, and what wants an answer of the browser itself.
UNKEPT: Final = frozenset({204, 205, 206, 401, 407, 408, 425, 429})
OF_ONE_ANSWER: Final = frozenset(
    {
        *(b"set-cookie", b"content-length", b"transfer-encoding", b"connection", b"keep-alive"),
        *(b"trailer", b"upgrade", b"date", b"age", b"pragma", b"clear-site-data"),
    }
)
NOINDEX: Final = (b"x-robots-tag", b"noindex")
GONE: Final = Response(410)  # it was kept, but is not (any more) for who asks now


def keeps(entry: Entry, head: Response, policy: Policy) -> bool:
    """Is this answer of a submission a page to be kept, as far as its head tells?"""
    request = entry.greeting.request
    known = entry.greeting.visitor is not None and policy.mark is not None and can_seal()
    if not (policy.converts and known and _is_page(head) and _navigates(request)):
        return False
    return address(request) is not None


def address(request: Request) -> str | None:
    """This request's own path and query as a Location; None where that would lead elsewhere."""
    here = request.url.removeprefix(request.origin)
    try:
        return safe_target(here, base=request.url) if here.isascii() else None
    except UnsafeTarget:
        return None


def _navigates(request: Request) -> bool:
    """Does the answer become a page in a window? A script wants what it asked for."""
    return request.header(b"sec-fetch-dest") in NAVIGATING and not request.has(SCRIPTED)


def _is_page(head: Response) -> bool:
    said = {name: value.strip().lower() for name, value in head.headers}
    answers = 200 <= head.status < 300 or 400 <= head.status < 500
    shown = not said.get(b"content-disposition", b"").startswith(b"attachment")
    plain = said.get(b"content-encoding", b"identity") == b"identity"
    page = said.get(b"content-type", b"").startswith(HTML)
    return answers and head.status not in UNKEPT and shown and plain and page


def seal_page(greeting: Greeting, page: KeptPage, row: bytes, policy: Policy) -> bytes:
    """A page as sealed bytes for the receipt `row`; empty for who could never open it."""
    request, answer, visitor = greeting.request, page.response, greeting.visitor
    if visitor is None:
        return b""
    lines = answer.all(b"set-cookie")
    names = telling(greeting, lines, page.cookies)
    unstored = b"no-store" in b",".join(answer.all(b"cache-control")).lower()
    about = [
        answer.status,
        [_text(pair) for pair in _served(answer.headers)],
        request.root + request.path,
        request.now + NO_STORE_SECONDS if unstored else None,
        [name.decode("latin-1") for name in names],
        principal(greeting, names, lines).hex(),
    ]
    plain = json.dumps(about).encode() + b"\n" + zlib.compress(answer.body, 1)
    nonce = request.entropy(NONCE)
    return seal(policy.ring, plain, purpose=PURPOSE, row=row, visitor=visitor, nonce=nonce)


def open_page(
    greeting: Greeting, kept: bytes, policy: Policy, *, known: bool = False
) -> Response | None:
    """The page under this request's mark; `known`: the visitor's receipt is there.

    None where there is none, as for a mark that nobody gave; `GONE` where there was one, for
    somebody else or for a shorter time, or until it had to make room.
    """
    row, visitor, request = greeting.mark, greeting.visitor, greeting.request
    asked = policy.converts and request.method in SHOWING and not greeting.unsafe
    if not asked or row is None or visitor is None:
        return None
    if not kept:
        return GONE if known and names_page(row) else None
    plain = unseal(policy.ring, kept, purpose=PURPOSE, row=row, visitor=visitor)
    if plain is None:
        return None
    about, _, body = plain.partition(b"\n")
    status, headers, place, until, names, who = json.loads(about)
    if place != request.root + request.path:
        return None
    now = principal(greeting, [name.encode("latin-1") for name in names])
    if now.hex() != who or (until is not None and request.now > until):
        return GONE
    told = tuple((k.encode("latin-1"), v.encode("latin-1")) for k, v in headers)
    return Response(status, told, zlib.decompress(body))


def _served(headers: Headers) -> Headers:
    """The app's headers as they are sent with the kept page (security rule 23)."""
    kept = tuple(pair for pair in headers if pair[0] not in OF_ONE_ANSWER)
    referrers = [value.strip().lower() for name, value in kept if name == b"referrer-policy"]
    strictest = b"no-referrer" if referrers == [b"no-referrer"] else b"same-origin"
    told = personal(tuple(pair for pair in kept if pair[0] != b"referrer-policy"), form=False)
    private = (
        (name, b"private, " + value if name == b"cache-control" else value) for name, value in told
    )
    return (*private, (b"referrer-policy", strictest), NOINDEX)


def _text(pair: tuple[bytes, bytes]) -> list[str]:
    return [part.decode("latin-1") for part in pair]
