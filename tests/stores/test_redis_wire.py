"""Questions and answers of Redis as bytes, and the connections they go over."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis
from redis.exceptions import InvalidResponse, ResponseError

from seeother.core.ops import Lookup, Unknown
from seeother.errors import StoreDown
from seeother.stores.redis import RedisStore, _Process
from seeother.stores.redis_wire import Wires, _answer, evalsha, packed
from seeother.testing.harness import PATIENCE, key, named, together
from tests.servers.redis import address

values = st.recursive(
    st.none() | st.integers(-(2**63), 2**63 - 1) | st.binary(max_size=40),
    lambda inner: st.lists(inner, max_size=5),
    max_leaves=20,
)


def encoded(value: Any) -> bytes:
    """As a server writes it."""
    if value is None:
        return b"$-1\r\n"
    if isinstance(value, int):
        return b":%d\r\n" % value
    if isinstance(value, bytes):
        return b"$%d\r\n%b\r\n" % (len(value), value)
    return b"*%d\r\n" % len(value) + b"".join(map(encoded, value))


class Pieces:
    """A socket that has these bytes, in packets of these sizes."""

    def __init__(self, data: bytes, sizes: list[int]) -> None:
        self._data, self._sizes = data, iter(sizes)

    def recv(self, most: int) -> bytes:
        """The next packet."""
        size = min(most, next(self._sizes, most))
        piece, self._data = self._data[:size], self._data[size:]
        return piece


@given(value=values, sizes=st.lists(st.integers(1, 9), max_size=60))
def test_any_answer_in_any_packets(value: Any, sizes: list[int]) -> None:
    """What was written is read, wherever the network cuts it."""
    source: Any = Pieces(encoded(value), sizes)
    assert _answer(source) == value


def test_an_answer_of_many_packets(store: RedisStore) -> None:
    """Three megabytes, from a real server."""
    large = b"\r\n$5\r\n" * 500_000
    store.client.set("large", large)
    script = "return {redis.call('GET', KEYS[1]), 7, {}}"
    digest: Any = store.client.script_load(script)
    reply = store.here().wires.ask(evalsha(digest, ["large"], (), []))
    assert reply == [large, 7, []]


@given(words=st.lists(st.binary(max_size=20) | st.text(max_size=9) | st.integers() | st.floats()))
def test_any_words_arrive(words: list[Any]) -> None:
    """Numbers as Python writes them, text as UTF-8 (surrogates are no text)."""
    try:
        sent = [one if isinstance(one, bytes) else str(one).encode() for one in words]
    except UnicodeEncodeError:
        return
    source: Any = Pieces(b"*%d\r\n" % len(words) + packed(words), [])
    assert _answer(source) == sent


@pytest.mark.parametrize("said", [b"+OK\r\n", b"%1\r\n", b"hello\r\n"])
def test_what_is_no_answer(said: bytes) -> None:
    """Another protocol, or a stream that is out of step: an error, not a guess."""
    source: Any = Pieces(said, [])
    with pytest.raises(InvalidResponse):
        _answer(source)


@pytest.fixture
def store() -> Iterator[RedisStore]:
    """A store on a real server."""
    made = RedisStore.from_url(address())
    yield made
    made.shut()


def test_an_error_leaves_the_connection_as_it_is(store: RedisStore) -> None:
    """It is an answer like any other: the next question goes over the same connection."""
    wires = store.here().wires
    before = [wire._socket for wire in wires._idle]
    digest: Any = store.client.script_load("return redis.call('NONSENSE')")
    with pytest.raises(ResponseError):
        wires.ask(evalsha(digest, [], (), []))
    assert store.lookup(Lookup(key(), named("input"), PATIENCE)) == Unknown()
    assert [wire._socket for wire in wires._idle] == before


def test_no_answer_gets_into_another_question(store: RedisStore) -> None:
    """Sixteen threads at once: each gets the answer to its own question, over and over."""
    digest: Any = store.client.script_load("return ARGV[1]")
    wires = store.here().wires

    def asked(who: int) -> None:
        for n in range(200):
            word = f"{who}-{n}".encode()
            assert wires.ask(evalsha(digest, [], (), [word])) == word

    together(asked, range(16))
    assert 1 <= len(wires._idle) <= 17


@contextmanager
def server(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that accepts one connection after the other, and a store's URL for it."""

    def run() -> None:
        try:
            while True:
                client, _ = listening.accept()
                with client:
                    serve(client)
        except OSError:
            return

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=run)
        thread.start()
        yield f"redis://127.0.0.1:{listening.getsockname()[1]}/0?socket_timeout=0.05"
        listening.shutdown(socket.SHUT_RDWR)
    thread.join()


def silent(client: socket.socket) -> None:
    """Takes everything, says nothing to a script, and +OK to what redis-py introduces itself by."""
    while data := client.recv(1 << 16):
        if b"EVALSHA" not in data:
            client.sendall(b"+OK\r\n" * data.count(b"*"))


def rude(client: socket.socket) -> None:
    """Hangs up when a script is called."""
    while data := client.recv(1 << 16):
        if b"EVALSHA" in data:
            return
        client.sendall(b"+OK\r\n" * data.count(b"*"))


@pytest.mark.parametrize(("serve", "why"), [(silent, "no answer in time"), (rude, "closed by")])
def test_a_question_without_an_answer(serve: Any, why: str) -> None:
    """Its connection is given up at once, so that a late answer reaches nobody; it is StoreDown."""
    with server(serve) as url:
        store = RedisStore.from_url(url)
        process = client_only(store)
        with pytest.raises(StoreDown, match=why):
            store.call("lookup", ["k"], [])
        (wire,) = process._idle
        assert wire._socket is None
        store.shut()


def client_only(store: RedisStore) -> Wires:
    """The store's connections, without the questions that it asks at the start."""
    kind: Any = Redis
    client = kind.from_url(store.url, protocol=2)
    store._process = _Process(os.getpid(), client, Wires(client))
    return store._process.wires


class Interrupted(BaseException):
    """As Ctrl-C, in the middle of a question."""


def test_an_interrupted_question(store: RedisStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its answer is still under way, so the connection is given up; the next one is new."""
    digest: Any = store.client.script_load("return ARGV[1]")
    wires = store.here().wires
    wires.ask(evalsha(digest, [], (), ["one"]))

    def interrupted(_source: socket.socket) -> Any:
        raise Interrupted

    monkeypatch.setattr("seeother.stores.redis_wire._answer", interrupted)
    with pytest.raises(Interrupted):
        wires.ask(evalsha(digest, [], (), ["two"]))
    monkeypatch.undo()
    assert wires.ask(evalsha(digest, [], (), ["three"])) == b"three"
