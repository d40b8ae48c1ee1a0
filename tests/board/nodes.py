"""The board on several nodes: `seeother board` processes on one PostgreSQL, behind a balancer.

The balancer knows nothing of sessions: every request goes to the next node, whoever sends it. A
node that does not answer is passed by, and a request whose answer it took along goes to the other
one with the very same bytes, as proxies are told to do where a site can bear it.
"""

import http.client
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Self

import psycopg

from tests.browser.server import Board

INSIDE = "node.internal"  # what nodes are called by the balancer: no browser may name them so
HOPS = frozenset({"connection", "keep-alive", "transfer-encoding", "date", "server"})
OURS = frozenset({"host", "connection", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"})


def messages(url: str, text: str | None = None) -> int:
    """How many messages the database holds, or how many with this very text."""
    where = "true" if text is None else "text = %s"
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(
            f"SELECT count(*) FROM message WHERE {where}",
            None if text is None else [text],
        ).fetchone()
    assert row is not None
    return int(row[0])


def board_on(url: str | None, folder: Path, *more: str, workers: int = 1) -> Board:
    """A board on this PostgreSQL database, or on a file in the folder."""
    if url is None:
        return Board(folder, *more, workers=workers)
    return Node(folder, url, *more, workers=workers)


class Node(Board):
    """`seeother board --db postgresql://...`; its log and its key are in `folder`."""

    def __init__(self, folder: Path, url: str, *more: str, workers: int = 1) -> None:
        self.where = url
        super().__init__(folder, "--db", url, *more, workers=workers)

    def messages(self, text: str | None = None) -> int:
        """How many messages are stored, or how many with this very text."""
        return messages(self.where, text)


class Balancer:
    """Round robin over some ports, on a port of its own; a context manager.

    `went` says to which port each request went at last, `again` how many had to go twice.
    """

    def __init__(self, ports: Sequence[int]) -> None:
        self.ports = tuple(ports)
        self.went: list[int] = []
        self.again = 0
        self._turn = count()

        class Handler(_Handler):
            balancer = self

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.port = int(self._server.server_address[1])
        self.url = f"http://127.0.0.1:{self.port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def forwarded(
        self, method: str, target: str, headers: list[tuple[str, str]], body: bytes
    ) -> tuple[http.client.HTTPResponse, bytes] | None:
        """The answer of the first node that gives a whole one; None where no node does."""
        first = next(self._turn)
        for number in range(len(self.ports)):
            port = self.ports[(first + number) % len(self.ports)]
            node = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            try:
                node.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
                for name, value in headers:
                    node.putheader(name, value)
                node.endheaders(body)
                answer = node.getresponse()
                said = answer.read()
            except (OSError, http.client.HTTPException):
                self.again += 1
            else:
                self.went.append(port)
                return answer, said
            finally:
                node.close()
        return None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


class _Handler(BaseHTTPRequestHandler):
    """One connection of a client; its requests go to whoever is next."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    balancer: Balancer

    def do_GET(self) -> None:
        """Pass it on."""
        self._pass_on()

    def do_POST(self) -> None:
        """The same."""
        self._pass_on()

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = [(k, v) for k, v in self.headers.items() if k.lower() not in OURS]
        headers += [
            ("Host", INSIDE),
            ("Connection", "close"),
            ("X-Forwarded-For", self.client_address[0]),
            ("X-Forwarded-Host", self.headers.get("host", "")),
            ("X-Forwarded-Proto", "http"),
        ]
        found = self.balancer.forwarded(self.command, self.path, headers, body)
        if found is None:
            self.send_error(502)
            return
        answer, said = found
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in HOPS:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(said)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Nothing."""
