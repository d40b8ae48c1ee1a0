"""A browser, played by the server itself: cookies, forms, redirects, refresh.

It does what browsers do by RFC 9110 section 15.4 and the Fetch standard, section 4.4: 301, 302 and
303 after a POST are followed by GET, 307 and 308 by the same POST; a refresh repeats the request
that the page on the screen came from. It speaks real HTTP over the tour's own port, so that every
request passes server, bridge and framework like one of a person.

It never talks to anybody else. The address is the one at which a request reached this server; of
a URL only the path below the tour is used; and `Stranger` ends the play if the first request does
not arrive here.
"""

from __future__ import annotations

import http.client
import re
import select
import socket
import struct
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urljoin, urlsplit

from .filling import Answer, Sent, Stopped, filled
from .journal import Step

TIMEOUT: Final = 10.0  # seconds, for each answer
MOST: Final = 1 << 20  # bytes of a page that are read
REDIRECTS: Final = 5
STEPS: Final = 24
WHOLE: Final = 30.0  # seconds, for everything that one browser does
FORM_TYPE: Final = "application/x-www-form-urlencoded"
REPEATS: Final = frozenset({307, 308})
SEES_OTHER: Final = frozenset({301, 302, 303})
RESET: Final = struct.pack("ii", 1, 0)  # SO_LINGER: hang up at once, whatever has not been read
COOKIE: Final = re.compile(r"\s*([^=;\s]+)=([^;]*)")


class Stranger(Stopped):
    """What answers at this address is not this server."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where the tour is: the address to connect to, what to call it, and the path it is below."""

    address: str
    port: int
    host: str
    prefix: str

    def local(self) -> bool:
        """Is the address one of this machine? Only what is ours can be bound."""
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        try:
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.bind((self.address, 0))
        except OSError:
            return False
        return True


class Player:
    """One browser with one tab. `count` tells how many effects it has caused so far.

    `proxy_hops`: that many proxies stand before this server, and it relies on what they say; the
    player comes from inside, so it says the same.
    """

    def __init__(
        self, site: Site, cookie: tuple[str, str], count: Callable[[], int], proxy_hops: int = 0
    ) -> None:
        self._site, self._count, self._hops = site, count, proxy_hops
        self._jar: dict[tuple[str, str], str] = {(cookie[0], site.prefix): cookie[1]}
        self._end = time.monotonic() + WHOLE
        self.steps: list[Step] = []
        self.screen: Answer | None = None

    # What a person does ------------------------------------------------------------------------

    def visit(self, deed: str, path: str) -> Answer:
        """Type an address."""
        return self._follow(self._ask(deed, Sent("GET", path)))

    def forget(self) -> None:
        """Close the tab and open a new one; cookies stay."""
        self.steps, self.screen = [], None

    def fill(self, typed: Mapping[str, str]) -> Sent:
        """The form of the page on the screen, as it is sent after somebody typed."""
        assert self.screen is not None
        return filled(self.screen, typed)

    def press(self, deed: str, form: Sent) -> Answer:
        """Send a form and see where it leads."""
        return self._follow(self._ask(deed, form))

    def press_twice(self, first: str, second: str, form: Sent) -> Answer:
        """Send it again before the first answer has come.

        Browsers drop the first answer; only a 307 has the form sent once more, to its new address,
        for as long as the second click has not come there.
        """
        with closing(self._call(form)) as one, closing(self._call(form)) as two:
            early, late = self._hear(form, one), self._hear(form, two)
        self._wrote(first, early, overlaps=True)
        self._wrote(second, late)
        if early.status in REPEATS:
            self._follow(early)
        return self._follow(late)

    def press_and_lose(self, deed: str, form: Sent) -> None:
        """Send it, and hang up when the answer has begun to come.

        A 307 comes through, because it only says where the form is to be sent.
        """
        for _ in range(REDIRECTS):
            with closing(self._call(form)) as line:
                sock = line.sock
                assert isinstance(sock, socket.socket)
                if _coming(sock) not in REPEATS:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                    break
                answer = self._hear(form, line)
            self._wrote(deed, answer)
            deed, form = "", self._onward(answer) or form
        self._wrote(deed, Answer(form, None))

    def refresh(self, deed: str) -> Answer:
        """Repeat the request that the page on the screen came from."""
        assert self.screen is not None
        return self._follow(self._ask(deed, self.screen.sent))

    # What a browser does -----------------------------------------------------------------------

    def _follow(self, answer: Answer) -> Answer:
        for _ in range(REDIRECTS):
            onward = self._onward(answer)
            if onward is None:
                self.screen = answer
                return answer
            answer = self._ask("", onward)
        raise Stopped("The redirects did not end.")

    def _onward(self, answer: Answer) -> Sent | None:
        """The next request of a redirect (RFC 9110 15.4); None where the page is there."""
        if answer.location is None or answer.status not in SEES_OTHER | REPEATS:
            return None
        here = f"http://{self._site.host}{answer.sent.path}"
        path = self._own(urljoin(here, answer.location))
        if answer.status in REPEATS:
            return replace(answer.sent, path=path)
        return Sent("GET", path)

    def _own(self, url: str) -> str:
        parts = urlsplit(url)
        if parts.netloc != self._site.host or not parts.path.startswith(f"{self._site.prefix}/"):
            raise Stopped(f"A redirect leads out of the tour: {url[:100]}")
        return parts.path + (f"?{parts.query}" if parts.query else "")

    def _ask(self, deed: str, sent: Sent) -> Answer:
        with closing(self._call(sent)) as line:
            answer = self._hear(sent, line)
        self._wrote(deed, answer)
        return answer

    def _wrote(self, deed: str, answer: Answer, *, overlaps: bool = False) -> None:
        sent, count = answer.sent, self._count()
        step = Step(deed, sent.method, sent.path, answer.status, answer.location, count, overlaps)
        self.steps.append(step)
        if len(self.steps) > STEPS or time.monotonic() > self._end:
            raise Stopped("This took longer than any browser would wait.")

    # What goes over the wire -------------------------------------------------------------------

    def _call(self, sent: Sent) -> http.client.HTTPConnection:
        if not below(urlsplit(sent.path).path, self._site.prefix):
            raise Stopped(f"A form leads out of the tour: {sent.path[:100]}")
        line = http.client.HTTPConnection(self._site.address, self._site.port, timeout=TIMEOUT)
        body = None if sent.body is None else sent.body.encode("ascii")
        try:
            line.request(sent.method, sent.path, body, self._headers(sent))
        except (OSError, http.client.HTTPException) as error:
            line.close()
            raise Stopped("The tour could not be reached at its own address.") from error
        return line

    def _headers(self, sent: Sent) -> dict[str, str]:
        host, path = self._site.host, urlsplit(sent.path).path
        fitting = [(name, value) for (name, at), value in self._jar.items() if below(path, at)]
        headers = {
            "Host": host,
            "Accept": "text/html",
            "Connection": "close",
            "Sec-Fetch-Dest": "document",
            "Sec-Fetch-Mode": "navigate",
            "Sec-Fetch-Site": "none" if self.screen is None else "same-origin",
            "Cookie": "; ".join(f"{name}={value}" for name, value in fitting),
        }
        if self._hops:
            headers["X-Forwarded-Host"] = ", ".join([host] * self._hops)
            headers["X-Forwarded-Proto"] = ", ".join(["http"] * self._hops)
        if self.screen is not None:
            headers["Referer"] = f"http://{host}{self.screen.sent.path}"
        if sent.body is not None:
            headers |= {"Origin": f"http://{host}", "Content-Type": FORM_TYPE}
        return headers

    def _hear(self, sent: Sent, line: http.client.HTTPConnection) -> Answer:
        try:
            came = line.getresponse()
            page = came.read(MOST).decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            raise Stopped("An answer did not come in time.") from error
        for cookie in came.headers.get_all("Set-Cookie", []):
            self._store(cookie, sent.path)
        return Answer(sent, came.status, came.headers.get("Location"), page)

    def _store(self, cookie: str, path: str) -> None:
        """Keep a cookie, or drop it (RFC 6265 section 5.3, as far as one site needs it)."""
        found = COOKIE.match(cookie)
        if found is None:
            return
        said = {k.strip().lower(): v.strip() for k, _, v in _pairs(cookie)}
        default = urlsplit(path).path.rpartition("/")[0] or "/"
        key = found[1], said.get("path") or default
        self._jar.pop(key, None)
        gone = said.get("max-age", "1").startswith(("0", "-")) or "1970" in said.get("expires", "")
        if not gone:
            self._jar[key] = found[2].strip()


def _coming(sock: socket.socket) -> int:
    """The status of the answer that has begun to come, without taking a byte of it."""
    try:
        ready, _, _ = select.select([sock], [], [], TIMEOUT)
        line = sock.recv(12, socket.MSG_PEEK) if ready else b""
        return int(line[-3:])
    except (OSError, ValueError) as error:
        raise Stopped("An answer did not come in time.") from error


def _pairs(cookie: str) -> list[tuple[str, str, str]]:
    return [part.partition("=") for part in cookie.split(";")[1:]]


def below(path: str, at: str) -> bool:
    """Does a cookie of this path go with a request to that one (RFC 6265 section 5.1.4)?

    >>> below("/tour/page/hello", "/tour"), below("/tours", "/tour"), below("/", "/")
    (True, False, True)
    """
    return path == at or path.startswith(at.rstrip("/") + "/")
