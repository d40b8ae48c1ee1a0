"""`seeother tour --check URL`: a beginner's server is judged on five points, each for itself."""

import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from seeother.apps.tour.check import POINTS, check, is_address, report
from seeother.apps.tour.probe import MOST, NoAnswer
from tests.browser.server import Board, free_port
from tests.cli.learners import Falls, Guarded, Keeps, Lesson, Waits, broken, serving, talking

ALL = [1, 2, 3, 4, 5]
SHORT = 1.0  # seconds; only servers that never answer are waited for


def kept(url: str) -> list[int]:
    """The numbers of the points that a server keeps."""
    return [n for n, finding in enumerate(check(url, timeout=SHORT), 1) if finding.kept]


def test_the_lesson_keeps_all_five() -> None:
    """The message board as it is taught, on http.server: five of five, by a single POST."""
    with serving(Lesson) as (url, server):
        findings = check(url)
        assert [f.kept for f in findings] == [True] * 5, report(findings)
        assert len(server.posts) == len(server.memory) == 1
        assert len(server.posts[0]) < 200


def twice(message: str) -> str:
    """Escape, and escape again."""
    import html

    return html.escape(html.escape(message))


ONE = {
    "a page that is no page": ({"page_type": "text/plain; charset=utf-8"}, 1, "text/plain"),
    "a page without a type": ({"page_type": None}, 1, "missing"),
    "a page that is not found": ({"page_status": 404}, 1, "404"),
    "302": ({"status": 302}, 2, "302"),
    "307": ({"status": 307}, 2, "sends the POST again"),
    "no Location": ({"location": None}, 2, "Location missing"),
    "a Location elsewhere": ({"location": "http://evil.example/"}, 2, "another server"),
    "a body beside the redirect": ({"after": b"Thanks!"}, 3, "7 bytes"),
    "markup let through": ({"shown": lambda _, message: message}, 5, "became bold"),
    "markup escaped twice": ({"shown": lambda _, message: twice(message)}, 5, "escaped twice"),
    "markup removed": (
        {"shown": lambda _, message: re.sub("<[^>]*>", "", message)},
        5,
        "tags were lost",
    ),
}


@pytest.mark.parametrize(("changes", "point", "seen"), ONE.values(), ids=ONE)
def test_one_point_broken(changes: dict[str, object], point: int, seen: str) -> None:
    """One thing is wrong: its point says what was seen, and the other four stand.

    A page that answers 404 cannot show the message either; without a type nobody knows how its
    letters are meant.
    """
    lost = {1, 4} if point == 1 and "text/plain" not in seen else {point}
    with serving(broken(**changes)) as (url, server):
        findings = check(url, timeout=SHORT)
        assert {n for n, f in enumerate(findings, 1) if not f.kept} == lost, report(findings)
        assert seen in findings[point - 1].seen
        assert len(server.posts) == 1


def test_a_message_that_is_not_kept() -> None:
    """The redirect is right and the message gone: there is nothing to be escaped either."""
    with serving(broken(keep=lambda *_: None)) as (url, _):
        assert kept(url) == [1, 2, 3]


def test_letters_that_became_others() -> None:
    """UTF-8 that nobody calls so is read as something else, in a browser and here."""
    with serving(broken(page_type="text/html")) as (url, _):
        findings = check(url)
        assert [f.kept for f in findings] == [True, True, True, False, True]
        assert "not as typed" in findings[3].seen


def test_a_page_from_the_post() -> None:
    """The page as the answer to the POST: no redirect, a body; the message is there by GET."""
    changes = {"status": 200, "location": None, "after": b"<p>Thank you"}
    with serving(broken(**changes)) as (url, _):
        findings = check(url)
        assert [f.kept for f in findings] == [True, False, False, True, True]
        assert "refresh sends the message again" in findings[1].seen


@pytest.mark.parametrize(
    ("handler", "said"), [(Waits, "came in time"), (Falls, "traceback")], ids=["waits", "falls"]
)
def test_a_post_that_is_not_answered(handler: type[Lesson], said: str) -> None:
    """A POST that hangs or falls over: the page is still judged, and the likely reason is named."""
    with serving(handler) as (url, server):
        findings = check(url, timeout=SHORT)
        assert [f.kept for f in findings] == [True, False, False, False, False]
        assert said in findings[1].seen
        assert len(server.posts) == 1


def test_a_redirect_that_does_not_end() -> None:
    """Under HTTP/1.1 a redirect without a length leaves the browser waiting for its body."""
    with serving(Keeps) as (url, _):
        findings = check(url, timeout=SHORT)
        assert [f.kept for f in findings] == [True, True, False, True, True]
        assert "did not end" in findings[2].seen


def test_hidden_fields_and_cookies_are_sent_back() -> None:
    """A server with a CSRF token of its own is not punished for it."""
    with serving(Guarded) as (url, server):
        assert kept(url) == ALL
        assert len(server.posts) == 1


def test_a_form_that_points_elsewhere_is_not_followed() -> None:
    """Nothing is sent to another server, wherever form and redirect lead."""
    with serving(Lesson) as (other, bystander):
        page = f'<form method=post action="{other}"><textarea name=message></textarea></form>'

        def shown(_: object, message: str) -> str:
            return f"{page}<p>{message.replace('<', '&lt;')}"

        with serving(broken(shown=shown, location=other)) as (url, server):
            server.memory.append("a form in front of the real one")
            assert kept(url) == [1, 3, 4, 5]
        assert bystander.posts == []


def test_markup_that_no_parser_likes() -> None:
    """Unfinished declarations on the page are no reason for a traceback."""
    with serving(Lesson) as (url, server):
        server.memory.append("an old one")
        odd = type("Odd", (server,), {"shown": lambda _, m: f"{m.replace('<', '&lt;')}<![x[ <!-"})
        with serving(odd) as (other, _):
            assert kept(other)[:3] == [1, 2, 3]
        assert kept(url) == ALL


# What is no such server ----------------------------------------------------------------------


def refusal(url: str) -> str:
    """Why a server cannot be judged at all."""
    with pytest.raises(NoAnswer) as caught:
        check(url, timeout=SHORT)
    return str(caught.value)


def test_nobody_listens() -> None:
    """No server at all."""
    assert "nobody listens" in refusal(f"http://127.0.0.1:{free_port()}/")


def test_another_protocol() -> None:
    """What greets like a mail server is not HTTP."""
    with talking(lambda peer: peer.sendall(b"220 mail.example ESMTP\r\n")) as url:
        assert "not HTTP" in refusal(url)


def test_a_server_that_says_nothing() -> None:
    """A connection that is taken and never answered ends with the timeout."""
    with talking(_drain) as url:
        assert "came in time" in refusal(url)


def _drain(peer: socket.socket) -> None:
    while peer.recv(4096):
        pass


def test_a_server_that_hangs_up() -> None:
    """A connection that is closed at once."""
    with talking(lambda peer: peer.recv(4096)) as url:
        assert "closed without an answer" in refusal(url)


def test_a_page_without_end() -> None:
    """A page that goes on for ever is read up to a bound, and no longer than the timeout."""

    def flood(peer: socket.socket) -> None:
        peer.recv(4096)
        peer.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n")
        for _ in range(MOST // 1024 + 200):
            peer.sendall(b"x" * 1024)
        peer.recv(1)

    with talking(flood) as url:
        assert not check(url, timeout=SHORT)[0].kept


@pytest.mark.parametrize(
    "url",
    [
        *("localhost:8000", "ftp://localhost/", "http://", "http:///x", "http://a b/"),
        *("http://user:word@localhost/", "http://localhost:0/", "http://localhost:99999/", "//x/"),
        *("http://[::1", "http://h\u00f6st/", "http://localhost/\n"),
    ],
)
def test_what_is_no_address(url: str) -> None:
    """Only http and https, with a host, without a name and password."""
    assert not is_address(url)


# At the terminal -------------------------------------------------------------------------------


def run(url: str) -> tuple[int, str, str]:
    """`seeother tour --check URL`."""
    command = [sys.executable, "-m", "seeother", "tour", "--check", url]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


def test_all_is_well_is_code_0() -> None:
    """Each point is named with what was seen and why it matters; nothing is to be mended."""
    with serving(Lesson) as (url, _):
        code, said, _ = run(url)
    assert code == 0
    for point in POINTS:
        assert point.name in said and point.why in said and point.mend not in said
    assert said.count("ok ") == 5 and "5 of 5" in said


def test_something_broken_is_code_1() -> None:
    """The broken point says how to mend it; no other does."""
    with serving(broken(status=302)) as (url, _):
        code, said, _ = run(url)
    assert code == 1 and "4 of 5" in said
    assert [point.mend in said for point in POINTS] == [False, True, False, False, False]


def test_no_server_is_code_1() -> None:
    """Nobody there: one sentence that says so, not five."""
    code, out, said = run(f"http://127.0.0.1:{free_port()}/")
    assert (code, out) == (1, "")
    assert said.startswith("seeother: ") and "nobody listens" in said and said.count("\n") == 1


def test_no_address_is_code_2() -> None:
    """A word that is no address: one sentence with an example."""
    code, _, said = run("localhost:8000")
    assert code == 2 and said.startswith("seeother: ") and said.count("\n") == 1
    assert "http://" in said


def test_a_server_cannot_write_to_the_terminal() -> None:
    """What a server says is shown escaped: no control character reaches the terminal."""
    with serving(broken(location="/\x1b[31m\x07")) as (url, _):
        _, said, _ = run(url)
    assert "\x1b" not in said and "\\x1b" in said


def test_the_real_board_keeps_all_five(tmp_path: Path) -> None:
    """`seeother board`: tokens, marks and Markdown notwithstanding; one message is stored."""
    with Board(tmp_path) as board:
        code, said, _ = run(board.url)
        assert (code, board.messages()) == (0, 1), said


def test_the_check_needs_the_command_line_only() -> None:
    """No framework is imported for it."""
    code = (
        "import sys\n"
        "for name in ('flask', 'django', 'starlette', 'a2wsgi', 'uvicorn', 'jinja2'):\n"
        "    sys.modules[name] = None\n"
        "from seeother.cli import main\n"
        "main()"
    )
    with serving(Lesson) as (url, _):
        command = [sys.executable, "-c", code, "tour", "--check", url]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
