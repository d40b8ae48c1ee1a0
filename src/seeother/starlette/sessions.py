"""`request.session`: the visit's session, and a dict for those who look no closer.

Starlette's own session is a dict, so apps hand it to `JSONResponse`, ask `isinstance(_, dict)`, and
encoders written in C read it past every method. Ours is the mapping that merges, and beside that
the very same pairs stand in the dict that it inherits from: they are put there when somebody asks
for `request.session`, and written along from then on. Which values have changed says the mapping.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, Self

from starlette.requests import HTTPConnection

from ..channel import Message, Send
from ..core.session import Session
from ..visit import Visit

# Later releases say when the session is asked for; before them it may be asked for at any time.
_asked: Any = HTTPConnection.session
SAID: Final = "mark_accessed" in _asked.fget.__code__.co_names
VARY: Final = b"vary"
LAX: Final = re.compile(rb"; SameSite=Lax", re.IGNORECASE)
AGE: Final = re.compile(rb"; Max-Age=[1-9][0-9]*", re.IGNORECASE)
_BELOW: Final[Any] = dict  # the other base: what those who look no closer find


class RequestSession(Session, dict[str, Any]):
    """A `Session` that is a dict as well."""

    def __init__(self, rows: Iterable[tuple[str, bytes]] = ()) -> None:
        super().__init__(rows)
        self.accessed = False
        if not SAID and self._stored:
            self._show()

    def mark_accessed(self) -> None:
        """Somebody asks for it: the answer varies by the cookie."""
        if not self.accessed:
            self.accessed = True
            self._show()

    def _show(self) -> None:
        for name in self:
            _BELOW.__setitem__(self, name, self[name])

    def __setitem__(self, name: str, value: Any) -> None:
        super().__setitem__(name, value)
        _BELOW.__setitem__(self, name, value)

    def __delitem__(self, name: str) -> None:
        super().__delitem__(name)
        _BELOW.pop(self, name, None)

    def clear(self) -> None:
        """Forget everything, also what another request adds until this one is written."""
        super().clear()
        _BELOW.clear(self)

    def popitem(self) -> tuple[str, Any]:
        """Remove the last pair, as a dict does. Raises KeyError where there is none."""
        if not self:
            raise KeyError("the session is empty")
        name = list(self)[-1]
        return name, self.pop(name)

    def copy(self) -> dict[str, Any]:
        """A plain dict of it, which is no session."""
        return dict(self)

    def __or__(self, other: Mapping[str, Any]) -> dict[str, Any]:  # type: ignore[override]
        return {**self, **other}

    def __ror__(self, other: Mapping[str, Any]) -> dict[str, Any]:  # type: ignore[override]
        return {**other, **self}

    def __ior__(self, other: Any) -> Self:  # type: ignore[override,misc]
        self.update(other)
        return self


def session_of(visit: Visit) -> RequestSession:
    """The visit's session, as a dict as well."""
    known = visit._session  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    if isinstance(known, RequestSession):
        return known
    rows = visit._opened.session or ()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    visit._session = made = RequestSession(rows)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    return made


def varying(session: RequestSession, send: Send) -> Send:
    """`send` for the app: what shows a session is another answer for another cookie."""

    async def say(message: Message) -> None:
        if message["type"] == "http.response.start" and session.accessed:
            message = {**message, "headers": _vary(list(message.get("headers", ())))}
        await send(message)

    return say


def _vary(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    lines = [value for name, value in headers if name.lower() == VARY]
    if not lines:
        return [*headers, (VARY, b"Cookie")]
    listed = b", ".join(lines)
    words = {word.strip().lower() for word in listed.split(b",")}
    if words & {b"*", b"cookie"}:
        return headers
    both = b"%s, Cookie" % listed if listed else b"Cookie"
    return [*[one for one in headers if one[0].lower() != VARY], (VARY, both)]


class Wording:
    """How the session's cookie is worded where that was asked for.

    `ageless`: it ends with the browser, so it names no age; the line that takes it away keeps its
    age of nothing. `strict`: it does not come along from another site at all.
    """

    def __init__(self, name: str, *, ageless: bool, strict: bool) -> None:
        self._ours = re.compile(rb"(?:__Host-)?%s=" % re.escape(name.encode()))
        wanted = ((ageless, AGE, b""), (strict, LAX, b"; SameSite=Strict"))
        self._changes = [(found, put) for asked, found, put in wanted if asked]

    def sending(self, send: Send) -> Send:
        """`send` for the server."""

        async def say(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [self._worded(*one) for one in message.get("headers", ())]
                message = {**message, "headers": headers}
            await send(message)

        return say if self._changes else send

    def _worded(self, key: bytes, value: bytes) -> tuple[bytes, bytes]:
        if key.lower() == b"set-cookie" and self._ours.match(value):
            for found, put in self._changes:
                value = found.sub(put, value)
        return key, value
