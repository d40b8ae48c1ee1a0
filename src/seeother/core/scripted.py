"""Submissions that a script sends: fetch(), XMLHttpRequest, htmx, Turbo, Unpoly.

To a server they differ from a plain form in what becomes of the answer. A browser leaves the page
that it sent a form from; a script may stay, and then the form is there with its old token (a
page-keeping submission), or it follows the redirect and puts the landing page, or a part of it,
into the document. Nothing in HTTP says which. What can be seen is

| seen in the request | what is known |
|---|---|
| Sec-Fetch-Dest `document`, `iframe`; or none, and no header of a script | the browser navigates |
| anything else | a script is asking: the page may stay |
| beside that HX-Boosted for the body | a redirect leads to another page, Back to the old one |
| GET with `text/html` in Accept, or a header of htmx, Turbo, Unpoly | the page will be shown |

The third line decides what an old token means. On a page that stays, the same input after a while
is meant ("ok" in a chat); on a page that Back has brought, it is the same submission.

The last line decides about messages. `fetch()` follows a redirect by itself, and many who call it
only look at `response.ok`, or go to `response.url` afterwards. A message that such a request took
would have been seen by nobody; so it waits for the page that a person sees. Who shows what comes
says so, as browsers do: `Accept: text/html` (RFC 9110 section 12.5.1). htmx, Turbo and Unpoly can
be told by their own headers, which stay on the request that follows a redirect.
"""

from __future__ import annotations

from typing import Final

from .asked import SCRIPTED
from .values import Request

RENEWED: Final = b"seeother-token"
TURBO: Final = b"x-turbo-request-id"
SWAPPING: Final = frozenset({b"hx-request", TURBO, b"turbo-frame", b"x-up-version"})
ASKING: Final = SCRIPTED | {TURBO}
NAVIGATED: Final = (b"document", b"iframe")
MAIN: Final = (b"main", b"[up-main]", b"body", b"html")


def is_scripted(request: Request) -> bool:
    """Does a script ask, so that the page may stay where it is (page-keeping)?"""
    dest = request.header(b"sec-fetch-dest")
    if dest is not None:
        return dest not in NAVIGATED
    return request.has(ASKING)


def replaces_page(request: Request) -> bool:
    """Will a script replace the whole page by the one behind a redirect, and keep it for Back?

    Turbo and Unpoly do not keep what stood there before a form was sent.
    """
    header = request.header
    return header(b"hx-boosted") is not None and header(b"hx-target") in (None, b"body")


def navigates(request: Request) -> bool:
    """Does a script fetch what a person will take for the next page?"""
    header = request.header
    drive = header(TURBO) is not None and header(b"turbo-frame") is None
    return drive or replaces_page(request) or header(b"x-up-target") in MAIN


def shows(request: Request) -> bool:
    """Will what comes be seen by a person, as far as can be told?"""
    if request.header(b"sec-fetch-dest") != b"empty":
        return True
    html = b"text/html" in (request.header(b"accept") or b"")
    return html or request.has(SWAPPING)
