"""The least that a browser does: cookies, Fetch Metadata, forms with the token of their page."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlencode

from .stage import HOST, Answer, Ask, Client, fetch

FORM: Final = "application/x-www-form-urlencoded"
TOKEN: Final = re.compile(r'<input type="hidden" name="so_token" value="([^"]*)">')
NAVIGATION: Final = {
    "accept": "text/html,*/*;q=0.8",
    "sec-fetch-site": "same-origin",
    "sec-fetch-mode": "navigate",
    "sec-fetch-dest": "document",
}

Fields = Mapping[str, str] | Sequence[tuple[str, str]]


class Browser:
    """One visitor. Header names are keywords with `_` for `-`; None leaves a header out."""

    def __init__(self, client: Client, scheme: str = "http") -> None:
        self.client, self.scheme = client, scheme
        self.cookies: dict[str, str] = {}

    def get(self, target: str = "/", *, method: str = "GET", **headers: str | None) -> Answer:
        """Navigate to a page of this site, as by a link on it."""
        return self.ask(method, target, **headers)

    def post(self, fields: Fields, target: str = "/", /, **headers: str | None) -> Answer:
        """Send a form of this site."""
        body = urlencode(_pairs(fields)).encode()
        return self.ask("POST", target, body, **{"origin": self.origin, **headers})

    def submit(self, fields: Fields, target: str = "/") -> Answer:
        """Open the page, and send its form with these fields and its token."""
        return self.post([*_pairs(fields), ("so_token", token(self.get(target)))], target)

    def follow(self, answer: Answer) -> Answer:
        """Go where a redirect leads."""
        return self.get(answer.location)

    @property
    def origin(self) -> str:
        """The origin of this site."""
        return f"{self.scheme}://{HOST}"

    def ask(self, method: str, target: str, body: bytes = b"", /, **headers: str | None) -> Answer:
        """Send anything, with the cookies, and keep the cookies that come back."""
        lines: dict[str, str | None] = dict(NAVIGATION)
        if self.cookies:
            lines["cookie"] = "; ".join(f"{k}={v}" for k, v in self.cookies.items())
        if method not in ("GET", "HEAD"):
            lines |= {"content-type": FORM, "content-length": str(len(body))}
        lines |= {name.replace("_", "-"): value for name, value in headers.items()}
        sent = tuple((k, v) for k, v in lines.items() if v is not None)
        answer = fetch(self.client, Ask(method, target, sent, body, self.scheme))
        self._keep(answer)
        return answer

    def _keep(self, answer: Answer) -> None:
        for line in answer.all("set-cookie"):
            pair, *attributes = line.split("; ")
            name, _, value = pair.partition("=")
            self.cookies[name] = value
            if "max-age=0" in [a.lower() for a in attributes]:
                del self.cookies[name]


def _pairs(fields: Fields) -> list[tuple[str, str]]:
    return list(fields if isinstance(fields, Sequence) else fields.items())


def tokens(answer: Answer) -> list[str]:
    """Every token that was planted into a page."""
    return TOKEN.findall(answer.text)


def token(answer: Answer) -> str:
    """The one token of a page; none and two are failures."""
    found = tokens(answer)
    assert len(found) == 1, f"{len(found)} tokens in {answer.status}: {answer.text[:500]}"
    return str(found[0])
