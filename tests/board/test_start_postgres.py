"""How the board starts on PostgreSQL: its key, its table, and what may be wrong with a database.

As on a file: whatever goes wrong is one clear sentence and exit code 2, never a traceback, and no
password of a URL is repeated.
"""

import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from tests.board.nodes import Node, messages
from tests.board.test_start import blocked, one_sentence, run
from tests.board.visitor import Visitor
from tests.board.wire import ask, post
from tests.browser.server import Server, free_port

if TYPE_CHECKING:
    from tests.servers.postgres import Postgres

PASSWORD = "correct-horse"


def refused(tmp_path: Path, url: str, *words: str) -> None:
    """The board does not start on this database, and says these words."""
    ended = run("board", "--db", url, "--port", "0", cwd=tmp_path)
    one_sentence(ended, *words)
    assert PASSWORD not in ended[1]


def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    """Nobody listens: the sentence has host and port as psycopg says them, and no password."""
    port = str(free_port())
    refused(tmp_path, f"postgresql://ann:{PASSWORD}@127.0.0.1:{port}/board", port, "--db")


def test_a_database_that_is_not_there_is_named(tmp_path: Path, postgres: "Postgres") -> None:
    """The server is there, the database is not."""
    there = urlsplit(postgres.url)
    refused(tmp_path, urlunsplit(there._replace(path="/nothing-here")), "nothing-here")


@pytest.mark.parametrize("url", ["postgresql://[", "postgresql://h/d?nonsense=1"])
def test_no_url_is_explained(tmp_path: Path, url: str) -> None:
    """A URL that libpq cannot read."""
    refused(tmp_path, url)


def test_a_database_without_every_character_is_refused(
    tmp_path: Path, postgres: "Postgres"
) -> None:
    """LATIN1 has no emoji: said at the start, not by an error page to whoever types the first."""
    postgres.run("CREATE DATABASE narrow ENCODING 'LATIN1' TEMPLATE template0")
    there = urlsplit(postgres.url)
    refused(tmp_path, urlunsplit(there._replace(path="/narrow")), "LATIN1", "UTF8")


def test_a_user_who_may_make_no_table_is_told(tmp_path: Path, postgres: "Postgres") -> None:
    """Permission denied is the database's own sentence."""
    postgres.run("CREATE ROLE reader LOGIN")
    url = postgres.fresh().replace("postgres@", "reader@", 1)
    refused(tmp_path, url, "ermission denied")


def test_the_extra_is_named() -> None:
    """The board is installed, psycopg is not."""
    ended = run("board", "--db", "postgresql://h/d", "--port", "0", code=blocked("psycopg"))
    one_sentence(ended, "pip install", "seeother[board,postgres]", "psycopg")


def test_the_key_stands_below_var_and_others_need_it(tmp_path: Path, postgres: "Postgres") -> None:
    """Without `--secret-file` the first start makes var/board.key (0600) and says that a further
    node needs a copy of it. With a copy a form of the one node is accepted by the other.
    """
    url = postgres.fresh()
    first = _plain(tmp_path, "board", "--db", url)
    with first, Visitor(first.url) as ann:
        key = tmp_path / "var" / "board.key"
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        said = first.log.read_text()
        assert "var/board.key" in said and "--secret-file" in said
        page = ann.get()
    other = tmp_path / "other"
    other.mkdir()
    copied = other / "secret"
    copied.write_bytes(key.read_bytes())
    copied.chmod(0o600)
    with Node(other, url) as node, Visitor(node.url) as also:
        also.client.cookies = ann.client.cookies
        answer = also.submit(page, message="from there to here")
        assert answer.status_code == 303 and node.messages("from there to here") == 1
        assert "Key file" not in node.log.read_text()


def test_the_demo_has_its_board_there(tmp_path: Path, postgres: "Postgres") -> None:
    """`seeother demo --db postgresql://...`: the board's messages are in the database, the tour is
    served beside it and keeps its own files below var/.
    """
    url = postgres.fresh()
    with _plain(tmp_path, "demo", "--db", url) as demo:
        assert post(demo.port, {"message": "hello"}).status == 303
        assert ask(demo.port, "GET", "/tour/").status == 200
        assert messages(url, "hello") == 1
        assert (tmp_path / "var" / "tour").is_dir()
        assert demo.stop() in (0, -signal.SIGTERM)
    assert "Traceback" not in demo.log.read_text()


def test_a_table_from_before_is_kept(postgres: "Postgres") -> None:
    """A start on a database with messages, by a user who may not make tables, leaves them there."""
    url = postgres.fresh()
    script = (
        "import sys; from seeother.apps.board.database import open_engine;"
        "open_engine(sys.argv[1]).dispose()"
    )
    for number in range(2):
        subprocess.run([sys.executable, "-c", script, url], check=True)
        with psycopg.connect(url) as connection:
            connection.execute("INSERT INTO message(text, posted_at) VALUES('kept', 0)")
        assert messages(url, "kept") == number + 1


def _plain(folder: Path, *words: str) -> Server:
    """A command as somebody types it, in a folder of his own."""
    return Server(folder, [sys.executable, "-m", "seeother", *words, "--port"])
