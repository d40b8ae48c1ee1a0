"""How the board starts on PostgreSQL: its key, its table, and what may be wrong with a database.

As on a file: whatever goes wrong is one clear sentence, never a traceback, and no password of a URL
is repeated. That the sentence of an error becomes the only line is test_start.py's; here it is
asked of one command and otherwise where it is made, because a process costs a second.
"""

import signal
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from starlette.testclient import TestClient

from seeother.apps.board import serve
from seeother.apps.board.database import open_engine
from seeother.errors import SeeOtherError
from tests.board.nodes import messages
from tests.board.test_start import blocked, one_sentence, run
from tests.board.wire import ask, post
from tests.browser.server import Server, free_port

if TYPE_CHECKING:
    from tests.servers.postgres import Postgres

PASSWORD = "correct-horse"


def refused(tmp_path: Path, url: str, *words: str) -> None:
    """The board does not start on this database, and says so in one line with these words."""
    with pytest.raises(SeeOtherError) as caught:
        serve.build(serve.Config(db=url, secret_file=str(tmp_path / "key")))
    said = caught.value.detail or caught.value.hint
    assert "\n" not in said
    for word in words:
        assert word in said, said


def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    """Nobody listens: one sentence with the port, exit code 2, and no password in it."""
    port = str(free_port())
    url = f"postgresql://ann:{PASSWORD}@127.0.0.1:{port}/board"
    ended = run("board", "--db", url, "--port", "0", cwd=tmp_path)
    one_sentence(ended, port, "--db")
    assert PASSWORD not in ended[1]


def test_the_extra_is_named() -> None:
    """The board is installed, psycopg is not."""
    ended = run("board", "--db", "postgresql://h/d", "--port", "0", code=blocked("psycopg"))
    one_sentence(ended, "pip install", "seeother[board,postgres]", "psycopg")


def test_a_database_that_is_not_there_is_named(tmp_path: Path, postgres: "Postgres") -> None:
    """The server is there, the database is not."""
    there = urlsplit(postgres.url)
    refused(tmp_path, urlunsplit(there._replace(path="/nothing-here")), "nothing-here")


@pytest.mark.parametrize("url", ["postgresql://[", "postgresql://h/d?nonsense=1"])
def test_a_url_that_is_none_is_refused(tmp_path: Path, url: str) -> None:
    """A URL that nobody can read."""
    refused(tmp_path, url, "URL")


def test_a_database_without_every_character_is_refused(
    tmp_path: Path, postgres: "Postgres"
) -> None:
    """LATIN1 has no emoji: said at the start, not by an error page to whoever types the first."""
    postgres.run("CREATE DATABASE narrow ENCODING 'LATIN1' TEMPLATE template0")
    there = urlsplit(postgres.url)
    refused(tmp_path, urlunsplit(there._replace(path="/narrow")), "LATIN1", "UTF8")


def test_only_the_first_start_makes_tables(tmp_path: Path, postgres: "Postgres") -> None:
    """A user who may make none is told so; where they are already he needs no right to make them,
    and the messages of before stay.
    """
    url = postgres.fresh()
    schema = url.rpartition("%3D")[2]
    postgres.run("CREATE ROLE reader LOGIN")
    postgres.run(f"GRANT USAGE ON SCHEMA {schema} TO reader")
    theirs = url.replace("postgres@", "reader@", 1)
    refused(tmp_path, theirs, "ermission denied")
    open_engine(url).dispose()
    with psycopg.connect(url) as connection:
        connection.execute("INSERT INTO message(text, posted_at) VALUES('kept', 0)")
    for _ in range(2):
        open_engine(theirs).dispose()
    assert messages(url, "kept") == 1


def test_a_node_with_another_key_says_so(
    tmp_path: Path, postgres: "Postgres", caplog: pytest.LogCaptureFixture
) -> None:
    """Two nodes with different keys refuse each other's forms: the second one warns at its start,
    and the one with the same key does not.
    """
    url = postgres.fresh()
    for name, warned in (("a", False), ("a", False), ("b", True), ("b", False)):
        caplog.clear()
        config = serve.Config(db=url, secret_file=str(tmp_path / name))
        with TestClient(serve.build(config)):  # which ends it as a server does
            assert ("is not the key" in caplog.text) is warned


def test_the_first_start_of_all(tmp_path: Path, postgres: "Postgres") -> None:
    """`seeother demo --db postgresql://...` in an empty folder: the board's messages are in the
    database, the tour beside it keeps its own files below var/.

    Without `--secret-file` it makes var/board.key (0600) and says that a further node needs a copy
    of it, which such a node accepts (test_nodes.py).
    """
    url = postgres.fresh()
    command = [sys.executable, "-m", "seeother", "demo", "--db", url, "--port"]
    with Server(tmp_path, command) as demo:
        key = tmp_path / "var" / "board.key"
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        assert post(demo.port, {"message": "hello"}).status == 303
        assert ask(demo.port, "GET", "/tour/").status == 200
        assert messages(url, "hello") == 1
        assert (tmp_path / "var" / "tour").is_dir()
        assert demo.stop() in (0, -signal.SIGTERM)
    said = demo.log.read_text()
    assert "var/board.key" in said and "--secret-file" in said and "Traceback" not in said
