"""Stored pages: which answers are kept, what is kept of them, and who gets them back."""

import sys
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seeother.core.entry import Entry, Greeting, greet
from seeother.core.policy import Policy
from seeother.core.seal import can_seal
from seeother.core.stored import GONE, NO_STORE_SECONDS, address, keeps, open_page, seal_page
from seeother.core.values import Headers, KeptPage, Response

from .arrivals import (
    NOW,
    POLICY,
    SECRET,
    STRANGER,
    admitted,
    arrival,
    from_visitor,
    token,
    visitor_cookie,
)

ROW = b"12345678"
HTML = (b"content-type", b"text/html; charset=utf-8")
PAGE = Response(200, (HTML, (b"content-length", b"9")), b"<p>thanks")
IN = ("session=ann",)


def sent(url: str = "/form", policy: Policy = POLICY, **headers: str) -> Entry:
    """A form of our visitor, with a token; `_` in a header's name is `-`."""
    lines = {name.replace("_", "-"): value for name, value in headers.items()}
    request = arrival("POST", url, from_visitor(lines, policy))
    return admitted(request, ("a", "1"), token=token(policy), policy=policy)


def head(status: int = 200, *more: tuple[bytes, bytes], kind: bytes = HTML[1]) -> Response:
    """The head of an answer."""
    return Response(status, ((b"content-type", kind), *more))


# Which answers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 201, 202, 203, 400, 403, 404, 409, 410, 413, 422])
def test_pages_are_kept(status: int) -> None:
    """What was done and what was rejected, XHTML as well."""
    assert keeps(sent(), head(status), POLICY)
    assert keeps(sent(), head(status, kind=b"Application/XHTML+xml"), POLICY)


@pytest.mark.parametrize(
    "status",
    [*(204, 205, 206, 301, 302, 303, 304, 307), *(401, 407, 408, 425, 429, 500, 502, 503)],
)
def test_other_answers_are_not(status: int) -> None:
    """No body, a part, a redirect, what the browser itself answers, what is asked again, 5xx."""
    assert not keeps(sent(), head(status), POLICY)


@pytest.mark.parametrize(
    "answer",
    [
        head(kind=b"application/json"),
        head(kind=b"text/plain"),
        head(kind=b"text/event-stream"),
        Response(200),
        head(200, (b"content-disposition", b'Attachment; filename="a.html"')),
        head(200, (b"content-encoding", b"gzip")),
    ],
    ids=["json", "text", "events", "untyped", "download", "encoded"],
)
def test_what_is_no_page_is_not(answer: Response) -> None:
    """JSON, text, streams, downloads; what is encoded could not be planted."""
    assert not keeps(sent(), answer, POLICY)
    assert keeps(sent(), head(200, (b"content-disposition", b"inline")), POLICY)


@pytest.mark.parametrize(
    ("headers", "kept"),
    [
        ({}, True),
        ({"sec_fetch_dest": "document"}, True),
        ({"sec_fetch_dest": "iframe"}, True),
        ({"sec_fetch_dest": "empty"}, False),
        ({"x_requested_with": "XMLHttpRequest"}, False),
        ({"hx_request": "true"}, False),
        ({"turbo_frame": "list"}, False),
    ],
)
def test_only_what_answers_a_navigation(headers: dict[str, str], kept: bool) -> None:
    """A script wants the answer it asked for; with a token and without one."""
    entry = sent("/form", POLICY, **headers)
    assert keeps(entry, PAGE, POLICY) is kept
    bare = admitted(entry.greeting.request, ("a", "1"))
    assert (bare.named, keeps(bare, PAGE, POLICY)) == (False, kept)


@pytest.mark.parametrize(
    "changes",
    [{"convert": False}, {"mark": None}, {"mode": "joined"}, {"mode": "fenced"}],
)
def test_settings(changes: dict[str, Any]) -> None:
    """`convert` off, no mark to stand under, an app that knows its submissions: as it is."""
    policy = Policy.of({"secret": SECRET, **changes})
    assert not keeps(sent(policy=policy), PAGE, policy)
    assert keeps(sent(), PAGE, Policy.of({"secret": SECRET, "mode": "separate"}))


def test_for_nobody_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has no cookie could never open it; without `cryptography` nothing can be sealed."""
    bare = admitted(arrival(headers={}), ("a", "1"))
    assert not keeps(bare, PAGE, POLICY)
    assert seal_page(bare.greeting, KeptPage(PAGE, set()), ROW, POLICY) == b""
    monkeypatch.setitem(sys.modules, "cryptography", None)
    can_seal.cache_clear()
    try:
        assert not keeps(sent(), PAGE, POLICY)
    finally:
        can_seal.cache_clear()


@pytest.mark.parametrize(
    "url",
    [
        "//evil.example/",
        "//evil.example/x?y=1",
        "/\\evil.example",
        "/%2fevil.example",
        "/a/../b",
        "/%0d%0aSet-Cookie:x",
        "/caf\u00e9",
        "/?" + "a" * 2048,
    ],
)
def test_a_path_that_is_no_target_is_not_redirected_to(url: str) -> None:
    """`//evil.example/` posted to itself would be a redirect to another site: left as it is."""
    entry = sent(url)
    assert address(entry.greeting.request) is None
    assert not keeps(entry, PAGE, POLICY)


@pytest.mark.parametrize("url", ["/form", "/form?a=b&c=%20", "/", "/a//b", "/(x)?q=[1]"])
def test_the_address_is_the_requests_own(url: str) -> None:
    """Path and query as they came."""
    assert address(sent(url).greeting.request) == url


# What is kept -------------------------------------------------------------------------------------


def who(
    *cookies: str,
    visitor: bytes | None = None,
    url: str = "/form",
    method: str = "GET",
    now: float = NOW,
    **headers: str,
) -> Greeting:
    """A request of our visitor under the mark."""
    mine = visitor_cookie() if visitor is None else visitor_cookie(visitor=visitor)
    lines = {"cookie": "; ".join((mine, *cookies)), **headers}
    return replace(greet(arrival(method, url, from_visitor(lines), now=now), POLICY), mark=ROW)


def kept(answer: Response = PAGE, *cookies: str, policy: Policy = POLICY) -> bytes:
    """A page as it is kept for our visitor."""
    return seal_page(who(*cookies, method="POST"), KeptPage(answer, set()), ROW, policy)


def shown(data: bytes, greeting: Greeting | None = None, policy: Policy = POLICY) -> Response:
    """The page again."""
    found = open_page(greeting or who(), data, policy)
    assert found is not None
    return found


APP: Headers = (
    (b"content-type", b"text/html; charset=iso-8859-1"),
    (b"content-security-policy", b"default-src 'self'"),
    (b"content-security-policy", b"frame-ancestors 'none'"),
    (b"content-security-policy-report-only", b"default-src 'none'"),
    (b"strict-transport-security", b"max-age=60"),
    (b"x-frame-options", b"DENY"),
    (b"x-content-type-options", b"nosniff"),
    (b"permissions-policy", b"camera=()"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"content-language", b"de"),
    (b"x-robots-tag", b"nofollow"),
    (b"x-own", b"kept"),
)
OF_THE_MOMENT: Headers = (
    (b"set-cookie", b"theme=secret"),
    (b"content-length", b"9"),
    (b"date", b"now"),
    (b"clear-site-data", b'"cookies"'),
    (b"etag", b'"1"'),
    (b"last-modified", b"now"),
    (b"expires", b"later"),
    (b"accept-ranges", b"bytes"),
    (b"content-md5", b"x"),
    (b"digest", b"x"),
    (b"surrogate-control", b"max-age=60"),
    (b"cdn-cache-control", b"max-age=60"),
    (b"acme-cdn-cache-control", b"max-age=60"),
    (b"transfer-encoding", b"chunked"),
)
SERVED: Headers = (
    (b"cache-control", b"private, no-store"),
    (b"vary", b"Cookie"),
    (b"referrer-policy", b"same-origin"),
    (b"x-robots-tag", b"noindex"),
)


def test_status_type_charset_and_security_headers_stay() -> None:
    """Every line of them, also two of one name; what was of one answer only goes."""
    body = "<p>gr\u00fcn".encode("latin-1")
    answer = shown(kept(Response(422, (*APP, *OF_THE_MOMENT), body)))
    assert (answer.status, answer.body) == (422, body)
    assert answer.headers == (*APP, *SERVED)


@pytest.mark.parametrize(
    ("app", "header", "told"),
    [
        ((b"cache-control", b"public, max-age=60"), b"cache-control", b"private, no-store"),
        (
            (b"cache-control", b"no-transform"),
            b"cache-control",
            b"private, no-store, no-transform",
        ),
        ((b"vary", b"Accept"), b"vary", b"Accept, Cookie"),
        ((b"referrer-policy", b"unsafe-url"), b"referrer-policy", b"same-origin"),
        ((b"referrer-policy", b"no-referrer"), b"referrer-policy", b"no-referrer"),
    ],
)
def test_ours_and_the_apps(app: tuple[bytes, bytes], header: bytes, told: bytes) -> None:
    """No cache, and no other site, learns of it; what the app is stricter about stays."""
    assert shown(kept(Response(200, (HTML, app), b"x"))).all(header) == (told,)


@given(st.binary(max_size=300), st.binary(max_size=20))
def test_any_body_and_header(body: bytes, value: bytes) -> None:
    """Byte for byte, whatever they are; and nothing of them shows in what is kept."""
    data = kept(Response(200, (HTML, (b"x-own", value)), body))
    answer = shown(data)
    assert (answer.body, answer.all(b"x-own")) == (body, (value,))
    assert len(body) < 4 or body not in data


def test_an_empty_page_is_a_page() -> None:
    """Nothing to see is what the app answered."""
    assert shown(kept(Response(200, (HTML,)))).body == b""


# Who gets it --------------------------------------------------------------------------------------


def test_reload_and_head() -> None:
    """Again and again, for a day and longer; HEAD as well."""
    data = kept(PAGE, *IN)
    for greeting in (who(*IN), who(*IN, method="HEAD"), who(*IN, now=NOW + 90_000)):
        assert shown(data, greeting).body == PAGE.body


@pytest.mark.parametrize(
    "greeting",
    [
        who(*IN, visitor=STRANGER),
        replace(who(*IN), visitor=None),
        replace(who(*IN), mark=b"87654321"),
        replace(who(*IN), mark=None),
        who(*IN, method="POST"),
        who(*IN, method="OPTIONS"),
        replace(who(*IN), unsafe=True),
        who(*IN, url="/other"),
        who(*IN, url="/form/"),
    ],
    ids=[
        "another visitor",
        "nobody",
        "another mark",
        "no mark",
        "POST",
        "OPTIONS",
        "a method in disguise",
        "another address",
        "nearly the address",
    ],
)
def test_for_all_others_there_is_none(greeting: Greeting) -> None:
    """As if nothing had been kept."""
    assert open_page(greeting, kept(PAGE, *IN), POLICY) is None


def test_what_is_no_page_of_ours_is_none() -> None:
    """A draft under the mark, damaged bytes, another secret, `convert` switched off since."""
    data = kept()
    other = Policy.of({"secret": "another secret of thirty-two bytes"})
    off = Policy.of({"secret": SECRET, "convert": False})
    assert open_page(who(), b"", POLICY) is None
    assert open_page(who(), data[:-1] + bytes([data[-1] ^ 1]), POLICY) is None
    assert open_page(who(), data, other) is None
    assert open_page(who(), data, off) is None


@pytest.mark.parametrize(
    "greeting",
    [who(), who("session=bob"), who(*IN, authorization="Basic Yzpk"), who(*IN, *IN)],
    ids=["signed out", "somebody else", "another Authorization", "two of a name"],
)
def test_for_another_person_it_is_gone(greeting: Greeting) -> None:
    """Two people, one browser: nothing of the first."""
    assert open_page(greeting, kept(PAGE, *IN), POLICY) is GONE


def test_a_login_belongs_to_who_is_signed_in_by_it() -> None:
    """The page that answers a login needs the session that came with it, and a logout's none."""
    login = Response(200, (HTML, (b"set-cookie", b"session=ann; Path=/; HttpOnly")), b"hello Ann")
    assert shown(kept(login), who("session=ann")).body == b"hello Ann"
    assert open_page(who(), kept(login), POLICY) is GONE
    logout = Response(200, (HTML, (b"set-cookie", b"session=; Path=/; Max-Age=0")), b"bye Ann")
    assert shown(kept(logout, *IN), who()).body == b"bye Ann"
    assert open_page(who("session=bob"), kept(logout, *IN), POLICY) is GONE


def test_what_counted_then_counts_now() -> None:
    """A process that has learned nothing yet decides as the one that kept it."""
    greeting = who("id7=ann", method="POST")
    data = seal_page(greeting, KeptPage(PAGE, {b"id7"}), ROW, POLICY)
    assert shown(data, who("id7=ann", "theme=dark")).body == PAGE.body
    assert open_page(who("id7=bob"), data, POLICY) is GONE


@pytest.mark.parametrize("line", [b"no-store", b"private, No-Store, max-age=0"])
def test_what_the_app_would_not_store_is_held_two_minutes(line: bytes) -> None:
    """Long enough for the redirect and a reload; then it is gone."""
    data = kept(Response(200, (HTML, (b"cache-control", line)), b"x"))
    assert shown(data, who(now=NOW + NO_STORE_SECONDS)).body == b"x"
    assert open_page(who(now=NOW + NO_STORE_SECONDS + 1), data, POLICY) is GONE
