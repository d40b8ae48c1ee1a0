"""Many requests at once: threads, keep-alive connections, and answers kept in the order they came.

`http.client` instead of a richer client, because what is measured should be the server and not the
storm. Every connection that breaks is tried anew with the very same bytes, as browsers do.
"""

import http.client
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlencode

from selectolax.lexbor import LexborHTMLParser

from tests.board.wire import FORM, Answer

TRIES = 200


@dataclass(frozen=True, slots=True)
class Submission:
    """One form as a browser sends it: the same bytes, however often."""

    text: str
    body: bytes
    headers: dict[str, str]


class Attacker:
    """Sends requests to one port; a context manager. `broken` counts connections that died."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.broken = 0
        self._local = threading.local()
        self._all: list[http.client.HTTPConnection] = []

    def ask(self, method: str, target: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        """One request on this thread's connection, again while the connection breaks."""
        for _ in range(TRIES):
            connection = self._connection()
            try:
                connection.request(method, target, body, headers)
                answer = connection.getresponse()
                return Answer(answer.status, tuple(answer.getheaders()), answer.read())
            except (OSError, http.client.HTTPException):
                self.broken += 1
                connection.close()
        raise AssertionError(f"port {self.port} does not answer")

    def prepare(self, text: str) -> Submission:
        """Open the board as a new visitor and fill in its form."""
        page = self.ask("GET", "/", None, {})
        field = LexborHTMLParser(page.text).css_first("input[name=so_token]")
        assert field is not None
        fields = {"so_token": str(field.attributes["value"]), "message": text, "name": ""}
        headers = {
            "Content-Type": FORM,
            "Cookie": page.header("set-cookie").partition(";")[0],
            "Origin": f"http://127.0.0.1:{self.port}",
        }
        return Submission(text, urlencode(fields).encode(), headers)

    def send(self, submission: Submission) -> Answer:
        """Send it once."""
        return self.ask("POST", "/?so", submission.body, submission.headers)

    def send_all(self, submissions: Iterable[Submission], threads: int) -> Sequence[Answer]:
        """Send all of them, as many at once as there are threads; the answers in that order."""
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(self.send, submissions))

    def prepare_all(self, texts: Iterable[str], threads: int) -> Sequence[Submission]:
        """Open the board for each text, as a visitor of its own."""
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(self.prepare, texts))

    def _connection(self) -> http.client.HTTPConnection:
        if not hasattr(self._local, "connection"):
            made = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            self._local.connection = made
            self._all.append(made)
        connection: http.client.HTTPConnection = self._local.connection
        return connection

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for connection in self._all:
            connection.close()


def landing_of(attacker: Attacker, submission: Submission, answer: Answer) -> str:
    """The page behind the redirect, as this submission's visitor sees it."""
    with closing(http.client.HTTPConnection("127.0.0.1", attacker.port, timeout=60)) as connection:
        cookie = {"Cookie": submission.headers["Cookie"]}
        connection.request("GET", answer.header("location"), headers=cookie)
        return connection.getresponse().read().decode()
