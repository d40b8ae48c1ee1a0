"""Other sites post the board's form: refused, and nothing of theirs comes back.

403, no effect, no echo, no draft, no token, no form, no cookie, whatever the encoding and whether
or not the victim's cookies travel along. The honest visitor goes on as if nothing had happened.
"""

from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from seeother.core.token import FIELD
from tests.board.visitor import Visitor
from tests.browser.server import Board

MARK = "xyzzy-cross"


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    """One board for this file."""
    with Board(tmp_path_factory.mktemp("board"), "--quiet") as server:
        yield server
    assert "Traceback" not in server.log.read_text()


@pytest.fixture(scope="module")
def victim(board: Board) -> Iterator[Visitor]:
    """Somebody with all cookies that the board has: visitor, session, and a waiting message."""
    with Visitor(board.url) as visitor:
        visitor.say("hello", name="Ann")
        visitor.submit(visitor.get(), message="waiting", name="Ann")
        yield visitor


@pytest.fixture(scope="module")
def stranger(board: Board) -> Iterator[Visitor]:
    """Somebody without any cookie."""
    with Visitor(board.url) as visitor:
        yield visitor
        assert not visitor.client.cookies.jar


SENDERS = {
    "another site": {"origin": "https://evil.example", "sec-fetch-site": "cross-site"},
    "a sibling": {"origin": "http://shop.localhost:1", "sec-fetch-site": "same-site"},
    "a hidden site": {"origin": "null", "sec-fetch-site": "cross-site"},
    "a sandboxed frame, http": {"origin": "null"},
    "another site, http": {"origin": "http://evil.example"},
    "another port, http": {"origin": "http://127.0.0.1:1"},
    "another scheme": {"origin": "https://127.0.0.1", "sec-fetch-site": "cross-site"},
    "a claimed own origin": {"origin": "OWN", "sec-fetch-site": "cross-site"},
    "a new word": {"origin": "OWN", "sec-fetch-site": "cross-planet"},
    "no origin": {"sec-fetch-site": "cross-site"},
    "the address bar, foreign": {"origin": "https://evil.example", "sec-fetch-site": "none"},
    "an extension": {"origin": "chrome-extension://abcdefghijklmnop"},
}

PARTS = f'--x\r\nContent-Disposition: form-data; name="message"\r\n\r\n{MARK}\r\n--x--\r\n'
BODIES = {
    "urlencoded": ("application/x-www-form-urlencoded", urlencode({"message": MARK}).encode()),
    "multipart": ("multipart/form-data; boundary=x", PARTS.encode()),
    "plain text": ("text/plain", f"message={MARK}".encode()),
    "JSON": ("application/json", f'{{"message": "{MARK}"}}'.encode()),
}


@pytest.mark.parametrize("kind", BODIES.keys())
@pytest.mark.parametrize("sender", SENDERS.keys())
def test_a_foreign_post_is_refused(
    board: Board, victim: Visitor, stranger: Visitor, sender: str, kind: str
) -> None:
    """With and without cookies: 403; nothing stored or echoed, no cookie, no token, no form."""
    content_type, body = BODIES[kind]
    own = board.url.rstrip("/")
    headers = {name: own if v == "OWN" else v for name, v in SENDERS[sender].items()}
    headers["content-type"] = content_type
    for client in (victim.client, stranger.client):
        answer = client.post(board.url, content=body, headers=headers)
        assert answer.status_code == 403
        assert MARK not in answer.text and MARK not in str(answer.headers)
        assert not answer.headers.get_list("set-cookie") and "location" not in answer.headers
        assert FIELD not in answer.text and "<form" not in answer.text
        assert "Traceback" not in answer.text
    assert board.messages(MARK) == 0


@pytest.mark.parametrize("target", ["/", "/?so", "/m/1", "/nothing", "/static/board.css"])
def test_every_path_refuses(board: Board, victim: Visitor, target: str) -> None:
    """The origin is judged before anything else, on every path."""
    headers = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
    answer = victim.client.post(board.url + target[1:], data={"message": MARK}, headers=headers)
    assert (answer.status_code, board.messages(MARK)) == (403, 0)


def test_a_foreign_post_with_a_stolen_token_is_refused(board: Board, victim: Visitor) -> None:
    """A token alone never passes a cross-site check, not even the victim's own."""
    token = victim.get().form.fields[FIELD]
    headers = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
    fields = {FIELD: token, "message": MARK}
    answer = victim.client.post(board.url, data=fields, headers=headers)
    assert (answer.status_code, board.messages(MARK)) == (403, 0)


def test_without_any_proof_a_cookie_needs_its_token(board: Board, victim: Visitor) -> None:
    """Cookies but neither Origin nor Sec-Fetch-Site: 403, not a guess."""
    answer = victim.client.post(board.url, data={"message": MARK})
    assert (answer.status_code, board.messages(MARK)) == (403, 0)
    assert MARK not in answer.text


def test_doubled_proof_is_no_proof(board: Board, victim: Visitor) -> None:
    """Two Origin or two Sec-Fetch-Site lines: whoever stands before us may have read the other."""
    own = board.url.rstrip("/")
    doubled = [
        [("origin", own), ("origin", "https://evil.example"), ("sec-fetch-site", "same-origin")],
        [("origin", own), ("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")],
    ]
    for headers in doubled:
        answer = victim.client.post(board.url, data={"message": MARK}, headers=headers)
        assert answer.status_code == 403
    assert board.messages(MARK) == 0


def test_the_victim_notices_nothing(board: Board, victim: Visitor) -> None:
    """After all that: the session still knows the name, the message still waits, and posting works.

    A visitor who follows a link from the other site does not lose the waiting message either.
    """
    assert victim.get("/", site="cross-site").said == []
    page = victim.get()
    assert page.form.fields["name"] == "Ann"
    landing = victim.follow(victim.submit(page, message="still here"))
    assert "Your message was posted." in landing.said
    assert board.messages("still here") == 1
