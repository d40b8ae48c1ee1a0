"""A cookie jar for each arm: no arm sees the cookies of another, or of the site around it.

All arms share one origin, and frameworks call their cookies alike (`session`, `sessionid`,
`csrftoken`). Instead of telling each framework other names, which would be lines in the lessons,
the names are changed on the way: what an arm sets leaves under the arm's own prefix, and comes back
to this arm alone, without it. Names that begin with `__Host-` keep that beginning and their path,
because browsers insist on both (RFC 6265bis section 4.1.3.2).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, Final

from ...wsgi import App, Environ, StartResponse

HOST: Final = "__Host-"
PATH: Final = re.compile(r";\s*path=[^;]*", re.IGNORECASE)


class Jar:
    """An app with a jar of its own; `prefix` begins the names of its cookies in the browser."""

    def __init__(self, app: App, prefix: str) -> None:
        self.app, self._prefix = app, prefix

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """One WSGI request."""
        path = environ.get("SCRIPT_NAME") or "/"
        inner = dict(environ)
        cookies = self.own(inner.pop("HTTP_COOKIE", ""))
        if cookies:
            inner["HTTP_COOKIE"] = cookies

        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Callable[..., object]:
            return start_response(status, [self._sent(line, path) for line in headers], *more)

        return self.app(inner, start)

    def own(self, header: str) -> str:
        """The part of a Cookie header that is this arm's, under the names that the arm knows.

        >>> Jar(None, "hello.").own("hello.session=1; session=2; __Host-hello.so=3")
        'session=1; __Host-so=3'
        """
        found = [
            host + piece.removeprefix(host + self._prefix)
            for piece in map(str.strip, header.split(";"))
            for host in (HOST, "")
            if piece.startswith(host + self._prefix)
        ]
        return "; ".join(found)

    def _sent(self, line: tuple[str, str], path: str) -> tuple[str, str]:
        """A header on its way out."""
        name, value = line[0], line[1].strip()
        if name.lower() != "set-cookie":
            return line
        if value.startswith(HOST):
            return name, HOST + self._prefix + value.removeprefix(HOST)
        pair, semicolon, attributes = value.partition(";")
        return name, f"{self._prefix}{pair}; Path={path}{PATH.sub('', semicolon + attributes)}"
