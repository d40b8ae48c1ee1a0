"""Redirect targets, judged by a browser's URL parser (`ada_url`, the WHATWG standard)."""

import json
import os
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from time import thread_time
from typing import Any

import pytest
from ada_url import URL
from hypothesis import example, given
from hypothesis import strategies as st

from seeother.core import target
from seeother.core.target import GRAMMAR, LONGEST, clean_location, safe_target, same_url
from seeother.errors import UnsafeTarget

CORPUS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "data" / "redirect_targets.json").read_text("utf-8")
)
PAGE = "https://app.example/form/page?old=1"
BASES = (PAGE, "http://app.example:8000/form/", "https://[::1]:8443/", "http://127.0.0.1")
STRINGS = int(20_000 * float(os.environ.get("SCALE", "1")))
SEED = 7
ANYTHING = st.text(st.characters(exclude_categories=()))  # lone surrogates too


def refusal(raw: str, base: str = PAGE, hosts: tuple[str, ...] = ()) -> str:
    """Why a target is refused."""
    with pytest.raises(UnsafeTarget) as caught:
        safe_target(raw, base=base, hosts=hosts)
    return caught.value.detail


def accepted(raw: str, base: str) -> str | None:
    """What is emitted for a target, None if it is refused."""
    try:
        return safe_target(raw, base=base)
    except UnsafeTarget:
        return None


def leaves(raw: str, base: str) -> bool:
    """Would a browser on `base` leave the origin? An upgrade of http is no leaving."""
    try:
        there, here = URL(raw, base=base), URL(base)
    except ValueError:
        return False
    return there.origin not in (here.origin, here.origin.replace("http://", "https://"))


def assert_harmless(raw: str, base: str) -> str | None:
    """The promise of `safe_target` about one string; returns what it emits."""
    location = accepted(raw, base)
    if location is not None:
        assert re.fullmatch(r"[!-~]+", location), (raw, base, location)
        assert not leaves(raw, base), (raw, base)
        assert not leaves(location, base), (raw, base, location)
        assert URL(location, base=base).href == URL(raw, base=base).href, (raw, base, location)
    return location


# --- the corpus ----------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CORPUS, ids=lambda c: f"{c['target']!a} on {c['base']}")
def test_corpus(case: dict[str, Any]) -> None:
    """Every known attack is refused, every known good target is accepted, and the judge agrees."""
    target, base, hosts = case["target"], case["base"], tuple(case.get("hosts", ()))
    if case["expect"] == "deny":
        assert refusal(target, base, hosts)
    else:
        location = safe_target(target, base=base, hosts=hosts)
        assert URL(location, base=base).origin == case["browser_origin"]
        assert_harmless(target, base)


def test_corpus_is_whole() -> None:
    """The corpus holds both kinds, so that neither "refuse all" nor "accept all" can pass."""
    verdicts = [case["expect"] for case in CORPUS]
    assert (verdicts.count("deny"), verdicts.count("allow")) == (61, 13)


# --- the grammar ---------------------------------------------------------------------------------

BROKEN = {
    "no control character and no space": ("/a\tb", "/a b", "/\x7f", "\x00/", "/a\nb", "?\r"),
    "no backslash": ("/\\evil.example", "\\", "?a\\b", "#\\"),
    "each % starts an escape of two hex digits": ("/%", "/%4", "?%zz", "#%g0", "/%u0041"),
    "no user name before the host": ("https://a@app.example/", "https://a:b@app.example/"),
    "local targets begin with / ? or #, others with http:// or https://": (
        "list",
        "./x",
        "../x",
        "@evil.example",
        "javascript:alert(1)",
        "https:/app.example/",
        "https:app.example",
        ":80",
        "http\u017f://app.example/",  # a long s, which is an s to careless comparisons
    ),
    "no second slash at the beginning of the path": (
        "//evil.example",
        "///x",
        "https://app.example//x",
    ),
    "no encoded slash or backslash at the beginning": ("/%2fx", "/%2F", "/%5cx", "/%5C"),
    "no encoded control character in the path": ("/%00", "/a%0d%0ab", "/%1F", "/%7f"),
    "no dot segment in the path": (
        "/.",
        "/..",
        "/./x",
        "/a/..",
        "/a/../b",
        "/%2e",
        "/%2E.",
        "/.%2e/x",
        "/a/%2e%2E?q",
        "https://app.example/..",
    ),
    "only path characters of RFC 3986 in the path": (
        '/"',
        "/<b>",
        "/`",
        "/[1]",
        "/{x}",
        "/a|b",
        "/^",
    ),
    "only query characters in the query": ('?"', "?<script>", "?a>b", "?`"),
    "only query characters in the fragment": ('#"', "#<b>", "#`", "#a#b"),
}


@pytest.mark.parametrize("rule", BROKEN)
def test_each_rule_is_named(rule: str) -> None:
    """Whoever breaks a rule is told which one."""
    for raw in BROKEN[rule]:
        assert refusal(raw).startswith(rule), raw


def test_no_rule_is_untested() -> None:
    """Every rule of the grammar has an example that nothing else refuses first."""
    rules = {rule for part, rows in GRAMMAR.items() if part != "header" for rule, _ in rows}
    assert rules == set(BROKEN)


@pytest.mark.parametrize(
    "char",
    ["\x85", "\xa0", "\xad", "\u200b", "\u202e", "\u2028", "\u3000", "\ufeff", "\ue000", "\ud800",
     "\u0378", "\U000e0041"],
    ids=ascii,
)  # fmt: skip
def test_invisible(char: str) -> None:
    """Control, format, space, private, surrogate and unassigned characters are refused anywhere."""
    for raw in (f"/{char}", f"?{char}", f"#{char}", f"https://app.example/{char}", f"{char}/x"):
        assert refusal(raw).startswith("no invisible or unassigned character")


def test_length() -> None:
    """A target has 1 to 2048 characters."""
    assert safe_target("/" + "a" * (LONGEST - 1), base=PAGE)
    assert refusal("/" + "a" * LONGEST) == "at most 2048 characters: 2049"
    assert refusal("") == "a target is not empty"


def test_refusal_keeps_the_query_to_itself() -> None:
    """A refusal shows what broke the rule, and nothing else of the target: logs are read."""
    assert "hunter2" not in refusal("/x?password=hunter2#<")
    assert refusal("/ok\r\nSet-Cookie: a=b").endswith(r"'\r' at 3")


# --- what is emitted -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "emitted"),
    [
        ("/", "/"),
        ("/a//b", "/a//b"),
        ("/...", "/..."),
        ("/a/.b/..c", "/a/.b/..c"),
        ("/x%2fy%5c", "/x%2fy%5c"),
        ("/caf\u00e9", "/caf%C3%A9"),
        ("/caf%c3%a9", "/caf%c3%a9"),
        ("?q=\u2713&r=%0a", "?q=%E2%9C%93&r=%0a"),
        ("?a[]=1&b={c|d^e}", "?a[]=1&b={c|d^e}"),
        ("#\U0001f600", "#%F0%9F%98%80"),
        ("?", "?"),
        ("#", "#"),
        ("/go?next=//evil.example/../x", "/go?next=//evil.example/../x"),
        ("https://app.example", "https://app.example/"),
        ("HTTPS://APP.example:443/A", "https://app.example/A"),
        ("https://app.example?x#y", "https://app.example/?x#y"),
    ],
)
def test_canonical(raw: str, emitted: str) -> None:
    """One string comes out: ASCII, host in lower case, no default port, everything else kept."""
    assert safe_target(raw, base=PAGE) == emitted
    assert_harmless(raw, PAGE)


@pytest.mark.parametrize(
    ("raw", "base", "hosts", "emitted"),
    [
        ("http://127.0.0.1:8000/x", "http://127.0.0.1:8000/y", (), "http://127.0.0.1:8000/x"),
        ("http://[::1]:8000/x", "http://[::1]:8000/y", (), "http://[::1]:8000/x"),
        ("http://my_app:8000/", "http://my_app:8000/", (), "http://my_app:8000/"),
        # http to https
        ("https://app.example:443/", "http://app.example/", (), "https://app.example/"),
        ("https://app.example/", "http://app.example:80", (), "https://app.example/"),
        ("https://app.example:8000/", "http://app.example:8000", (), "https://app.example:8000/"),
        # listed hosts
        ("https://pay.example/p", PAGE, ("pay.example",), "https://pay.example/p"),
        ("https://PAY.example:443", PAGE, ("x.example", "Pay.Example"), "https://pay.example/"),
        ("https://pay.example", "http://app.example", ("pay.example",), "https://pay.example/"),
        ("http://pay.example", "http://app.example", ("pay.example",), "http://pay.example/"),
        ("https://pay.example:444/", PAGE, ("pay.example:444",), "https://pay.example:444/"),
        ("https://[::2]/", PAGE, ("[::2]",), "https://[::2]/"),
    ],
)
def test_reachable(raw: str, base: str, hosts: tuple[str, ...], emitted: str) -> None:
    """An absolute target may name its own origin, its https twin, and a listed host."""
    assert safe_target(raw, base=base, hosts=hosts) == emitted


@pytest.mark.parametrize(
    ("raw", "base", "hosts", "rule"),
    [
        ("http://app.example/", PAGE, (), "no downgrade"),
        ("http://pay.example/", PAGE, ("pay.example",), "no downgrade"),
        ("https://evil.example/", PAGE, ("pay.example",), "same origin or a listed host"),
        ("https://a.pay.example/", PAGE, ("pay.example", ".example"), "same origin or a listed"),
        ("https://pay.example/", PAGE, ("pay.example:444",), "same origin or a listed host"),
        ("https://app.example:444/", PAGE, ("",), "same origin or a listed host"),
        ("https://app.example/", "http://app.example:8000/", (), "same origin or a listed host"),
        ("http://app.example:81/", "http://app.example:80/", (), "same origin or a listed host"),
        ("https://app.example./", PAGE, (), "host is an ASCII name"),
        ("https://app.example:0443/", PAGE, (), "host is an ASCII name"),
        ("https://app.example:/", PAGE, (), "host is an ASCII name"),
        ("https://app.example:+443/", PAGE, (), "host is an ASCII name"),
        ("https://", PAGE, (), "host is an ASCII name"),
        ("https:///x", PAGE, (), "host is an ASCII name"),
        ("https://[::1/", PAGE, (), "host is an ASCII name"),
        ("https://\u212aey.example/", "https://key.example/", (), "host is an ASCII name"),
        ("https://app.example/", "/form/page", (), "an absolute target needs an absolute"),
        ("https://app.example/", "https://u@app.example/", (), "an absolute target needs an"),
    ],
)
def test_unreachable(raw: str, base: str, hosts: tuple[str, ...], rule: str) -> None:
    """Every other host, port or scheme is refused, and the reason is given."""
    assert refusal(raw, base, hosts).startswith(rule)


@pytest.mark.parametrize(
    ("raw", "base", "detail"),
    [
        ("//x", PAGE, "no second slash at the beginning of the path: '//' at 0"),
        ("/a\u200b", PAGE, "no invisible or unassigned character: '\\u200b'"),
        ("http://app.example/", PAGE, "no downgrade from https to http"),
        (
            "https://a.example:0443/?secret",
            PAGE,
            "host is an ASCII name with a canonical port: 'a.example:0443'",
        ),
        (
            "https://a.example/?secret",
            PAGE,
            "same origin or a listed host on its default port: 'https://a.example'",
        ),
        (
            "https://a.example/",
            "/form",
            "an absolute target needs an absolute http or https base to stand on",
        ),
    ],
)
def test_the_reason_is_told_and_no_more(raw: str, base: str, detail: str) -> None:
    """What broke the rule and where; nothing of a query gets into a log."""
    assert refusal(raw, base) == detail


# --- against the judge ---------------------------------------------------------------------------

PIECES = (
    "/", "//", "\\", "?", "#", ".", "..", "@", ":", ";", "%2e", "%2F", "%5c", "%09", "%00", "%",
    "%zz", "\t", "\r", "\n", "\x00", "\x1f", " ", "\x7f", "\xa0", "\xad", "\u200b", "\u202e",
    "\uff0f", "\uff0e", "\u3002", "\u2044", "\u017f", "\u212a", "\u00e9", "\u2713", "\U0001f600",
    "http:", "https:", "HTTPS://", "http://", "https://", "javascript:", "data:", "//evil.example",
    "evil.example", "app.example", "APP.EXAMPLE", "[::1]", "127.0.0.1", ":443", ":8000", ":8443",
    "a", "list", "x=1", "&", "=", "'", '"', "<", ">", "`", "{", "}", "|", "^", "[", "]", "~", "+",
)  # fmt: skip


def hostile(seed: int, count: int) -> Iterator[tuple[str, str]]:
    """Strings of what attacks are made of, most of them nearly right at the beginning."""
    dice = random.Random(seed)
    for _ in range(count):
        base = dice.choice(BASES)
        origin = re.match(r"https?://[^/]+", base)
        assert origin is not None
        start = dice.choice(
            ("", "/", "/", "//", "/\\", "/\t", "?", "#", origin[0], origin[0] + "/")
        )
        yield start + "".join(dice.choices(PIECES, k=dice.randint(0, 6))), base


def test_hostile_strings() -> None:
    """Of many hostile strings none is accepted that leaves the origin or changes its meaning."""
    taken = away = 0
    for raw, base in hostile(SEED, STRINGS):
        taken += assert_harmless(raw, base) is not None
        away += leaves(raw, base)
    print(f"{STRINGS} strings: {away} leave the origin, {taken} accepted, none of them leaves")
    assert taken > STRINGS // 50, "too few accepted: the test would prove nothing"
    assert away > STRINGS // 50, "too few attacks: the test would prove nothing"


@given(st.sampled_from(BASES), ANYTHING | st.lists(st.sampled_from(PIECES)).map("".join))
def test_any_string(base: str, raw: str) -> None:
    """Any string at all is refused or harmless; for what was emitted the same string comes out."""
    location = assert_harmless(raw, base)
    if location is not None and len(location) <= LONGEST:
        assert safe_target(location, base=base) == location


# --- the header layer ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "cleaned"),
    [
        ("https://pay.example/a?b=c#d", "https://pay.example/a?b=c#d"),
        ("//cdn.example/<x> y\\z", "//cdn.example/<x> y\\z"),
        ("../relative", "../relative"),
        ("", ""),
        ("/caf\u00e9", "/caf%C3%A9"),
        ("https://b\u00fccher.example/", "https://b%C3%BCcher.example/"),
        ("/\x85\u560d\u560a", "/%C2%85%E5%98%8D%E5%98%8A"),  # low bytes CR LF to a careless encoder
    ],
)
def test_clean_location(value: str, cleaned: str) -> None:
    """An app's own Location stays as it is, but for non-ASCII characters, which are escaped."""
    assert clean_location(value) == cleaned


@pytest.mark.parametrize("char", [*map(chr, (*range(32), 0x7F, 0xD800, 0xDCFF))], ids=ascii)
def test_clean_location_refuses(char: str) -> None:
    """No control character gets into a header."""
    for value in (char, f"/a{char}", f"{char}/a", f"/a\u00e9{char}b"):
        with pytest.raises(UnsafeTarget):
            clean_location(value)


@pytest.mark.parametrize(
    ("value", "detail"),
    [
        ("/a\nb", "no control character in a header: '\\n' at 2"),
        ("/a\ud800b", "no lone surrogate: '\\ud800' at 2"),
    ],
)
def test_clean_location_tells_the_reason(value: str, detail: str) -> None:
    """As `safe_target` does."""
    with pytest.raises(UnsafeTarget) as caught:
        clean_location(value)
    assert caught.value.detail == detail


def test_what_is_offered() -> None:
    """The names that other modules may use, and no other."""
    offered = {"GRAMMAR", "LONGEST", "clean_location", "safe_target", "same_url"}
    assert set(target.__all__) == offered


@given(ANYTHING)
def test_clean_location_is_one_line(value: str) -> None:
    """Whatever comes out is ASCII on one line, means the same and needs no more cleaning."""
    try:
        cleaned = clean_location(value)
    except UnsafeTarget:
        return
    assert re.fullmatch(r"[ -~]*", cleaned)
    assert clean_location(cleaned) == cleaned


# --- the same URL --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("location", "base", "same"),
    [
        ("/list", "https://app.example/list", True),
        ("/list#new", "https://app.example/list#old", True),
        ("/list", "https://app.example/list/", False),
        ("/List", "https://app.example/list", False),
        ("/list?a=1", "https://app.example/list", False),
        ("/list", "https://app.example/list?a=1", False),
        ("?a=1", "https://app.example/list?a=1", True),
        ("?a=2", "https://app.example/list?a=1", False),
        ("#x", "https://app.example/list?a=1", True),
        ("/", "https://app.example", True),
        ("?a=1", "https://app.example?a=1", True),
        ("/list?", "https://app.example/list", True),
        ("https://app.example/list", "https://app.example:443/list", True),
        ("https://app.example", "HTTPS://APP.EXAMPLE/", True),
        ("https://app.example/list", "http://app.example/list", False),
        ("https://app.example:8443/list", "https://app.example/list", False),
        ("https://other.example/list", "https://app.example/list", False),
        ("/caf%C3%A9?q='", "https://app.example/caf\u00e9?q=%27", True),
        ("//evil.example", "https://app.example//evil.example", False),
        ("https://u@app.example/", "https://app.example/", False),
        ("/list", "/list", False),
        ("list", "https://app.example/list", False),
        ("https://app.example", "https://app.example/list", False),
        ("https://app.example?a=1", "https://app.example/list?a=1", False),
    ],
)
def test_same_url(location: str, base: str, *, same: bool) -> None:
    """Scheme, host, port, path and query decide, the fragment does not."""
    assert same_url(location, base) is same


@given(
    st.sampled_from(("", "/", "/a", "/a/b", "/\u00e9", "/%e9", "https://app.example", "/a'b")),
    st.sampled_from(("", "?", "?x=1", "?x='", "?x=%27", "?x=\u00e9", "?x=[1]")),
    st.sampled_from(("", "#", "#f")),
    st.sampled_from(("/", "/a", "/a/b", "/%C3%A9", "/a'b")),
    st.sampled_from(("", "?x=1", "?x=%27", "?x=%C3%A9")),
)
@example("", "?", "", "/a", "?x=1")
def test_same_url_as_browsers(path: str, query: str, fragment: str, own: str, asked: str) -> None:
    """Two URLs are the same where a browser would send the same request for them."""
    base = f"https://app.example{own}{asked}"
    location = accepted(path + query + fragment, base)
    if location is not None:
        there = URL(location, base=base)
        there.hash = ""
        assert same_url(location, base) is (there.href.rstrip("?") == base)


@given(ANYTHING, ANYTHING, st.sampled_from(("", "https://app.example/")))
@example("\udcff", "\ud800", "https://app.example/")
def test_same_url_never_raises(location: str, path: str, origin: str) -> None:
    """Whatever an app sends and a client asked for, the question has an answer."""
    assert same_url(location, origin + path) in (True, False)


# --- time ----------------------------------------------------------------------------------------


def fastest(work: Callable[[str], object], pattern: str, length: int) -> float:
    """Seconds that the work takes on so much text, the best of several times."""
    text = pattern * (length // len(pattern))
    times = []
    for _ in range(7):
        start = thread_time()
        work(text)
        times.append(thread_time() - start)
    return min(times)


@pytest.mark.parametrize(
    "pattern", ["/", "/.", "%2e", "\u00e9", "?#", "a:", "https://", "/%2e%2e;"]
)
def test_linear_time(pattern: str) -> None:
    """Four times the input takes about four times the time, however the input is made."""

    def work(text: str) -> None:
        same_url(text, f"https://app.example/{text}")
        clean_location(text)
        for rows in GRAMMAR.values():
            for _, forbidden in rows:
                forbidden.search(text)

    assert fastest(work, pattern, 80_000) < 10 * fastest(work, pattern, 20_000)
