"""HTTP/1.1 with one request per connection, as little of it as people and the proxy need."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

END: Final = b"\r\n\r\n"
DICE: Final = "x-dice"
PATIENCE: Final = 60.0


class Lost(Exception):
    """No whole answer came: whether the request arrived, nobody here knows."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def location(self) -> str:
        """Where it leads, without the origin; empty where it leads nowhere."""
        found = self.all("location")
        return found[0] if found else ""

    @property
    def text(self) -> str:
        """The body."""
        return self.body.decode("utf-8", "replace")

    def all(self, name: str) -> list[str]:
        """Every value of a header field."""
        return [value for key, value in self.headers if key == name]


def request(method: str, target: str, lines: dict[str, str], body: bytes = b"") -> bytes:
    """The bytes of a request whose connection is closed after the answer."""
    given = {**lines, "connection": "close"}
    if method == "POST":
        given |= {
            "content-type": "application/x-www-form-urlencoded",
            "content-length": str(len(body)),
        }
    head = "\r\n".join([f"{method} {target} HTTP/1.1", *(f"{k}: {v}" for k, v in given.items())])
    return head.encode("latin-1") + END + body


def answer(raw: bytes) -> Answer:
    """The answer in these bytes. Raises Lost where its end is missing."""
    head, end, body = raw.partition(END)
    first, *lines = head.decode("latin-1").split("\r\n")
    if not end or not first.startswith("HTTP/1."):
        raise Lost("no head")
    pairs = (line.partition(":") for line in lines)
    headers = tuple((name.lower(), value.strip()) for name, _, value in pairs)
    found = dict(headers)
    if found.get("transfer-encoding") == "chunked":
        body = _chunks(body)
    elif len(body) < int(found.get("content-length", 0)):
        raise Lost("half a body")
    return Answer(int(first.split()[1]), headers, body)


def _chunks(body: bytes) -> bytes:
    parts: list[bytes] = []
    while True:
        size, end, body = body.partition(b"\r\n")
        if not end:
            raise Lost("half a chunk")
        if int(size, 16) == 0:
            return b"".join(parts)
        parts.append(body[: int(size, 16)])
        body = body[int(size, 16) + 2 :]


async def whole(reader: asyncio.StreamReader) -> bytes:
    """One request: its head, and as much body as it says."""
    head = await reader.readuntil(END)
    for line in head.decode("latin-1").split("\r\n"):
        name, _, value = line.partition(":")
        if name.lower() == "content-length":
            return head + await reader.readexactly(int(value))
    return head


async def ask(port: int, raw: bytes) -> bytes:
    """Send these bytes, and read until the other side ends; "" where it does not answer at all."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(raw)
        await writer.drain()
        return await asyncio.wait_for(reader.read(-1), PATIENCE)
    finally:
        writer.close()


async def sent(port: int, raw: bytes) -> Answer:
    """Send these bytes and read the answer. Raises Lost."""
    try:
        return answer(await ask(port, raw))
    except (OSError, TimeoutError) as error:
        raise Lost(str(error)) from error
