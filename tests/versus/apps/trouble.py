"""What an attack may ask of a view: to crash, to stand still, to say that it is there, to be slow.

It is asked in request headers, so the form is the same in every attempt and no shop knows what it
is put through. The files are written into the folder in which the server runs.
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Protocol

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    class Headers(Protocol):
        """Header fields, as every framework has them."""

        def get(self, name: str, /) -> str | None: ...


ATTACK: Final = "X-Attack"  # what to do, where, and the name of a file
WORK: Final = "X-Work"  # milliseconds
USUAL: Final = 20
ANSWERED: Final = "crash answered"


def work(headers: Headers) -> None:
    """What a view does beside its one statement: it asks somebody, it renders a mail."""
    time.sleep(int(headers.get(WORK) or USUAL) / 1000)


def at(place: str, headers: Headers) -> None:
    """The view is at this place."""
    what, where, name = [*(headers.get(ATTACK) or "").split(), "", "", ""][:3]
    if where != place:
        return
    if what == "crash":
        os._exit(1)
    told = Path(f"{name}.part")
    told.write_text(str(os.getpid()))
    told.rename(name)
    if what == "hold":
        threading.Event().wait()


def wsgi(app: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    """Around everything: a crash with the answer in hand, after all that was to be committed."""

    def outermost(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        def start(*answer: Any) -> Any:
            if environ.get("HTTP_X_ATTACK") == ANSWERED:
                os._exit(1)
            return start_response(*answer)

        return app(environ, start)

    return outermost


def asgi(app: ASGIApp) -> ASGIApp:
    """The same."""

    async def outermost(scope: Scope, receive: Receive, send: Send) -> None:
        doomed = (ATTACK.lower().encode(), ANSWERED.encode()) in scope.get("headers", ())

        async def start(message: Message) -> None:
            if doomed and message["type"] == "http.response.start":
                os._exit(1)
            await send(message)

        await app(scope, receive, start)

    return outermost
