"""A person at a browser behind a bad line: sends the same form until it is confirmed.

Whatever the page says is believed: a redirect is followed, a waiting page is asked again, the
resend page is sent again, and a doubt is taken for what it is. Some click twice, some go back and
send the form again, some reload the page that confirmed it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Final, NamedTuple
from urllib.parse import urlencode, urlsplit

from tests.crash.judge import ACCEPTED, DOUBT, Told

from . import wire
from .wire import DICE, Answer, Lost

FIELDS: Final = re.compile(r'<input type="hidden" name="([^"]*)" value="([^"]*)"')
TRIES: Final = 400
NAP: Final = 0.05
NAVIGATION: Final = {
    "accept": "text/html,*/*;q=0.8",
    "sec-fetch-site": "same-origin",
    "sec-fetch-mode": "navigate",
    "sec-fetch-dest": "document",
}


Meant = Callable[[str, str], str]


class Form(NamedTuple):
    """A filled-in form: where it goes, and its bytes."""

    target: str
    body: bytes


@dataclass(slots=True)
class Person:
    """One visitor; `port` is where the proxy listens.

    `text` is the name of the field that carries the label, `meant` says what a Location means in
    the words of the judge. `posts` counts what was sent.
    """

    name: str
    port: int
    host: str
    dice: Random
    text: str
    meant: Meant
    posts: int = 0
    doubts: int = 0
    cookies: dict[str, str] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)
    _numbers: count[int] = field(default_factory=count)

    async def submit(self, label: str) -> None:
        """Fill in the form once, and send it until it is clear what became of it."""
        form = await self._form(label)
        clicks = 2 if self.dice.random() < 0.2 else 1
        ends = await asyncio.gather(*(self._insist(form, label) for _ in range(clicks)))
        if self.dice.random() < 0.15:
            ends.append(await self._insist(form, label))  # Back, and the button once more
        self.doubts += DOUBT in ends
        if len({end for end in ends if end != DOUBT}) > 1:
            self.troubles.append(f"{label}: confirmed at {sorted(set(ends))}")

    async def _form(self, label: str) -> Form:
        page = await self._page("/")
        hidden = dict(FIELDS.findall(page.text))
        return Form("/?so" if hidden else "/", urlencode({**hidden, self.text: label}).encode())

    async def _insist(self, form: Form, label: str) -> str:
        """Send until it is answered; the address that confirms it, or "in doubt"."""
        for _ in range(TRIES):
            try:
                answer = await self._ask("POST", form.target, form.body)
                answer, location = await self._followed(answer)
            except Lost:
                await asyncio.sleep(self.dice.uniform(0.0, NAP))
                continue
            meant = self.meant(label, location)
            kind = Told(0.0, label, answer.status, meant, answer.text).kind
            if kind == DOUBT:
                return DOUBT
            if kind == ACCEPTED:
                await self._land(location, label)
                return location
            if answer.status not in (303, 503):
                self.troubles.append(f"{label}: {answer.status} {answer.text[:300]}")
                return DOUBT
            await asyncio.sleep(NAP)
        raise AssertionError(f"{label}: never answered")

    async def _followed(self, answer: Answer) -> tuple[Answer, str]:
        """Where a redirect leads, through waiting pages; they ask again by themselves.

        Such a page may also end in "not saved yet" (503): then the form is sent again.
        """
        location = answer.location
        while "so=w." in location:
            with suppress(Lost):
                page = await self._ask("GET", location)
                if page.status != 200:
                    location, answer = page.location, page
            await asyncio.sleep(NAP)
        return answer, location

    async def _land(self, location: str, label: str) -> None:
        for _ in range(1 + (self.dice.random() < 0.2)):  # some reload
            page = await self._page(location)
            if page.status != 200:
                self.troubles.append(f"{label}: landed on {page.status}")

    async def _page(self, target: str) -> Answer:
        """Ask for a page until it comes."""
        said = ""
        for _ in range(TRIES):
            try:
                page = await self._ask("GET", target)
            except Lost as lost:
                said = str(lost)
            else:
                if page.status != 503:
                    return page
                said = page.text[:300]
            await asyncio.sleep(NAP)
        raise AssertionError(f"{self.name}: {target} never came: {said}")

    async def _ask(self, method: str, target: str, body: bytes = b"") -> Answer:
        path = urlsplit(target)
        place = f"{path.path}?{path.query}" if path.query else path.path
        lines = {"host": self.host, DICE: f"{self.name} {next(self._numbers)}", **NAVIGATION}
        if self.cookies:
            lines["cookie"] = "; ".join(f"{k}={v}" for k, v in self.cookies.items())
        if method == "POST":
            lines["origin"] = f"http://{self.host}"
            self.posts += 1
        answer = await wire.sent(self.port, wire.request(method, place, lines, body))
        for line in answer.all("set-cookie"):
            pair, *attributes = line.split("; ")
            name, _, value = pair.partition("=")
            self.cookies[name] = value
            if "max-age=0" in [a.lower() for a in attributes]:
                del self.cookies[name]
        return answer
