"""The board's connections to PostgreSQL: what they cost, and what becomes of dead ones."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from psycopg.pq import TransactionStatus
from sqlalchemy import Connection

from seeother.apps.board.database import open_engine, reader
from seeother.apps.board.messages import newest
from tests.board.hosted import Hosted
from tests.board.visitor import Visitor
from tests.browser.polling import until

if TYPE_CHECKING:
    from tests.servers.postgres import Postgres


def status(connection: Connection) -> TransactionStatus:
    """Is a transaction open on the server?"""
    raw: Any = connection.connection.dbapi_connection
    found: TransactionStatus = raw.info.transaction_status
    return found


def test_a_page_opens_no_transaction(postgres: "Postgres") -> None:
    """Reading is one statement without BEGIN and ROLLBACK, and leaves the connection as it was."""
    engine = open_engine(postgres.fresh())
    for _ in range(2):
        with reader(engine).connect() as connection:
            assert newest(connection).items == ()
            assert status(connection) == TransactionStatus.IDLE
        with engine.connect() as connection:
            assert newest(connection).items == ()
            assert status(connection) == TransactionStatus.INTRANS
    engine.dispose()


def test_connections_that_the_server_ended_cost_nobody_a_page(
    tmp_path: Path, postgres: "Postgres"
) -> None:
    """An administrator, or a restart, ends every connection that waits: the next page is a page
    and the next submission is accepted, without anybody seeing an error.
    """
    url = postgres.fresh() + "&application_name=mortal"
    ending = (
        "SELECT count(pg_terminate_backend(pid, 20000)) FROM pg_stat_activity"
        " WHERE application_name='mortal'"
    )
    with Hosted(tmp_path, url) as board, Visitor(board.url) as ann:
        page = ann.say("one")
        for number in range(3):
            assert postgres.run(ending)[0][0] > 0
            assert ann.get().status == 200
            assert postgres.run(ending)[0][0] > 0
            assert ann.submit(page, message=f"after {number}").status_code == 303
        assert board.messages() == 4


def test_no_connection_is_left_behind(tmp_path: Path, postgres: "Postgres") -> None:
    """Whoever ends the board ends its connections with it."""
    url = postgres.fresh() + "&application_name=leaving"
    asking = "SELECT count(*) FROM pg_stat_activity WHERE application_name='leaving'"
    with Hosted(tmp_path, url) as board, Visitor(board.url) as ann:
        ann.say("one")
        assert postgres.run(asking)[0][0] > 0
    until(lambda: postgres.run(asking)[0][0] == 0, "the server knows of none")
