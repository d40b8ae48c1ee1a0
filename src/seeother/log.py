"""One line per request, for people who watch their server: never a query, a token or a value.

    POST / 303 -> / new 4 ms

The logger is `seeother.request`; the numbers are also in the record's attributes. Whoever wants
them as numbers watches (`watch`): `seeother.metrics` does so for Prometheus and OpenTelemetry.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from .core.values import Request

REQUESTS: Final = logging.getLogger("seeother.request")
EVENTS: Final = logging.getLogger("seeother")


@dataclass(frozen=True, slots=True)
class Answered:
    """One answered request, as a log and a metric may know it; `seconds` is how long it took.

    `route` is the pattern in the framework's words, empty where none is known; `word` says what
    became of the request (new, replayed, waited, refused).
    """

    method: str
    path: str
    route: str
    status: int
    landing: str | None
    word: str
    seconds: float


class Watcher(Protocol):
    """Somebody who counts. What it raises is logged and changes nothing."""

    def answered(self, fact: Answered) -> object:
        """One request was answered."""
        ...

    def happened(self, what: str) -> object:
        """Something happened that operators should know."""
        ...


_WATCHERS: list[Watcher] = []


def watch(watcher: Watcher) -> Callable[[], None]:
    """Tell a watcher of every request from now on; returns what ends that."""
    _WATCHERS.append(watcher)
    return lambda: _WATCHERS.remove(watcher) if watcher in _WATCHERS else None


def request_line(
    request: Request,
    status: int,
    location: str | None,
    *,
    word: str,
    seconds: float,
    route: str = "",
) -> None:
    """Say that a request was answered: to the log, and to those who watch."""
    logged = REQUESTS.isEnabledFor(logging.INFO)
    if not (logged or _WATCHERS):
        return
    path, landing = request.root + request.path, location.partition("?")[0] if location else None
    fact = Answered(request.method, path, route, status, landing, word, seconds)
    if logged:
        _log(fact)
    for watcher in tuple(_WATCHERS):
        _told(watcher.answered, fact)


def happened(level: int, what: str, text: str, *args: object) -> None:
    """Log an event of the kind `what`, and tell those who watch."""
    EVENTS.log(level, text, *args)
    count(what)


def count(what: str) -> None:
    """Tell those who watch of an event that need not be logged again."""
    for watcher in tuple(_WATCHERS):
        _told(watcher.happened, what)


def clean(text: str) -> str:
    """Text that cannot forge a second log line: everything odd as in repr()."""
    return repr(text)[1:-1]


def _log(fact: Answered) -> None:
    arrow = f" -> {clean(fact.landing)}" if fact.landing else ""
    line = f"{clean(fact.method)} {clean(fact.path)} {fact.status}{arrow} {fact.word}"
    names = ("method", "path", "status", "landing", "word", "seconds")
    REQUESTS.info(
        f"{line} {fact.seconds * 1000:.0f} ms", extra={name: getattr(fact, name) for name in names}
    )


def _told(tell: Callable[..., object], fact: object) -> None:
    try:
        tell(fact)
    except Exception:  # noqa: BLE001 - a metric must never cost an answer
        EVENTS.exception("a watcher of requests raised")
