"""One question, one answer: calls of scripts as bytes, on connections that redis-py has made.

A call of a script through a whole client passes its pool, its retries, its telemetry, an encoder of
any value and a parser of any reply; that takes longer than the way to a server on the same machine
and back. Nothing of it is needed here. A question is one array of bulk strings, an answer is
integers, bulk strings and arrays of them, or an error (RESP 2, https://redis.io/docs/latest/
develop/reference/protocol-spec/), and nothing is ever asked twice. What must not be written twice
stays redis-py's: URLs, connecting, TLS, AUTH, timeouts, and the errors.

A connection is in the hands of one thread at a time. One that was closed while it was idle is
noticed before anything is sent on it: a question without an answer may have been heard.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

from redis import Redis
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import InvalidResponse, NoScriptError, ResponseError
from redis.exceptions import TimeoutError as NoAnswer

from .redis_words import Word, Words

CHUNK: Final = 1 << 16
LINE: Final = b"\r\n"


class Wires:
    """The connections of one process to a server; as many as there were questions at once."""

    def __init__(self, client: Redis) -> None:
        self._pool: Any = client.connection_pool
        self._idle: list[_Wire] = []

    def ask(self, message: bytes) -> Any:
        """Send one command, and wait for its answer. Raises redis-py's errors."""
        try:
            wire = self._idle.pop()
        except IndexError:
            wire = _Wire(self._pool.make_connection())
        try:
            reply = wire.ask(message)
        finally:
            self._idle.append(wire)
        if isinstance(reply, ResponseError):
            raise reply
        return reply

    def shut(self) -> None:
        """Close them all."""
        while self._idle:
            self._idle.pop().close()


class _Wire:
    """A connection; it connects with its first question, and anew after one that got no answer."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._socket: socket.socket | None = None
        self._poll = select.poll()

    def ask(self, message: bytes) -> Any:
        try:
            open_ = self._ready()
            open_.sendall(message)
            return _answer(open_)
        except TimeoutError as error:
            self.close()
            raise NoAnswer("no answer in time") from error
        except OSError as error:
            self.close()
            raise NoConnection(str(error)) from error
        except BaseException:  # the answer is still under way
            self.close()
            raise

    def _ready(self) -> socket.socket:
        """Its socket, with nothing to read: where nothing was asked, that is the end of it."""
        if self._socket is not None and self._poll.poll(0):
            self.close()
        if self._socket is None:
            self._connection.connect()
            # The one thing here that redis-py does not promise; its own parsers take it, too.
            connected: socket.socket = self._connection._sock  # noqa: SLF001
            self._poll.register(connected, select.POLLIN)
            self._socket = connected
        return self._socket

    def close(self) -> None:
        """The next question gets a new connection."""
        if self._socket is not None:
            self._poll.unregister(self._socket)
            self._socket = None
        self._connection.disconnect()


# Words ------------------------------------------------------------------------------------------


def evalsha(digest: str, keys: Words, head: tuple[Word, ...], words: Words) -> bytes:
    r"""The call of a script; `head` are those first arguments that are always the same.

    >>> evalsha("d16e57", ["k"], ("", 9.5), [b"\xff"])
    b'*7\r\n$7\r\nEVALSHA\r\n$6\r\nd16e57\r\n$1\r\n1\r\n$1\r\nk\r\n$0\r\n\r\n$3\r\n9.5\r\n$1\r\n\xff\r\n'
    """
    count = 3 + len(keys) + len(head) + len(words)
    called, same = _called(digest, len(keys)), _same(head)
    return b"".join((b"*%d\r\n" % count, called, packed(keys), same, packed(words)))


def packed(words: Iterable[Word]) -> bytes:
    """Words one after the other, each with its length before it."""
    every = [word if type(word) is bytes else str(word).encode() for word in words]
    return b"".join([b"$%d\r\n%b\r\n" % (len(word), word) for word in every])


@lru_cache(maxsize=256)
def _called(digest: str, keys: int) -> bytes:
    return packed(("EVALSHA", digest, keys))


@lru_cache(maxsize=64)
def _same(head: tuple[Word, ...]) -> bytes:
    return packed(head)


# Answers ----------------------------------------------------------------------------------------


class _Short(Exception):
    """There is more of it to come."""


def _answer(source: socket.socket) -> Any:
    """What comes, as one value; an error is a value, too."""
    data = b""
    while True:
        more = source.recv(CHUNK)
        if not more:
            raise NoConnection("closed by the server")
        data += more
        try:
            return read(data)[0]
        except _Short:
            continue


def read(data: bytes, at: int = 0) -> tuple[Any, int]:
    r"""The value that begins at a place, and where it ends.

    >>> read(b"*3\r\n$7\r\nGranted\r\n:1\r\n$-1\r\n")
    ([b'Granted', 1, None], 26)
    """
    end = data.find(LINE, at)
    if end < 0:
        raise _Short
    kind, line, at = data[at : at + 1], data[at + 1 : end], end + 2
    if kind == b"$":
        return _bulk(data, at, int(line))
    if kind == b"*":
        many: list[Any] = []
        for _ in range(int(line)):
            one, at = read(data, at)
            many.append(one)
        return many, at
    if kind == b":":
        return int(line), at
    if kind == b"-":
        return _error(line.decode("utf-8", "replace")), at
    raise InvalidResponse(f"{kind + line!r} is no answer to a script")


def _bulk(data: bytes, at: int, length: int) -> tuple[bytes | None, int]:
    if length < 0:
        return None, at
    end = at + length
    if len(data) < end + 2:
        raise _Short
    return data[at:end], end + 2


def _error(text: str) -> ResponseError:
    return (NoScriptError if text.startswith("NOSCRIPT") else ResponseError)(text)
