"""Who sent this request: the cross-site table, and the headers it is read from.

A browser says where a request comes from in two headers that no page can forge:

* `Sec-Fetch-Site` (Fetch Metadata) relates the sender to us in one word. Every current browser
  sends it, but to secure origins only, so its absence on plain http means nothing;
* `Origin` (RFC 6454, Fetch 3.1) names the sender. It stands on every POST of a browser, and is
  `null` where the sender is hidden (sandboxed frames, `no-referrer`, redirects over other sites).

Together with one more fact, whether the browser sent any cookie at all, they decide about a request
with an unsafe method. The decision is `TABLE` below: rows are read from top to bottom, the first
row that fits decides, and the last one refuses whatever was not foreseen, such as a word that
browsers may put into Sec-Fetch-Site one day. A request without cookies needs no token: a cross-site
attack borrows the visitor's cookies, and here there is nothing to borrow.

Everything here fails closed: a header that occurs twice is refused, an origin that does not parse
is foreign, and a host that is not known is not guessed.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Final, Self
from urllib.parse import unquote_to_bytes

from ..errors import CrossSite

__all__ = ["TABLE", "Origin", "Sender", "Verdict", "is_unsafe", "judge", "known_host", "single"]

Headers = Sequence[tuple[bytes, bytes]]

_HOST_PORT: Final = (
    r"(?P<host>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?"
)
_AUTHORITY: Final = re.compile(_HOST_PORT)
_ORIGIN: Final = re.compile(rf"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://{_HOST_PORT}")
_DEFAULT_PORT: Final = {"http": "80", "https": "443"}


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port in one spelling, so that `==` compares origins (RFC 6454 section 5).

    `port` is empty where it is the scheme's default.

    >>> str(Origin.parse("HTTPS://App.Example:443"))
    'https://app.example'
    >>> Origin.parse("null") is None
    True
    """

    scheme: str
    host: str
    port: str = ""

    @classmethod
    @lru_cache(maxsize=64)
    def parse(cls, text: str) -> Self | None:
        """Read `scheme://host[:port]` and nothing after it; None where it is anything else."""
        found = _ORIGIN.fullmatch(text)
        if found is None:
            return None
        scheme, port = found["scheme"].lower(), found["port"] or ""
        return cls(scheme, found["host"].lower(), "" if port == _DEFAULT_PORT.get(scheme) else port)

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}{self.port and ':' + self.port}"


class Sender(Enum):
    """What the Origin header says, seen from this site."""

    ABSENT = "absent"
    OWN = "own"
    NULL = "null"
    TRUSTED = "trusted"
    FOREIGN = "foreign"


class Verdict(Enum):
    """What is known about the sender of a request with an unsafe method."""

    PASS = "pass"  # not a password: the browser proved that it came from this origin
    PASS_TRUSTED = "pass-trusted"  # from a site that the policy trusts
    PASS_BARE = "pass-bare"  # no cookies, so nothing to abuse; nothing is proved
    TOKEN = "token"  # no proof: a valid token bound to this visitor decides
    REFUSE = "refuse"


_ANY: Final = "*"

# The columns are kept in line by hand, because this is read as a table.
# fmt: off
TABLE: Final[tuple[tuple[str | None, Sender | str, bool | str, Verdict], ...]] = (
    # Sec-Fetch-Site  Origin           cookies  verdict
    ("same-origin",   _ANY,            _ANY,    Verdict.PASS),
    # "none" is the address bar or a bookmark; a restored tab may send its POST again this way.
    ("none",          Sender.ABSENT,   _ANY,    Verdict.TOKEN),
    ("none",          Sender.OWN,      _ANY,    Verdict.TOKEN),
    ("none",          _ANY,            _ANY,    Verdict.REFUSE),
    # No Sec-Fetch-Site: plain http, a browser before 2023, or no browser.
    (None,            Sender.OWN,      _ANY,    Verdict.PASS),
    (None,            Sender.NULL,     _ANY,    Verdict.TOKEN),
    (None,            Sender.ABSENT,   True,    Verdict.TOKEN),
    (None,            Sender.ABSENT,   False,   Verdict.PASS_BARE),
    # same-site, cross-site, any other word, and no word but a foreign Origin.
    (_ANY,            Sender.TRUSTED,  _ANY,    Verdict.PASS_TRUSTED),
    (_ANY,            _ANY,            _ANY,    Verdict.REFUSE),
)
# fmt: on


def judge(
    *,
    site: str | None,
    origin: str | None,
    own: str,
    trusted: Collection[str],
    path: str,
    cookies: bool,
) -> Verdict:
    """Decide by `TABLE` about a request whose method is unsafe.

    `site` and `origin` are the values of Sec-Fetch-Site and Origin, None if absent (see `single`).
    `own` is this site as `scheme://host[:port]`. `trusted` lists other origins that may post
    here: `"https://idp.example"` to every path, `"https://idp.example /saml/acs"` (origin, one
    space, path of this site) to that path alone; an entry that does not parse trusts nobody. `path`
    is the path of the request as it was sent, mount point included. `cookies` tells whether there
    is any cookie (see `seeother.core.cookie.has_cookies`).

    >>> judge(site="cross-site", origin="https://evil.example", own="https://app.example",
    ...       trusted=(), path="/", cookies=True)
    <Verdict.REFUSE: 'refuse'>
    >>> judge(site=None, origin="https://idp.example", own="https://app.example",
    ...       trusted=["https://idp.example /saml/acs"], path="/saml/acs", cookies=False)
    <Verdict.PASS_TRUSTED: 'pass-trusted'>
    """
    return _decide(site, _sender(origin, own, trusted, path), cookies)


@lru_cache(maxsize=64)
def _decide(*facts: object) -> Verdict:
    return next(verdict for *row, verdict in TABLE if _fits(row, facts))


def _fits(row: Iterable[object], facts: Iterable[object]) -> bool:
    return all(want in (_ANY, fact) for want, fact in zip(row, facts, strict=True))


def _sender(origin: str | None, own: str, trusted: Collection[str], path: str) -> Sender:
    if origin is None:
        return Sender.ABSENT
    if origin == "null":
        return Sender.NULL
    parsed = Origin.parse(origin)
    if parsed is None:  # before any comparison: two unreadable origins are not the same one
        return Sender.FOREIGN
    if parsed == Origin.parse(own):
        return Sender.OWN
    return Sender.TRUSTED if any(_trusts(e, parsed, path) for e in trusted) else Sender.FOREIGN


def _trusts(entry: str, origin: Origin, path: str) -> bool:
    where, limited, only = entry.partition(" ")
    return Origin.parse(where) == origin and (not limited or only == path)


SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})  # RFC 9110 section 9.2.1
_OVERRIDES: Final = frozenset({b"x-http-method-override", b"x-http-method", b"x-method-override"})


def is_unsafe(method: str, headers: Headers, query: bytes = b"") -> bool:
    """Tell whether a request may change something and has to be judged.

    Every method is unsafe except GET, HEAD, OPTIONS and TRACE (methods are case-sensitive, RFC 9110
    section 9.1). A safe one that asks the framework to be read as another, by an override header
    or by a `_method` in `query` (raw bytes, without `?`), is unsafe too, whatever it asks for.

    >>> is_unsafe("GET", []), is_unsafe("POST", []), is_unsafe("GET", [], b"_method=DELETE")
    (False, True, True)
    """
    if method not in SAFE_METHODS:
        return True
    # WSGI cannot tell `_` from `-` in a header's name, so the app may see either as the override.
    names = b"\n".join([name for name, _ in headers]).lower()
    if b"method" in names and not _OVERRIDES.isdisjoint(names.replace(b"_", b"-").split(b"\n")):
        return True
    if b"_method" not in query and b"%" not in query:
        return False
    return any(_field_name(pair) == b"_method" for pair in re.split(rb"[&;]", query))


def _field_name(pair: bytes) -> bytes:
    return unquote_to_bytes(pair.partition(b"=")[0])


def single(headers: Headers, name: bytes) -> str | None:
    """Read a header that decides about security and so may stand in a request once only.

    `name` is lower-case. Returns the value without spaces and tabs around it, None when absent;
    raises `CrossSite` when it occurs twice, even with one value: whoever stands before us may have
    checked the other one.

    >>> single([(b"Origin", b" https://app.example ")], b"origin")
    'https://app.example'
    """
    values = [value for key, value in headers if key.lower() == name]
    if len(values) > 1:
        raise CrossSite(f"{name.decode('latin-1')} occurs {len(values)} times, allowed is once")
    return values[0].decode("latin-1").strip(" \t") if values else None


def known_host(host: str, hosts: Collection[str] | None) -> bool:
    """Tell whether a Host header names this site, so that DNS rebinding cannot choose our origin.

    `hosts` None means any. An entry without a port fits every port, one with a port that one
    alone; a leading dot (`.example.org`) fits the domain and all below it; IPv6 in brackets.

    >>> known_host("app.example:8000", ["app.example"]), known_host("[::1]:80", ["[::1]"])
    (True, True)
    >>> known_host("evil.example", [".app.example"])
    False
    """
    if hosts is None:
        return True
    found = _AUTHORITY.fullmatch(host)
    if found is None:
        return False
    spellings = (found["host"].lower(), host.lower())
    return any(_names(entry.lower(), spelling) for entry in hosts for spelling in spellings)


def _names(entry: str, host: str) -> bool:
    return f".{host}".endswith(entry) if entry.startswith(".") else host == entry
