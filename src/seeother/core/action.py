"""Where a form posts to: to this site or another one, to its own page or elsewhere.

A token may go to its own site only, so what cannot be proved to stay here counts as foreign. The
proof follows WHATWG URL: spaces and controls around an address fall away, tabs and line ends inside
of it too, a backslash is a slash, `https:evil.example` may be anything.

A form that posts to the very address of its page gets the *action marker*, a bare `so` in the query
of its action: with one and the same address for page and submission, Back shows a new token beside
the old text (measured in Chromium).
"""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urljoin, urlsplit

__all__ = ["Page", "cleaned", "is_foreign", "is_own", "marked"]

LONGEST_QUERY: Final = 2048  # bytes; a longer one is not written into the page

_AROUND: Final = bytes(range(0x21))
_INSIDE: Final = re.compile(rb"[\t\n\r]")
_ABSOLUTE = re.compile(rb"(?:([A-Za-z][A-Za-z0-9+.-]*):)?(?:[/\\]{2,}([^/\\?#]*))?")
_DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}
_WORDS = re.compile(rb"/(?:[\w-]++/?)*+")
_PLAIN_PATH = re.compile(r"/(?![/\\])[^?#\\]*")
_PRINTABLE: Final = bytes(range(0x21, 0x7F)).decode()
_REFERENCES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"})


@dataclass(frozen=True, slots=True)
class Page:
    """The page into which is planted.

    `origin` is `scheme://host[:port]`, `path` and `query` are as sent (percent-encoded, the query
    without a mark), `mark` is the name of the action marker, or None for none.
    """

    origin: str
    path: str
    query: str
    mark: str | None = "so"


def cleaned(url: bytes) -> bytes:
    r"""An address without what every browser drops before it reads one (WHATWG URL 4.4).

    >>> cleaned(b"\x01/\t/evil.example ")
    b'//evil.example'
    """
    return _INSIDE.sub(b"", url.strip(_AROUND))


def is_foreign(url: bytes, page: Page | None, *, foreign_base: bool = False) -> bool:
    r"""Whether a cleaned address may lead to another origin than that of `page`.

    Without a page every address with a scheme or a host is foreign. A relative address is where
    the `<base>` is; the empty one is the page itself, whatever the base (HTML 4.10.21.3).

    >>> [is_foreign(url, Page("https://a.example", "/", "")) for url in
    ...  (b"/x", b"?q", b"https://A.example:443/x", b"//b.example", b"/\\b", b"https:x")]
    [False, False, False, True, True, True]
    """
    found = _ABSOLUTE.match(url)
    scheme, authority = found.group(1, 2) if found else (b"", b"")
    if scheme is None and authority is None:
        return foreign_base and bool(url)
    if page is None or authority is None:
        return True
    here = _origin(page.origin)
    there = (scheme or here.partition(":")[0].encode()) + b"://" + authority
    return _origin(there.decode("latin-1")) != here


def _origin(text: str) -> str:
    scheme, _, host = text.lower().partition("://")
    return f"{scheme}://{host.removesuffix(':').removesuffix(_DEFAULT_PORTS.get(scheme, ''))}"


def is_own(url: bytes, page: Page | None, *, based: bool) -> bool:
    """Whether a cleaned address that is not foreign is that of the page, apart from the marker.

    `based`: the page has a `<base>`, so that only an address with a path from the root is known.

    >>> page = Page("https://a.example", "/list", "p=2")
    >>> [is_own(url, page, based=False) for url in (b"", b"/list?p=2&so", b"list?p=2", b"/list")]
    [True, True, True, False]
    """
    if not url:
        return True
    if page is None or (based and not _PLAIN_PATH.match(url.decode("latin-1"))):
        return False
    if _WORDS.fullmatch(url):  # what no parser reads otherwise
        return url.decode() == page.path and not page.query
    if b"\\" in url or not url.isascii():
        return False
    try:
        target = urlsplit(urljoin(f"{page.origin}{page.path}?{page.query}", url.decode()))
    except ValueError:
        return False
    pairs = [pair for pair in target.query.split("&") if pair != page.mark]
    return target.path == page.path and "&".join(pairs) == page.query


def marked(url: bytes, page: Page, *, based: bool) -> bytes | None:
    """The action with the marker, ready to stand between double quotes; None to leave it alone.

    `url` is a cleaned address for which `is_own` is true.

    >>> page = Page("https://a.example", "/", "q='1'")
    >>> marked(b"", page, based=False), marked(b"/#f", page, based=True)
    (b'?q=&#39;1&#39;&amp;so', b'/?so#f')
    """
    address, hash_, fragment = url.decode("latin-1").partition("#")
    if not address:
        if based and not _PLAIN_PATH.fullmatch(page.path):
            return None  # `//host` as a path would be a host in an action
        address = f"{page.path if based else ''}?{page.query}"
    path, _, query = address.partition("?")
    pairs = query.split("&") if query else []
    if page.mark is None or page.mark in pairs or len(query) > LONGEST_QUERY:
        return None
    address = f"{path}?{'&'.join([*pairs, page.mark])}{hash_}{fragment}"
    if not address.isascii():
        return None  # how it would be encoded depends on the document
    return quote(address, safe=_PRINTABLE).translate(_REFERENCES).encode()
