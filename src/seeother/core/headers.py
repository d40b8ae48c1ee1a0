"""What a personal page must say to caches, and what it must not repeat (RFC 9111).

A page that holds a token, a message or a new cookie belongs to one visitor. Form pages say
`private, no-cache` and not `no-store`: no-store makes Firefox forget the typed text and does not
keep a page out of Chromium's back/forward cache (measured). Pages that only show a message, and
every redirect of ours, say `no-store`.

**Vary.** `private` keeps such a page out of every shared cache (RFC 9111 section 5.2.2.7), and
`no-cache` lets the browser's own use it for Back and Forward only. There `Vary: Cookie` is what
keeps somebody from going Back to the page of who was signed in before. But a page that was asked
for without any cookie is nobody's page, and it brings the first cookie itself: with `Vary: Cookie`
a browser that has no other copy of it (Chromium without its back/forward cache) would ask for it
again at Back, and show a new token beside the old text. So around an unmodified app that one does
not vary by the cookie, unless the page sets one as a sign-in does (`record`).
"""

from __future__ import annotations

from typing import Final

from .values import Headers

FORM_PAGE: Final = b"private, no-cache"
MESSAGE_PAGE: Final = b"no-store"
NEVER_SHARED: Final = frozenset(
    {
        b"expires",
        b"surrogate-control",
        b"cdn-cache-control",
        b"digest",
        b"content-digest",
        b"repr-digest",
        b"content-md5",
        b"accept-ranges",
        # With these a browser would ask "changed?" later, and the app, which sees no change, would
        # bring an old token or an old message back by 304.
        b"etag",
        b"last-modified",
    }
)
# What describes a body; a redirect of ours has none.
OF_A_BODY: Final = frozenset(
    {
        b"content-length",
        b"transfer-encoding",
        b"trailer",
        b"content-type",
        b"content-encoding",
        b"content-language",
        b"content-location",
        b"content-range",
        b"content-disposition",
    }
)
# What an app may say beside ours, for caches make no more of a page by it.
STRICT: Final = frozenset({b"max-age=0", b"must-revalidate", b"no-cache", b"no-transform"})
SWITCH: Final = b"seeother"  # `SeeOther: off`: an app's word to us, and to nobody else
REPLACED: Final = OF_A_BODY | {b"cache-control", b"location"}  # in a redirect of ours


def personal(headers: Headers, *, form: bool, nobody: bool = False) -> Headers:
    """Headers of a page that belongs to one visitor; `form` = it holds a token.

    `nobody`: who asked showed no cookie, nor anything else that says who it is.
    Of the app's own Cache-Control only `no-store` and what is as strict are kept (`STRICT`).

    >>> personal(((b"etag", b'"1"'), (b"cache-control", b"public, max-age=60")), form=True)
    ((b'cache-control', b'private, no-cache'), (b'vary', b'Cookie'))
    """
    said = dict.fromkeys(word.lower() for word in _list(headers, b"cache-control"))
    control = FORM_PAGE if form and b"no-store" not in said else MESSAGE_PAGE
    beside = [word for word in said if word in STRICT and word not in control]
    control = b", ".join([control, *beside])
    kept = _without(headers, frozenset({b"cache-control", b"vary"}))
    varies = _vary(headers, nobody=nobody and form)
    return (*kept, (b"cache-control", control), *(((b"vary", varies),) if varies else ()))


def switch(headers: Headers) -> tuple[Headers, bool]:
    """Headers without `SeeOther`, and whether it said that this answer is to be left alone.

    >>> switch(((b"seeother", b"off"), (b"x-app", b"1")))
    (((b'x-app', b'1'),), True)
    """
    said = [value for name, value in headers if name == SWITCH]
    if not said:
        return headers, False
    kept = tuple(pair for pair in headers if pair[0] != SWITCH)
    return kept, b"off" in [word.lower() for word in _list(headers, SWITCH)]


def is_shared(headers: Headers) -> bool:
    """Does the app ask shared caches to keep it (RFC 9111 sections 5.2.2.9 and 5.2.2.10)?

    >>> is_shared(((b"cache-control", b"public, max-age=60"),)), is_shared(())
    (True, False)
    """
    said = [word.partition(b"=")[0].lower() for word in _list(headers, b"cache-control")]
    return b"public" in said or b"s-maxage" in said


def redirect(status: int, location: str, headers: Headers = ()) -> Headers:
    """Headers of a redirect of ours: no body, never stored; `location` is ASCII.

    >>> redirect(303, "/done", ((b"content-encoding", b"gzip"), (b"x-app", b"1")))[:2]
    ((b'x-app', b'1'), (b'location', b'/done'))
    """
    return (
        *_without(headers, REPLACED),
        (b"location", location.encode("ascii")),
        (b"cache-control", MESSAGE_PAGE),
        (b"content-type", b"text/html; charset=utf-8"),
        (b"content-length", b"0"),
    )


def _without(headers: Headers, names: frozenset[bytes]) -> Headers:
    return tuple(
        [
            (name, value)
            for name, value in headers
            if name not in names
            and name not in NEVER_SHARED
            and not name.endswith(b"-cdn-cache-control")
        ]
    )


def _list(headers: Headers, name: bytes) -> list[bytes]:
    """The members of a list header, in however many lines (RFC 9110 section 5.6.1)."""
    lines = (line for key, line in headers if key == name)
    return [word for line in lines for piece in line.split(b",") if (word := piece.strip(b" \t"))]


def _vary(headers: Headers, *, nobody: bool) -> bytes:
    listed = _list(headers, b"vary")
    if nobody:
        listed = [name for name in listed if name.lower() != b"cookie"]
    elif b"*" not in listed and b"cookie" not in [name.lower() for name in listed]:
        listed.append(b"Cookie")
    return b", ".join(listed)
