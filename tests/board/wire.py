"""HTTP as bytes on a socket: for requests that no client library would send.

`exchange` sends exactly what it is given and reads one answer; `request` builds a correct request
to start from. The answer keeps its header lines apart, because two Set-Cookie lines are two lines.
"""

import http.client
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlencode

FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer as it came: status, header lines in order, body."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def all(self, name: str) -> list[str]:
        """Every line of a header."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def header(self, name: str) -> str:
        """The one line of a header; no line and two lines are failures."""
        (value,) = self.all(name)
        return value

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8")


def request(
    method: str, target: str, port: int, body: bytes | None = None, /, **headers: str
) -> bytes:
    """A correct request; `headers` with `_` for `-`, one named `host` replaces the right one."""
    lines = {"Host": f"127.0.0.1:{port}", "Connection": "close"}
    if body is not None:
        lines |= {"Content-Type": FORM, "Content-Length": str(len(body))}
    lines |= {name.replace("_", "-").title(): value for name, value in headers.items()}
    return head(f"{method} {target} HTTP/1.1", lines.items()) + (body or b"")


def head(line: str, headers: Iterable[tuple[str, str]]) -> bytes:
    """A request line and header lines as bytes, with the empty line behind them."""
    lines = (line, *(f"{name}: {value}" for name, value in headers), "", "")
    return "\r\n".join(lines).encode("latin-1")


def exchange(port: int, sent: bytes, *, method: str = "GET", ends: bool = False) -> Answer | None:
    """Send these bytes and read one answer; None where the server hangs up without one.

    `method` decides whether the answer has a body (HEAD has none); `ends` says that nothing more
    comes from here, although the server may still wait for it.
    """
    with socket.create_connection(("127.0.0.1", port), timeout=30) as peer:
        peer.sendall(sent)
        if ends:
            peer.shutdown(socket.SHUT_WR)
        answer = http.client.HTTPResponse(peer, method=method)
        try:
            answer.begin()
            return Answer(answer.status, tuple(answer.getheaders()), answer.read())
        except (http.client.RemoteDisconnected, ConnectionResetError):
            return None
        finally:
            answer.close()


def ask(
    port: int, method: str, target: str, body: bytes | None = None, /, **headers: str
) -> Answer:
    """Send a correct request and read its answer."""
    answer = exchange(port, request(method, target, port, body, **headers), method=method)
    assert answer is not None, "hung up without an answer"
    return answer


def post(port: int, fields: dict[str, str], target: str = "/", /, **headers: str) -> Answer:
    """Send a form as the plainest client does: no cookie, no token, no Origin."""
    return ask(port, "POST", target, urlencode(fields).encode(), **headers)
