"""One HTTP request on a connection of its own: sent, then answered, or left unanswered.

Sending and waiting are two steps, so two requests are under way at once without a thread, and a
browser that goes away closes the connection where it likes.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import h11

HOST: Final = "127.0.0.1"
PATIENCE: Final = 60.0  # seconds; where a broken run ends
LARGEST_HEAD: Final = 1 << 20  # a message in a cookie may be large
PIECE: Final = 1 << 16

Fields = Sequence[tuple[str, str]]


class Cut(Exception):
    """The connection ended before the answer did."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, header fields in their order with names in lower case, and the text."""

    status: int
    fields: tuple[tuple[str, str], ...]
    text: str

    def header(self, name: str) -> str | None:
        """The first value of a field."""
        return next((value for key, value in self.fields if key == name), None)


class Exchange:
    """A request that is on its way."""

    def __init__(self, port: int, method: str, target: str, fields: Fields, body: bytes) -> None:
        self._wire = h11.Connection(h11.CLIENT, max_incomplete_event_size=LARGEST_HEAD)
        head = h11.Request(
            method=method,
            target=target,
            headers=[("Host", f"{HOST}:{port}"), ("Connection", "close"), *fields],
        )
        parts = [self._wire.send(head)]
        if body:
            parts.append(self._wire.send(h11.Data(body)))
        parts.append(self._wire.send(h11.EndOfMessage()))
        self._socket = socket.create_connection((HOST, port), PATIENCE)
        self._socket.sendall(b"".join(part or b"" for part in parts))

    def answer(self) -> Answer:
        """Wait for the whole answer. Raises Cut."""
        response, body = None, bytearray()
        with self._socket:
            while not isinstance(event := self._next(), h11.EndOfMessage):
                if isinstance(event, h11.Response):
                    response = event
                elif isinstance(event, h11.Data):
                    body += event.data
        assert response is not None
        fields = tuple((k.decode(), v.decode("latin-1")) for k, v in response.headers)
        return Answer(response.status_code, fields, body.decode("utf-8", "replace"))

    def leave(self) -> None:
        """Close the connection, whatever the server does."""
        self._socket.close()

    def _next(self) -> object:
        try:
            while (event := self._wire.next_event()) is h11.NEED_DATA:
                self._wire.receive_data(self._socket.recv(PIECE))
        except (h11.RemoteProtocolError, ConnectionError) as error:
            raise Cut(str(error)) from error
        if isinstance(event, h11.ConnectionClosed):
            raise Cut("no answer")
        return event
