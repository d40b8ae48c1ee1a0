"""What may break around the board: big bodies, locks, full disks, damaged files, failing views.

Nothing here is simulated in the code under test: another connection holds the lock, SQLite itself
finds the disk full, the kernel refuses the write, the file is overwritten. The person gets a page
that says so, the text stays, the same token works afterwards, and there is one message at the end.
"""

import resource
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from sqlalchemy import Connection, Engine, event

from seeother.apps.board import app as board_app
from seeother.core.token import FIELD
from seeother.core.values import Response
from seeother.visit import Visit
from tests.board.hosted import Hosted
from tests.board.visitor import Page, Visitor
from tests.board.wire import FORM, ask, exchange, head, post, request
from tests.browser.polling import until
from tests.browser.server import Board, rows

POSTED = "Your message was posted."
PATIENCE = 0.3


@pytest.fixture(scope="module")
def hosted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    """A board that gives up on a lock soon."""
    with Hosted(tmp_path_factory.mktemp("board"), patience=PATIENCE) as started:
        yield started


@pytest.fixture
def board(hosted: Hosted) -> Hosted:
    """The board, empty."""
    return hosted.emptied()


@pytest.fixture
def ann(board: Hosted) -> Iterator[Visitor]:
    """A visitor."""
    with Visitor(board.url) as visitor:
        yield visitor


def no_secrets(text: str) -> None:
    """A page for people: no traceback, no path, no SQL."""
    for word in ("Traceback", 'File "', "sqlite3", "sqlalchemy", "INSERT", "/src/", "Error:"):
        assert word not in text, (word, text)


def not_saved(answer: Any, text: str, token: str) -> Page:
    """It is the resend page of a store that cannot write: 503, the text and the SAME token."""
    page = Page(answer)
    assert page.status == 503, page.source
    no_secrets(page.source)
    assert page.alerts and page.texts("button[type=submit]") == ["Send"]
    assert page.form.fields["message"] == text
    assert page.form.fields[FIELD] == token
    return page


# Bodies that are too large -----------------------------------------------------------------------


def test_a_huge_announced_body_is_refused_unread(board: Hosted) -> None:
    """Content-Length of 9 GB: 413 after the head alone, long before the body is there."""
    sent = request("POST", "/", board.port, b"message=", content_length=str(9 * 10**9))
    answer = exchange(board.port, sent, method="POST")
    assert answer is not None and answer.status == 413
    no_secrets(answer.text)
    assert board.messages() == 0


def test_an_endless_chunked_body_is_refused_early(board: Hosted) -> None:
    """Chunks without end: 413 as soon as more than 64 KiB came, and the rest is not read."""
    own = (("Host", f"127.0.0.1:{board.port}"), ("Content-Type", FORM))
    chunk = b"1000\r\n" + b"a" * 0x1000 + b"\r\n"
    sent = head("POST / HTTP/1.1", (*own, ("Transfer-Encoding", "chunked"))) + chunk * 17
    answer = exchange(board.port, sent, method="POST")
    assert answer is not None and answer.status == 413
    assert board.messages() == 0


@pytest.mark.parametrize(("size", "status"), [(64 << 10, 422), ((64 << 10) + 1, 413)])
def test_the_limit_is_64_kib(board: Hosted, size: int, status: int) -> None:
    """A body of exactly 64 KiB is read (and is too long for a message), one byte more is not."""
    body = b"message=" + b"a" * (size - len(b"message="))
    assert ask(board.port, "POST", "/", body).status == status
    assert board.messages() == 0


def test_big_bodies_leave_the_board_as_it_was(board: Hosted, ann: Visitor) -> None:
    """After ten refused bodies on open connections the board answers as before."""
    peers = []
    for _ in range(10):
        peer = socket.create_connection(("127.0.0.1", board.port))
        peer.sendall(request("POST", "/", board.port, b"x" * 100, content_length="99999999"))
        peers.append(peer)
    try:
        assert ann.say("hello").said == [POSTED]
    finally:
        for peer in peers:
            peer.close()


# A locked database -------------------------------------------------------------------------------


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """Another program has the write lock."""
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            other.execute("ROLLBACK")


def test_a_locked_database_keeps_text_and_token(board: Hosted, ann: Visitor) -> None:
    """Locked past patience: 503, text and token stay; sent again afterwards it is one message."""
    page = ann.get()
    token = page.form.fields[FIELD]
    with locked(board.database):
        kept = not_saved(ann.submit(page, message="patience\nplease"), "patience\nplease", token)
        kept = not_saved(ann.submit(kept), "patience\nplease", token)
    assert board.messages() == 0
    first, again = ann.submit(kept), ann.submit(kept)
    assert first.headers["location"] == again.headers["location"]
    assert ann.follow(first).said == [POSTED]
    assert board.messages("patience\nplease") == 1


def test_a_lock_shorter_than_patience_is_waited_for(tmp_path: Path) -> None:
    """The lock goes while the POST waits: 303, as if nothing had been."""
    with Hosted(tmp_path, patience=30) as board, Visitor(board.url) as ann:
        page, asked = ann.get(), threading.Event()
        answers: list[Any] = []
        begun = _when_asked(board, asked)
        sender = threading.Thread(target=lambda: answers.append(ann.submit(page, message="hi")))
        with begun, locked(board.database):
            sender.start()
            assert asked.wait(30)
        sender.join(60)
        assert [answer.status_code for answer in answers] == [303]
        assert board.messages("hi") == 1


@contextmanager
def _when_asked(board: Hosted, asked: threading.Event) -> Iterator[None]:
    """Set the event when somebody asked for the lock."""
    store: Any = board.app.store
    within: Callable[..., Any] = store.within

    def noted(transaction: Any) -> Any:
        joined = within(transaction)
        claim = joined.claim

        def note(op: Any) -> Any:
            reply = claim(op)
            asked.set()
            return reply

        joined.claim = note
        return joined

    store.within = noted
    try:
        yield
    finally:
        del store.within


def test_a_locked_database_can_be_read(board: Hosted, ann: Visitor) -> None:
    """Reading goes on under a lock; a message that cannot be taken is shown later."""
    location = ann.submit(ann.get(), message="hello").headers["location"]
    with locked(board.database):
        page = ann.get(location, site="same-origin")
        assert page.status == 200 and page.messages == ["hello"]
        assert page.said == []
        assert ask(board.port, "GET", "/m/1").status == 200
    assert ann.get(location, site="same-origin").said == [POSTED]


def test_a_plain_client_is_told_about_the_lock(board: Hosted) -> None:
    """Without proof of origin nothing is echoed: 503 with a page, no token, no text."""
    with locked(board.database):
        answer = post(board.port, {"message": "xyzzy"})
    assert answer.status == 503
    no_secrets(answer.text)
    assert "xyzzy" not in answer.text and FIELD not in answer.text
    assert board.messages() == 0


# A full disk -------------------------------------------------------------------------------------


@contextmanager
def no_page_more() -> Iterator[Callable[[], None]]:
    """Every connection that an engine opens in here finds the disk full; call it to end that."""
    opened: list[sqlite3.Connection] = []

    def note(connection: sqlite3.Connection, _record: object) -> None:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count={pages}")
        opened.append(connection)

    def enough() -> None:
        for connection in opened:
            connection.execute("PRAGMA max_page_count=1000000")

    event.listen(Engine, "connect", note)
    try:
        yield enough
    finally:
        event.remove(Engine, "connect", note)


def test_a_full_disk_keeps_text_and_token(tmp_path: Path) -> None:
    """SQLITE_FULL while the message is stored: 503, nothing half-done, the same token works."""
    with Hosted(tmp_path):
        pass  # the tables are there, and the file has no room left in it
    text = "x" * 2000
    with no_page_more() as enough, Hosted(tmp_path) as board, Visitor(board.url) as ann:
        answer = ann.submit(page := ann.get(), message=text)
        while answer.status_code == 303:  # the last pages of the tables have room for some
            answer = ann.submit(page := ann.get(), message=text)
        stored = board.messages(text)
        kept = not_saved(answer, text, page.form.fields[FIELD])
        assert board.messages(text) == stored
        assert ask(board.port, "GET", "/").status == 200
        enough()
        assert ann.follow(ann.submit(kept)).said[:1] == [POSTED]
        assert board.messages(text) == stored + 1


def test_a_write_that_the_kernel_refuses_keeps_text_and_token(tmp_path: Path) -> None:
    """The server may not let any file grow (as on a full disk): 503; allowed again: one message."""
    with Board(tmp_path, "--quiet") as board, Visitor(board.url) as ann:
        ann.say("first")
        page = ann.get()
        unlimited = resource.prlimit(board.pid, resource.RLIMIT_FSIZE)
        log = board.database.with_name("board.db-wal").stat().st_size
        resource.prlimit(board.pid, resource.RLIMIT_FSIZE, (log, unlimited[1]))
        kept = not_saved(ann.submit(page, message="squeeze"), "squeeze", page.form.fields[FIELD])
        assert ask(board.port, "GET", "/").status == 200
        assert board.messages("squeeze") == 0
        resource.prlimit(board.pid, resource.RLIMIT_FSIZE, unlimited)
        assert ann.follow(ann.submit(kept)).said == [POSTED]
        assert board.messages("squeeze") == 1


# A damaged file ----------------------------------------------------------------------------------


def spoil(file: Path, byte: bytes) -> None:
    """Overwrite a file in place, byte by byte the same length."""
    with file.open("r+b") as opened:
        opened.write(byte * file.stat().st_size)


def test_a_file_replaced_by_garbage_is_a_friendly_page(tmp_path: Path) -> None:
    """The database is overwritten under a running board: pages that say so, no traceback, the
    text of the POST kept, and the board keeps answering.
    """
    with Board(tmp_path, "--quiet") as board, Visitor(board.url) as ann:
        ann.say("before")
        page = ann.get()
        spoil(board.database, b"x")
        spoil(board.database.with_name("board.db-wal"), b"x")
        spoil(board.database.with_name("board.db-shm"), b"\0")  # so that no cached page is trusted
        for _ in range(2):
            for read in (ann.get(), ann.get("/m/1")):
                assert read.status in (500, 503), read.source
                assert read.title.startswith("Message Board")
                no_secrets(read.source)
            kept = not_saved(ann.submit(page, message="after"), "after", page.form.fields[FIELD])
            assert kept.title


# A client that leaves ----------------------------------------------------------------------------


def test_a_view_whose_client_left_runs_to_its_end(
    board: Hosted, ann: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection dies while the view runs: the message is stored, and a retry gets its outcome.

    The view is held until the server has noticed that the client is gone.
    """
    page, save = ann.get(), board_app.save
    entered, gate = threading.Event(), threading.Event()

    def slow_save(connection: Connection, visit: Visit) -> Response:
        entered.set()
        assert gate.wait(30)
        return save(connection, visit)

    monkeypatch.setattr(board_app, "save", slow_save)
    cookie = "; ".join(f"{c.name}={c.value}" for c in ann.client.cookies.jar)
    body = urlencode(page.form.filled(message="gone")).encode()
    headers = {"cookie": cookie, "origin": ann.url.rstrip("/"), "sec_fetch_site": "same-origin"}
    with socket.create_connection(("127.0.0.1", board.port)) as peer:
        peer.sendall(request("POST", page.form.action, board.port, body, **headers))
        assert entered.wait(30)
    ask(board.port, "GET", "/m/1")  # whatever was on the wire before has been read
    gate.set()
    until(lambda: board.messages("gone") == 1, "the message is stored")
    answers = [ann.submit(page, message="gone") for _ in range(2)]
    assert answers[0].headers["location"] == answers[1].headers["location"]
    assert ann.follow(answers[0]).said == [POSTED]
    assert board.messages() == 1


# A view that fails -------------------------------------------------------------------------------


def test_a_view_that_raises_after_its_insert_leaves_nothing(
    board: Hosted, ann: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """500 with a friendly page, no row, no message, no name kept; the token is free afterwards."""
    page, save = ann.get(), board_app.save

    def failing(connection: Connection, visit: Visit) -> Response:
        save(connection, visit)
        raise ZeroDivisionError("a mistake after the insert")

    with monkeypatch.context() as patch:
        patch.setattr(board_app, "save", failing)
        for _ in range(2):
            failed = Page(ann.submit(page, message="hello", name="Ann"))
            assert failed.status == 500
            no_secrets(failed.source)
            assert "ZeroDivision" not in failed.source and "mistake" not in failed.source
            assert failed.title.startswith("Message Board")
    assert board.messages() == 0
    assert rows(board.database, "so_ledger") == 0
    board.clock.advance(6)  # now an orphaned message would be shown
    nothing = ann.get()
    assert nothing.said == [] and nothing.form.fields["name"] == ""
    assert rows(board.database, "so_receipt") == rows(board.database, "so_session") == 0
    assert ann.follow(ann.submit(page, message="hello", name="Ann")).said == [POSTED]
    assert board.messages() == 1


def test_a_failing_statement_is_the_views_own_affair(
    board: Hosted, ann: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broken constraint inside the view rolls back and is a 500, not "try again"."""
    page, save = ann.get(), board_app.save

    def violating(connection: Connection, visit: Visit) -> Response:
        answer = save(connection, visit)
        connection.exec_driver_sql("INSERT INTO message(id, text, posted_at) VALUES(1, 'x', 0)")
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(board_app, "save", violating)
        failed = ann.submit(page, message="hello")
    assert failed.status_code == 500
    no_secrets(failed.text)
    assert board.messages() == 0
    assert ann.follow(ann.submit(page, message="hello")).said == [POSTED]


def test_a_view_that_commits_by_itself_is_stopped(
    board: Hosted, ann: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit inside the view would publish the effect without its ledger row: 500, no row."""
    page, save = ann.get(), board_app.save

    def committing(connection: Connection, visit: Visit) -> Response:
        answer = save(connection, visit)
        connection.commit()
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(board_app, "save", committing)
        assert ann.submit(page, message="hello").status_code == 500
    assert board.messages() == 0
    assert ann.follow(ann.submit(page, message="hello")).said == [POSTED]
    assert board.messages() == 1
