"""One WSGI request and its answer: the seam between an app that is called and a flow that decides.

What WSGI adds to the work: an app may call `start_response` late, twice (with `exc_info`), or write
through the old `write()`; its iterable may have `close()`, which is called once whatever happens. A
body that needs no holding back is handed to the server as it is, so that `wsgi.file_wrapper` keeps
its speed.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from functools import lru_cache
from http import HTTPStatus
from io import SEEK_CUR, BufferedReader, BytesIO, RawIOBase
from itertools import chain
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from .core.asked import NOTHING, READ, asked
from .core.body import Body, is_form
from .core.cookie import SetCookie
from .core.entry import greet
from .core.flows import Answer
from .core.mark import strip
from .core.ops import Handle
from .core.policy import Policy
from .core.values import Handled, Request, Response
from .errors import Refused, SeeOtherError, TooLarge
from .hold import Hold
from .log import request_line
from .pages import error_page
from .setup import performing
from .visit import Visit

if TYPE_CHECKING:
    from .wsgi import SeeOther

Environ = dict[str, Any]
StartResponse = Callable[..., Callable[[bytes], object]]
App = Callable[[Environ, StartResponse], Iterable[bytes]]

KEY: Final = "seeother"
CHUNK: Final = 64 << 10
UNPREFIXED: Final = (("CONTENT_TYPE", b"content-type"), ("CONTENT_LENGTH", b"content-length"))
URIS: Final = ("RAW_URI", "REQUEST_URI")
REFERER: Final = "HTTP_REFERER"
PLAIN: Final = re.compile(r"[\w./-]*", re.ASCII)  # in a path: nothing to be quoted
ASKED: Final = {name: f"HTTP_{name.decode().replace('-', '_').upper()}" for name in READ}
# Not headers but their own variables; a server that also passes `Content_Length:` passes a lie.
NO_HEADERS: Final = frozenset({"HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH"})


class Exchange:
    """One request on its way through."""

    def __init__(self, outer: SeeOther, environ: Environ, start_response: StartResponse) -> None:
        self._outer, self._environ, self._start_response = outer, dict(environ), start_response
        self._iterable: Iterable[bytes] = ()
        self._rest: Iterator[bytes] | None = None
        self._reason = ""
        self._released = False
        self._hold: Hold
        self._visit: Visit

    def run(self) -> Iterable[bytes]:
        """Admit, run, answer, and write one line to the log."""
        started, request = time.perf_counter(), request_of(self._environ)
        word, response, body = self._run(request)
        seconds = time.perf_counter() - started
        landing = response.header(b"location")
        status, route = response.status, self._route
        request_line(request, status, landing, word=word, seconds=seconds, route=route)
        return body

    def _run(self, request: Request) -> tuple[str, Response, Iterable[bytes]]:
        policy = self._outer.policy
        try:
            greeting = greet(request, policy)
        except Refused as error:
            page = error_page(error, debug=bool(policy.debug))
            return error.reason, page, self._reply(page)
        visit = self._visit = self._outer.visit(greeting)
        visit.said, visit.explicit = self._outer.said, self._outer.explicit
        try:
            if greeting.unsafe:
                self._admit(visit)
            self._hold = Hold(visit.planter, everything=visit.claims)
            perform = performing(self._outer.store.perform, policy)
            answer = self._outer.driver.run(visit.flow(), perform, self._handle)
            word = visit.word if answer.word == "page" else answer.word
            return word, answer.response, self._release(answer)
        except SeeOtherError as error:
            self._close()
            visit.forget()
            handled = visit.handled(visit.refusal(error))
            response = visit.renewed(handled.response)
            return error.reason, response, self._reply(response, handled.cookies)
        except BaseException:
            self._close()
            raise

    def _admit(self, visit: Visit) -> None:
        """Read the form, if it is one, and name the submission."""
        request = visit.greeting.request
        try:
            reads = is_form(request) and not visit.off
            visit.submit(self._form(request, visit.policy) if reads else None)
        except TooLarge as error:
            visit.pass_unread(error)
        self._outer.admitted(visit)

    def _form(self, request: Request, policy: Policy) -> bytes:
        """The whole form; the app gets it again. So it does what was too much, and the rest."""
        terminated = bool(self._environ.get("wsgi.input_terminated"))
        body = Body(request, policy.max_body, framed=terminated)
        stream, left = self._environ["wsgi.input"], body.expected
        try:
            while left is None or left > 0:
                chunk = stream.read(CHUNK if left is None else min(CHUNK, left))
                if not chunk:
                    break
                body.add(chunk)
                left = None if left is None else left - len(chunk)
        except TooLarge:
            self._environ["wsgi.input"] = BufferedReader(Again(body.so_far, stream), CHUNK)
            raise
        whole = body.whole()
        self._environ["wsgi.input"] = rewound(stream, whole)
        self._environ["CONTENT_LENGTH"] = str(len(whole))
        return whole

    @property
    def _route(self) -> str:
        visit = getattr(self, "_visit", None)
        return "" if visit is None else visit.route

    # The app ---------------------------------------------------------------------------------

    def _handle(self, op: Handle) -> Handled:
        """Run the app until its answer is known as far as the flow needs it."""
        visit = self._visit
        visit.begin(op.opened, op.taken)
        visit.grant = op.grant
        self._iterable = self._outer.app(self._inner(visit), self._start)
        if self._hold.head is None or not self._hold.bare:
            self._rest = iter(self._iterable)
            self._fill()
        if self._hold.head is None:
            raise RuntimeError("the app returned without calling start_response")
        return visit.answered(self._hold)

    def _fill(self) -> None:
        assert self._rest is not None
        for chunk in self._rest:
            if self._hold.head is not None and self._hold.bare:  # a late head: nothing to look at
                self._rest = chain((chunk,), self._rest)
                return
            if self._hold.add(chunk, last=False):
                return
        self._hold.add(b"", last=True)

    def _inner(self, visit: Visit) -> Environ:
        """The environ as the app sees it: the visit in it, the mark out of it."""
        environ, query = self._environ, visit.greeting.request.query.decode("latin-1")
        if query != environ.get("QUERY_STRING", ""):
            environ["QUERY_STRING"] = query
            for name in URIS:
                if name in environ:
                    path = environ[name].partition("?")[0]
                    environ[name] = f"{path}?{query}" if query else path
        if REFERER in environ:
            environ[REFERER] = strip(environ[REFERER], visit.policy.mark, visit.policy.ring)
        changes = NOTHING if visit.off else asked(visit.greeting.request)
        for header, said in changes.items():
            environ.pop(ASKED[header], None)
            if said is not None:
                environ[ASKED[header]] = said.decode("latin-1")
        environ[KEY] = visit
        environ[f"{KEY}.outer"] = self._outer
        return environ

    def _start(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], object]:
        """`start_response` for the app."""
        if exc_info:
            try:
                if self._released:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None  # no cycle through the frame (PEP 3333)
        elif self._hold.head is not None:
            raise AssertionError("start_response was called twice without exc_info")
        code, _, self._reason = status.partition(" ")
        raw = tuple([(_raw(k), v.encode("latin-1")) for k, v in headers])
        head = Response(int(code), raw)
        self._outer.learn(head)
        self._hold.start(head)
        return self._write

    def _write(self, chunk: bytes) -> None:
        """The old `write()`: an app cannot be stopped in it, so its bytes are held back."""
        self._hold.add(chunk, last=False)

    # The answer ------------------------------------------------------------------------------

    def _release(self, answer: Answer) -> Iterable[bytes]:
        """Send the head as the flow decided it; the body follows as the server asks for it."""
        visit = self._visit
        if answer.handled is None:  # not the app's own answer: a replay
            self._close()
            return self._reply(visit.renewed(visit.complete(answer.response)), answer.cookies)
        head = visit.renewed(answer.response)
        empty = head.header(b"content-length") == "0"
        self._send(head if empty else self._hold.fitted(head), answer.cookies)
        self._released = True
        if empty:
            self._close()
            return [b""]
        if self._rest is None:
            return self._iterable
        return Rest(self)

    def _reply(self, response: Response, cookies: Iterable[SetCookie] = ()) -> list[bytes]:
        """An answer of our own, with its body."""
        self._reason = ""
        self._send(response, cookies)
        return [] if self._environ["REQUEST_METHOD"] == "HEAD" else [response.body]

    def _send(self, head: Response, cookies: Iterable[SetCookie]) -> None:
        reason = self._reason if self._same(head) else HTTPStatus(head.status).phrase
        headers = [(_title(k), v.decode("latin-1")) for k, v in head.headers]
        headers += [("Set-Cookie", cookie.header().decode("ascii")) for cookie in cookies]
        self._start_response(f"{head.status} {reason}", headers)

    def _same(self, head: Response) -> bool:
        own = getattr(self, "_hold", None)
        return bool(self._reason) and own is not None and own.head.status == head.status

    def rest(self) -> Generator[bytes, None, None]:
        """What was held back, then the rest of the body, planted on the way."""
        assert self._rest is not None
        if self._hold.bare and not self._hold.complete:
            yield from self._rest
            return
        yield self._hold.release()
        if self._hold.complete:
            return
        for chunk in self._rest:
            yield self._hold.through(chunk, last=False)
        yield self._hold.through(b"", last=True)

    def _close(self) -> None:
        iterable, self._iterable = self._iterable, ()
        close = getattr(iterable, "close", None)
        if close is not None:
            close()

    close = _close


def rewound(stream: Any, whole: bytes) -> Any:
    """The body for the app: the server's own stream where that can go back, else a copy."""
    try:
        stream.seek(-len(whole), SEEK_CUR)
    except (AttributeError, OSError, ValueError):  # sockets cannot
        return BytesIO(whole)
    return stream


class Again(RawIOBase):
    """A body of which the beginning was read: that once more, then the rest as it comes."""

    def __init__(self, start: bytes, stream: Any) -> None:
        super().__init__()
        self._start, self._stream = memoryview(start), stream

    def readable(self) -> bool:
        """It is there to be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read at most as much as fits."""
        piece, self._start = self._start[: len(buffer)], self._start[len(buffer) :]
        piece = piece or self._stream.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)


class Rest:
    """The body as the server iterates it; `close()` closes the app's own."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._pieces = exchange.rest()

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces

    def close(self) -> None:
        """Called by the server, once, whatever happened."""
        try:
            self._pieces.close()
        finally:
            self._exchange.close()


@lru_cache(maxsize=256)  # clients and apps use few names, again and again
def _lower(name: str) -> bytes:
    return name[5:].replace("_", "-").lower().encode("latin-1")


@lru_cache(maxsize=256)
def _raw(name: str) -> bytes:
    return name.lower().encode("latin-1")


@lru_cache(maxsize=256)
def _title(name: bytes) -> str:
    return name.decode("latin-1").title()


def request_of(environ: Environ) -> Request:
    """A WSGI environ as a core request (PEP 3333: text there is Latin-1 bytes in disguise)."""
    headers = [
        (_lower(name), value.encode("latin-1"))
        for name, value in environ.items()
        if name[:5] == "HTTP_" and value is not None and name not in NO_HEADERS
    ]
    headers += [
        (name, environ[key].encode("latin-1")) for key, name in UNPREFIXED if environ.get(key)
    ]
    server, port = environ.get("SERVER_NAME", ""), environ.get("SERVER_PORT", "")
    return Request(
        method=environ["REQUEST_METHOD"],
        scheme=environ.get("wsgi.url_scheme", "http"),
        host=environ.get("HTTP_HOST") or f"{server}:{port}",
        root=_quoted(environ.get("SCRIPT_NAME", "")),
        path=_quoted(environ.get("PATH_INFO", "")),
        query=environ.get("QUERY_STRING", "").encode("latin-1"),
        headers=tuple(headers),
        now=time.time(),
        entropy=os.urandom,
    )


def _quoted(path: str) -> str:
    if PLAIN.fullmatch(path):
        return path
    return quote(path.encode("latin-1"), safe="/:@!$&'()*+,;=~")
