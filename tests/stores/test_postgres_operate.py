"""What operators ask of a ledger on PostgreSQL: `seeother ledger ...` and `seeother doctor`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from click.testing import CliRunner, Result

from seeother.core.ops import Close, Doubt, Granted, Open, Settle
from seeother.errors import StoreDown
from seeother.operate import doctor, ledger
from seeother.stores import pg_connect, pg_inspect, pg_schema
from seeother.stores.inspect import forget, look_at
from seeother.stores.postgres import PostgresStore
from seeother.testing.harness import ANN, claim, key, named, outcome, receipt, write

if TYPE_CHECKING:
    from tests.servers.postgres import Postgres


@pytest.fixture
def store(postgres: "Postgres") -> Iterator[PostgresStore]:
    """One settled submission with a message and a draft, and one in doubt."""
    made = PostgresStore(postgres.fresh())
    now = made.clock()
    for name in ("done", "doubt"):
        mine = claim(key(name, issued=now))
        grant = made.claim(mine)
        assert isinstance(grant, Granted)
        if name == "doubt":
            made.doubt(Doubt(mine.key, grant))
        else:
            left = receipt("receipt", "saved", draft=b"sealed")
            made.settle(Settle(mine.key, grant, mine.fingerprint, outcome(), left))
    yield made
    made.shut()


def run(command: Any, *args: str) -> Result:
    """A command as typed."""
    return CliRunner().invoke(command, args)


def test_stats(store: PostgresStore) -> None:
    """How much there is of what."""
    said = run(ledger, "stats", "--store", store.url)
    assert said.exit_code == 0, said.output
    assert "settled 1  claimed 0  in doubt 1" in said.output
    assert "receipts 1 (1 with a message that waits, 6 bytes of drafts)" in said.output


def test_a_doubt_is_listed_and_ended(store: PostgresStore) -> None:
    """By the beginning of its name; afterwards there is none."""
    listed = run(ledger, "doubts", "--store", store.url)
    assert listed.exit_code == 1
    name = listed.output.split()[0]
    ended = run(ledger, "resolve", name, "--did-not-happen", "--store", store.url)
    assert (ended.exit_code, ended.output) == (0, f"resolved {name}\n")
    assert run(ledger, "doubts", "--store", store.url).exit_code == 0


def test_verify_finds_what_is_broken(store: PostgresStore) -> None:
    """Sound, until somebody writes into the tables."""
    assert run(ledger, "verify", "--store", store.url).exit_code == 0
    with psycopg.connect(store.url) as connection:
        connection.execute("UPDATE so_ledger SET outcome='no outcome' WHERE state='settled'")
        connection.execute("UPDATE so_receipt SET messages='nothing'")
    said = run(ledger, "verify", "--store", store.url)
    assert said.exit_code == 1
    assert "LOOK  rows without a sound outcome: 1" in said.output
    assert "LOOK  receipts that cannot be read: 1" in said.output


def test_what_cannot_be_read_is_said(store: PostgresStore) -> None:
    """A table that somebody dropped: a finding about it, and the others are looked at."""
    with psycopg.connect(store.url) as connection:
        connection.execute("DROP TABLE so_draft CASCADE")
    said = run(ledger, "verify", "--store", store.url)
    assert said.exit_code == 1
    assert "LOOK  drafts: UndefinedTable" in said.output


def test_the_doctor_looks_around(store: PostgresStore) -> None:
    """The server, its durability, what stands between, the doubt."""
    said = run(doctor, "--store", store.url)
    assert said.exit_code == 1
    for text in (
        "PostgreSQL 18",
        "connected to the server itself",
        "ok    synchronous_commit on",
        "LOOK  fsync is off",
        "rows are kept for 24.2 h",
        "LOOK  1 submissions in doubt; see: ",
    ):
        assert text in said.output


def test_a_visitor_is_forgotten(store: PostgresStore) -> None:
    """What is kept of one goes, with its drafts; the ledger's rows stay."""
    opened = look_at(store.url)
    assert forget(opened, ANN, None) == 1
    opened.shut()
    with store.reading() as work:
        assert (work.drafts(), len(work.run("SELECT 1 FROM so_ledger"))) == (0, 2)


def test_no_ledger_is_one_sentence_and_makes_none(postgres: "Postgres") -> None:
    """An operator creates nothing."""
    url = postgres.fresh()
    said = run(ledger, "stats", "--store", url)
    assert said.exit_code == 2
    assert "no ledger" in said.output
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT to_regclass('so_meta')").fetchone() == (None,)


def test_an_older_ledger_is_brought_along(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next version has one step more: the first worker takes it, and rows stay as they are."""
    newer = (*pg_schema.STEPS, "ALTER TABLE so_ledger ADD COLUMN note text")
    monkeypatch.setattr(pg_schema, "STEPS", newer)
    with pytest.raises(StoreDown, match="schema 1"):
        look_at(store.url)
    later = PostgresStore(store.url)
    with later.reading() as work:
        assert len(work.run("SELECT note FROM so_ledger")) == 2
        assert pg_connect.version(work.wire.raw) == 2
    later.shut()


def test_a_newer_ledger_is_left_alone(store: PostgresStore) -> None:
    """Of a version that this seeother does not know: StoreDown, nothing written."""
    with psycopg.connect(store.url) as connection:
        connection.execute("UPDATE so_meta SET value='99' WHERE name='schema'")
    with pytest.raises(StoreDown, match="99"):
        PostgresStore(store.url).prepare()


def test_purge_deletes_only_what_is_too_old(store: PostgresStore, postgres: "Postgres") -> None:
    """What is young stays; what no app accepts any more goes, whatever the operator's limits."""
    store.claim(claim(key("ancient", issued=1_000_000.0)))
    said = run(ledger, "purge", "--store", store.url)
    assert (said.exit_code, said.output) == (0, "1 rows and receipts deleted\n")
    assert "settled 1  claimed 0  in doubt 1" in run(ledger, "stats", "--store", store.url).output


def test_a_session_is_ended_with_its_visitor(store: PostgresStore) -> None:
    """Both in one step."""
    store.close(Close(write(named("sid"), sets={"a": b"1"}, fresh=True)))
    opened = look_at(store.url)
    assert forget(opened, ANN, named("sid")) == 1
    opened.shut()
    assert store.open(Open(sid=named("sid"))).session is None


def test_a_transaction_that_was_left_open_is_said(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It keeps what has expired from being cleaned up."""
    monkeypatch.setattr(pg_inspect, "LONG", 0.0)
    with psycopg.connect(store.url) as connection:
        connection.execute("SELECT 1")
        said = run(doctor, "--store", store.url)
    assert "expired rows stay until it ends" in said.output
