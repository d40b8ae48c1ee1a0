"""Before anything happens: which request is admitted, by which token, and what it may take."""

from itertools import product
from typing import Any

import pytest

from seeother.core.cookie import cookie_names
from seeother.core.entry import Greeting, admit, greet
from seeother.core.fingerprint import visitor_id
from seeother.core.form import Parsed
from seeother.core.keys import Keyring, encode
from seeother.core.mark import sign
from seeother.core.origin import Verdict
from seeother.core.policy import DAY, Policy
from seeother.core.token import FIELD
from seeother.core.values import Request
from seeother.errors import (
    BadHost,
    BadToken,
    CrossSite,
    SeeOtherError,
    StaleToken,
    TokenRequired,
)
from tests.core.arrivals import (
    HOST,
    NOW,
    OTHER_SECRET,
    POLICY,
    SAME_ORIGIN,
    SECRET,
    STRANGER,
    VISITOR,
    admitted,
    arrival,
    form,
    from_visitor,
    token,
    visitor_cookie,
)

IDP = "https://idp.example"
TRUSTING = Policy(secret=SECRET, trusted_origins=(IDP,))
RECEIPT = b"12345678"


# --- who may post, by which token -----------------------------------------------------------------

# Every token that a form may carry, as a name and a way to make it.
TOKENS: dict[str, str | None] = {
    "none": None,
    "bound": token(),
    "bound, other visitor": token(visitor=STRANGER),
    "unbound": token(unbound=True),
    "unbound, other cookie": token(visitor=STRANGER, unbound=True),
    "expired": token(now=NOW - DAY - 1),
    "future": token(now=NOW + 301),
    "forged": token(Policy(secret=OTHER_SECRET)),
    "other namespace": token(Policy(secret=SECRET, namespace="shop")),
    "scoped": token(scope="comment"),
    "empty": "",
    "garbage": "A" * 56,
}

# What the rules of each row of the cross-site table make of a token. "cookies" has our visitor
# cookie, "strange" another site's only, "bare" none at all.
#
#                        none           bound         of another   unbound       unbound, other
PASS = ("in", "in", StaleToken, "in", "in")
TRUSTED = ("in", "in", StaleToken, "in", StaleToken)
PROOF = (CrossSite, "in", CrossSite, "in", CrossSite)
NOTHING = (CrossSite,) * 5
# Without our cookie nothing is bound to the visitor.
PASS_NEW = ("in", StaleToken, StaleToken, "in", "in")
TRUSTED_NEW = ("in", StaleToken, StaleToken, StaleToken, StaleToken)
PROOF_NEW = (CrossSite,) * 5

SITES = ("same-origin", "none", "same-site", "cross-site", "nonsense", None)
ORIGINS = ("own", "trusted", "null", "foreign", None)
COOKIES = ("cookies", "strange", "bare")


def row(site: str | None, origin: str | None, cookies: str) -> tuple[Any, ...]:
    """The table of the protocol, once more and in other words, as the judge of the real one."""
    ours = cookies == "cookies"
    if site == "same-origin":
        return PASS if ours else PASS_NEW
    if site == "none":
        if origin in (None, "own"):
            return PROOF if ours else PROOF_NEW
        return NOTHING
    if origin == "trusted":
        return TRUSTED if ours else TRUSTED_NEW
    if site is not None or origin == "foreign":
        return NOTHING
    if origin == "own" or (origin is None and cookies == "bare"):
        return PASS if ours else PASS_NEW
    return PROOF if ours else PROOF_NEW


def sent(site: str | None, origin: str | None, cookies: str) -> dict[str, str]:
    """The headers of one row."""
    origins = {
        "own": f"http://{HOST}",
        "trusted": IDP,
        "null": "null",
        "foreign": "https://evil.example",
    }
    jar = {"cookies": visitor_cookie(TRUSTING), "strange": "theme=dark"}
    headers = {
        "sec-fetch-site": site,
        "origin": origins.get(origin or ""),
        "cookie": jar.get(cookies),
    }
    return {name: value for name, value in headers.items() if value is not None}


def outcome(text: str | None, headers: dict[str, str]) -> Any:
    """Admitted, or the class of what was raised."""
    try:
        entry = admitted(arrival(headers=headers), ("a", "1"), token=text, policy=TRUSTING)
    except SeeOtherError as error:
        return type(error)
    assert entry.named is (text is not None)
    return "in"


@pytest.mark.parametrize("cookies", COOKIES)
@pytest.mark.parametrize("origin", ORIGINS, ids=str)
@pytest.mark.parametrize("site", SITES, ids=str)
def test_the_table(site: str | None, origin: str | None, cookies: str) -> None:
    """Every row of the cross-site table with every token: admitted, or refused as it should be."""
    expected = row(site, origin, cookies)
    headers = sent(site, origin, cookies)
    found = {name: outcome(text, headers) for name, text in TOKENS.items()}
    right = ("none", "bound", "bound, other visitor", "unbound", "unbound, other cookie")
    assert tuple(found[name] for name in right) == expected
    proves = expected[0] is CrossSite
    for name in ("future", "forged", "other namespace", "scoped", "empty", "garbage"):
        assert found[name] is (CrossSite if proves else BadToken), name
    assert found["expired"] is (CrossSite if proves else StaleToken)


@pytest.mark.parametrize("cookies", COOKIES)
@pytest.mark.parametrize("origin", ORIGINS, ids=str)
@pytest.mark.parametrize("site", SITES, ids=str)
def test_the_echo_of_input_needs_proof(site: str | None, origin: str | None, cookies: str) -> None:
    """Only where the headers prove our own origin may anything of a request be shown again."""
    proved = site == "same-origin" or (site is None and origin == "own")
    try:
        greeting = greet(arrival(headers=sent(site, origin, cookies)), TRUSTING)
    except CrossSite:
        assert not proved
    else:
        assert greeting.same_origin is proved


def test_a_safe_request_proves_nothing() -> None:
    """A GET is never refused, and nothing of it is taken as sent by our own page."""
    for site, origin, cookies in product(SITES, ORIGINS, COOKIES):
        greeting = greet(arrival("GET", headers=sent(site, origin, cookies)), TRUSTING)
        assert (greeting.unsafe, greeting.same_origin) == (False, False)


@pytest.mark.parametrize(
    ("method", "url", "header"),
    [
        ("POST", "/", None),
        ("PUT", "/", None),
        ("DELETE", "/", None),
        ("PURGE", "/", None),
        ("get", "/", None),
        ("GET", "/?_method=DELETE", None),
        ("HEAD", "/?a=1&%5Fmethod=PUT", None),
        ("GET", "/", "x-http-method-override"),
        ("GET", "/", "x_http_method"),
    ],
)
def test_unsafe(method: str, url: str, header: str | None) -> None:
    """Every method but the four safe ones, and every override, is judged as unsafe."""
    headers = {"sec-fetch-site": "cross-site", **({header: "GET"} if header else {})}
    with pytest.raises(CrossSite):
        greet(arrival(method, url, headers), POLICY)
    assert greet(arrival(method, url, {**headers, **SAME_ORIGIN}), POLICY).unsafe


def test_require_token() -> None:
    """With `require_token` a form without one is refused, and a token is still enough."""
    policy = Policy(secret=SECRET, require_token=True)
    with pytest.raises(TokenRequired):
        admitted(arrival(headers=from_visitor()), policy=policy)
    assert admitted(arrival(headers=from_visitor()), token=token(), policy=policy).named
    with pytest.raises(CrossSite):
        admitted(arrival(headers={"cookie": visitor_cookie()}), policy=policy)


@pytest.mark.parametrize("verdict", ["proved", "by token"])
def test_two_tokens(verdict: str) -> None:
    """A form that carries two tokens is not guessed about, even if they are equal."""
    headers = from_visitor() if verdict == "proved" else {"cookie": visitor_cookie()}
    with pytest.raises(BadToken if verdict == "proved" else CrossSite, match="two tokens"):
        admitted(arrival(headers=headers), (FIELD, token()), token=token())


@pytest.mark.parametrize("site", ["same-origin", None])
@pytest.mark.parametrize("had", [False, True])
def test_downgrade(site: str | None, had: bool) -> None:
    """A page that came with Sec-Fetch headers is not submitted without them, whatever else fits."""
    headers = {"origin": f"http://{HOST}", "cookie": visitor_cookie()}
    request = arrival(headers={**headers, **({"sec-fetch-site": site} if site else {})})
    if had and site is None:
        with pytest.raises(CrossSite, match="none"):
            admitted(request, token=token(had_headers=True))
    else:
        assert admitted(request, token=token(had_headers=had)).named


@pytest.mark.parametrize("name", ["sec-fetch-site", "origin"])
def test_doubled_headers_fail_closed(name: str) -> None:
    """A header that decides and occurs twice is refused, even if both say the same."""
    value = {"sec-fetch-site": "same-origin", "origin": f"http://{HOST}"}[name]
    request = arrival(headers=from_visitor())
    lines = tuple((n, v) for n, v in request.headers if n != name.encode())
    twice = ((name.encode(), value.encode()),) * 2
    with pytest.raises(CrossSite, match="2 times"):
        greet(with_headers(request, (*lines, *twice)), POLICY)


@pytest.mark.parametrize("path", ["/hook", "/form"])
def test_exempt(path: str) -> None:
    """An exempt path takes posts from anywhere, without proof; no other path does."""
    policy = Policy(secret=SECRET, exempt=("/hook",))
    request = arrival(url=f"{path}?a=1", headers={"origin": "https://evil.example"})
    if path == "/hook":
        greeting = greet(request, policy)
        assert not greeting.same_origin
        assert not admit(greeting, *form(), policy).named
    else:
        with pytest.raises(CrossSite):
            greet(request, policy)


def with_headers(request: Request, headers: tuple[tuple[bytes, bytes], ...]) -> Request:
    """The same request with exactly these header lines."""
    return Request(
        request.method,
        request.scheme,
        request.host,
        request.root,
        request.path,
        request.query,
        headers,
        request.now,
        request.entropy,
    )


# --- hosts and proxies ----------------------------------------------------------------------------


def test_hosts() -> None:
    """Where hosts are listed any other Host is refused, for reading too; else any will do."""
    listed = Policy(secret=SECRET, hosts=("app.example", "localhost"))
    for method in ("GET", "POST"):
        greet(arrival(method, headers=SAME_ORIGIN, host="localhost:8000"), listed)
        greet(arrival(method, headers=SAME_ORIGIN, host="evil.example"), POLICY)
        for host in ("evil.example", "app.example.evil.example", "", "app.example\t"):
            with pytest.raises(BadHost):
                greet(arrival(method, headers=SAME_ORIGIN, host=host), listed)


def test_two_hosts() -> None:
    """Two Host lines are refused: whoever stands before us may have read the other one."""
    line = (b"host", HOST.encode())
    assert greet(with_headers(arrival("GET"), (line,)), POLICY).request.host == HOST
    with pytest.raises(BadHost, match="two"):
        greet(with_headers(arrival("GET"), (line, line)), POLICY)


FORWARDED = {"x-forwarded-proto": "https", "x-forwarded-host": "front.example"}


@pytest.mark.parametrize(
    ("hops", "headers", "origin"),
    [
        (0, FORWARDED, "http://app.example"),
        (1, FORWARDED, "https://front.example"),
        (1, {}, "http://app.example"),
        (1, {"x-forwarded-proto": "HTTPS"}, "https://app.example"),
        (1, {"x-forwarded-proto": "gopher"}, "http://app.example"),
        (1, {"x-forwarded-host": ""}, "http://app.example"),
        (1, {"x-forwarded-host": "evil.example, front.example"}, "http://front.example"),
        (2, {"x-forwarded-host": "evil.example, front.example, in"}, "http://front.example"),
        (2, {"x-forwarded-host": "front.example"}, "http://app.example"),
        (2, {"x-forwarded-proto": "https"}, "http://app.example"),
        (1, {"x_forwarded_proto": "https", "x_forwarded_host": "evil"}, "http://app.example"),
        (1, {"x-forwarded_host": "evil"}, "http://app.example"),
        (1, {"forwarded": "host=evil.example;proto=https"}, "http://app.example"),
    ],
)
def test_proxies(hops: int, headers: dict[str, str], origin: str) -> None:
    """X-Forwarded-* counts as far as trusted proxies wrote it, and with hyphens only."""
    policy = Policy(secret=SECRET, proxy_hops=hops)
    greeting = greet(arrival("GET", headers=headers), policy)
    assert greeting.request.origin == origin
    assert greeting.secure is origin.startswith("https")


def test_several_lines_of_a_proxy_are_one_list() -> None:
    """A proxy may add a line of its own instead of a word; the last one is the nearest."""
    lines = ((b"x-forwarded-host", b"evil.example"), (b"x-forwarded-host", b"front.example"))
    greeting = greet(with_headers(arrival("GET"), lines), Policy(secret=SECRET, proxy_hops=1))
    assert greeting.request.host == "front.example"


def test_the_forwarded_host_is_checked() -> None:
    """What a proxy says is held against the listed hosts, and is the origin that counts."""
    policy = Policy(secret=SECRET, proxy_hops=1, hosts=("front.example",))
    own = {**FORWARDED, "origin": "https://front.example"}
    assert greet(arrival(headers=own), policy).same_origin
    with pytest.raises(CrossSite):
        greet(arrival(headers={**FORWARDED, "origin": "http://app.example"}), policy)
    with pytest.raises(BadHost):
        greet(arrival(headers={"x-forwarded-host": "evil.example"}), policy)


def test_public_origin() -> None:
    """A public origin in the policy is the one that counts, whatever Host and scheme say."""
    policy = Policy(secret=SECRET, public_origin="https://shop.example")
    assert greet(arrival(headers={"origin": "https://shop.example"}), policy).same_origin
    with pytest.raises(CrossSite):
        greet(arrival(headers={"origin": f"http://{HOST}"}), policy)


# --- cookies --------------------------------------------------------------------------------------

PLAIN, LOCKED = cookie_names(POLICY.ring.tag, secure=False), cookie_names(POLICY.ring.tag, True)


@pytest.mark.parametrize(
    ("scheme", "setting", "secure"),
    [
        ("http", "auto", False),
        ("https", "auto", True),
        ("http", True, True),
        ("https", False, False),
    ],
)
def test_only_the_locked_name_counts_on_https(scheme: str, setting: Any, secure: bool) -> None:
    """On https only `__Host-` cookies are ours: anybody in the network could have set others."""
    policy = Policy(secret=SECRET, cookie_secure=setting)
    for names in (PLAIN, LOCKED):
        jar = f"{names.visitor}={encode(VISITOR)}; {names.session}={encode(STRANGER)}"
        greeting = greet(arrival("GET", headers={"cookie": jar}, scheme=scheme), policy)
        read = (greeting.visitor, greeting.sid)
        assert read == ((VISITOR, STRANGER) if (names is LOCKED) is secure else (None, None))
        assert greeting.names == (LOCKED if secure else PLAIN)


@pytest.mark.parametrize(
    "value",
    ["", "A" * 21, "A" * 23, "A" * 21 + "B", '"' + encode(VISITOR) + '"', "!" * 22, "é" * 22],
)
def test_damaged_cookies_are_none(value: str) -> None:
    """A cookie that we did not write in this very spelling is not there."""
    greeting = greet(arrival("GET", headers={"cookie": f"{PLAIN.visitor}={value}"}), POLICY)
    assert (greeting.visitor, greeting.visitor_id) == (None, None)


def test_doubled_cookies_are_none() -> None:
    """A cookie that is there twice is not guessed about, in one line or in two."""
    ours = visitor_cookie().encode()
    for lines in ([ours + b"; " + ours], [ours, ours]):
        headers = tuple((b"cookie", line) for line in lines)
        assert greet(with_headers(arrival("GET"), headers), POLICY).visitor is None


def test_the_store_knows_hashes_only() -> None:
    """What is given to the store of a visitor is a hash of the cookie."""
    greeting = greet(arrival("GET", headers=from_visitor()), POLICY)
    assert greeting.visitor_id == visitor_id(VISITOR) != VISITOR


def test_cookies_survive_a_rotation() -> None:
    """After a new secret was put first, visitor, session and hint of the old one are still read."""
    rotated = Policy(secret=(OTHER_SECRET, SECRET))
    jar = f"{PLAIN.visitor}={encode(VISITOR)}; {PLAIN.session}={encode(STRANGER)}; {PLAIN.hint}=1"
    greeting = greet(arrival(headers={**SAME_ORIGIN, "cookie": jar}), rotated)
    assert (greeting.visitor, greeting.sid, greeting.hinted) == (VISITOR, STRANGER, True)
    assert greeting.names == cookie_names(rotated.ring.tag, secure=False) != PLAIN
    assert admit(greeting, *form(token=token()), rotated).named


def test_the_hint_is_read() -> None:
    """A message is expected where the hint cookie is there, whatever it says, and only there."""
    for jar, hinted in ((f"{PLAIN.hint}=1", True), (f"{PLAIN.hint}=", True), ("theme=dark", False)):
        assert greet(arrival("GET", headers={"cookie": jar}), POLICY).hinted is hinted


def test_new_cookies_win_over_old_ones() -> None:
    """Where both names are there, the one that is set today counts."""
    rotated = Policy(secret=(OTHER_SECRET, SECRET))
    jar = f"{visitor_cookie(visitor=STRANGER)}; {visitor_cookie(rotated)}"
    assert greet(arrival("GET", headers={"cookie": jar}), rotated).visitor == VISITOR


# --- marks, and who takes messages ----------------------------------------------------------------


def test_the_mark_is_taken_out() -> None:
    """The app sees its own query, the greeting has the mark; an invented one stays."""
    mark = sign(POLICY.ring, RECEIPT)
    greeting = greet(arrival("GET", f"/list?a=%FF&so={mark}&b"), POLICY)
    assert (greeting.request.query, greeting.mark) == (b"a=%FF&b", RECEIPT)
    greeting = greet(arrival("GET", "/list?so=" + "A" * 22), POLICY)
    assert (greeting.request.query, greeting.mark) == (b"so=" + b"A" * 22, None)


def test_the_mark_is_no_input() -> None:
    """The same form is the same submission with the bare mark, with another mark, and without."""
    urls = ("/form", "/form?so", f"/form?so={sign(POLICY.ring, RECEIPT)}")
    keys = {admitted(arrival(url=u, headers=from_visitor()), token=token()).key for u in urls}
    assert len(keys) == 1


BROWSER = {"sec-fetch-dest": "document", "sec-fetch-site": "none", "accept": "text/html,*/*"}


@pytest.mark.parametrize(
    ("method", "headers", "messages", "orphans"),
    [
        ("GET", {}, True, True),
        ("GET", BROWSER, True, True),
        ("GET", {**BROWSER, "sec-fetch-site": "same-origin"}, True, True),
        ("GET", {"accept": "text/html"}, True, True),
        ("GET", {**BROWSER, "sec-fetch-site": "cross-site"}, True, False),
        ("GET", {**BROWSER, "sec-fetch-site": "same-site"}, True, False),
        ("GET", {**BROWSER, "sec-fetch-site": "new-word"}, True, False),
        ("GET", {**BROWSER, "sec-fetch-dest": "empty"}, True, False),
        ("GET", {**BROWSER, "sec-fetch-dest": "iframe"}, True, False),
        ("GET", {**BROWSER, "sec-fetch-dest": "image"}, True, False),
        ("GET", {**BROWSER, "accept": "application/json"}, True, False),
        ("GET", {"accept": "*/*"}, True, False),
        ("GET", {**BROWSER, "sec-purpose": "prefetch"}, False, False),
        ("GET", {**BROWSER, "sec-purpose": "prefetch;prerender"}, False, False),
        ("GET", {**BROWSER, "purpose": "Prefetch"}, False, False),
        ("GET", {**BROWSER, "sec-purpose": "", "purpose": "prefetch"}, False, False),
        ("GET", {**BROWSER, "x-purpose": "preview"}, False, False),
        ("GET", {**BROWSER, "x-moz": "prefetch"}, False, False),
        ("GET", {**SAME_ORIGIN, "x-http-method-override": "POST"}, False, False),
        ("HEAD", BROWSER, False, False),
        ("POST", SAME_ORIGIN, False, False),
    ],
)
def test_who_takes_messages(
    method: str, headers: dict[str, str], messages: bool, orphans: bool
) -> None:
    """A GET takes what its mark names, not ahead of time; the rest only a person's own visit."""
    greeting = greet(arrival(method, headers=headers), POLICY)
    assert (greeting.takes_messages, greeting.takes_orphans) == (messages, orphans)


# --- the name of a submission ---------------------------------------------------------------------


def key(request: Request, *pairs: tuple[str, str], text: str | None = None) -> Any:
    """The ledger's key of a form with a token."""
    return admitted(request, *pairs, token=text or token()).key


def test_one_submission() -> None:
    """Equal input under one token is one submission, whoever asks; the claim ids differ."""
    one = admitted(arrival(headers=from_visitor()), ("a", "1"), token=token())
    request = arrival(headers=from_visitor(), now=NOW + 60)
    request.entropy(1)
    two = admitted(request, ("a", "1"), token=token())
    assert (one.key, one.fingerprint) == (two.key, two.fingerprint)
    assert one.claim_id != two.claim_id
    assert one.key.id[:4] == int(NOW).to_bytes(4, "big")


def test_another_submission() -> None:
    """Other input, path, query, method, mount point or token: another submission."""
    headers = from_visitor()
    keys = [
        key(arrival(headers=headers), ("a", "1")),
        key(arrival(headers=headers), ("a", "2")),
        key(arrival(headers=headers), ("a", "1"), ("b", "")),
        key(arrival(headers=headers, url="/other"), ("a", "1")),
        key(arrival(headers=headers, url="/form?a"), ("a", "1")),
        key(arrival(headers=headers, url="/form?%FF"), ("a", "1")),
        key(arrival(headers=headers, url="/form?%FE"), ("a", "1")),
        key(arrival("PUT", headers=headers), ("a", "1")),
        key(arrival(headers=headers, root="/app"), ("a", "1")),
        key(arrival(headers=headers), ("a", "1"), text=token(now=NOW - 1)),
        key(arrival(headers=headers), ("a", "1"), text=token(unbound=True, now=NOW - 2)),
    ]
    assert len(set(keys)) == len(keys)


def test_tokens_of_frameworks_are_no_input() -> None:
    """A framework's own CSRF token is new in each page and makes no new submission."""
    request = arrival(headers=from_visitor())
    keys = {key(request, ("a", "1"), ("csrf_token", value)) for value in ("x", "y")}
    assert keys == {key(request, ("a", "1"))}


def test_unnamed() -> None:
    """Without a token each request runs under a fresh name."""
    request = arrival(headers=from_visitor())
    one, two = (admitted(request, ("a", "1")) for _ in range(2))
    assert not one.named
    assert one.key.id != two.key.id
    assert one.key.variant == one.fingerprint == one.claim_id
    assert (len(one.key.id), len(one.key.variant)) == (16, 16)
    assert one.key.id[:4] == int(NOW).to_bytes(4, "big")
    assert (one.token, one.echo, one.page_keeping) == (None, None, False)


def test_no_form() -> None:
    """A body that is no form is admitted without a name."""
    greeting = greet(arrival(headers=from_visitor()), POLICY)
    assert not admit(greeting, Parsed((), canonical=True), b'{"a":1}', POLICY).named


@pytest.mark.parametrize(
    ("dest", "keeping"),
    [(None, False), ("document", False), ("iframe", False), ("empty", True), ("frame", True)],
)
def test_page_keeping(dest: str | None, keeping: bool) -> None:
    """What a script sends keeps its page; what a form sends leaves it."""
    headers = from_visitor({"sec-fetch-dest": dest} if dest else {})
    assert admitted(arrival(headers=headers), token=token()).page_keeping is keeping


# --- the other half of a double click -------------------------------------------------------------


def echoed(headers: dict[str, str], behind: str, policy: Policy = POLICY, **pairs: str) -> Any:
    """The echo of a form whose token is followed by `~` and something."""
    text = f"{token(unbound=True)}~{behind}"
    return admitted(arrival(headers=headers), *pairs.items(), token=text, policy=policy).echo


def test_echo() -> None:
    """The receipt that the page showed, and what was sent, as only this visitor can say it."""
    mark = sign(POLICY.ring, RECEIPT)
    echo = echoed(from_visitor(), mark, a="1")
    assert (echo.receipt, echo.visitor, echo.within) == (RECEIPT, visitor_id(VISITOR), 1.0)
    assert echo.digest == echoed(from_visitor(), mark, a="1").digest
    assert echo.digest != echoed(from_visitor(), mark, a="2").digest
    stranger = {**SAME_ORIGIN, "cookie": visitor_cookie(visitor=STRANGER)}
    assert echo.digest != echoed(stranger, mark, a="1").digest


@pytest.mark.parametrize(
    "behind", ["", "A" * 22, "x", "~", sign(Keyring.make([SECRET.encode()], "shop"), RECEIPT)]
)
def test_no_echo_of_what_is_not_ours(behind: str) -> None:
    """An invented receipt is ignored; the token counts all the same."""
    assert echoed(from_visitor(), behind) is None


def test_no_echo() -> None:
    """No echo without a visitor, or where the policy switches it off."""
    mark = sign(POLICY.ring, RECEIPT)
    assert echoed(SAME_ORIGIN, mark) is None
    off = Policy(secret=SECRET, echo=0)
    assert echoed(from_visitor(policy=off), mark, off) is None


def test_the_greeting_is_frozen() -> None:
    """What was judged does not change afterwards."""
    greeting = greet(arrival("GET"), POLICY)
    assert greeting.verdict is Verdict.PASS
    with pytest.raises(AttributeError):
        Greeting.__setattr__(greeting, "visitor", VISITOR)
