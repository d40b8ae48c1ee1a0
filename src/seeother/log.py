"""One line per request, for people who watch their server: never a query, a token or a value.

    POST / 303 -> / new 4 ms

The logger is `seeother.request`; the numbers are also in the record's attributes.
"""

from __future__ import annotations

import logging
from typing import Final

from .core.values import Request

REQUESTS: Final = logging.getLogger("seeother.request")
EVENTS: Final = logging.getLogger("seeother")


def request_line(
    request: Request, status: int, location: str | None, word: str, seconds: float
) -> None:
    """Log one answered request; `word` says what became of it (new, replayed, waited, refused)."""
    if not REQUESTS.isEnabledFor(logging.INFO):
        return
    method, path = request.method, request.root + request.path
    landing = location.partition("?")[0] if location else None
    facts = {"method": method, "path": path, "status": status, "landing": landing, "word": word}
    arrow = f" -> {clean(landing)}" if landing else ""
    text = f"{clean(method)} {clean(path)} {status}{arrow} {word} {seconds * 1000:.0f} ms"
    REQUESTS.info(text, extra={**facts, "seconds": seconds})


def clean(text: str) -> str:
    """Text that cannot forge a second log line: everything odd as in repr()."""
    return repr(text)[1:-1]
