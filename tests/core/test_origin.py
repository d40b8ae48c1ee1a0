"""The cross-site table in full, and the headers it is read from."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seeother.core.origin import (
    TABLE,
    Origin,
    Verdict,
    is_unsafe,
    judge,
    known_host,
    single,
)
from seeother.errors import CrossSite

OWN = "https://app.example"
TRUSTED = ("https://idp.example", "https://pay.example:8443 /pay/done", "https://app.example /own")

# Written out once more and another way than in the code: a word per cell, `|` = with | without
# cookies. The columns are kinds of Origin, the rows are values of Sec-Fetch-Site.
GRID = """
                absent      own     null    trusted  foreign
same-origin     pass        pass    pass    pass     pass
none            token       token   refuse  refuse   refuse
same-site       refuse      refuse  refuse  trusted  refuse
cross-site      refuse      refuse  refuse  trusted  refuse
absent          token|bare  pass    token   trusted  refuse
unknown         refuse      refuse  refuse  trusted  refuse
"""
WORDS = {
    "pass": Verdict.PASS,
    "token": Verdict.TOKEN,
    "bare": Verdict.PASS_BARE,
    "trusted": Verdict.PASS_TRUSTED,
    "refuse": Verdict.REFUSE,
}
SITES: dict[str, tuple[str | None, ...]] = {
    "same-origin": ("same-origin",),
    "none": ("none",),
    "same-site": ("same-site",),
    "cross-site": ("cross-site",),
    "absent": (None,),
    "unknown": ("", "*", "None", "absent", "unknown", "Same-Origin", "SAME-ORIGIN", "same-origin,"),
}
ORIGINS: dict[str, tuple[str | None, ...]] = {
    "absent": (None,),
    "own": ("https://app.example", "https://app.example:443", "HTTPS://App.EXAMPLE"),
    "null": ("null",),
    "trusted": ("https://idp.example", "https://IDP.example:443"),
    "foreign": (
        "https://evil.example",
        "http://app.example",
        "https://app.example:444",
        "https://app.example.evil.example",
        "https://evil.example/https://app.example",
        "https://a.app.example",
        "https://app.example/",
        "https://app.example\\@evil.example",
        "https://app.example https://app.example",
        "https://app.example, https://app.example",
        "https://user@app.example",
        "https://\u212aey.example",
        "https://pay.example:8443",  # trusted, but for another path
        "http://idp.example",
        "https://idp.example:8443",
        "chrome-extension://abcdefgh",
        "app.example",
        "//app.example",
        "NULL",
        "*",
        "",
    ),
}


def cells() -> list[tuple[str | None, str | None, bool, Verdict]]:
    """All requests that the grid speaks of: site, origin, cookies, and their verdict."""
    head, *lines = GRID.strip().splitlines()
    found = []
    for line in lines:
        site_kind, *words = line.split()
        for origin_kind, word in zip(head.split(), words, strict=True):
            verdicts = dict(zip((True, False), (word.split("|") * 2)[:2], strict=True))
            for site, origin in product(SITES[site_kind], ORIGINS[origin_kind]):
                found += [(site, origin, c, WORDS[v]) for c, v in verdicts.items()]
    return found


CELLS = cells()


def judged(site: str | None, origin: str | None, *, cookies: bool = True, path: str = "/") -> str:
    """The verdict on a request to our own site."""
    verdict = judge(site=site, origin=origin, own=OWN, trusted=TRUSTED, path=path, cookies=cookies)
    return verdict.value


@pytest.mark.parametrize("site", [site for sites in SITES.values() for site in sites], ids=repr)
def test_table(site: str | None) -> None:
    """Each pair of Sec-Fetch-Site and Origin, with and without cookies, has its one verdict."""
    for origin, cookies, verdict in (cell[1:] for cell in CELLS if cell[0] == site):
        assert judged(site, origin, cookies=cookies) == verdict.value, (origin, cookies)


def test_table_is_whole() -> None:
    """The enumeration above is all of it: 13 sites by 28 origins by cookies or none."""
    sites, origins = sum(map(len, SITES.values())), sum(map(len, ORIGINS.values()))
    assert len(CELLS) == len({cell[:3] for cell in CELLS}) == sites * origins * 2 == 13 * 28 * 2


def test_every_row_decides_something() -> None:
    """No row of the table is dead: without it, some request would be judged otherwise."""
    rows: set[tuple[str | None, object, object, Verdict]] = set()
    for site, origin, cookies, verdict in CELLS:
        kind = next(kind for kind, values in ORIGINS.items() if origin in values)
        for row in TABLE:
            sender = getattr(row[1], "value", row[1])
            if row[0] in ("*", site) and sender in ("*", kind) and row[2] in ("*", cookies):
                assert row[3] is verdict
                rows.add(row)
                break
    assert rows == set(TABLE)


def test_table_fails_closed() -> None:
    """Whatever no row foresees is refused."""
    assert TABLE[-1] == ("*", "*", "*", Verdict.REFUSE)


@given(st.none() | st.text(), st.none() | st.text(), st.booleans(), st.text(), st.text())
def test_only_proof_passes(
    site: str | None, origin: str | None, cookies: bool, own: str, path: str
) -> None:
    """No text in a header passes as ours, also where our own address cannot be read."""
    verdict = judge(site=site, origin=origin, own=own, trusted=(own,), path=path, cookies=cookies)
    if verdict is Verdict.PASS:
        assert site == "same-origin" or Origin.parse(origin or "") == Origin.parse(own) is not None
    if verdict is Verdict.PASS_BARE:
        assert (site, origin, cookies) == (None, None, False)


# --- trusted origins -----------------------------------------------------------------------------


@pytest.mark.parametrize("site", ["cross-site", "same-site", None, "moon"])
@pytest.mark.parametrize(
    ("path", "verdict"),
    [
        ("/pay/done", "pass-trusted"),
        ("/pay/done/", "refuse"),
        ("/pay/done/x", "refuse"),
        ("/Pay/Done", "refuse"),
        ("/pay/%64one", "refuse"),
        ("/pay", "refuse"),
        ("", "refuse"),
        ("/", "refuse"),
    ],
)
def test_trusted_path(site: str | None, path: str, verdict: str) -> None:
    """An entry with a path trusts that origin for exactly that path, compared as it was sent."""
    assert judged(site, "https://pay.example:8443", path=path) == verdict


@pytest.mark.parametrize(
    "entry",
    [
        "", "*", "null", "idp.example", "https://", "https://idp.example/", "https://*.example",
        "https://idp.example/saml", "https://idp.example  /saml", "https://idp.example\t/saml",
        " https://idp.example", "https://idp.example ", "https://idp.example /saml /x", ".example",
    ],
)  # fmt: skip
def test_malformed_trust(entry: str) -> None:
    """An entry that is not exactly an origin, or an origin, a space and a path, trusts nobody."""
    for origin in ("https://idp.example", "null", "", "*", "https://idp.example/"):
        found = judge(
            site="cross-site", origin=origin, own=OWN, trusted=[entry], path="/saml", cookies=True
        )
        assert found is Verdict.REFUSE


def test_own_origin_is_never_merely_trusted() -> None:
    """A browser that says cross-site about our own origin contradicts itself and is refused."""
    assert judged("cross-site", OWN, path="/own") == "refuse"


@pytest.mark.parametrize(
    ("own", "origin", "same"),
    [
        ("http://localhost:8000", "http://localhost:8000", True),
        ("http://localhost:8000", "http://localhost", False),
        ("http://localhost:80", "http://localhost", True),
        ("http://localhost:443", "http://localhost", False),
        ("http://[::1]:8000", "http://[::1]:8000", True),
        ("http://[::1]:8000", "http://[::1]:8001", False),
        ("http://127.0.0.1:8000", "http://localhost:8000", False),
        ("https://APP.example:443", "https://app.example", True),
        ("http://my_app", "http://my_app", True),
        ("http://a b", "http://a b", False),
    ],
)
def test_own(own: str, origin: str, *, same: bool) -> None:
    """Our own origin is scheme, host and port, with default ports and letter case put aside."""
    verdict = judge(site=None, origin=origin, own=own, trusted=(), path="/", cookies=True)
    assert verdict is (Verdict.PASS if same else Verdict.REFUSE)


# --- unsafe methods ------------------------------------------------------------------------------

SAFE = ("GET", "HEAD", "OPTIONS", "TRACE")


@pytest.mark.parametrize("method", SAFE)
def test_safe(method: str) -> None:
    """GET, HEAD, OPTIONS and TRACE are safe, also where a query only resembles an override."""
    headers = [(b"host", b"app.example"), (b"accept", b"*/*"), (b"x-method", b"POST")]
    for query in (b"", b"a=1&b=2", b"method=POST", b"a=_method", b"_methods=1", b"x_method=1",
                  b"q=1%26_method=POST", b"_method%3DPOST", b"%"):  # fmt: skip
        assert not is_unsafe(method, headers, query), query


@pytest.mark.parametrize(
    "method", ["POST", "PUT", "PATCH", "DELETE", "CONNECT", "PROPFIND", "get", "Head", "", "GET "]
)
def test_unsafe(method: str) -> None:
    """Every other method is unsafe, one that differs by letter case too."""
    assert is_unsafe(method, [])


@pytest.mark.parametrize("method", SAFE)
@pytest.mark.parametrize(
    "name",
    [
        b"X-HTTP-Method-Override",
        b"x-http-method-override",
        b"X-HTTP-METHOD",
        b"x-method-override",
        b"X_HTTP_Method_Override",
        b"x-http_method",
    ],
)
@pytest.mark.parametrize("value", [b"POST", b"DELETE", b"GET", b""])
def test_override_header(method: str, name: bytes, value: bytes) -> None:
    """A safe method that asks to be read as another is judged as unsafe."""
    assert is_unsafe(method, [(b"host", b"app.example"), (name, value)])


@pytest.mark.parametrize("method", SAFE)
@pytest.mark.parametrize(
    "query",
    [
        b"_method=DELETE",
        b"_method",
        b"_method=",
        b"a=1&_method=PUT",
        b"a=1;_method=PUT",
        b"_method=get&a=1",
        b"%5fmethod=PUT",
        b"%5F%6d%65thod=PUT",
        b"a&&_method=PUT",
    ],
)
def test_override_query(method: str, query: bytes) -> None:
    """A `_method` in the query makes a request unsafe, however it is escaped."""
    assert is_unsafe(method, [], query)


# --- headers -------------------------------------------------------------------------------------


def test_single() -> None:
    """A header that stands once gives its text, one that is not there gives None."""
    headers = [(b"Host", b"\t app.example "), (b"origin", b"null"), (b"x", b"\xa0\x85\xff")]
    assert single(headers, b"host") == "app.example"
    assert single(headers, b"origin") == "null"
    assert single(headers, b"x") == "\xa0\x85\xff"
    assert single(headers, b"sec-fetch-site") is None
    assert single([(b"origin", b"")], b"origin") == ""


@pytest.mark.parametrize("name", [b"sec-fetch-site", b"origin", b"host"])
@pytest.mark.parametrize("second", [b"same-origin", b"cross-site", b""])
def test_duplicates(name: bytes, second: bytes) -> None:
    """A security header that stands twice is refused, whatever it says and however it is spelt."""
    headers = [(name, b"same-origin"), (b"accept", b"*/*"), (name.title(), second)]
    with pytest.raises(CrossSite, match=f"{name.decode()} occurs 2 times"):
        single(headers, name)
    assert single(headers, b"accept") == "*/*"


def test_joined_duplicates() -> None:
    """Two values that a server joined by a comma are refused by the table."""
    assert judged("same-origin,same-origin", OWN) == "refuse"
    assert judged(None, f"{OWN},{OWN}") == "refuse"


# --- hosts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "hosts", "known"),
    [
        ("anything at all", None, True),
        ("app.example", (), False),
        ("app.example", ("app.example",), True),
        ("APP.example:8000", ("app.EXAMPLE",), True),
        ("app.example", ("other.example", "app.example"), True),
        ("app.example:8000", ("app.example:8000",), True),
        ("app.example:8001", ("app.example:8000",), False),
        ("app.example", ("app.example:8000",), False),
        ("a.app.example", ("app.example",), False),
        ("a.b.example.org:80", (".example.org",), True),
        ("example.org", (".example.org",), True),
        ("a.example.org:81", (".example.org:80",), False),
        ("a.example.org:80", (".example.org:80",), True),
        ("evilexample.org", (".example.org",), False),
        ("example.org.evil.example", (".example.org",), False),
        ("evil.example/.example.org", (".example.org",), False),
        ("evil.example@a.example.org", (".example.org",), False),
        ("evil.example#.example.org", (".example.org",), False),
        ("evil.example\\.example.org", (".example.org",), False),
        ("a.example", (".", "", "*"), False),
        ("127.0.0.1:8000", ("127.0.0.1",), True),
        ("[::1]", ("[::1]",), True),
        ("[::1]:8000", ("[::1]",), True),
        ("[::1]:8000", ("[::1]:8000",), True),
        ("[::1]:8000", ("[::1]:80",), False),
        ("[::2]", ("[::1]",), False),
        ("::1", ("[::1]", "::1"), False),
        ("", ("", "app.example"), False),
        (":80", ("",), False),
        ("app.example:", ("app.example",), False),
        ("app.example:080", ("app.example",), False),
        ("app.example:x", ("app.example",), False),
        ("app.example,app.example", ("app.example",), False),
        (" app.example", ("app.example",), False),
        ("app.example\n", ("app.example",), False),
    ],
)
def test_known_host(host: str, hosts: tuple[str, ...] | None, *, known: bool) -> None:
    """A host is known by name, by name and port, or as part of a listed domain; else it is not."""
    assert known_host(host, hosts) is known


@given(st.text())
def test_origin_reads_what_it_writes(text: str) -> None:
    """An origin that parses has one spelling, which parses to the same origin."""
    for origin in (Origin.parse(text), Origin.parse(f"https://{text}")):
        assert origin is None or Origin.parse(str(origin)) == origin
