"""Children that die on order: the client's side of `nursery`."""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode

from selectolax.lexbor import LexborHTMLParser

SECRET = "a secret for crash tests, 32 bytes or more"
ORIGIN = "http://board.test"
KILLED = -9


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of a child."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def location(self) -> str | None:
        """Where a redirect leads."""
        return self.headers.get("location")

    @property
    def said(self) -> list[str]:
        """The status messages on the page."""
        found = LexborHTMLParser(self.text).css('[role="status"] .flash > span')
        return [node.text().strip() for node in found]

    @property
    def typed(self) -> str:
        """What stands in the message field."""
        (area,) = LexborHTMLParser(self.text).css("textarea[name=message]")
        return area.text()


@dataclass(frozen=True, slots=True)
class Life:
    """How a child lived: its exit code, the answers it gave, the places it passed."""

    code: int
    answers: tuple[Answer, ...]
    places: tuple[str, ...]


class Nursery:
    """The warm parent as a process; a context manager.

    The clock of all its children's stores stands still, so that no test depends on its speed.
    """

    def __init__(self) -> None:
        self._now = time.time()
        self._parent = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.nursery"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )

    def run(
        self,
        database: Path,
        requests: Sequence[dict[str, Any]],
        deadly: int | None = None,
        ahead: float = 0.0,
    ) -> Life:
        """Let a child answer these requests; `deadly` is the number of the place where it dies.

        `ahead` moves the store's clock for this child, in seconds.
        """
        order = {
            "database": str(database),
            "secret": SECRET,
            "requests": list(requests),
            "deadly": deadly,
            "now": self._now + ahead,
        }
        assert self._parent.stdin is not None and self._parent.stdout is not None
        self._parent.stdin.write(json.dumps(order) + "\n")
        self._parent.stdin.flush()
        told = json.loads(self._parent.stdout.readline())
        answers = tuple(Answer(a["status"], dict(a["headers"]), a["text"]) for a in told["answers"])
        life = Life(told["code"], answers, tuple(told["places"]))
        assert life.code == (0 if deadly is None else KILLED), life
        return life

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        assert self._parent.stdin is not None and self._parent.stdout is not None
        self._parent.stdin.close()
        self._parent.wait(30)
        self._parent.stdout.close()


def get(target: str, cookie: str = "") -> dict[str, Any]:
    """A navigation of a browser."""
    headers = {"host": "board.test", "accept": "text/html", "sec-fetch-site": "same-origin"}
    headers |= {"sec-fetch-dest": "document", "sec-fetch-mode": "navigate"}
    return {"method": "GET", "target": target, "headers": headers | _cookie(cookie)}


def post(token: str, cookie: str, message: str) -> dict[str, Any]:
    """The board's form as a browser sends it."""
    body = urlencode({"so_token": token, "message": message, "name": "Ann"})
    headers = {
        "host": "board.test",
        "origin": ORIGIN,
        "sec-fetch-site": "same-origin",
        "sec-fetch-dest": "document",
        "content-type": "application/x-www-form-urlencoded",
        "content-length": str(len(body)),
    }
    both = headers | _cookie(cookie)
    return {"method": "POST", "target": "/?so", "headers": both, "body": body}


def _cookie(cookie: str) -> dict[str, str]:
    return {"cookie": cookie} if cookie else {}
