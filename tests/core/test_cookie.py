"""Cookies: the reader against tampering, the writer against nonsense, the names against mixing."""

import re
from http.cookies import SimpleCookie
from time import thread_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seeother.core.cookie import (
    CookieNames,
    SetCookie,
    cookie_names,
    has_cookies,
    read_cookie,
)
from seeother.errors import PolicyError

NAME = b"__Host-so-3f9a1c"
names = st.from_regex(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,40}", fullmatch=True).filter(
    lambda name: not name.lower().startswith("__")
)
values = st.from_regex(r"[!#-+\--:<-\[\]-~]{0,60}", fullmatch=True)


# --- reading -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lines",
    [
        [NAME + b"=v"],
        [b"a=1; " + NAME + b"=v; b=2"],
        [b"a=1", NAME + b"=v", b"b=2"],
        [b"a=1;" + NAME + b"=v"],
        [b";;" + NAME + b"=v;"],
        [b" \t " + NAME + b"=v\t ;a"],
        [b"flag; " + NAME + b"=v; =odd"],
        [b"\xff\xfe=\x00; " + NAME + b"=v"],
    ],
)
def test_found(lines: list[bytes]) -> None:
    """A cookie is found on any line, at any place, between whatever else is sent."""
    assert read_cookie(lines, NAME) == b"v"


@pytest.mark.parametrize(
    "blank",
    [
        *("\u2000\u2003\u2028\u3000\u200b\ufeff\xa0\x85\x1c\x1d\x1e\x1f\x0b\x0c\r\n\x00"),
        '"',
        "'",
        "%20",
        ",",
    ],
    ids=ascii,
)
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_odd_space_is_part_of_the_name(blank: str, encoding: str) -> None:
    """Only space and tab are trimmed: a name with any other character beside it is another name."""
    odd = blank.encode(encoding, "replace")
    assert read_cookie([odd + NAME + b"=evil"], NAME) is None
    assert read_cookie([NAME + odd + b"=evil"], NAME) is None
    assert read_cookie([odd + NAME + b"=evil; " + NAME + b"=v"], NAME) == b"v"
    assert read_cookie([NAME + b"=v" + odd], NAME) == b"v" + odd


@pytest.mark.parametrize("name", [b"a;b", b"a=b", b"=", b";"])
def test_what_cannot_be_a_name_is_not_there(name: bytes) -> None:
    """No header can carry it, so nothing of a header is taken for it."""
    assert read_cookie([b"a;b=1; a=b=2", name + b"=3"], name) is None


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [b""],
        [NAME],
        [b"=" + NAME],
        [b"=" + NAME + b"=v"],
        [NAME.lower() + b"=v"],
        [NAME.upper() + b"=v"],
        [NAME[:-1] + b"=v"],
        [NAME + b"0=v"],
        [NAME.removeprefix(b"__Host-") + b"=v"],
        [NAME + b" =v"],
        [b"a=" + NAME + b"=v"],
        [b"$Version=1, " + NAME + b"=v"],
        [b'"' + NAME + b'=v"'],
        [b"__Host%2Dso-3f9a1c=v"],
    ],
)
def test_absent(lines: list[bytes]) -> None:
    """A name counts as it is written, byte by byte, or not at all."""
    assert read_cookie(lines, NAME) is None


@pytest.mark.parametrize("second", [b"evil", b"v", b"", b'"v"'])
def test_duplicates_are_absent(second: bytes) -> None:
    """Two values for one name count as none, on one line or two, in either order."""
    one, two = NAME + b"=v", NAME + b"=" + second
    for lines in ([one + b"; " + two], [two + b";" + one], [one, two], [two, b"a=1", one]):
        assert read_cookie(lines, NAME) is None


@pytest.mark.parametrize(
    "value",
    [b"", b'"v"', b'"a; b'.split(b";")[0], b"a=b=c", b"%3B", b"\xc3\xa9", b"a\\073b", b"a b"],
)
def test_value_is_untouched(value: bytes) -> None:
    """A value comes back as it was sent: no unquoting, no decoding."""
    assert read_cookie([b"x=1; " + NAME + b"=" + value + b"; y=2"], NAME) == value


def test_two_apps_on_one_host() -> None:
    """Two apps that share a jar, since cookies ignore ports, each read their own cookies."""
    one, two = cookie_names("3f9a1c", secure=False), cookie_names("b20e77", secure=False)
    jar = "; ".join(
        f"{name}={app}" for app, ns in (("1", one), ("2", two)) for name in names_of(ns)
    ).encode()
    for app, ns in ((b"1", one), (b"2", two)):
        assert [read_cookie([jar], name.encode()) for name in names_of(ns)] == [app] * 3


def names_of(found: CookieNames) -> tuple[str, str, str]:
    """The three names, in order."""
    return found.visitor, found.session, found.hint


@given(st.lists(st.binary() | st.sampled_from([NAME + b"=v", NAME, b"=", b";"])), st.binary())
def test_reader_never_raises(lines: list[bytes], name: bytes) -> None:
    """Any bytes can be read; what is found stands between semicolons after exactly that name."""
    for wanted in (name, NAME):
        found = read_cookie(lines, wanted)
        assert found is None or any(
            piece.strip(b" \t") == wanted + b"=" + found
            for line in lines
            for piece in line.split(b";")
        )
    has_cookies(lines)


@pytest.mark.parametrize(
    ("lines", "some"),
    [
        ([], False),
        ([b""], False),
        ([b"", b" \t", b";; ; "], False),
        ([b"a=1"], True),
        ([b"", b"a=1"], True),
        ([b"a"], True),
        ([b"="], True),
        ([b"\xe2\x80\x80"], True),
        ([b"\x00"], True),
    ],
)
def test_has_cookies(lines: list[bytes], *, some: bool) -> None:
    """A request is bare only if its Cookie lines hold nothing but separators and blanks."""
    assert has_cookies(lines) is some


@pytest.mark.parametrize("piece", [b";", b"=", b" ", b"\t;", b"a=1;", NAME + b"=v; "])
def test_linear_time(piece: bytes) -> None:
    """Four times the header takes about four times the time, however it is made."""

    def fastest(length: int) -> float:
        line, times = piece * (length // len(piece)), []
        for _ in range(7):
            start = thread_time()
            read_cookie([line], NAME)
            has_cookies([line])
            times.append(thread_time() - start)
        return min(times)

    assert fastest(400_000) < 10 * fastest(100_000)


# --- writing -------------------------------------------------------------------------------------


def test_header() -> None:
    """A cookie is rendered with exactly the attributes that it has, and never with Expires."""
    assert SetCookie("n", "v", secure=False).header() == b"n=v; Path=/; HttpOnly; SameSite=Lax"
    full = SetCookie(
        "__Secure-n", "v", max_age=60, path="/app", secure=True, http_only=False, same_site="None"
    )
    assert full.header() == b"__Secure-n=v; Path=/app; Max-Age=60; Secure; SameSite=None"
    assert SetCookie.expired("n", secure=True, path="/a").header() == (
        b"n=; Path=/a; Max-Age=0; Secure; HttpOnly; SameSite=Lax"
    )


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        ({"name": ""}, "the name is a token"),
        *(
            ({"name": f"a{c}b"}, "the name is a token")
            for c in '\r\n\x00 \t;,="()<>@:\\/[]?{}\u00e9'
        ),
        ({"name": "a\n"}, "the name is a token"),
        *(
            ({"value": f"a{c}b"}, "the value is cookie octets")
            for c in '\r\n\x00 \t;,"\\\x7f\u00e9'
        ),
        ({"value": "a\n"}, "the value is cookie octets"),
        ({"value": "x" * 4096}, "name and value fit in 4096 characters"),
        *(({"path": p}, "the path is /") for p in ("", "a", "/a;b", "/a\r\n", "/\u00e9", "/ ")),
        ({"max_age": -1}, "max_age is not negative"),
        ({"same_site": "lax"}, "same_site is Lax, Strict or None"),
        ({"same_site": "None"}, "SameSite=None needs secure"),
        ({"name": "__Secure-a"}, "__Secure- needs secure"),
        ({"name": "__Host-a"}, "__Host- needs secure and path /"),
        ({"name": "__hOST-a"}, "__Host- needs secure and path /"),
        ({"name": "__Host-a", "secure": True, "path": "/a"}, "__Host- needs secure and path /"),
    ],
)
def test_impossible(wrong: dict[str, Any], rule: str) -> None:
    """A cookie that could end its header, or that a browser would drop, cannot be built."""
    parts: dict[str, Any] = {"name": "n", "value": "v", "secure": False} | wrong
    with pytest.raises(PolicyError, match=re.escape(rule)):
        SetCookie(**parts)


@given(names, values, st.none() | st.integers(0, 10**9), st.booleans())
def test_round_trip(name: str, value: str, max_age: int | None, secure: bool) -> None:
    """What was set is read back, by our reader and by the standard library's."""
    header = SetCookie(name, value, max_age=max_age, secure=secure).header()
    assert re.fullmatch(rb"[ -~]+", header)
    pair = header.partition(b";")[0]
    assert read_cookie([b"=a; b; " + pair + b";b", b""], name.encode()) == value.encode()
    jar: SimpleCookie = SimpleCookie()
    jar.load(header.decode())
    if name in jar:  # it reads fewer names than browsers send
        assert jar[name].coded_value == value
        assert jar[name]["max-age"] == ("" if max_age is None else str(max_age))
        assert bool(jar[name]["secure"]) is secure


# --- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("secure", "override", "found"),
    [
        (False, None, ("so-3f9a1c", "so-s-3f9a1c", "so-h-3f9a1c")),
        (True, None, ("__Host-so-3f9a1c", "__Host-so-s-3f9a1c", "__Host-so-h-3f9a1c")),
        (False, "shop", ("shop", "shop-s", "shop-h")),
        (True, "shop", ("__Host-shop", "__Host-shop-s", "__Host-shop-h")),
        (True, "__Host-shop", ("__Host-shop", "__Host-shop-s", "__Host-shop-h")),
        (False, "__Host-shop", ("shop", "shop-s", "shop-h")),
    ],
)
def test_names(secure: bool, override: str | None, found: tuple[str, str, str]) -> None:
    """On https every name has the `__Host-` prefix, on http none has, whoever chose the stem."""
    names_found = cookie_names("3f9a1c", secure, override)
    assert names_of(names_found) == found
    for name in found:
        assert SetCookie(name, "v", secure=secure).header()


@pytest.mark.parametrize(
    ("tag", "override"),
    [("3f 9a", None), ("3f;9a", None), ("3f9a1c", "a b"), ("3f9a1c", "a=b"), ("3f9a1c", "\u00e9"),
     ("3f9a1c", "a\n"), ("3f9a1c", "__Secure-a"), ("3f9a1c", "__Host-__Host-a"),
     ("3f9a1c", "__Host-"), ("3f9a1c", "__host-a")],
)  # fmt: skip
def test_impossible_names(tag: str, override: str | None) -> None:
    """A setting that is no cookie name is refused before any cookie is set."""
    with pytest.raises(PolicyError, match="cannot be the name of a cookie"):
        cookie_names(tag, secure=True, override=override)


@given(values)
def test_http_names_never_count_on_https(value: str) -> None:
    """On https a cookie without `__Host-`, which any neighbour could plant, is not seen."""
    plain, strict = (names_of(cookie_names("3f9a1c", secure)) for secure in (False, True))
    planted = [f"{name}={value}".encode() for name in plain]
    assert [read_cookie(planted, name.encode()) for name in strict] == [None] * 3
