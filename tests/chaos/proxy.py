"""The proxy: it forwards byte for byte, or breaks what goes by in one of a dozen ways.

Which one is decided by dice that the sender of a request names (the header `x-dice`, which goes no
further). So a request meets the same fate in every run with the same seed, however the machine
interleaves the others.

    async with Chaos(server.port, seed=1) as chaos:
        ... send to chaos.port ...
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from random import Random
from typing import Any, Final, Self

from .wire import DICE, PATIENCE, ask, whole

LINE: Final = re.compile(rb"\r\n" + DICE.encode() + rb": ([^\r]*)", re.IGNORECASE)
LINGER: Final = struct.pack("ii", 1, 0)  # close() sends RST
SLOW: Final = 0.08
Heard = Callable[[bytes, bytes], None]


class Chaos:
    """A proxy to 127.0.0.1:`upstream`; an async context manager.

    `heard(request, answer)` is told of every answer of the server, also of those that nobody gets.
    `calm` is the share of POSTs that pass; pages fare three times better.
    """

    def __init__(self, upstream: int, seed: int, heard: Heard, calm: float = 0.45) -> None:
        self.upstream, self.seed, self.calm = upstream, seed, calm
        self.fates: Counter[str] = Counter()
        self._heard = heard
        self._late: set[asyncio.Task[bytes]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=512)
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._server is not None
        self._server.close()
        await asyncio.gather(*self._late, return_exceptions=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
            raw = await asyncio.wait_for(whole(reader), PATIENCE)
            named = LINE.search(raw)
            dice = Random(f"{self.seed} {named[1].decode() if named else ''}")
            raw = LINE.sub(b"", raw, count=1)
            method = raw.partition(b" ")[0].decode()
            calm = self.calm if method == "POST" else 1 - (1 - self.calm) / 3
            fate = "pass" if dice.random() < calm else dice.choice(FATES[method])
            self.fates[fate] += 1
            await FATE[fate](self, raw, writer, dice)
        writer.close()

    async def _asked(self, raw: bytes) -> bytes:
        got = await ask(self.upstream, raw)
        self._heard(raw, got)
        return got

    async def _pass(self, raw: bytes, writer: asyncio.StreamWriter, _dice: Random) -> None:
        await _give(writer, await self._asked(raw))

    async def _lose_request(self, _raw: bytes, writer: asyncio.StreamWriter, dice: Random) -> None:
        """It never arrives; the sender sees an end, or a reset."""
        _end(writer, hard=dice.random() < 0.5)

    async def _cut_request(self, raw: bytes, writer: asyncio.StreamWriter, dice: Random) -> None:
        """A part of it arrives, and then the connection is over."""
        _, out = await asyncio.open_connection("127.0.0.1", self.upstream)
        body = raw.find(b"\r\n\r\n") + 4
        out.write(raw[: dice.randrange(body if body < len(raw) else 1, len(raw))])
        await out.drain()
        await asyncio.sleep(dice.uniform(0.0, SLOW))
        _end(out, hard=dice.random() < 0.5)
        _end(writer, hard=True)

    async def _leave(self, raw: bytes, writer: asyncio.StreamWriter, dice: Random) -> None:
        """All of it arrives, but nobody waits for the answer: the server may hear of it or not."""
        _, out = await asyncio.open_connection("127.0.0.1", self.upstream)
        out.write(raw)
        await out.drain()
        await asyncio.sleep(dice.choice((0.0, 0.002, 0.01)))
        _end(out, hard=dice.random() < 0.7)
        _end(writer, hard=dice.random() < 0.5)

    async def _lose_answer(self, raw: bytes, writer: asyncio.StreamWriter, dice: Random) -> None:
        """The server answers, and nothing of it arrives."""
        await self._asked(raw)
        _end(writer, hard=dice.random() < 0.5)

    async def _truncate(self, raw: bytes, writer: asyncio.StreamWriter, dice: Random) -> None:
        """A part of the answer arrives, then an end as if that were all."""
        got = await self._asked(raw)
        await _give(writer, got[: dice.randrange(1, max(2, len(got)))])

    async def _reset(self, raw: bytes, writer: asyncio.StreamWriter, dice: Random) -> None:
        """A part of the answer arrives, then a reset."""
        got = await self._asked(raw)
        await _give(writer, got[: dice.randrange(1, max(2, len(got)))])
        _end(writer, hard=True)

    async def _slow(self, raw: bytes, writer: asyncio.StreamWriter, dice: Random) -> None:
        """Everything arrives, late in both directions: others overtake it."""
        await asyncio.sleep(dice.uniform(0.0, SLOW))
        got = await self._asked(raw)
        await asyncio.sleep(dice.uniform(0.0, SLOW))
        await _give(writer, got)

    async def _twice(self, raw: bytes, writer: asyncio.StreamWriter, dice: Random) -> None:
        """It arrives twice at once; the sender gets one of the answers."""
        both = await asyncio.gather(self._asked(raw), self._asked(raw))
        await _give(writer, dice.choice(both))

    async def _again(self, raw: bytes, writer: asyncio.StreamWriter, dice: Random) -> None:
        """It is answered, and arrives once more a little later: nobody waits for that answer."""
        await _give(writer, await self._asked(raw))
        self._detach(self._later(raw, dice.uniform(0.0, 4 * SLOW)))

    async def _stray(self, raw: bytes, writer: asyncio.StreamWriter, dice: Random) -> None:
        """The sender is told that it is lost; it is only late, and comes after the next try."""
        _end(writer, hard=dice.random() < 0.5)
        self._detach(self._later(raw, dice.uniform(0.0, 4 * SLOW)))

    async def _later(self, raw: bytes, wait: float) -> bytes:
        await asyncio.sleep(wait)
        return await self._asked(raw)

    def _detach(self, work: Coroutine[Any, Any, bytes]) -> None:
        task = asyncio.ensure_future(work)
        self._late.add(task)


FATE: Final[dict[str, Any]] = {
    "pass": Chaos._pass,
    "request lost": Chaos._lose_request,
    "request cut": Chaos._cut_request,
    "sender left": Chaos._leave,
    "answer lost": Chaos._lose_answer,
    "answer truncated": Chaos._truncate,
    "answer reset": Chaos._reset,
    "late": Chaos._slow,
    "twice at once": Chaos._twice,
    "again later": Chaos._again,
    "lost, and late": Chaos._stray,
}
_ALL: Final = tuple(name for name in FATE if name != "pass")
FATES: Final = {"POST": _ALL, "GET": ("request lost", "answer lost", "answer truncated", "late")}


async def _give(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    await writer.drain()


def _end(writer: asyncio.StreamWriter, *, hard: bool) -> None:
    """Close; `hard` by RST, as a crashed machine or an impatient balancer does."""
    if hard:
        found: socket.socket = writer.get_extra_info("socket")
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)
        writer.transport.abort()
    else:
        writer.close()
