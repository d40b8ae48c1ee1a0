"""What a personal page must say to caches, and what it must not repeat (RFC 9111).

A page that holds a token, a message or a new cookie belongs to one visitor. Form pages say
`private, no-cache` and not `no-store`: no-store makes Firefox forget the typed text and does not
keep a page out of Chromium's back/forward cache (measured). Pages that only show a message, and
every redirect of ours, say `no-store`.
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
        b"etag",
        b"last-modified",
    }
)


def personal(headers: Headers, *, form: bool) -> Headers:
    """Headers of a page that belongs to one visitor; `form` = it holds a token."""
    kept = [
        (name, value)
        for name, value in headers
        if name not in NEVER_SHARED
        and name not in (b"cache-control", b"vary")
        and not name.endswith(b"-cdn-cache-control")
    ]
    control = FORM_PAGE if form and not _says_no_store(headers) else MESSAGE_PAGE
    return (*kept, (b"cache-control", control), (b"vary", _vary(headers)))


def redirect(status: int, location: str, headers: Headers = ()) -> Headers:
    """Headers of a redirect of ours: no body, never stored."""
    dropped = (
        b"location",
        b"content-length",
        b"content-type",
        b"cache-control",
        b"transfer-encoding",
    )
    kept = tuple((name, value) for name, value in headers if name not in dropped)
    return (
        *kept,
        (b"location", location.encode("ascii")),
        (b"cache-control", b"no-store"),
        (b"content-type", b"text/html; charset=utf-8"),
        (b"content-length", b"0"),
    )


def _says_no_store(headers: Headers) -> bool:
    return any(name == b"cache-control" and b"no-store" in value.lower() for name, value in headers)


def _vary(headers: Headers) -> bytes:
    listed = [v.strip() for name, line in headers if name == b"vary" for v in line.split(b",")]
    if b"*" in listed or b"cookie" in [v.lower() for v in listed]:
        return b", ".join(listed)
    return b", ".join([*listed, b"Cookie"])
