"""One look at somebody's server: a GET, its form filled in, one POST, and the page behind it.

Like a browser it keeps cookies, sends hidden fields back (a CSRF token is one) and says from which
page the form came. Unlike a browser it is in no hurry to be kind: what does not end within the
timeout is said not to have ended. Nothing is asked of any other server, wherever a form or a
redirect points; at most one small POST is sent.
"""

from __future__ import annotations

import codecs
import http.client
import re
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import urlencode, urljoin, urlsplit

from .reading import Form, form_of

TIMEOUT: Final = 5.0  # seconds, for each answer
MOST: Final = 1 << 20  # bytes of a page that are read
PIECE: Final = 1 << 16
FORM_TYPE: Final = "application/x-www-form-urlencoded"
HTTP_ERRORS: Final = (OSError, http.client.HTTPException, UnicodeError)
META: Final = re.compile(rb"<meta[^>]{0,200}?charset=[\"']?([\w-]{1,40})", re.IGNORECASE)
USUAL: Final = "windows-1252"  # what browsers assume where nobody says anything
# The first kind that fits decides.
TROUBLE: Final[tuple[tuple[type[BaseException], str], ...]] = (
    (ConnectionRefusedError, "nobody listens there: is the server running, and on this port?"),
    (socket.gaierror, "there is no such host: is the address spelt right?"),
    (TimeoutError, "no answer came in time: does it wait for more than it was sent?"),
    (ssl.SSLError, "no https is spoken there: try the address with http://"),
    (
        ConnectionError,
        "the connection was closed without an answer: look for a traceback in its terminal",
    ),
    (http.client.HTTPException, "what came back is not HTTP: is this the right port?"),
)


class NoAnswer(Exception):
    """The server did not answer; the text says why, as far as that can be seen from here."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; `ended` is False where it promised more than came in time."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    ended: bool

    def header(self, name: str) -> str | None:
        """The first header of this name."""
        return next((v for k, v in self.headers if k.lower() == name), None)

    @property
    def kind(self) -> str:
        """The media type, without its parameters."""
        return (self.header("content-type") or "").partition(";")[0].strip().lower()

    @property
    def text(self) -> str:
        """The body as a browser reads it: by the header's charset, the page's own, or a guess."""
        named = re.search(r"charset=[\"']?([\w-]+)", self.header("content-type") or "")
        found = META.search(self.body[:1024])
        label = named[1] if named else found[1].decode() if found else USUAL
        try:
            return self.body.decode(codecs.lookup(label).name, "replace")
        except (LookupError, UnicodeError):
            return self.body.decode("utf-8", "replace")


@dataclass(slots=True)
class Learner:
    """A server under a URL, and what it made us remember (cookies)."""

    url: str
    timeout: float = TIMEOUT
    cookies: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    def own(self, target: str, base: str = "") -> str | None:
        """A target as an address on this server, or None where it leads elsewhere."""
        try:
            found = urljoin(base or self.url, target.strip()).partition("#")[0]
            same = urlsplit(found)[:2] == urlsplit(self.url)[:2]
        except ValueError:
            return None
        return found if same else None

    def get(self, url: str) -> Answer:
        """Fetch a page. Raises NoAnswer."""
        return self._ask("GET", url, None, {})

    def form(self, page: Answer) -> Form:
        """The first form of a page that posts here; without one, a plain form for `message`."""
        return form_of(page.text) or Form("", "message", {})

    def post(self, form: Form, typed: str) -> tuple[str, Answer]:
        """Fill a form in and send it: where it went, and the answer. Raises NoAnswer."""
        url = self.own(form.action) or self.url
        body = urlencode({**form.fields, form.text: typed}).encode()
        return url, self._ask("POST", url, body, {"Content-Type": FORM_TYPE, "Origin": self.origin})

    def _ask(self, method: str, url: str, body: bytes | None, more: Mapping[str, str]) -> Answer:
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = {"Accept": "text/html", "User-Agent": "seeother-check"}
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{k}={v}" for k, v in self.cookies.items())
        connection = kind(str(parts.hostname), parts.port, timeout=self.timeout)
        try:
            connection.request(method, target, body, {**headers, **more})
            answer = _read(connection.getresponse(), time.monotonic() + self.timeout)
        except HTTP_ERRORS as error:
            raise NoAnswer(_trouble(error)) from error
        finally:
            connection.close()
        self._remember(answer)
        return answer

    def _remember(self, answer: Answer) -> None:
        for name, value in answer.headers:
            if name.lower() == "set-cookie":
                try:
                    jar = SimpleCookie(value)
                except CookieError:
                    continue
                self.cookies |= {key: morsel.coded_value for key, morsel in jar.items()}


def _read(response: http.client.HTTPResponse, end: float) -> Answer:
    """An answer with as much of its body as comes in time, and not more than `MOST`."""
    pieces, ended = [b""], False
    try:
        while sum(map(len, pieces)) < MOST and time.monotonic() < end:
            piece = response.read1(PIECE)
            if not piece:
                ended = not response.length  # None or 0: nothing more was promised
                break
            pieces.append(piece)
    except HTTP_ERRORS:
        ended = False
    headers = tuple(response.getheaders())
    return Answer(response.status, response.reason, headers, b"".join(pieces), ended)


def _trouble(error: BaseException) -> str:
    said = next((text for kind, text in TROUBLE if isinstance(error, kind)), None)
    return said or f"it cannot be reached ({error})"
