"""A person at a browser, as far as an app can tell: cookies, forms, redirects, the waiting page.

The fields that are sent are those of the page: hidden ones, tokens of the app's framework and all
the rest. Requests name one address in `Host`, whichever process takes them; that is how several
servers look from the outside.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode, urljoin, urlsplit

import httpx
from selectolax.lexbor import LexborHTMLParser, LexborNode

NAVIGATION: Final = {
    "accept": "text/html,application/xhtml+xml,*/*;q=0.8",
    "upgrade-insecure-requests": "1",
    "user-agent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/130.0",
    "sec-fetch-mode": "navigate",
    "sec-fetch-dest": "document",
    "sec-fetch-user": "?1",
}
URLENCODED: Final = "application/x-www-form-urlencoded"
BOUNDARY: Final = "----a-form-7319f0a4c2"
REDIRECTS: Final = (301, 302, 303)
MOST_HOPS: Final = 12
PATIENCE: Final = 90.0  # seconds; a lease is 30
TIMEOUT: Final = 120.0
DOUBT: Final = "We cannot tell whether this was saved"


class Unexpected(Exception):
    """The app did not do what its module says that it does."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A filled-in form as bytes: whoever sends it once more sends the very same."""

    target: str
    body: bytes
    kind: str


@dataclass(frozen=True, slots=True)
class Ending:
    """What a submission came to: the app's answer, or that its outcome is unknown."""

    status: int
    location: str = ""
    waited: bool = False
    doubt: bool = False

    @property
    def told(self) -> tuple[int, str]:
        """What every repeat must be told as well."""
        return self.status, self.location


class Page:
    """A page, and the forms on it."""

    def __init__(self, url: str, answer: httpx.Response) -> None:
        self.url, self.status, self.text = url, answer.status_code, answer.text
        self.tree = LexborHTMLParser(answer.text)

    def fill(self, selector: str, typed: Mapping[str, str], pressed: str = "") -> Sent:
        """The only form that a CSS selector finds, with this typed into it."""
        found = self.tree.css(selector)
        if len(found) != 1:
            raise Unexpected(f"{len(found)} forms {selector} on {self.url}: {self.title}")
        (form,) = found
        fields = [pair for node in form.css(FIELDS) for pair in _successful(node)]
        fields = _typed(fields, typed, self.url)
        fields += [_button(form, pressed)] if pressed else []
        attributes = form.attributes
        if (attributes.get("method") or "get").lower() != "post":
            raise Unexpected(f"{selector} on {self.url} is no POST form")
        target = urljoin(self.url, attributes.get("action") or "")
        if (attributes.get("enctype") or "").lower() == "multipart/form-data":
            return Sent(target, _multipart(fields), f"multipart/form-data; boundary={BOUNDARY}")
        return Sent(target, urlencode(fields).encode(), URLENCODED)

    @property
    def title(self) -> str:
        """Its status and title, for messages."""
        return f"{self.status} {' '.join(node.text() for node in self.tree.css('title'))}"


FIELDS: Final = "input[name], select[name], textarea[name]"
UNSENT: Final = frozenset({"submit", "button", "image", "reset", "file"})


def _successful(field: LexborNode) -> list[tuple[str, str]]:
    """What a field sends (HTML 4.10.21.4), without files: nobody chooses one."""
    about = field.attributes
    name, kind = about["name"] or "", (about.get("type") or "").lower()
    if "disabled" in about or kind in UNSENT:
        return []
    if field.tag == "textarea":
        return [(name, field.text())]
    if field.tag == "select":
        options = [one for one in field.css("option") if "disabled" not in one.attributes]
        chosen = [one for one in options if "selected" in one.attributes]
        if not chosen and "multiple" not in about:
            chosen = options[:1]
        return [(name, _value(one)) for one in chosen]
    if kind in ("checkbox", "radio"):
        return [(name, about.get("value") or "on")] if "checked" in about else []
    return [(name, about.get("value") or "")]


def _value(option: LexborNode) -> str:
    given = option.attributes.get("value")
    return option.text().strip() if given is None else given


def _typed(
    fields: Sequence[tuple[str, str]], typed: Mapping[str, str], url: str
) -> list[tuple[str, str]]:
    unknown = typed.keys() - {name for name, _ in fields}
    if unknown:
        raise Unexpected(f"no field {sorted(unknown)} on {url}; there are {dict(fields)}")
    return [(name, typed.get(name, value)) for name, value in fields]


def _button(form: LexborNode, name: str) -> tuple[str, str]:
    found = form.css(f'button[name="{name}"], input[name="{name}"]')
    if not found:
        raise Unexpected(f"no button {name}")
    return name, found[0].attributes.get("value") or ""


def _multipart(fields: Sequence[tuple[str, str]]) -> bytes:
    """RFC 7578, without files."""
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields
    ]
    return "".join((*parts, f"--{BOUNDARY}--\r\n")).encode()


class Person:
    """Cookies, and the servers that are behind one address; a context manager."""

    def __init__(self, ports: Sequence[int]) -> None:
        self.ports = ports
        self.host = f"127.0.0.1:{ports[0]}"
        self.origin = f"http://{self.host}"
        # No connection outlives its request: servers are killed here.
        alone = httpx.Limits(max_keepalive_connections=0)
        self._client = httpx.Client(trust_env=False, timeout=TIMEOUT, limits=alone)

    def get(self, target: str, **headers: str) -> Page:
        """Navigate by the address bar, and follow where it leads."""
        url = urljoin(self.origin, target)
        for _ in range(MOST_HOPS):
            answer = self._ask("GET", url, {"sec-fetch-site": "none", **headers})
            if answer.status_code not in REDIRECTS:
                return Page(url, answer)
            url = urljoin(url, answer.headers["location"])
        raise Unexpected(f"{target} redirects for ever")

    def send(self, sent: Sent, door: int = 0) -> httpx.Response:
        """Send a form to one of the servers; the answer is not followed."""
        own = {"origin": self.origin, "sec-fetch-site": "same-origin", "content-type": sent.kind}
        return self._ask("POST", sent.target, own, sent.body, door)

    def submit(self, sent: Sent, door: int = 0) -> Ending:
        """Send a form, and wait on the waiting page if that is the answer."""
        return self.ending(sent, self.send(sent, door), door)

    def ending(self, sent: Sent, answer: httpx.Response, door: int = 0) -> Ending:
        """What this answer comes to in the end."""
        url, waited, given_up = sent.target, False, time.monotonic() + PATIENCE
        while (there := _waiting(answer, url)) is not None:
            if time.monotonic() > given_up:
                raise Unexpected(f"still waiting for {sent.target}")
            if "refresh" in answer.headers:
                time.sleep(float(answer.headers["refresh"]))  # as the page asks a browser to
            url, waited = there, True
            answer = self._ask("GET", url, {"sec-fetch-site": "same-origin"}, door=door)
        location = answer.headers.get("location", "")
        return Ending(answer.status_code, location, waited, _in_doubt(answer))

    def sign_in(self, page: str, form: str, **typed: str) -> None:
        """Log in by a form; without a cookie that is new it did not work."""
        sent = self.get(page).fill(form, typed)
        before = dict(self._client.cookies)
        self.submit(sent)
        if dict(self._client.cookies) == before:
            raise Unexpected(f"nobody is logged in by {page}")

    def sign_in_by_header(self, page: str, name: str, password: str) -> None:
        """Log in by what a browser sends when it was asked for name and password (RFC 7617)."""
        known = base64.b64encode(f"{name}:{password}".encode()).decode()
        self.get(page, authorization=f"Basic {known}")

    def _ask(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None = None,
        door: int = 0,
    ) -> httpx.Response:
        parts = urlsplit(url)
        if parts.netloc != self.host:
            raise Unexpected(f"{url} is another site")
        here = parts._replace(netloc=f"127.0.0.1:{self.ports[door]}", fragment="").geturl()
        sent = {**NAVIGATION, "host": self.host, **headers}
        return self._client.request(method, here, headers=sent, content=body)

    def __enter__(self) -> Person:
        return self

    def __exit__(self, *error: object) -> None:
        self._client.close()


def _waiting(answer: httpx.Response, url: str) -> str | None:
    """Where the waiting page is, if this answer is it or leads there; else None."""
    if answer.status_code == httpx.codes.OK and "refresh" in answer.headers and "so=w." in url:
        return url
    location = urljoin(url, answer.headers.get("location", ""))
    return location if answer.status_code in REDIRECTS and "so=w." in location else None


def _in_doubt(answer: httpx.Response) -> bool:
    return answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR and DOUBT in answer.text
