"""How the board starts, what it prints, and how it ends.

Everything that can go wrong at the start is one clear sentence on stderr and exit code 2, never a
traceback. Ctrl-C is the ordinary end: code 0.
"""

import os
import re
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.board.visitor import Visitor
from tests.board.wire import ask, exchange, post, request
from tests.browser.polling import until
from tests.browser.server import Board

KEY = "k" * 43
LINE = r"[A-Z]+ /\S* \d{3}(?: -> /\S*)? [a-z-]+ \d+ ms"


def run(*words: str | Path, code: str | None = None, **more: Any) -> tuple[int, str]:
    """Run `seeother` (or this Python code) to its end; its exit code and what it said."""
    python = [sys.executable, "-c", code] if code else [sys.executable, "-m", "seeother"]
    done = subprocess.run(
        [*python, *map(str, words)],
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
        **more,
    )
    return done.returncode, done.stderr + done.stdout


def one_sentence(ended: tuple[int, str], *words: str) -> None:
    """Exit code 2, and one line that begins with the program's name and holds these words."""
    code, said = ended
    assert "Traceback" not in said, said
    assert said.startswith("seeother: ") and said.count("\n") == 1, said
    for word in words:
        assert word in said, said
    assert code == 2, (code, said)


# What stands in the way --------------------------------------------------------------------------


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    """The sentence names the port and the option that changes it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = run("board", "--db", tmp_path / "board.db", "--port", port)
    one_sentence(ended, port, "--port")


def test_a_host_that_is_not_here_is_named(tmp_path: Path) -> None:
    """An address of another machine cannot be listened on."""
    words = ("--db", tmp_path / "board.db", "--port", "0", "--host", "192.0.2.1")
    one_sentence(run("board", *words), "192.0.2.1")


# Root may write everywhere. Without these two capabilities permissions count for root as well, and
# unlike `nobody` it can still read the interpreter (capabilities(7), prctl(2) PR_CAPBSET_DROP).
LIKE_ANYBODY = """
import ctypes, os, sys
if os.geteuid() == 0:
    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        if ctypes.CDLL(None, use_errno=True).prctl(24, capability, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "PR_CAPBSET_DROP")
os.execv(sys.executable, [sys.executable, "-m", "seeother", *sys.argv[1:]])
"""


def test_a_folder_that_is_read_only_is_named(tmp_path: Path) -> None:
    """Nothing can be created there: the sentence says what, and why."""
    folder = tmp_path / "read-only"
    folder.mkdir(mode=0o555)
    ended = run("board", "--db", folder / "board.db", "--port", "0", code=LIKE_ANYBODY)
    one_sentence(ended, str(folder), "ermission")
    ended = run("board", "--db", folder / "var" / "b.db", "--port", "0", code=LIKE_ANYBODY)
    one_sentence(ended, str(folder / "var"), "ermission")


def test_a_folder_that_became_read_only_is_named(tmp_path: Path) -> None:
    """Key and database are there, but nothing can be written beside them any more."""
    folder, key = tmp_path / "read-only", tmp_path / "secret"
    database = folder / "board.db"
    with Board(tmp_path, "--quiet", "--db", str(database)):
        pass
    folder.chmod(0o555)
    words = ("--db", database, "--secret-file", key, "--port", "0")
    try:
        one_sentence(run("board", *words, code=LIKE_ANYBODY), str(database))
    finally:
        folder.chmod(0o700)


DAMAGED = {
    "text": b"This is a letter to my aunt, and no database at all.\n" * 100,
    "a damaged header": b"SQLite format 3\0" + b"\xff" * 8000,
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_database_is_named(tmp_path: Path, content: bytes) -> None:
    """A file that is no database is named, and left exactly as it is."""
    database = tmp_path / "board.db"
    database.write_bytes(content)
    ended = run("board", "--db", database, "--port", "0")
    one_sentence(ended, str(database))
    assert database.read_bytes() == content


def test_a_folder_as_database_is_named(tmp_path: Path) -> None:
    """`--db` with a folder's name."""
    folder = tmp_path / "board.db"
    folder.mkdir()
    one_sentence(run("board", "--db", folder, "--port", "0"), str(folder))


@pytest.mark.parametrize("mode", [0o644, 0o640])
def test_a_key_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    """The sentence names the file and the command that repairs it."""
    key = tmp_path / "board.key"
    key.write_text(KEY)
    key.chmod(mode)
    ended = run("board", "--db", tmp_path / "board.db", "--port", "0")
    one_sentence(ended, str(key), "chmod 600")


def test_a_key_that_is_too_short_is_refused(tmp_path: Path) -> None:
    """An empty key file (a disk was full once) is no key."""
    key = tmp_path / "board.key"
    key.touch(mode=0o600)
    one_sentence(run("board", "--db", tmp_path / "board.db", "--port", "0"), str(key))


def test_a_key_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Somebody else's key file: a sentence, not a traceback."""
    key = tmp_path / "key"
    key.write_text(KEY)
    key.chmod(0o000)
    words = ("--db", tmp_path / "board.db", "--secret-file", key, "--port", "0")
    one_sentence(run("board", *words, code=LIKE_ANYBODY), str(key), "ermission")


def test_a_store_that_the_board_cannot_use_is_named() -> None:
    """`--db redis://...`: not here."""
    one_sentence(run("board", "--db", "redis://127.0.0.1/0", "--port", "0"), "redis", "sqlite:///")


@pytest.mark.parametrize("words", [["--workers", "0"], ["--wrokers", "2"]])
def test_an_option_that_cannot_be_is_explained(words: list[str]) -> None:
    """Misspelt or impossible options: usage on stderr, exit code 2."""
    code, said = run("board", *words)
    assert code == 2 and words[0] in said and "Traceback" not in said


def blocked(*modules: str) -> str:
    """Code that runs the command line where these packages are not installed."""
    block = "".join(f"sys.modules[{name!r}] = None; " for name in modules)
    return f"import sys; {block}from seeother.cli import main; main()"


def test_a_bare_install_says_which_extra_is_missing() -> None:
    """`seeother` without click: one sentence with the pip command."""
    one_sentence(run("board", code=blocked("click")), "pip install", "seeother[")


@pytest.mark.parametrize("missing", ["uvicorn", "sqlalchemy", "nh3"])
def test_a_partial_install_says_which_extra_is_missing(missing: str) -> None:
    """The command line is there, the board's packages are not: the sentence names the extra."""
    ended = run("board", "--port", "0", code=blocked(missing))
    one_sentence(ended, "pip install", "seeother[board]", missing)


def test_a_mistake_of_our_own_is_not_called_a_missing_extra(tmp_path: Path) -> None:
    """An import that fails inside seeother is a bug and must look like one."""
    hidden = "import sys; sys.modules['seeother.core.flows'] = None; "
    code, said = run("board", "--port", "0", code=hidden + "from seeother.cli import main; main()")
    assert code != 0
    assert "pip install" not in said and "seeother.core.flows" in said


# The first start ---------------------------------------------------------------------------------


def mode_of(path: Path) -> str:
    """The permission bits of a file."""
    return f"{stat.S_IMODE(path.stat().st_mode):o}"


def test_the_first_start_keeps_everything_private(tmp_path: Path) -> None:
    """Under the usual umask: database, its -wal and -shm and the key 0600, their folder 0700."""
    with Board(tmp_path, "--quiet", "--db", str(tmp_path / "data" / "b.db")) as board:
        post(board.port, {"message": "hello"})
        folder = tmp_path / "data"
        assert mode_of(folder) == "700"
        files = {path.name: mode_of(path) for path in folder.iterdir()}
        assert files == {"b.db": "600", "b.db-wal": "600", "b.db-shm": "600"}
        assert mode_of(tmp_path / "secret") == "600"


def test_a_key_is_made_beside_the_database_and_kept(tmp_path: Path) -> None:
    """Without --secret-file the key stands beside the database; a restart reads the same one.

    A page that was open over the restart can still be sent.
    """
    database = tmp_path / "new" / "board.db"
    words = ("--db", str(database), "--secret-file", str(database.with_suffix(".key")))
    board = Board(tmp_path, "--quiet", *words)
    with Visitor(board.url) as ann:
        with board:
            page = ann.get()
            key = database.with_suffix(".key").read_bytes()
        board._process = None
        with board:
            assert database.with_suffix(".key").read_bytes() == key
            assert ann.follow(ann.submit(page, message="over")).messages == ["over"]
    assert len(key) >= 32


TWENTY_STARTS = """
import os, sys
from pathlib import Path
from seeother.setup import key_file
reading, writing = os.pipe()
for _ in range(20):
    if os.fork() == 0:
        os.close(writing)
        os.read(reading, 1)  # all of them begin when the parent closes the pipe
        os.write(1, key_file(Path(sys.argv[1])) + b"\\n")
        os._exit(0)
os.close(writing)
sys.exit(max(os.waitstatus_to_exitcode(os.wait()[1]) for _ in range(20)))
"""


def test_twenty_first_starts_agree_on_one_key(tmp_path: Path) -> None:
    """Twenty processes make the key at once: one wins, all read the winner's, no draft is left."""
    key = tmp_path / "new" / "board.key"
    code, said = run(key, code=TWENTY_STARTS)
    assert code == 0
    assert said.split() == [key.read_text()] * 20
    assert [path.name for path in key.parent.iterdir()] == ["board.key"]


# What it prints ----------------------------------------------------------------------------------


def requests_of(board: Board) -> list[str]:
    """The lines that the board printed for requests, without the start's own."""
    lines = board.log.read_text().splitlines()
    return [line for line in lines if re.match(r"[A-Z]+ /", line)]


def test_one_line_for_each_request(tmp_path: Path) -> None:
    """`POST / 303 -> / new 4 ms`: what became of it in one word, no query, no token, no text."""
    with Board(tmp_path) as board, Visitor(board.url) as ann:
        page = ann.get("/?before=77")
        answers = [ann.submit(page, message="xyzzy") for _ in range(2)]
        ann.follow(answers[0])
        ann.submit(page, message=" ")
        post(board.port, {"message": "xyzzy"}, origin="http://evil.example")
        assert ask(board.port, "GET", "/m/1?so=secret").status == 200
        until(lambda: "GET /m/1 200" in board.log.read_text(), "the last line")
        lines = requests_of(board)
        said = board.log.read_text()
    assert all(re.fullmatch(LINE, line) for line in lines), lines
    words = [re.sub(r" \d+ ms$", "", line) for line in lines[-7:]]
    assert words == [
        "GET / 200 page",
        "POST / 303 -> / new",
        "POST / 303 -> / replayed",
        "GET / 200 page",
        "POST / 303 -> / rejected",
        "POST / 403 cross-site",
        "GET /m/1 200 page",
    ]
    hidden = (page.form.fields["so_token"], "xyzzy", "before", "so=", "secret", "evil", "?")
    assert not [word for word in hidden if word in said]
    assert f"http://localhost:{board.port}/" in said


ODD = [
    b"/\xe2\x80\xa8x",
    b"/%0d%0aPOST%20/%20303%20new",
    b"/\x85POST",
    b"/\xff\xfe",
    b"/%1b[31mred",
    b"/a%00b",
]


def test_a_path_cannot_forge_a_line(tmp_path: Path) -> None:
    """Line breaks, escapes and other controls in a path stay one harmless line, or a 400."""
    with Board(tmp_path) as board:
        for path in ODD:
            sent = request("GET", "/", board.port).replace(b"GET /", b"GET " + path, 1)
            answer = exchange(board.port, sent)
            assert answer is not None and 400 <= answer.status < 500
        ask(board.port, "GET", "/the-end")
        until(lambda: b"/the-end" in board.log.read_bytes(), "the last line")
        lines = board.log.read_text("utf-8").split("\n")[1:-1]
    odd = [line for line in lines if not line.startswith(("GET / 200", "GET /the-end 404"))]
    assert len(odd) == len(ODD), odd
    for line in odd:
        assert line.isprintable(), ascii(line)
        assert re.fullmatch(LINE, line) or line == "Invalid HTTP request received.", line


def test_quiet_prints_no_requests(tmp_path: Path) -> None:
    """`--quiet`: the address, and nothing for requests, refused ones included."""
    with Board(tmp_path, "--quiet") as board:
        post(board.port, {"message": "hello"})
        post(board.port, {"message": " "})
        ask(board.port, "GET", "/nothing")
        ask(board.port, "GET", "/", host="evil.example")
    assert requests_of(board) == []


# Options -----------------------------------------------------------------------------------------


def test_hosts_names_further_hosts(tmp_path: Path) -> None:
    """`--hosts a,b`: these and the loopback names, with any port; everything else is 400."""
    with Board(tmp_path, "--quiet", "--hosts", "board.example, .shop.example") as board:
        for host in ("board.example", "board.example:81", "x.shop.example", "localhost", "[::1]"):
            assert ask(board.port, "GET", "/", host=host).status == 200, host
        for host in ("evil.example", "x.board.example", "shop.example.evil"):
            assert ask(board.port, "GET", "/", host=host).status == 400, host


FORWARDED = {"x_forwarded_proto": "https", "x_forwarded_host": "board.example"}


def test_without_proxy_hops_nothing_forwarded_is_believed(tmp_path: Path) -> None:
    """The default: X-Forwarded-* changes neither scheme nor host, not even from loopback."""
    with Board(tmp_path, "--quiet", "--hosts", "board.example") as board:
        cookie = ask(board.port, "GET", "/", **FORWARDED).header("set-cookie")
        assert "Secure" not in cookie and not cookie.startswith("__Host-")
        origin = {"origin": "https://board.example"}
        answer = post(board.port, {"message": "x"}, **origin, **FORWARDED)
        assert (answer.status, board.messages()) == (403, 0)
        bad = ask(board.port, "GET", "/", x_forwarded_host="evil.example")
        assert bad.status == 200


def test_proxy_hops_believes_the_last_hop_only(tmp_path: Path) -> None:
    """`--proxy-hops 1`: https and host as the proxy says, `__Host-` cookies, own origin by name;
    what the client itself wrote in front of it counts for nothing.
    """
    with Board(tmp_path, "--quiet", "--hosts", "board.example", "--proxy-hops", "1") as board:
        answer = ask(board.port, "GET", "/", **FORWARDED)
        assert answer.header("set-cookie").startswith("__Host-so-")
        assert "; Secure" in answer.header("set-cookie")
        own = post(board.port, {"message": "own"}, origin="https://board.example", **FORWARDED)
        assert (own.status, own.header("location"), board.messages("own")) == (303, "/", 1)
        appended = {
            "x_forwarded_proto": "http, https",
            "x_forwarded_host": "evil.example, board.example",
        }
        assert ask(board.port, "GET", "/", **appended).status == 200
        forged = {"x_forwarded_proto": "https", "x_forwarded_host": "board.example, evil.example"}
        assert ask(board.port, "GET", "/", **forged).status == 400
        underscores = request("GET", "/", board.port).replace(
            b"Connection", b"X_Forwarded_Host: evil.example\r\nConnection", 1
        )
        answer_or_none = exchange(board.port, underscores)
        assert answer_or_none is not None and answer_or_none.status in (200, 400)
        assert "evil" not in answer_or_none.text


# The end -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_ends_it_cleanly(tmp_path: Path, workers: int) -> None:
    """SIGINT to the whole group, as a terminal sends it: exit code 0, no traceback, no orphan.

    The request before it has its line, whichever worker answered it.
    """
    board = Board(tmp_path, workers=workers)
    with board:
        post(board.port, {"message": "hello"})
        process = board._process
        assert process is not None
        group, children = board.pid, board.workers()
        os.killpg(group, signal.SIGINT)
        code = process.wait(30)
    assert [line for line in requests_of(board) if re.fullmatch(LINE, line) and " new " in line]
    said = board.log.read_text()
    assert "Traceback" not in said and "KeyboardInterrupt" not in said, said
    assert "Abort" not in said
    assert code == 0
    until(lambda: not any(Path(f"/proc/{pid}/cmdline").exists() for pid in children), "no orphan")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", board.port))


def test_sigterm_ends_it_cleanly(tmp_path: Path) -> None:
    """SIGTERM, as a service manager sends it: no traceback, and what was told stays."""
    with Board(tmp_path) as board:
        post(board.port, {"message": "hello"})
        assert board.stop() in (0, -signal.SIGTERM)
        assert "Traceback" not in board.log.read_text()
    assert board.messages("hello") == 1


def test_help_and_version() -> None:
    """`--help` shows every option of the contract, `--version` the version."""
    code, said = run("board", "--help")
    options = "--host --port --db --workers --secret-file --hosts --proxy-hops --quiet"
    assert code == 0 and not [option for option in options.split() if option not in said]
    code, said = run("--version")
    assert code == 0 and re.search(r"\d+\.\d+\.\d+", said)


def test_port_zero_is_any_free_port(tmp_path: Path) -> None:
    """`--port 0` prints the address that it got."""
    words = ["-m", "seeother", "board", "--db", str(tmp_path / "b.db"), "--port", "0"]
    with subprocess.Popen([sys.executable, *words], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        found = re.search(r"http://localhost:(\d+)/", process.stderr.readline())
        assert found is not None and int(found[1]) != 0
        until(lambda: _listens(int(found[1])), "it listens")
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


def _listens(port: int) -> bool:
    try:
        return ask(port, "GET", "/").status == 200
    except ConnectionRefusedError:
        return False
