"""Who is signed in, seen from outside: which cookies tell it, and what an answer makes of them."""

import pytest

from seeother.core.entry import Greeting, greet
from seeother.core.principal import principal, telling, unreadable

from .arrivals import NOW, POLICY, arrival, from_visitor, visitor_cookie

SET = b"session=new; Path=/; HttpOnly"
PAST = b"Sun, 12 Nov 2023 22:13:20 GMT"
FUTURE = b"Thu, 16 Nov 2023 22:13:20 GMT"


def sender(*cookies: str, url: str = "/shop/form", **headers: str) -> Greeting:
    """A POST of our visitor with these further cookies."""
    line = "; ".join((visitor_cookie(), *cookies))
    return greet(arrival("POST", url, from_visitor({"cookie": line, **headers})), POLICY)


def landing(*cookies: str, url: str = "/shop/form", **headers: str) -> Greeting:
    """The GET that follows it."""
    line = "; ".join((visitor_cookie(), *cookies))
    return greet(arrival("GET", url, from_visitor({"cookie": line, **headers})), POLICY)


# Which names tell it ------------------------------------------------------------------------------


def test_what_the_app_says_counts() -> None:
    """HttpOnly tells; of the others the look of the name."""
    known = unreadable([b"a=1; httponly", b"b=2; Path=/", b"c=3; HttpOnly; Secure"])
    assert known == {b"a", b"c"}
    assert telling(sender("a=1", "b=2", "d=4"), (), known) == [b"a"]
    assert telling(sender("b=2"), [b"e=1; HttpOnly"], known) == [b"e"]
    assert telling(sender(), [SET], set()) == [b"session"]


@pytest.mark.parametrize(
    "line",
    [
        b'id7=""; expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/; SameSite=Lax',
        b"id7=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/",
        b"id7=plain; Path=/",
    ],
    ids=["Django", "Flask", "set without"],
)
def test_what_was_said_once_stays_said(line: bytes) -> None:
    """A sign-out deletes without HttpOnly: the session of the next one counts all the same."""
    known = unreadable([b"id7=a; HttpOnly"])
    known |= unreadable([line])
    assert telling(sender("id7=a"), [line], known) == [b"id7"]
    assert telling(sender("id7=b"), (), known) == [b"id7"]


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("sessionid", True),
        ("PHPSESSID", True),
        ("trac_auth", True),
        ("remember_token", True),
        ("uid", True),
        ("__Host-x", True),
        ("__Secure-y", True),
        ("theme", False),
        ("_ga", False),
        ("AWSALB", False),
        ("csrftoken", False),
        ("_xsrf", False),
        ("__Host-csrf", False),
        ("_hjSession_1", False),
    ],
)
def test_of_an_unknown_name_its_look_decides(name: str, counts: bool) -> None:
    """A process that has not seen the app set it must not take a session for nothing."""
    assert telling(sender(f"{name}=1"), (), set()) == ([name.encode()] if counts else [])


def test_a_token_against_forgery_tells_nobody() -> None:
    """Not even where no script may read it: some change with every form."""
    line = b"csrftoken=1; HttpOnly"
    assert telling(sender("csrftoken=1"), [line], unreadable([line])) == []


def test_our_own_cookies_do_not_count() -> None:
    """The visitor's cookie is bound anyway, and the hint comes and goes."""
    own = visitor_cookie().partition("=")[0].encode()
    assert telling(sender(), (), {own}) == []


# What counts is how they stand after the answer ---------------------------------------------------


@pytest.mark.parametrize(
    ("before", "line", "after"),
    [
        pytest.param(["session=old"], SET, ["session=new"], id="replaced"),
        pytest.param([], SET, ["session=new"], id="signed in"),
        pytest.param(["session=old"], b"other=1; Path=/", ["session=old"], id="another name"),
        pytest.param(["session=old"], b"session=; Max-Age=0; Path=/", [], id="ended"),
        pytest.param(["session=old"], b"session=x; Max-Age=-1; Path=/", [], id="ended below zero"),
        pytest.param(["session=old"], b"session=x; Path=/; Expires=" + PAST, [], id="expired"),
        pytest.param(
            ["session=old"],
            b"session=; Path=/; expires=Wed, 31-Dec-97 23:59:59 GMT",
            [],
            id="expired, two digits",
        ),
        pytest.param(
            [], b"session=new; Path=/; Expires=" + FUTURE, ["session=new"], id="not expired"
        ),
        pytest.param(
            [],
            b"session=new; Path=/; Max-Age=9; Expires=" + PAST,
            ["session=new"],
            id="Max-Age counts first",
        ),
        pytest.param([], b"session=new; Path=/shop", ["session=new"], id="a path above"),
        pytest.param([], b"session=new", ["session=new"], id="the path of its folder"),
        pytest.param([], b"session=new; Path=/shop/form", ["session=new"], id="this very path"),
        pytest.param([], b"session=new; Path=/refresh", [], id="another path"),
        pytest.param([], b"session=new; Path=/shop/form/x", [], id="a path below"),
        pytest.param([], b"session=new; Path=/sho", [], id="half a path"),
        pytest.param([], b"session=new; Path=/; Expires=soon", ["session=new"], id="no date"),
        pytest.param(
            [],
            b"session=new; Path=/; Expires=Sun, 99 Nov 2023 22:13:20 GMT",
            ["session=new"],
            id="no such day",
        ),
    ],
)
def test_an_answer_is_read_as_browsers_read_it(
    before: list[str], line: bytes, after: list[str]
) -> None:
    """Whoever follows the redirect with the cookies as they are by then is the same one."""
    names = [b"session"]
    assert principal(sender(*before), names, [line]) == principal(landing(*after), names)


def test_the_last_line_of_a_name_counts() -> None:
    """An app that deletes and sets again has set."""
    lines = [b"session=; Path=/; Max-Age=0", SET]
    assert principal(sender("session=old"), [b"session"], lines) == principal(
        landing("session=new"), [b"session"]
    )


@pytest.mark.parametrize(
    "other",
    [
        landing("session=b"),
        landing(),
        landing("session=a", authorization="Basic YTpi"),
        landing("session=a", "session=a"),
        landing("session="),
    ],
    ids=["other", "none", "authorization", "twice", "empty"],
)
def test_somebody_else_is_somebody_else(other: Greeting) -> None:
    """Another value, none, an empty one, one that comes twice, another Authorization."""
    mine = principal(sender("session=a"), [b"session"])
    assert mine == principal(landing("session=a", "theme=dark"), [b"session"])
    assert mine != principal(other, [b"session"])


def test_two_names_are_not_one() -> None:
    """What moves from one cookie to another is not the same."""
    names = [b"a", b"b"]
    assert principal(sender("a=1"), names) != principal(sender("b=1"), names)
    assert principal(sender("a=-", "b=1"), names) != principal(sender("b=1"), names)


def test_any_bytes_are_read() -> None:
    """Hostile lines raise nothing; the clock of a date is the request's."""
    for line in (b"", b";", b"=", b"a", b"=a; Path", b"session; Max-Age=0", b"\xff=\xff; \xff"):
        principal(sender("session=a"), [b"session", b""], [line])
        unreadable([line])
    assert NOW == 1_700_000_000.0
