"""A line between PostgreSQL's clients and its server: one that falls silent, or one with TLS.

Both ends stay open when it falls silent, and nothing arrives any more: what a firewall does that
has forgotten a connection, or a host that lost its power. With a certificate it does for a server
that was built without TLS what TLS terminators do: it answers the request for TLS itself
(https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SSL) and hands on what was
inside.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from asyncio import StreamReader, StreamWriter
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

WANTS_TLS: Final = bytes.fromhex("0000000804d2162f")
CHUNK: Final = 65_536


class Line:
    """A port of loopback that leads to another one."""

    def __init__(self, to: int, tls: ssl.SSLContext | None = None) -> None:
        self._to, self._tls = to, tls
        self._open: set[StreamWriter] = set()
        self._dead: set[StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self.secured = 0  # how many connections asked for TLS and got it

    def __enter__(self) -> Self:
        self._thread.start()
        starting = asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(starting, self._loop).result()
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    def fall_silent(self) -> None:
        """Whoever is connected now hears nothing any more; who comes later is served."""
        self._dead.update(self._open)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        if self._tls is not None:
            if await reader.readexactly(len(WANTS_TLS)) != WANTS_TLS:
                writer.close()
                return
            writer.write(b"S")
            await writer.start_tls(self._tls)
            self.secured += 1
        answers, server = await asyncio.open_connection("127.0.0.1", self._to)
        both = {writer, server}
        self._open |= both
        try:
            await asyncio.gather(self._pump(reader, server), self._pump(answers, writer))
        finally:
            self._open -= both
            for end in both:
                end.close()

    async def _pump(self, source: StreamReader, sink: StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(CHUNK):
                if sink not in self._dead:
                    sink.write(data)
                    await sink.drain()
        if sink not in self._dead:
            with suppress(OSError):
                sink.close()  # the end of one is the end of both
