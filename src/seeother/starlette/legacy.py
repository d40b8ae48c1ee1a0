"""Starlette's own session cookie, read once and upgraded (`core.legacy` says what that means).

Two places of a request are ours: outside of the machinery, where cookies come in and go out, and
right around the app, where its answer passes before anything of it is written. A request that is
unsafe is upgraded before the app runs, so that `once` finds a session like any other; one that only
reads finds the cookie's values, and is upgraded where the app has changed them.

itsdangerous signed the cookie; where it is not installed there was none.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any, Final, cast

from ..channel import Message, Send
from ..core.cookie import SetCookie, read_cookie
from ..core.entry import Greeting
from ..core.keys import encode
from ..core.legacy import Old, adopt, limit, look
from ..core.ops import Flow, Opened
from ..core.policy import Policy
from ..core.session import dump_json
from ..visit import Visit

KEY: Final = "seeother.upgrade"

Run = Callable[[Flow[Any]], Awaitable[Any]]


class OldCookies:
    """The reader of an app's old cookies: of this name, signed by one of these secrets.

    `max_age` is Starlette's, in seconds; None lets a cookie be as old as a session.
    """

    def __init__(self, name: str, secrets: Iterable[str | bytes], max_age: float | None) -> None:
        self.name = name
        self._name, self._secrets = (
            name.encode(),
            [one.encode() if isinstance(one, str) else one for one in secrets],
        )
        self._max_age = float("inf") if max_age is None else max_age

    def among(self, headers: Iterable[tuple[bytes, bytes]]) -> bool:
        """May one be there? Most requests bring none, and this is all that they cost."""
        return any(self._name in value for key, value in headers if key == b"cookie")

    def read(self, greeting: Greeting, policy: Policy) -> Old | None:
        """The old cookie of a request without a session of ours, if it is whole and not too old."""
        lines = [value for key, value in greeting.request.headers if key == b"cookie"]
        found = read_cookie(lines, self._name) if greeting.sid is None else None
        return None if found is None else self._verified(found, limit(self._max_age, policy))

    def _verified(self, cookie: bytes, seconds: float) -> Old | None:
        try:
            from itsdangerous import BadData, TimestampSigner  # noqa: PLC0415 - Starlette's own need
            from itsdangerous.encoding import base64_decode  # noqa: PLC0415
        except ModuleNotFoundError:
            return None
        try:
            payload = TimestampSigner(self._secrets).unsign(cookie, max_age=int(seconds))
            values: object = json.loads(b64decode(payload))
        except (BadData, ValueError):
            return None
        if not isinstance(values, dict):
            return None
        items = cast("dict[str, Any]", values).items()
        rows = tuple((name, dump_json(value)) for name, value in items)
        signed, _, signature = cookie.rpartition(b".")
        return Old.of(signed, base64_decode(signature), rows)


class Upgrade:
    """One request that came with an old cookie; `run` drives a flow to its end."""

    def __init__(
        self, cookies: OldCookies, old: Old, greeting: Greeting, policy: Policy, run: Run
    ) -> None:
        self._name, self._old, self._run = cookies.name, old, run
        self._greeting, self._policy = greeting, policy
        self._opened: Opened | None = None
        self._visit: Visit | None = None

    async def begin(self) -> None:
        """Before the app: what the cookie stands for."""
        if self._greeting.unsafe:
            await self._adopt()
        else:
            self._opened = await self._run(look(self._old))

    def join(self, visit: Visit) -> None:
        """Give the visit the session."""
        self._visit = visit
        rows = self._old.rows if self._opened is None else self._opened.session
        visit._opened = replace(visit._opened, session=rows)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        self._name_it(visit)

    def leaving(self, send: Send) -> Send:
        """`send` for the app: a session that it changed is upgraded before it is written."""
        return partial(self._leave, send)

    def sending(self, send: Send) -> Send:
        """`send` for the server: our cookie takes the place of the old one."""
        return partial(self._send, send)

    async def _leave(self, send: Send, message: Message) -> None:
        visit = self._visit
        head = message["type"] == "http.response.start"
        if head and visit is not None and self._opened is None and _changed(visit):
            await self._adopt()
            self._name_it(visit)
        await send(message)

    async def _send(self, send: Send, message: Message) -> None:
        head = message["type"] == "http.response.start"
        await send((await self._with_cookies(message)) if head else message)

    async def _with_cookies(self, message: Message) -> Message:
        headers = list(message.get("headers", ()))
        lines = [value for key, value in headers if key.lower() == b"set-cookie"]
        said = {line.partition(b"=")[0].decode("latin-1") for line in lines}
        if self._opened is None and self._name in said:  # its values would go with it
            await self._adopt()
        if self._opened is None:
            return message
        more = [cookie for cookie in self._cookies(self._opened) if cookie.name not in said]
        lines = [(b"set-cookie", cookie.header()) for cookie in more]
        return {**message, "headers": [*headers, *lines]}

    def _cookies(self, opened: Opened) -> list[SetCookie]:
        """The heir's cookie, if it lives, and the one that deletes the old one."""
        names, secure = self._greeting.names, self._greeting.secure
        gone = [SetCookie.expired(self._name, secure=secure)]
        if opened.session is None:
            return gone
        seconds, value = int(self._policy.session_idle), encode(self._old.heir)
        return [SetCookie(names.session, value, max_age=seconds, secure=secure), *gone]

    async def _adopt(self) -> None:
        self._opened = await self._run(adopt(self._old, self._policy.patience))

    def _name_it(self, visit: Visit) -> None:
        """From here on the visit writes to the heir; before that it has no session to write to."""
        if self._opened is not None:
            visit.greeting = replace(visit.greeting, sid=self._old.heir)


def _changed(visit: Visit) -> bool:
    return visit.session.rotated or bool(visit.session.changes())
