"""A client that is a WSGI server: PEP 3333 as a server reads it, without a socket."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from io import BytesIO
from typing import Any
from urllib.parse import unquote_to_bytes

from .stage import Ask

App = Callable[[dict[str, Any], Any], Iterable[bytes]]


class WSGIClient:
    """HTTP into a WSGI app; `extra` goes into every environ.

    Every request runs on the thread that sends it, as under a threaded server.
    """

    def __init__(self, app: App, extra: dict[str, Any] | None = None) -> None:
        self._app, self._extra = app, extra or {}

    def open(self, ask: Ask) -> WSGIStream:
        """Call the app, up to the first bytes of its answer."""
        stream = WSGIStream()
        try:
            stream.begin(self._app(self._environ(ask), stream.start_response))
        except Exception:  # noqa: BLE001 - a server answers whatever an app raises
            stream.fail()
        return stream

    def close(self) -> None:
        """Nothing is open: WSGI knows no end of an app."""

    def _environ(self, ask: Ask) -> dict[str, Any]:
        path, _, query = ask.target.partition("?")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": ask.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query,
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "8000",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": ask.scheme,
            "wsgi.input": BytesIO(ask.body),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        for name, value in ask.lines():
            key = name.upper().replace("-", "_")
            key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
            environ[key] = f"{environ[key]},{value}" if key in environ else value
        return {**environ, **self._extra}


class WSGIStream:
    """An answer of a WSGI app, as a server would send it."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: tuple[tuple[str, str], ...] = ()
        self._written: list[bytes] = []
        self._iterable: Iterable[bytes] = ()
        self._pieces: Iterator[bytes] = iter(())
        self._sent = False

    def start_response(self, status: str, headers: Any, exc_info: Any = None) -> Any:
        """PEP 3333: once, or again with exc_info as long as nothing was sent."""
        if exc_info and (self._sent or self._written):
            raise exc_info[1].with_traceback(exc_info[2])
        assert exc_info or not self.status, "start_response was called twice"
        self.status, self.headers = int(status[:3]), tuple(headers)
        return self._written.append

    def begin(self, iterable: Iterable[bytes]) -> None:
        """Read up to the first bytes: then, and not before, a server sends the head."""
        self._iterable, self._pieces = iterable, iter(iterable)
        if not self._written:
            first = next((piece for piece in self._pieces if piece), b"")
            self._written.append(first)
        assert self.status, "the app returned without start_response"
        self._sent = True

    def fail(self) -> None:
        """The app raised."""
        self.close()
        self.status, self.headers = 500, (("Content-Type", "text/plain"),)
        self._written, self._pieces = [b"Internal Server Error"], iter(())

    def __iter__(self) -> Iterator[bytes]:
        yield from self._written
        yield from self._pieces

    def close(self) -> None:
        """What a server does at the end of every answer, and when the client has gone."""
        iterable, self._iterable = self._iterable, ()
        close = getattr(iterable, "close", None)
        if close is not None:
            close()
