"""A proxy on loopback that breaks exactly what a test asks for.

What loses a submission's answer in life is seldom the application: a kept-alive connection dies, a
worker is killed, a load balancer gives up. `Proxy` stands between the browser and the server and
does it on purpose, for chosen requests and a chosen number of times. It records what went by.

The request is forwarded byte for byte, Host and Origin included, so that the server sees the
browser's own origin (the proxy's port). The answer is read whole and given on, its header fields in
their order, except those that belong to the connection (RFC 9110 7.6.1). So the browser's
connection stays open whatever the server does with its own, and that matters: browsers send a POST
again by themselves only when a *reused* connection dies under it.

    with Proxy(server.port) as proxy:
        proxy.rule(LOSE_ANSWER, method="POST", path="/")
        page.goto(proxy.url)
        ...
        assert [one.status for one in proxy.seen("POST")] == [303, 303]
"""

import http.client
import select
import socket
import socketserver
import threading
from dataclasses import dataclass, replace
from email.message import Message
from enum import Enum
from typing import BinaryIO, Self

CONNECTION_FIELDS = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})
HTML = ("Content-Type", "text/html; charset=utf-8")
PATIENCE = 60.0  # seconds; where a socket or a gate gives up, so that a broken test ends
Fields = tuple[tuple[str, str], ...]


class Answer(Enum):
    """What the browser gets."""

    WHOLE = "as the server gave it"
    NOTHING = "the connection is closed before the first byte"
    HALF = "the head and half of the body, then the connection is closed"
    BAD_GATEWAY = "502 from the proxy, whatever the server said"


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to one exchange.

    `before` and `after` hold it back, before the request is forwarded or with the answer in hand:
    a number of seconds, or an event that the test sets.
    """

    answer: Answer = Answer.WHOLE
    forward: bool = True
    before: float | threading.Event = 0.0
    after: float | threading.Event = 0.0


PASS = Fault()
LOSE_ANSWER = Fault(Answer.NOTHING)
LOSE_REQUEST = Fault(Answer.NOTHING, forward=False)
SPOIL_ANSWER = Fault(Answer.BAD_GATEWAY)
BAD_GATEWAY = Fault(Answer.BAD_GATEWAY, forward=False)
TRUNCATE = Fault(Answer.HALF)


@dataclass(frozen=True, slots=True)
class Request:
    """A request as the browser sent it; `target` is path and query."""

    method: str
    target: str
    headers: Fields
    body: bytes
    raw: bytes

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    def header(self, name: str) -> str | None:
        """The first value of a header field, whatever the case of its name."""
        return _first(self.headers, name)


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and the server's answer to it; no status where the server gave none.

    `status` is what the *server* said; `fault` says what became of it on its way.
    """

    request: Request
    fault: Fault
    status: int | None = None
    headers: Fields = ()
    body: bytes = b""

    @property
    def location(self) -> str | None:
        """Where the answer points to."""
        return _first(self.headers, "location")


@dataclass(slots=True)
class _Rule:
    fault: Fault
    method: str | None
    path: str | None
    times: int | None

    def takes(self, request: Request) -> bool:
        return (
            self.times != 0
            and self.method in {None, request.method}
            and self.path in {None, request.path}
        )


class Proxy:
    """A running proxy to 127.0.0.1:`upstream`; a context manager.

    `upstream` may be changed while it runs, for a server that comes back at another port.
    """

    def __init__(self, upstream: int) -> None:
        self.upstream = upstream
        self._lock = threading.Lock()
        self._rules: list[_Rule] = []
        self._pages: dict[str, bytes] = {}
        self._begun: list[Request] = []
        self._answered: list[Exchange] = []
        self._exchanges: list[Exchange] = []
        self._gates: list[threading.Event] = []
        self._clients: set[socket.socket] = set()
        self._server = _Listener(("127.0.0.1", 0), self)
        self.port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, args=[0.02])

    def rule(
        self,
        fault: Fault,
        *,
        method: str | None = None,
        path: str | None = None,
        times: int | None = 1,
    ) -> None:
        """From now on do this to the next `times` matching requests (None: to all of them).

        None for `method` or `path` (compared without the query) matches any. The oldest rule that
        still has a turn decides; without one the request passes.
        """
        with self._lock:
            self._rules.append(_Rule(fault, method, path, times))

    def gate(self) -> threading.Event:
        """An event to hold a request with; opened at the latest when the proxy ends."""
        gate = threading.Event()
        self._gates.append(gate)
        return gate

    def page(self, path: str, html: str) -> None:
        """From now on answer this path with a page of the test's own, on the server's origin."""
        self._pages[path] = html.encode()

    def clear(self) -> None:
        """Forget all rules."""
        with self._lock:
            self._rules.clear()

    def seen(self, method: str | None = None) -> list[Exchange]:
        """The finished exchanges, oldest first; browsers' own /favicon.ico left out."""
        with self._lock:
            return [
                one
                for one in self._exchanges
                if method in {None, one.request.method} and one.request.path != "/favicon.ico"
            ]

    def begun(self, method: str | None = None) -> list[Request]:
        """The requests that came in, also the ones still under way, oldest first."""
        with self._lock:
            return [one for one in self._begun if method in {None, one.method}]

    def answered(self) -> list[Exchange]:
        """What the server has answered, also what is still held back from the browser."""
        with self._lock:
            return list(self._answered)

    @property
    def idle(self) -> bool:
        """Is nothing under way?"""
        with self._lock:
            return len(self._begun) == len(self._exchanges)

    def _fault_for(self, request: Request) -> Fault:
        with self._lock:
            for rule in self._rules:
                if rule.takes(request):
                    rule.times = None if rule.times is None else rule.times - 1
                    return rule.fault
        return PASS

    def _exchange(self, request: Request, client: socket.socket) -> Exchange:
        with self._lock:
            self._begun.append(request)
        exchange = Exchange(request, self._fault_for(request))
        _hold(exchange.fault.before)
        if (own := self._pages.get(request.path)) is not None:
            exchange = replace(exchange, status=200, headers=(HTML,), body=own)
        elif exchange.fault.forward:
            exchange = _ask(self.upstream, exchange, client)
        with self._lock:
            self._answered.append(exchange)
        _hold(exchange.fault.after)
        with self._lock:
            self._exchanges.append(exchange)
        return exchange

    def serve(self, client: socket.socket) -> None:
        """Serve one connection of the browser until either side ends it."""
        client.settimeout(PATIENCE)
        with self._lock:
            self._clients.add(client)
        try:
            with client.makefile("rb") as stream:
                while (request := _read_request(stream)) is not None:
                    reply, open_still = _reply(self._exchange(request, client))
                    client.sendall(reply)
                    if not open_still:
                        return
        except OSError:
            pass  # the browser gave up or the proxy is closing: both are everyday
        finally:
            with self._lock:
                self._clients.discard(client)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        for gate in self._gates:
            gate.set()
        self._server.shutdown()
        self._thread.join()
        with self._lock:
            for client in self._clients:
                client.shutdown(socket.SHUT_RDWR)
        self._server.server_close()  # joins the threads of all connections


class _Listener(socketserver.ThreadingTCPServer):
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], proxy: Proxy) -> None:
        self.proxy = proxy
        super().__init__(address, _Connection)


class _Connection(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, _Listener)
        self.server.proxy.serve(self.request)


def _first(fields: Fields, name: str) -> str | None:
    return next((value for key, value in fields if key.lower() == name.lower()), None)


def _fields(message: Message) -> Fields:
    return tuple((name, str(value)) for name, value in message.items())


def _hold(wait: float | threading.Event) -> None:
    gate = wait if isinstance(wait, threading.Event) else threading.Event()
    gate.wait(PATIENCE if gate is wait else float(wait))  # type: ignore[arg-type]


def _read_request(stream: BinaryIO) -> Request | None:
    """The next request of a connection, None at its end. Browsers send forms with a length."""
    line = stream.readline()
    if not line.strip():
        return None
    head = [line]
    while head[-1] not in {b"\r\n", b"\n", b""}:
        head.append(stream.readline())
    method, target, _ = line.decode("latin-1").split(" ", 2)
    pairs = (one.decode("latin-1").partition(":") for one in head[1:-1])
    headers = tuple((name, value.strip()) for name, _, value in pairs)
    assert _first(headers, "transfer-encoding") is None, "chunked requests are not spoken here"
    body = stream.read(int(_first(headers, "content-length") or 0))
    return Request(method, target, headers, body, b"".join(head) + body)


def _ask(port: int, exchange: Exchange, client: socket.socket) -> Exchange:
    """The exchange with the server's answer.

    Unchanged where the server is down or just died, and where the browser left before it came: then
    the server hears of it, as it does without a proxy and behind the usual ones.
    """
    request = exchange.request
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as server:
            server.sendall(request.raw)
            if _left(client, server):
                return exchange
            with http.client.HTTPResponse(server, method=request.method) as response:
                response.begin()
                body = response.read()
                fields = _fields(response.headers)
                return replace(exchange, status=response.status, headers=fields, body=body)
    except (OSError, http.client.HTTPException):
        return exchange


def _left(client: socket.socket, server: socket.socket) -> bool:
    """Wait for either: did the browser end its connection before the server answered?"""
    poll = select.poll()  # not `select`, which fails when a test run has many files open
    for one in (client, server):
        poll.register(one, select.POLLIN)
    ready = {descriptor for descriptor, _ in poll.poll(PATIENCE * 1000)}
    return client.fileno() in ready and client.recv(1, socket.MSG_PEEK) == b""


def _reply(exchange: Exchange) -> tuple[bytes, bool]:
    """The bytes for the browser, and whether its connection stays open."""
    match exchange.fault.answer:
        case Answer.BAD_GATEWAY:
            return _render(502, (("Content-Type", "text/plain"),), b"Bad Gateway\n"), True
        case Answer.HALF if exchange.status is not None:
            whole = _render(exchange.status, exchange.headers, exchange.body)
            return whole[: len(whole) - (len(exchange.body) + 1) // 2], False
        case Answer.WHOLE if exchange.status is not None:
            return _answer(exchange), True
        case _:
            return b"", False


def _answer(exchange: Exchange) -> bytes:
    assert exchange.status is not None
    length = _first(exchange.headers, "content-length")
    if exchange.request.method == "HEAD" and length is not None:
        return _render(exchange.status, exchange.headers, b"", length=length)
    return _render(exchange.status, exchange.headers, exchange.body)


def _render(status: int, headers: Fields, body: bytes, *, length: str | None = None) -> bytes:
    kept = [f"{name}: {value}" for name, value in headers if name.lower() not in CONNECTION_FIELDS]
    if status not in {204, 304}:
        kept.append(f"Content-Length: {length or len(body)}")
    reason = http.client.responses.get(status, "")
    head = "\r\n".join([f"HTTP/1.1 {status} {reason}", *kept, "", ""])
    return head.encode("latin-1") + body
