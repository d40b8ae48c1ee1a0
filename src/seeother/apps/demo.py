"""The demo: the board at `/` and the tour at `/tour/`, two apps in one process on one port.

Neither knows the other's code. The board is told where the tour is, to link there, and the tour
where the board is. All data stands in one folder: the board's database, and beside it `tour/`; with
the board on PostgreSQL it is `var/`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace

from ..channel import App, Message, Receive, Scope, Send
from .board import serve as board
from .board.history import History
from .tour import serve as tour


class Demo:
    """An ASGI app: what is below `/tour` goes to the tour, everything else to the board."""

    def __init__(self, board: App, tour: App) -> None:
        self.board, self.tour = board, tour

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection, to whom it belongs."""
        if scope["type"] == "lifespan":
            await _lifespan((self.board, self.tour), receive, send)
        elif f"{scope['path']}/".startswith(f"{tour.PREFIX}/"):
            await self.tour(scope, receive, send)
        else:
            await self.board(scope, receive, send)


def build(config: board.Config) -> Demo:
    """Both apps, ready to be served."""
    messages = board.build(replace(config, tour=f"{tour.PREFIX}/"))
    lessons = tour.build(
        config.folder / "tour",
        hosts=config.known_hosts,
        proxy_hops=config.proxy_hops,
        board="/",
    )
    return Demo(History(messages), lessons)


# Lifespan ------------------------------------------------------------------------------------


class _Failed(Exception):
    """An app could not be started."""


async def _lifespan(apps: Sequence[App], receive: Receive, send: Send) -> None:
    """Start every app, then end them in reverse; what the server is told is told once."""
    await receive()
    async with AsyncExitStack() as stack:
        try:
            for app in apps:
                await stack.enter_async_context(_alive(app))
        except _Failed as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
    await send({"type": "lifespan.shutdown.complete"})


@asynccontextmanager
async def _alive(app: App) -> AsyncGenerator[None]:
    """An app between its startup and its shutdown; one that knows no lifespan is just there."""
    orders: asyncio.Queue[Message] = asyncio.Queue()
    answered: asyncio.Queue[Message] = asyncio.Queue()
    scope: Scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
    task = asyncio.ensure_future(app(scope, orders.get, answered.put))
    task.add_done_callback(lambda _: answered.put_nowait({"type": "ended"}))
    await orders.put({"type": "lifespan.startup"})
    answer = await answered.get()
    if answer["type"] == "lifespan.startup.failed":
        raise _Failed(answer.get("message", ""))
    yield
    await orders.put({"type": "lifespan.shutdown"})
    with suppress(Exception):  # an app without lifespan says so by raising
        await task
