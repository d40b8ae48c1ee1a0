"""`seeother demo` and `seeother tour`: what they print, what they serve, and what they need."""

import os
import re
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.board.visitor import Visitor
from tests.board.wire import ask, post
from tests.browser.polling import until
from tests.browser.server import Board, Server
from tests.cli.served import Demo, tour_of

LINE = re.compile(r"[A-Z]+ /\S* \d{3}(?: -> /\S*)? [a-z-]+ \d+ ms")


def lines(server: Server) -> list[str]:
    """What it printed."""
    return server.log.read_text().splitlines()


def test_the_demo_is_board_and_tour(tmp_path: Path) -> None:
    """One process, two addresses, one line for each request to either; data beside the database."""
    with Demo(tmp_path) as demo, Visitor(demo.url) as ann:
        assert demo.workers() == []
        page = ann.say("hello")
        assert page.messages == ["hello"] and page.texts("header nav a") == ["How it works"]
        tour = ann.get("/tour/")
        assert tour.status == 200 and not tour.title.startswith("Message Board")
        assert ann.get("/tour").url.endswith("/tour")
        assert ann.get("/tourist").status == 404
        assert ann.get("/tour/lesson/messages").status == 200
        until(lambda: any("/tour/lesson/messages" in line for line in lines(demo)), "its line")
        said = lines(demo)
        assert demo.messages() == 1
    for address in (f"http://localhost:{demo.port}/", f"http://localhost:{demo.port}/tour/"):
        assert any(address in line.split() for line in said[:2]), said
    printed = [line for line in said[2:] if LINE.fullmatch(line)]
    assert len(printed) == len(said) - 2, said
    for begin in ("POST / 303 -> / new", "GET /tour/ 200", "GET /tour/lesson/messages 200"):
        assert any(line.startswith(begin) for line in printed), (begin, printed)


def test_everything_is_kept_private(tmp_path: Path) -> None:
    """Board, ledger, journal and keys below the database's folder, for their owner only."""
    with Demo(tmp_path, "--quiet") as demo, Visitor(demo.url) as ann:
        ann.say("hello")
        ann.get("/tour/messages")
        folder = tmp_path / "var"
        modes = {p.relative_to(folder).as_posix(): p.stat().st_mode for p in folder.rglob("*")}
    loose = {name: f"{stat.S_IMODE(m):o}" for name, m in modes.items() if stat.S_IMODE(m) & 0o077}
    assert loose == {}
    assert {"board.db", "board.key", "tour", "tour/tour.db", "tour/tour.key"} <= set(modes)
    assert [p.name for p in tmp_path.iterdir()] != []
    assert {p.name for p in tmp_path.iterdir()} <= {"var", "server.log"}


def test_the_tour_alone(tmp_path: Path) -> None:
    """The same paths; `/` leads to `/tour/`; no board is linked."""
    with tour_of(tmp_path) as tour:
        answer = ask(tour.port, "GET", "/")
        assert (answer.status, answer.header("location")) == (303, "/tour/")
        page = ask(tour.port, "GET", "/tour/")
        assert page.status == 200 and 'href="/"' not in page.text
        assert ask(tour.port, "GET", "/tour/page/messages").status == 200
        assert f"http://localhost:{tour.port}/tour/" in lines(tour)[0]
        assert tour.stop() in (0, -signal.SIGTERM)


@pytest.mark.parametrize("serving", [Demo, tour_of], ids=["demo", "tour"])
def test_only_known_hosts_are_served(tmp_path: Path, serving: type[Demo]) -> None:
    """Another name than loopback's is 400 on board, tour and bare arms, unless --hosts names it."""
    with serving(tmp_path, "--quiet", "--hosts", "tour.example") as server:
        for path in ("/tour/", "/tour/messages", "/tour/lesson/messages"):
            assert ask(server.port, "GET", path, host="evil.example").status == 400, path
            assert ask(server.port, "GET", path, host="tour.example").status == 200, path
        if serving is Demo:
            assert ask(server.port, "GET", "/", host="evil.example").status == 400


def test_ctrl_c_ends_the_demo_cleanly(tmp_path: Path) -> None:
    """SIGINT: code 0 and no traceback, after requests to board and tour."""
    demo = Demo(tmp_path)
    with demo:
        post(demo.port, {"message": "hello"})
        ask(demo.port, "GET", "/tour/messages")
        process = demo._process
        assert process is not None
        os.killpg(demo.pid, signal.SIGINT)
        assert process.wait(30) == 0
    assert "Traceback" not in demo.log.read_text()
    assert demo.messages("hello") == 1


def test_more_workers_serve_the_board_alone(tmp_path: Path) -> None:
    """The tour keeps a list in memory, so several workers serve the board, and that is said."""
    with Demo(tmp_path, "--workers", "2") as demo, Visitor(demo.url) as ann:
        assert len(demo.workers()) >= 2
        assert ann.say("hello").messages == ["hello"]
        assert ann.get("/tour/").status == 404
        assert "/tour/" not in ann.get().source
        assert "tour is left out" in lines(demo)[0]


# What they need ------------------------------------------------------------------------------

BLOCKED = "import sys; {}from seeother.cli import main; main()"


def run(*words: str | Path, without: tuple[str, ...] = ()) -> tuple[int, str]:
    """Run `seeother` where these packages are not installed: its exit code and what it said."""
    code = BLOCKED.format("".join(f"sys.modules[{name!r}] = None; " for name in without))
    command = [sys.executable, "-c", code, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stderr + done.stdout


@pytest.mark.parametrize("missing", ["a2wsgi", "flask", "flask_wtf", "django"])
@pytest.mark.parametrize("command", ["demo", "tour"])
def test_a_missing_package_is_one_sentence(tmp_path: Path, command: str, missing: str) -> None:
    """The sentence names what is missing and the extra that brings it."""
    place = ("--db", tmp_path / "b.db") if command == "demo" else ("--data", tmp_path / "tour")
    code, said = run(command, "--port", "0", *place, without=(missing,))
    assert code == 2 and said.count("\n") == 1 and said.startswith("seeother: "), said
    assert missing in said and 'pip install "seeother[demo]"' in said


NOT_THE_BOARDS = ("a2wsgi", "flask", "flask_wtf", "wtforms", "werkzeug", "django")
NOT_THE_TOURS = ("markdown_it", "nh3")


def test_the_board_needs_nothing_of_the_tour(tmp_path: Path) -> None:
    """`seeother board` with the extra `board` alone: it starts as far as its taken port."""
    with Board(tmp_path, "--quiet") as board:
        words = ("--db", tmp_path / "b.db", "--port", str(board.port))
        code, said = run("board", *words, without=NOT_THE_BOARDS)
    assert (code, "--port" in said) == (2, True), said


def test_the_tour_needs_nothing_of_the_board(tmp_path: Path) -> None:
    """`seeother tour` with the extra `tour` alone, likewise."""
    with Board(tmp_path, "--quiet") as board:
        words = ("--data", tmp_path / "tour", "--port", str(board.port))
        code, said = run("tour", *words, without=NOT_THE_TOURS)
    assert (code, "--port" in said) == (2, True), said


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """`--data` below a file."""
    (tmp_path / "file").touch()
    code, said = run("tour", "--port", "0", "--data", tmp_path / "file" / "tour")
    assert code == 2 and said.count("\n") == 1 and str(tmp_path / "file") in said, said


def test_the_tours_check_sees_the_three_arms(tmp_path: Path) -> None:
    """The lessons' message board keeps all points, with seeother and without; not as `page`."""
    found: dict[str, int] = {}
    with tour_of(tmp_path, "--quiet") as tour:
        for arm in ("", "lesson/", "page/"):
            code, said = run("tour", "--check", f"{tour.url}tour/{arm}messages")
            assert code in (0, 1), said
            found[arm] = said.count("LOOK")
    assert found == {"": 0, "lesson/": 0, "page/": 2}
