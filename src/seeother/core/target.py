"""Where a redirect may lead: a small grammar, and the one string to emit.

Checking a target with one parser and emitting it through another is how open redirects are made:
browsers drop tabs and line feeds, read `\\` as `/`, skip extra slashes, decode full-width dots, and
every framework quotes a Location in its own way. So nothing here answers yes or no. `safe_target`
accepts the few spellings that all parsers read alike, refuses the rest, and returns the canonical
string: plain ASCII, nothing left to quote. What is emitted is what was checked.

    target    = path [ "?" query ] [ "#" fragment ]            on this origin
              / "?" query [ "#" fragment ] / "#" fragment      on this page
              / http(s) "://" host [ ":" port ] [ path ] ...   this origin, or a listed host

Paths relative to the page (`edit`, `../x`) are refused, since what they mean depends on a trailing
slash. `GRAMMAR` holds the rules as data: for each part of the target what must *not* be found in
it, under the words that an error shows. Every pattern looks at each character a bounded number
of times, so that hostile input costs linear time.
"""

import re
import unicodedata
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Final, NamedTuple
from urllib.parse import quote

from ..errors import UnsafeTarget
from .origin import Origin

__all__ = ["GRAMMAR", "LONGEST", "clean_location", "safe_target", "same_url"]

LONGEST: Final = 2048  # characters, as given; every browser, proxy and server takes that many

_PATH: Final = r"A-Za-z0-9\-._~!$&'()*+,;=:@/%"  # pchar and "/" (RFC 3986 section 3.3)
_QUERY: Final = _PATH + r"?\[\]{}|^"  # what browsers leave as it is (WHATWG URL 1.3)

GRAMMAR: Final = {
    part: tuple((rule, re.compile(forbidden)) for rule, forbidden in rules)
    for part, rules in {
        "target": (
            ("no control character and no space", r"[\x00-\x20\x7f]"),
            ("no backslash", r"\\"),
            ("each % starts an escape of two hex digits", r"%(?![0-9A-Fa-f]{2})"),
        ),
        "authority": (("no user name before the host", r"@"),),
        "path": (
            ("local targets begin with / ? or #, others with http:// or https://", r"\A[^/]"),
            ("no second slash at the beginning of the path", r"\A//"),
            ("no encoded slash or backslash at the beginning", r"\A/%(?:2[Ff]|5[Cc])"),
            ("no encoded control character in the path", r"%(?:[01][0-9A-Fa-f]|7[Ff])"),
            ("no dot segment in the path", r"/(?:\.|%2[Ee]){1,2}(?=/|\Z)"),
            ("only path characters of RFC 3986 in the path", rf"[^{_PATH}]"),
        ),
        "query": (("only query characters in the query", rf"[^{_QUERY}]"),),
        "fragment": (("only query characters in the fragment", rf"(?!\A)[^{_QUERY}]"),),
        "header": (
            ("no control character in a header", r"[\x00-\x1f\x7f]"),
            ("no lone surrogate", r"[\ud800-\udfff]"),
        ),
    }.items()
}


# All rules of a part at once: most targets break none.
_FORBIDDEN: Final = {
    part: re.compile("|".join(f"(?:{forbidden.pattern})" for _, forbidden in rules))
    for part, rules in GRAMMAR.items()
}


# What breaks no rule of any part, whatever it stands on, and has nothing to escape.
_PLAIN: Final = re.compile(r"/(?:[\w-]++/?)*+(?:\?[\w=&-]*+)?(?:#[\w-]*+)?", re.ASCII)


class _Url(NamedTuple):
    """A URL cut at its delimiters (RFC 3986 appendix B); query and fragment keep theirs."""

    scheme: str
    authority: str
    path: str
    query: str
    fragment: str

    @property
    def origin(self) -> Origin | None:
        return Origin.parse(f"{self.scheme}://{self.authority}")


_SPLIT: Final = re.compile(
    r"(?:([Hh][Tt][Tt][Pp][Ss]?)://([^/?#]*))?([^?#]*)(\?[^#]*)?(#.*)?", re.DOTALL
)


def _split(text: str) -> _Url:
    found = _SPLIT.fullmatch(text)
    assert found is not None, "every string has this shape"
    return _Url(*found.groups(default=""))


def safe_target(raw: str, *, base: str, hosts: Collection[str] = ()) -> str:
    """Prove that a redirect to `raw` stays on this site, and return the string to emit.

    `base` is the absolute URL of the page or request on which the redirect stands. `hosts` lists
    other hosts that may be redirected to: `"pay.example"` on its default port, or
    `"pay.example:8443"` on that port alone. A page on http may send to https, never the reverse.
    Returns printable ASCII: local targets stay local, absolute ones stay absolute, non-ASCII
    characters become UTF-8 escapes. Raises `UnsafeTarget`, whose detail names the rule.

    >>> safe_target("/list?q=caf\u00e9#new", base="https://app.example/form")
    '/list?q=caf%C3%A9#new'
    >>> safe_target("HTTPS://App.Example:443", base="https://app.example/form")
    'https://app.example/'
    >>> safe_target("//evil.example", base="https://app.example/form")
    Traceback (most recent call last):
    seeother.errors.UnsafeTarget: no second slash at the beginning of the path: '//' at 0
    """
    if not raw:
        raise UnsafeTarget("a target is not empty")
    if len(raw) > LONGEST:
        raise UnsafeTarget(f"at most {LONGEST} characters: {len(raw)}")
    if _PLAIN.fullmatch(raw):
        return raw
    _obey("target", raw)
    _visible(raw)
    url = _split(_escape(raw))
    for part, text in zip(_Url._fields, url, strict=True):
        if text and part in GRAMMAR:
            _obey(part, text)
    if not url.scheme:
        return url.path + url.query + url.fragment
    return f"{_reachable(url, base, hosts)}{url.path or '/'}{url.query}{url.fragment}"


def _obey(part: str, text: str) -> None:
    if not _FORBIDDEN[part].search(text):
        return
    tried = ((rule, forbidden.search(text)) for rule, forbidden in GRAMMAR[part])
    rule, found = next((rule, found) for rule, found in tried if found)
    # Only what broke the rule is shown: a query may hold what no log should.
    raise UnsafeTarget(f"{rule}: {found.group()!a} at {found.start()}")


def _visible(raw: str) -> None:
    """Refuse what a person cannot see: control, format, private, unassigned, surrogate, space."""
    for char in "" if raw.isascii() else raw:
        if not char.isascii() and unicodedata.category(char)[0] in "CZ":
            raise UnsafeTarget(f"no invisible or unassigned character: {char!a}")


def _escape(text: str) -> str:
    if text.isascii():
        return text
    return re.sub(r"[^\x00-\x7f]+", lambda m: quote(m[0], errors="surrogatepass"), text)


def _reachable(url: _Url, base: str, hosts: Collection[str]) -> Origin:
    origin = url.origin
    if origin is None:
        raise UnsafeTarget(f"host is an ASCII name with a canonical port: {url.authority!a}")
    here = _split(base).origin
    if here is None:
        raise UnsafeTarget("an absolute target needs an absolute http or https base to stand on")
    if here.scheme == "https" and origin.scheme == "http":
        raise UnsafeTarget("no downgrade from https to http")
    if origin not in _allowed(origin.scheme, here, hosts):
        raise UnsafeTarget(f"same origin or a listed host on its default port: {str(origin)!a}")
    return origin


def _allowed(scheme: str, here: Origin, hosts: Collection[str]) -> Iterator[Origin | None]:
    yield replace(here, scheme=scheme)  # http to https keeps the port: default stays default
    for host in hosts:
        yield Origin.parse(f"{scheme}://{host}")


def clean_location(value: str) -> str:
    """Check a Location once more where it becomes a header; for an app's own external targets.

    Refuses control characters (`UnsafeTarget`), so that no value can end its header, and writes
    non-ASCII characters as UTF-8 escapes. Everything else is the app's own business and stays as it
    is. `value` is text: a server that hands out bytes as Latin-1 has to be decoded first.

    >>> clean_location("https://pay.example/caf\u00e9 1")
    'https://pay.example/caf%C3%A9 1'
    """
    _obey("header", value)
    return _escape(value)


def same_url(location: str, base: str) -> bool:
    """Tell whether `location` leads to exactly the URL `base`; the fragment does not count.

    `location` is canonical (see `safe_target`), local or absolute. Compared are scheme, host, port,
    path and query as a browser would send them. An empty query counts as none, because WSGI cannot
    tell the two apart.

    >>> same_url("/list?page=2#new", "https://app.example:443/list?page=2")
    True
    >>> same_url("?page=3", "https://app.example/list?page=2")
    False
    """
    here = _split(_escape(base))
    if here.origin is None or location.startswith("//"):  # `//` names a host, not a path
        return False
    return _sent(_split(_escape(location)), here) == _sent(here, here)


def _sent(url: _Url, here: _Url) -> tuple[Origin | None, str, str]:
    """Resolve against `here` as in RFC 3986 section 5.2.2, but for relative paths."""
    if not (url.scheme or url.path):
        url = url._replace(path=here.path, query=url.query or here.query)
    origin = url.origin if url.scheme else here.origin
    # Of all characters in a canonical query, browsers escape the apostrophe alone (WHATWG URL 1.3).
    return origin, url.path or "/", url.query.replace("'", "%27").removesuffix("?")
