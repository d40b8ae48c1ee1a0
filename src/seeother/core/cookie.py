"""Cookies as bytes: one strict reader, one checked writer, and the names.

Why no framework's parser: they disagree. Some strip every Unicode space, so that a cookie named
U+2000 + `__Host-so-3f9a1c`, which a script on plain http may set, is read as the real one. Some
take the first of two equal names, some the last. Some undo quotes. The reader below does as
little as a reader can: split at `;`, trim space and tab, compare names byte by byte. A name that
comes twice was tampered with, and nobody can know which one is ours, so it counts as absent.

Cookies ignore ports. Two apps on two ports of localhost share one jar, therefore every name ends in
a tag that is derived from secret and namespace. On https the names carry the `__Host-` prefix:
browsers then accept them over https alone, for this very host and for every path (RFC 6265bis
section 4.1.3.2), and no neighbour under the same domain can plant one.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import KW_ONLY, dataclass
from functools import lru_cache
from typing import Final, Literal, Self

from ..errors import PolicyError

__all__ = ["CookieNames", "SetCookie", "cookie_names", "has_cookies", "read_cookie", "sent_names"]

SameSite = Literal["Lax", "Strict", "None"]

_BLANK: Final = b" \t"
_HOST: Final = "__Host-"
_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110 section 5.6.2
_OCTETS: Final = re.compile(r"[!#-+\--:<-\[\]-~]*")  # no space, quote, comma, semicolon, backslash
_PATH: Final = re.compile(r"/[!-:<-~]*")
_LARGEST: Final = 4096  # characters of name and value together; browsers drop what is larger


def read_cookie(headers: Iterable[bytes], name: bytes) -> bytes | None:
    """Read one cookie from the values of all Cookie header lines of a request.

    Returns the value untouched (quotes stay), or None when `name` is not there or there twice.
    Never raises, whatever the bytes are.

    >>> read_cookie([b"theme=dark; so-3f9a1c=abc"], b"so-3f9a1c")
    b'abc'
    >>> read_cookie([b"so-3f9a1c=abc", b"so-3f9a1c=evil"], b"so-3f9a1c") is None
    True
    """
    found = [
        value for header in headers if name in header for value in _named(name).findall(header)
    ]
    return found[0].rstrip(_BLANK) if len(found) == 1 else None


def has_cookies(headers: Iterable[bytes]) -> bool:
    """Tell whether a request carries any cookie at all, with or without a name.

    >>> has_cookies([b" ;\\t"]), has_cookies([b"theme=dark"])
    (False, True)
    """
    return any(header.strip(b"; \t") for header in headers)


def sent_names(headers: Iterable[bytes]) -> set[bytes]:
    """The names of all cookies that a request carries.

    >>> sorted(sent_names([b"theme=dark; so-3f9a1c=abc", b"nameless"]))
    [b'so-3f9a1c', b'theme']
    """
    return {piece.partition(b"=")[0] for piece in _pieces(headers) if b"=" in piece}


@lru_cache(maxsize=64)  # an app asks for the same few, in every request
def _named(name: bytes) -> re.Pattern[bytes]:
    """The values of all cookies of this very name; none for what cannot be a name."""
    if b";" in name or b"=" in name:
        return re.compile(rb"(?!)()")
    return re.compile(rb"(?:\A|;)[ \t]*+%b=([^;]*)" % re.escape(name))


def _pieces(headers: Iterable[bytes]) -> list[bytes]:
    return [piece.strip(_BLANK) for header in headers for piece in header.split(b";")]


@dataclass(frozen=True, slots=True)
class SetCookie:
    """A cookie to be set; one that a browser would refuse or misread cannot be built.

    `max_age` is in seconds, None lasts until the browser is closed. `Expires` is never sent: it
    would trust the visitor's clock. Raises `PolicyError` naming the part that cannot be.

    >>> SetCookie("so-h-3f9a1c", "1", max_age=300, secure=False).header()
    b'so-h-3f9a1c=1; Path=/; Max-Age=300; HttpOnly; SameSite=Lax'
    """

    name: str
    value: str
    _: KW_ONLY
    max_age: int | None = None
    path: str = "/"
    secure: bool
    http_only: bool = True
    same_site: SameSite = "Lax"

    def __post_init__(self) -> None:
        kind = _of_its_kind(self.name, self.path, self.same_site, secure=self.secure)
        for rule, kept in (*kind, *self._rules()):
            if not kept:
                raise PolicyError(f"cookie {self.name!r}: {rule}")

    def _rules(self) -> Iterator[tuple[str, bool]]:
        """List what RFC 6265 section 4.1.1 demands of this one."""
        yield "the value is cookie octets", _OCTETS.fullmatch(self.value) is not None
        yield "name and value fit in 4096 characters", len(self.name) + len(self.value) <= _LARGEST
        yield "max_age is not negative", self.max_age is None or self.max_age >= 0

    @classmethod
    def expired(cls, name: str, *, secure: bool, path: str = "/") -> Self:
        """Make the cookie that deletes `name`; `secure` and `path` as when it was set.

        >>> SetCookie.expired("so-h-3f9a1c", secure=False).header()
        b'so-h-3f9a1c=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax'
        """
        return cls(name, "", max_age=0, path=path, secure=secure)

    def header(self) -> bytes:
        """Render the value of a Set-Cookie header."""
        parts = (
            (f"{self.name}={self.value}", True),
            (f"Path={self.path}", True),
            (f"Max-Age={self.max_age}", self.max_age is not None),
            ("Secure", self.secure),
            ("HttpOnly", self.http_only),
            (f"SameSite={self.same_site}", True),
        )
        return "; ".join(text for text, wanted in parts if wanted).encode("ascii")


@lru_cache(maxsize=64)  # a site sets few cookies, again and again
def _of_its_kind(
    name: str, path: str, same_site: str, *, secure: bool
) -> tuple[tuple[str, bool], ...]:
    """What the grammar and the name prefixes of RFC 6265bis demand of all cookies like this one."""
    prefix = name.lower()  # browsers compare prefixes without case
    rooted = secure and path == "/"
    return (
        ("the name is a token", _TOKEN.fullmatch(name) is not None),
        ("the path is / and visible ASCII", _PATH.fullmatch(path) is not None),
        ("same_site is Lax, Strict or None", same_site in ("Lax", "Strict", "None")),
        ("SameSite=None needs secure", secure or same_site != "None"),
        ("__Secure- needs secure", secure or not prefix.startswith("__secure-")),
        ("__Host- needs secure and path /", rooted or not prefix.startswith("__host-")),
    )


@dataclass(frozen=True, slots=True)
class CookieNames:
    """The names of seeother's cookies: who the browser is, its session, and "a message waits"."""

    visitor: str
    session: str
    hint: str


def cookie_names(tag: str, secure: bool, override: str | None = None) -> CookieNames:
    """Name the cookies of an app.

    `tag` is six hex digits derived from secret and namespace. `secure` is whether the site is on
    https: then all names carry `__Host-`, and no name without it counts. `override` (policy
    `cookie_name`) is the visitor cookie's name, with or without `__Host-`; the other two add
    `-s` and `-h` to it. Raises `PolicyError` where that is no cookie name.

    >>> cookie_names("3f9a1c", secure=True).session
    '__Host-so-s-3f9a1c'
    >>> cookie_names("3f9a1c", secure=False, override="shop").hint
    'shop-h'
    """
    stem = (override or "").removeprefix(_HOST)
    own = (f"so-{tag}", f"so-s-{tag}", f"so-h-{tag}")
    names = (stem, f"{stem}-s", f"{stem}-h") if override else own
    for name in names:
        # "__" is where browsers keep prefixes
        if not re.fullmatch(rf"(?!__){_TOKEN.pattern}", name):
            raise PolicyError(f"{name!r} cannot be the name of a cookie")
    return CookieNames(*(f"{_HOST if secure else ''}{name}" for name in names))
