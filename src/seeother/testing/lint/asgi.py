"""A strict checker of ASGI 3 for both sides: HTTP, websockets and lifespan.

What PEP 3333's validator is for WSGI: a middleware that changes nothing, stands between a server
and an app, and raises `LintError` at the first rule that one of them breaks. The error is raised
where it happens, inside `send()` or `receive()`, and once more when the app returns, so that an app
which catches everything cannot hide it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, Protocol

from .channels import LifespanRules, WebSocketRules
from .faults import PAIR, LintError, Rules, Test, is_bytes, is_str
from .http import FORMAT, AnswerRules, RequestRules

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
App = Callable[[Any, Receive, Send], Awaitable[None]]

SCOPES: Final = {
    "http": f"{FORMAT}, HTTP Connection Scope",
    "websocket": f"{FORMAT}, WebSocket Connection Scope",
    "lifespan": "Lifespan Protocol, Scope",
}
VERSIONS: Final = ("1.0", "1.1", "2", "3")


class Conversation(Protocol):
    """The rules of one connection."""

    def heard(self, message: Any) -> Any:
        """Judge a message of the server."""
        ...

    def said(self, message: Any) -> Any:
        """Judge a message of the app; returns it, with one-shot iterables made lists."""
        ...

    def ended(self) -> None:
        """The app has returned without an exception."""
        ...


class ASGILint:
    """ASGI middleware that raises LintError (an AssertionError) where server or app break a rule.

    `head_body`: let an answer to HEAD have a body. RFC 9110 forbids to send it, servers drop it,
    and frameworks that run their GET view for a HEAD rely on that.

    >>> import asyncio
    >>> async def app(scope, receive, send):
    ...     await send({"type": "http.response.body", "body": b"hello"})
    >>> scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1",
    ...          "method": "GET", "path": "/", "query_string": b"", "headers": []}
    >>> asyncio.run(ASGILint(app)(scope, None, None))
    Traceback (most recent call last):
    seeother.testing.lint.faults.LintError: the app: http.response.body came before its start: \
http.response.start comes first (HTTP & WebSocket ASGI Message Format, Response Body)
    """

    def __init__(self, app: App, *, head_body: bool = False) -> None:
        self.app = app
        self._head_body = head_body

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """One connection, judged."""
        scope = checked_scope(scope)
        judge = Judge(self._conversation(scope))

        async def hear() -> Any:
            judge.still_on("receive")
            return judge.by(judge.rules.heard, await receive())

        async def say(message: Any) -> None:
            judge.still_on("send")
            message = judge.by(judge.rules.said, message)
            try:
                await send(message)
            except OSError:  # the client has gone, and nobody need finish
                judge.gone = True
                raise

        try:
            answer: Any = self.app(scope, hear, say)
            rules = Rules("app", "ASGI Specification, Applications")
            judge.by(lambda _: rules(isinstance(answer, Awaitable), "it is no coroutine"), None)
            await answer
        except Exception as error:
            if judge.fault is not None and error is not judge.fault:
                raise judge.fault from error
            raise
        judge.end()

    def _conversation(self, scope: Any) -> Conversation:
        if scope["type"] == "http":
            return HTTPRules(scope, head_body=self._head_body)
        return WebSocketRules(scope) if scope["type"] == "websocket" else LifespanRules(scope)


class Judge:
    """One connection under judgement: its rules, its first fault, and whether it is over."""

    def __init__(self, rules: Conversation) -> None:
        self.rules = rules
        self.fault: LintError | None = None
        self.gone = self._over = False

    def by(self, rule: Callable[[Any], Any], message: Any) -> Any:
        """Judge a message; the first fault is kept, in case that the app swallows it."""
        try:
            return rule(message)
        except LintError as fault:
            self.fault = self.fault or fault
            raise

    def still_on(self, name: str) -> None:
        """Nothing may be said or heard when the app has returned."""
        rules = Rules("app", "ASGI Specification, Applications")
        rules(not self._over, f"{name}() was called after the app had returned")

    def end(self) -> None:
        """The app has returned."""
        self._over = True
        if self.fault is not None:
            raise self.fault
        if not self.gone:
            self.rules.ended()


class HTTPRules:
    """Both directions of one request."""

    def __init__(self, scope: Any, *, head_body: bool) -> None:
        self._request = RequestRules(scope["headers"])
        self._answer = AnswerRules(scope, head_body=head_body)

    def heard(self, message: Any) -> Any:
        """One message of the server."""
        return self._request.heard(message)

    def said(self, message: Any) -> Any:
        """One message of the app."""
        return self._answer.said(message)

    def ended(self) -> None:
        """An answer may stay unfinished only where the client left."""
        if not self._request.gone:
            self._answer.ended()


# The scope ----------------------------------------------------------------------------------


def _maybe(test: Test) -> Test:
    return lambda value: value is None or test(value)


def _is_dict(value: object) -> bool:
    return isinstance(value, dict)


def _address(*ports: type) -> Test:
    def test(value: Any) -> bool:
        pair = type(value) in (list, tuple) and len(value) == PAIR
        return pair and is_str(value[0]) and type(value[1]) in ports

    return test


def _texts(value: Any) -> bool:
    return hasattr(value, "__iter__") and not is_str(value) and all(map(is_str, value))


def _extensions(value: Any) -> bool:
    return _is_dict(value) and all(is_str(k) and _is_dict(v) for k, v in value.items())


def _upper(value: Any) -> bool:
    return is_str(value) and value != "" and value == value.upper()


def _raw_path(value: Any) -> bool:
    return is_bytes(value) and b"?" not in value


ANY: Final = ("http", "websocket", "lifespan")
WEB: Final = ("http", "websocket")
KEYS: Final[tuple[tuple[tuple[str, ...], bool, str, Test, str], ...]] = (
    # of            needed  key             is           in words
    (ANY, True, "asgi", _is_dict, "a dict"),
    (("http",), True, "http_version", lambda v: v in VERSIONS, "one of 1.0, 1.1, 2 and 3"),
    (("http",), True, "method", _upper, "a str in upper case"),
    (WEB, False, "scheme", lambda v: is_str(v) and v != "", "a str and not empty"),
    (WEB, True, "path", is_str, "a str"),
    (WEB, False, "raw_path", _maybe(_raw_path), "bytes without the query, or None"),
    (("http",), True, "query_string", is_bytes, "bytes"),
    (("websocket",), False, "query_string", is_bytes, "bytes"),
    (WEB, False, "root_path", is_str, "a str"),
    (WEB, True, "headers", lambda v: isinstance(v, Iterable), "an iterable"),
    (WEB, False, "client", _maybe(_address(int)), "a host and an int, or None"),
    (WEB, False, "server", _maybe(_address(int, type(None))), "a host and an int or None, or None"),
    (("websocket",), False, "subprotocols", _texts, "an iterable of str"),
    (WEB, False, "extensions", _maybe(_extensions), "a dict of dicts, or None"),
    (ANY, False, "state", _maybe(_is_dict), "a dict"),
)


def checked_scope(scope: Any) -> Any:
    """The scope, its headers as a list where they could be read only once. Raises LintError."""
    rules = Rules("server", "ASGI Specification, Connection Scope")
    rules(_is_dict(scope), f"the scope is a dict, not {type(scope).__name__}")
    rules(all(map(is_str, scope)), "the keys of the scope are str")
    kind = scope.get("type")
    rules(kind in SCOPES, f"the scope's type is {kind!r}; known are {', '.join(SCOPES)}")
    rules = rules.of(SCOPES[kind])
    for kinds, needed, key, test, what in KEYS:
        if kind in kinds:
            rules(not needed or key in scope, f"the scope has no `{key}`")
            if key in scope:
                rules(test(scope[key]), f"`{key}` of the scope is {what}, not {scope[key]!r}")
    for key in ("version", "spec_version"):
        if key == "version" or key in scope["asgi"]:
            rules(is_str(scope["asgi"].get(key)), f"`asgi[{key!r}]` is a str")
    if kind == "lifespan":
        return scope
    headers = rules.headers(scope["headers"], "the scope")
    once = not isinstance(scope["headers"], list | tuple)
    return {**scope, "headers": headers} if once else scope
