"""The rules for HTTP: the request as the app receives it, the answer as the app sends it.

An answer goes through four phases, and `ALLOWED` says which message may come in which. What the
extensions allow counts only where the server offered the extension in its scope.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from pathlib import PurePath
from typing import Any, Final

from .faults import Rules, is_bool, is_bytes, is_int, is_plain, is_str

FORMAT: Final = "HTTP & WebSocket ASGI Message Format"
BODILESS: Final = frozenset({204, 304})
CONNECTION: Final = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"}
)


class Phase(Enum):
    """How far an answer has come."""

    HEAD = "before its start"
    BODY = "in its body"
    TRAILERS = "before its trailers"
    OVER = "after its end"


ALLOWED: Final = {
    "response.start": (Phase.HEAD,),
    "response.body": (Phase.BODY,),
    "response.zerocopysend": (Phase.BODY,),
    "response.pathsend": (Phase.BODY,),
    "response.push": (Phase.BODY,),
    "response.early_hint": (Phase.BODY,),
    "response.trailers": (Phase.TRAILERS,),
    "response.debug": (Phase.HEAD,),
}
SECTIONS: Final = {
    "response.start": f"{FORMAT}, Response Start",
    "response.body": f"{FORMAT}, Response Body",
    "response.zerocopysend": "ASGI Extensions, Zero Copy Send",
    "response.pathsend": "ASGI Extensions, Path Send",
    "response.push": "ASGI Extensions, HTTP/2 Server Push",
    "response.early_hint": "ASGI Extensions, Early Hints",
    "response.trailers": "ASGI Extensions, HTTP Trailers",
    "response.debug": "ASGI Extensions, Debug",
}
CORE: Final = frozenset({"response.start", "response.body"})


class RequestRules:
    """What the server says: the body in parts, then for ever that the client has gone."""

    def __init__(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        lines, rules = list(headers), Rules("server", f"{FORMAT}, HTTP Connection Scope")
        chunked = any(name == b"transfer-encoding" for name, _ in lines)
        self._length = None if chunked else rules.length(lines, "the scope")
        self._size = 0
        self._complete = self.gone = False

    def heard(self, message: Any) -> Any:
        """One message of the server."""
        rules = Rules("server", f"{FORMAT}, Request")
        kind = rules.message(message)
        if kind == "http.disconnect":
            self.gone = True
            return message
        rules(kind == "http.request", f"{kind!r} is no message for an http app")
        rules.of(f"{FORMAT}, Disconnect")(
            not self.gone, "http.request came after http.disconnect; a client does not come back"
        )
        rules(not self._complete, "http.request came after the last one (more_body was false)")
        rules.optional(message, "body", is_bytes, "bytes")
        rules.optional(message, "more_body", is_bool, "a bool")
        self._size += len(message.get("body", b""))
        self._complete = not message.get("more_body", False)
        if self._length is not None:
            said = f"the body has {self._size} bytes, its content-length says {self._length}"
            rules(self._size <= self._length, said)
            rules(self._size == self._length or not self._complete, said)
        return message


class AnswerRules:
    """What the app says: one start, then the body to its end, then nothing more."""

    def __init__(self, scope: Any, *, prefix: str = "http", head_body: bool = False) -> None:
        self.phase = Phase.HEAD
        self._prefix, self._head_body = f"{prefix}.", head_body
        self._head = scope.get("method") == "HEAD"
        self._version = str(scope.get("http_version", "1.1"))
        self._offered: dict[str, Any] = scope.get("extensions") or {}
        self._status = 0
        self._length: int | None = None
        self._size: int | None = 0
        self._promised = self._debugged = False

    def said(self, message: Any) -> Any:
        """One message of the app; the same message with its headers as a list."""
        rules = Rules("app", f"{FORMAT}, Response Start")
        full = rules.message(message)
        kind = full.removeprefix(self._prefix)
        rules(full.startswith(self._prefix) and kind in ALLOWED, f"{full!r} is no message to send")
        rules = rules.of(SECTIONS[kind])
        if kind not in CORE:
            rules(f"http.{kind}" in self._offered, f"{full} was not offered by the server")
        rules(
            self.phase in ALLOWED[kind], f"{full} came {self.phase.value}: {_why(kind, self.phase)}"
        )
        plain = {k: v for k, v in message.items() if k not in ("headers", "links", "file", "info")}
        rules.of("ASGI Specification, Events")(
            is_plain(plain),
            f"{full} holds something that could not be sent over a network",
        )
        headers = rules.headers(message["headers"], full) if "headers" in message else None
        getattr(self, "_" + kind.removeprefix("response."))(rules, message, headers or [])
        return message if headers is None else {**message, "headers": headers}

    def ended(self) -> None:
        """The app has returned, and nobody left before."""
        start, body = (Rules("app", SECTIONS[kind]) for kind in ("response.start", "response.body"))
        start(self.phase is not Phase.HEAD, "it returned without an answer")
        body(self.phase is not Phase.BODY, "it returned in the middle of its answer")
        trailers = Rules("app", SECTIONS["response.trailers"])
        trailers(self.phase is not Phase.TRAILERS, "it returned without the trailers it promised")

    # One for each message ----------------------------------------------------------------------

    def _start(self, rules: Rules, message: Any, headers: list[tuple[bytes, bytes]]) -> None:
        rules.required(message, "status", is_int, "an int")
        status = message["status"]
        rules(100 <= status <= 599, f"status {status} is none (RFC 9110, 15)")
        rules(status >= 200, f"status {status} is interim and starts no answer (RFC 9110, 15.2)")
        rules.optional(message, "trailers", is_bool, "a bool")
        self._promised = message.get("trailers", False)
        rules.of(SECTIONS["response.trailers"])(
            not self._promised or "http.response.trailers" in self._offered,
            "trailers were not offered by the server",
        )
        self._status, self._length = status, rules.length(headers, message["type"])
        rules(status != 204 or self._length is None, "a 204 has no content-length (RFC 9110, 8.6)")
        named = {name for name, _ in headers} & CONNECTION
        rules(
            self._version.startswith("1") or not named,
            f"{sorted(named)} do not exist in HTTP/{self._version} (RFC 9113, 8.2.2)",
        )
        self.phase = Phase.BODY

    def _body(self, rules: Rules, message: Any, _headers: object) -> None:
        rules.optional(message, "body", is_bytes, "bytes")
        rules.optional(message, "more_body", is_bool, "a bool")
        self._count(rules, len(message.get("body", b"")), last=not message.get("more_body", False))

    def _zerocopysend(self, rules: Rules, message: Any, _headers: object) -> None:
        rules.required(message, "file", lambda file: hasattr(file, "fileno"), "an open file")
        rules.optional(message, "offset", is_int, "an int")
        rules.optional(message, "count", is_int, "an int")
        rules.optional(message, "more_body", is_bool, "a bool")
        self._count(rules, message.get("count"), last=not message.get("more_body", False))

    def _pathsend(self, rules: Rules, message: Any, _headers: object) -> None:
        rules.required(message, "path", is_str, "a str")
        rules(PurePath(message["path"]).is_absolute(), f"{message['path']!r} is no absolute path")
        rules(self._size == 0, "it cannot be mixed with http.response.body")
        self._count(rules, None, last=True)

    def _push(self, rules: Rules, message: Any, _headers: object) -> None:
        rules.required(message, "path", is_str, "a str")
        rules("headers" in message, "http.response.push has no `headers`")

    def _early_hint(self, rules: Rules, message: Any, _headers: object) -> None:
        rules.required(message, "links", lambda v: isinstance(v, list | tuple), "a list")
        rules(all(is_bytes(link) for link in message["links"]), "`links` are bytes")

    def _trailers(self, rules: Rules, message: Any, _headers: object) -> None:
        rules("headers" in message, "http.response.trailers has no `headers`")
        rules.optional(message, "more_trailers", is_bool, "a bool")
        if not message.get("more_trailers", False):
            self.phase = Phase.OVER

    def _debug(self, rules: Rules, message: Any, _headers: object) -> None:
        rules.required(message, "info", lambda v: isinstance(v, dict), "a dict")
        rules(not self._debugged, "http.response.debug is sent once")
        self._debugged = True

    def _count(self, rules: Rules, size: int | None, *, last: bool) -> None:
        """Add to the body; None: nobody knows how much."""
        self._size = None if size is None or self._size is None else self._size + size
        if self._status in BODILESS or (self._head and not self._head_body):
            what = f"a {self._status}" if self._status in BODILESS else "an answer to HEAD"
            rules(self._size == 0, f"{what} has no body (RFC 9110, 6.4.1)")
        elif self._length is not None and self._size is not None and not self._head:
            said = f"the body has {self._size} bytes, its content-length says {self._length}"
            rules(self._size <= self._length, f"{said} (RFC 9110, 8.6)")
            rules(self._size == self._length or not last, f"{said} (RFC 9110, 8.6)")
        if last:
            self.phase = Phase.TRAILERS if self._promised else Phase.OVER


def _why(kind: str, phase: Phase) -> str:
    """Why this message cannot come now."""
    if phase in (Phase.OVER, Phase.TRAILERS):
        return "nothing more may follow"
    return {
        "response.start": "an answer starts once",
        "response.debug": "it comes before the start",
        "response.trailers": "it follows the last body, where the start announced trailers",
    }.get(kind, "http.response.start comes first")
