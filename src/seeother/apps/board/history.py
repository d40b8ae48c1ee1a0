"""What a visitor did last, for the board's "How did I get here?".

It stands outside of seeother, so that it sees what the board itself never sees: a POST that was
answered with the recorded answer, or refused. A visitor is who has seeother's own visitor cookie;
the very first page is filed under the cookie that its answer sets. Only a digest of the cookie is
kept, five requests for each of a thousand visitors, in the memory of this process.

This is to be looked at. It protects nothing, and nothing depends on it: whatever is forgotten here,
by a restart or because others came, is missing from a list and from nowhere else.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any, Final

from ...channel import Message, Receive, Scope, Send
from ...core.cookie import cookie_names, read_cookie

STEPS: Final = "seeother.board.steps"
LAST: Final = 5
VISITORS: Final = 1_000
LONGEST: Final = 80  # characters of an address
UNSEEN: Final = ("/static/", "/favicon.ico")  # what a page brings along by itself


@dataclass(frozen=True, slots=True)
class Step:
    """One request of a visitor and its answer; `status` None while it is being answered."""

    method: str
    path: str
    status: int | None = None
    location: str | None = None


class History:
    """ASGI middleware around the whole board: it notes, and changes nothing.

    `board` is a `seeother.asgi.SeeOther`; its policy says how the visitor's cookie is called. The
    page finds its visitor's last steps, itself included, in `scope[STEPS]`.
    """

    def __init__(self, board: Any, visitors: int = VISITORS) -> None:
        self.app = board
        self._visitors = visitors
        self._steps: OrderedDict[bytes, tuple[Step, ...]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection; only requests for pages are noted."""
        if scope["type"] != "http" or scope["path"].startswith(UNSEEN):
            await self.app(scope, receive, send)
            return
        asked = [value for name, value in scope["headers"] if name == b"cookie"]
        visitor, step = self._visitor(asked), self._begun(scope)

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._note(visitor, step, message)
            await send(message)

        before = self._steps.get(visitor, ()) if visitor else ()
        await self.app({**scope, STEPS: (*before, step)[-LAST:]}, receive, told)

    def _note(self, visitor: bytes | None, step: Step, answer: Message) -> None:
        headers = [(bytes(name).lower(), bytes(value)) for name, value in answer.get("headers", ())]
        given = [v.partition(b";")[0] for n, v in headers if n == b"set-cookie"]
        known = self._visitor(given) or visitor
        if known is None:
            return
        location = next((v.decode("latin-1") for n, v in headers if n == b"location"), None)
        shown = None if location is None else self._shown(location)
        done = replace(step, status=answer["status"], location=shown)
        before = self._steps.get(known, ())
        self._steps[known] = (*before, done)[-LAST:]
        self._steps.move_to_end(known)
        while len(self._steps) > self._visitors:
            self._steps.popitem(last=False)

    def _begun(self, scope: Scope) -> Step:
        raw, query = bytes(scope.get("raw_path") or b"/"), bytes(scope.get("query_string", b""))
        address = (raw + b"?" + query if query else raw).decode("latin-1")
        return Step(scope["method"], self._shown(address))

    def _shown(self, address: str) -> str:
        """An address as it is shown: of a mark only as much as tells two of them apart."""
        mark = self.app.policy.mark
        if mark is not None:
            address = re.sub(rf"\b({re.escape(mark)}=[\w-]{{4}})[\w-]+", r"\1…", address)
        return address if len(address) <= LONGEST else address[: LONGEST - 1] + "…"

    def _visitor(self, cookies: Iterable[bytes]) -> bytes | None:
        """A digest of the visitor's cookie, if it is among these."""
        policy, lines = self.app.policy, list(cookies)
        for secure in (True, False):
            for tag in policy.ring.tags:
                name = cookie_names(tag, secure, policy.cookie_name).visitor
                value = read_cookie(lines, name.encode())
                if value:
                    return blake2b(value, digest_size=16).digest()
        return None
