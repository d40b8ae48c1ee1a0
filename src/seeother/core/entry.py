"""Before anything happens: who is asking, from where, and with which token.

Two steps, because the first needs no body and must come before a byte of it is read:

* `greet` judges the address (host, scheme, proxy), the method, the origin and the cookies;
* `admit` reads the token out of the parsed form and names the submission.

Both are pure and touch no store: a forged, stale or foreign token costs a few microseconds and
nothing else (invariant I9).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, lru_cache
from hashlib import blake2b
from typing import Final, NamedTuple

from ..errors import BadHost, BadToken, CrossSite, StaleToken, TokenRequired
from .body import is_form
from .cookie import CookieNames, cookie_names, has_cookies, read_cookie
from .fingerprint import echo_digest, fingerprint, variant, visitor_id
from .form import Field, Parsed, canonical_bytes
from .frozen import quick
from .keys import decode, frame
from .mark import cut, open_mark
from .ops import Echo
from .origin import Verdict, is_unsafe, judge, known_host, single
from .policy import Policy
from .scripted import RENEWED, is_scripted, navigates, replaces_page, shows
from .token import FIELD, Token, verify
from .values import Key, Outcome, Request

COOKIE_BYTES: Final = 16
ECHO_JOINT: Final = "~"
TOKEN: Final = FIELD.encode()
# Old browsers say it in the third and fourth; scripts in the last, for they may not set `Sec-`.
AHEAD: Final = frozenset({b"sec-purpose", b"purpose", b"x-purpose", b"x-moz", b"x-sec-purpose"})
# Hardly ever asked about more than a few names.
_is_ours: Final = lru_cache(maxsize=64)(known_host)


@quick
@dataclass(frozen=True, slots=True)
class Greeting:
    """A request whose address, method, origin and cookies were judged.

    `principal` is who the headers say is signed in; empty where they say nothing.
    """

    request: Request
    unsafe: bool
    verdict: Verdict
    names: CookieNames
    secure: bool
    visitor: bytes | None
    sid: bytes | None
    hinted: bool
    mark: bytes | None
    principal: str = ""

    @property
    def same_origin(self) -> bool:
        """Is it proved that our own page sent this? Only then anything of it may be echoed."""
        return self.unsafe and self.verdict is Verdict.PASS

    @property
    def visitor_id(self) -> bytes | None:
        """What the store may know of the visitor."""
        return None if self.visitor is None else visitor_id(self.visitor)

    @property
    def is_nobody(self) -> bool:
        """Does the request show no cookie, and nothing else that says who it is?"""
        return not (self.principal or self.request.header(b"cookie") is not None)

    @property
    def has_fetch_metadata(self) -> bool:
        """Did the browser say where the request comes from?"""
        return self.request.header(b"sec-fetch-site") is not None

    @property
    def takes_messages(self) -> bool:
        """May this request take the messages under its mark?

        Not by HEAD, not ahead of time, and not where nobody says that the page will be seen.
        """
        if self.unsafe or self.request.method != "GET" or not shows(self.request):
            return False
        if not self.request.has(AHEAD):
            return True
        ahead = b",".join([value for name in AHEAD for value in self.request.all(name)]).lower()
        return b"prefetch" not in ahead and b"preview" not in ahead

    @property
    def takes_orphans(self) -> bool:
        """May it take messages that wait elsewhere? Only our visitor's own top-level navigation."""
        header = self.request.header
        page = header(b"sec-fetch-dest") in (b"document", None)
        html = b"text/html" in (header(b"accept") or b"text/html")
        own = header(b"sec-fetch-site") in (b"same-origin", b"none", None)
        return self.takes_messages and own and ((page and html) or navigates(self.request))


@quick
@dataclass(frozen=True, slots=True)
class Entry:
    """An admitted submission: its key in the ledger and what it is compared with.

    `named` is False for a request without a token: it runs under a fresh id and keeps no row.
    `page_keeping`: its page may stay, `replaced`: but not where a redirect leads to another one.
    `who` is what the request as it came says of its sender; a replay of cookies asks for the same.
    """

    greeting: Greeting
    key: Key
    fingerprint: bytes
    claim_id: bytes
    canonical: bytes
    token: Token | None = None
    echo: Echo | None = None
    page_keeping: bool = False
    replaced: bool = False
    who: str = ""

    def stays(self, outcome: Outcome) -> bool:
        """Does its page, and so its token, stay where it is after this answer?"""
        return self.page_keeping and not (self.replaced and outcome.location is not None)

    @property
    def named(self) -> bool:
        """Does it carry a token?"""
        return self.token is not None


def greet(request: Request, policy: Policy) -> Greeting:
    """Judge everything that needs no body.

    Raises BadHost (400) or CrossSite (403); after either nothing of the request may be echoed.
    """
    if len(request.all(b"host")) > 1:
        raise BadHost("two Host headers (RFC 9112 section 3.2)")
    request = _behind_proxies(request, policy)
    if not _is_ours(request.host, policy.hosts):
        raise BadHost(f"host {request.host!r} is not one of {', '.join(policy.hosts or ())}")
    unsafe = is_unsafe(request.method, request.headers, request.query)
    lines = request.all(b"cookie")
    verdict = _judge(request, policy, cookies=has_cookies(lines)) if unsafe else Verdict.PASS
    if verdict is Verdict.REFUSE:
        raise CrossSite("Sec-Fetch-Site and Origin do not name this site")
    secure = request.scheme == "https" if policy.cookie_secure == "auto" else policy.cookie_secure
    jars = _jars(policy.ring.tags, secure, policy.cookie_name)
    query, mark = cut(policy.ring, request.query, policy.mark, unsafe=unsafe)
    return Greeting(
        request if query == request.query else replace(request, query=query),
        unsafe,
        verdict,
        jars.names,
        secure,
        _secret(lines, jars.visitor),
        _secret(lines, jars.session),
        any(read_cookie(lines, name) is not None for name in jars.hint),
        mark,
        _principal(request, policy.identity_headers),
    )


def admit(
    greeting: Greeting, parsed: Parsed, body: bytes, policy: Policy, *, who: str = ""
) -> Entry:
    """Name the submission by its token and its input; `who` as in `Entry`.

    Raises BadToken, StaleToken, TokenRequired or CrossSite; the store was not asked. Where only the
    token could prove the origin, every fault of it means "not proved".
    """
    request = greeting.request
    path = (request.root + request.path).encode("utf-8", "surrogateescape")
    canonical = canonical_bytes(request.method, path, request.query, parsed, body, policy.ignored)
    claim_id = request.entropy(16)
    found = [f.value for f in parsed.items if f.name == TOKEN and isinstance(f, Field)]
    if not found and is_form(request):
        found = request.all(RENEWED)
    if not found:
        return _unnamed(greeting, canonical, claim_id, policy)
    try:
        token, shown = _verified(greeting, found, policy)
    except (BadToken, StaleToken) as error:
        if greeting.verdict is Verdict.TOKEN:
            raise CrossSite(f"not proved: {error.detail}") from error
        raise
    fp = fingerprint(token, canonical)
    keeping = is_scripted(request)
    return Entry(
        greeting,
        Key(token.ledger_id(policy.namespace), variant(token, fp)),
        fp,
        claim_id,
        canonical,
        token,
        _echo(greeting, shown, canonical, policy),
        keeping,
        keeping and replaces_page(request),
        who,
    )


def _unnamed(greeting: Greeting, canonical: bytes, claim_id: bytes, policy: Policy) -> Entry:
    if greeting.verdict is Verdict.TOKEN:
        raise CrossSite("nothing but a token could prove where this came from, and there is none")
    if policy.require_token:
        raise TokenRequired("the policy asks for a token")
    now = int(greeting.request.now).to_bytes(4, "big")
    key = Key(now + greeting.request.entropy(12), claim_id)
    return Entry(greeting, key, claim_id, claim_id, canonical)


def _verified(greeting: Greeting, found: list[bytes], policy: Policy) -> tuple[Token, str]:
    """The token, if it is ours, fresh and this visitor's, and the mark that its page showed."""
    if len(found) > 1:
        raise BadToken("the form carries two tokens")
    text, _, shown = found[0].decode("latin-1").partition(ECHO_JOINT)
    path = greeting.request.root + greeting.request.path
    token = verify(
        policy.ring, text, now=greeting.request.now, max_age=policy.max_age, scopes=("", path)
    )
    if token.had_headers and not greeting.has_fetch_metadata:
        raise CrossSite("the page had Sec-Fetch headers, its submission has none")
    if not (token.belongs_to(greeting.visitor) or _excused(token, greeting)):
        raise StaleToken("the token belongs to another visitor")
    return token, shown


def _excused(token: Token, greeting: Greeting) -> bool:
    """A token from a page without a visitor cookie: enough where nothing else needs proof.

    The headers prove the origin, or there is no cookie at all that somebody could abuse.
    """
    return token.unbound and greeting.verdict in (Verdict.PASS, Verdict.PASS_BARE)


def _echo(greeting: Greeting, shown: str, canonical: bytes, policy: Policy) -> Echo | None:
    receipt = open_mark(policy.ring, shown) if shown and policy.echo else None
    if receipt is None or greeting.visitor is None:
        return None
    digest = echo_digest(policy.ring, greeting.visitor, canonical)
    return Echo(receipt, digest, visitor_id(greeting.visitor), policy.echo)


def _principal(request: Request, headers: tuple[str, ...]) -> str:
    """Who is signed in, as Authorization and the headers of `identity_headers` say it.

    It is never stored: it goes into what is sealed as associated data, under the seal's own key.
    """
    found = [(n, value) for n in _identities(headers) for value in request.all(n) if value]
    if not found:
        return ""
    found.sort()
    said = frame(*(part for pair in found for part in pair))
    return f"headers:{blake2b(said, digest_size=16).hexdigest()}"


@cache
def _identities(headers: tuple[str, ...]) -> frozenset[bytes]:
    return frozenset({b"authorization", *(name.lower().encode() for name in headers)})


def _judge(request: Request, policy: Policy, *, cookies: bool) -> Verdict:
    path = request.root + request.path
    if path in policy.exempt:
        return Verdict.PASS_TRUSTED
    return judge(
        site=_single(request, b"sec-fetch-site"),
        origin=_single(request, b"origin"),
        own=policy.public_origin or request.origin,
        trusted=policy.trusted_origins,
        path=path,
        cookies=cookies,
    )


def _single(request: Request, name: bytes) -> str | None:
    """A header that decides, as `origin.single` reads it."""
    values = request.all(name)
    if len(values) > 1:
        return single([(name, value) for value in values], name)
    return values[0].decode("latin-1").strip(" \t") if values else None


class _Jars(NamedTuple):
    """The names of our cookies: those to be set, and of each kind all that may come, as bytes."""

    names: CookieNames
    visitor: list[bytes]
    session: list[bytes]
    hint: list[bytes]


@cache
def _jars(tags: tuple[str, ...], secure: bool, override: str | None) -> _Jars:
    """After a rotation of the secret the names change; browsers still hold what was set before."""
    every = [cookie_names(tag, secure, override) for tag in tags]
    return _Jars(
        every[0],
        [names.visitor.encode() for names in every],
        [names.session.encode() for names in every],
        [names.hint.encode() for names in every],
    )


def _secret(lines: list[bytes], names: list[bytes]) -> bytes | None:
    """The secret in the first of these cookies that is there and whole."""
    for name in names:
        found = read_cookie(lines, name)
        secret = decode(found.decode("latin-1"), COOKIE_BYTES) if found is not None else None
        if secret is not None:
            return secret
    return None


def _behind_proxies(request: Request, policy: Policy) -> Request:
    """Take scheme and host from X-Forwarded-* of the trusted hops only (security rule 7)."""
    if not policy.proxy_hops:
        return request
    proto = _hop(request, b"x-forwarded-proto", policy.proxy_hops).lower()
    host = _hop(request, b"x-forwarded-host", policy.proxy_hops)
    scheme = proto if proto in ("http", "https") else request.scheme
    return replace(request, scheme=scheme, host=host or request.host)


def _hop(request: Request, name: bytes, hops: int) -> str:
    """What the outermost trusted proxy said; empty where there are fewer values than hops."""
    values = [v.strip() for key, line in request.headers if key == name for v in line.split(b",")]
    return values[-hops].decode("latin-1") if len(values) >= hops else ""
