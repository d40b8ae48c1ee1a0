"""The rules for websockets and for lifespan: two conversations with few words.

Each is a table: what may be said in which state, and the state it leads to. A websocket that is
denied by a whole answer of HTTP (an extension) is judged by the rules for HTTP.
"""

from __future__ import annotations

from typing import Any, Final

from .faults import Rules, is_bytes, is_int, is_str
from .http import FORMAT, AnswerRules

DENIAL: Final = "websocket.http.response"
HEARD: Final = {  # by the app: (state, message) -> state
    ("new", "websocket.connect"): "asked",
    ("new", "websocket.disconnect"): "closed",
    ("asked", "websocket.disconnect"): "closed",
    ("open", "websocket.receive"): "open",
    ("open", "websocket.disconnect"): "closed",
    ("left", "websocket.receive"): "left",
    ("left", "websocket.disconnect"): "closed",
    ("closed", "websocket.disconnect"): "closed",
}
SAID: Final = {
    ("asked", "websocket.accept"): "open",
    ("asked", "websocket.close"): "left",
    ("open", "websocket.send"): "open",
    ("open", "websocket.close"): "left",
}


class WebSocketRules:
    """One websocket, from both sides."""

    def __init__(self, scope: Any) -> None:
        self._offered: dict[str, Any] = scope.get("extensions") or {}
        self._subprotocols = list(scope.get("subprotocols") or ())
        self._denial = AnswerRules(scope, prefix="websocket.http")
        self._denying = False
        self._state = "new"

    def heard(self, message: Any) -> Any:
        """One message of the server."""
        rules = Rules("server", f"{FORMAT}, WebSocket")
        kind = rules.message(message)
        following = HEARD.get((self._state, kind))
        rules(following is not None, f"{kind} came when the websocket was {self._state!r}")
        if kind == "websocket.receive":
            _one_frame(rules.of(f"{FORMAT}, WebSocket Receive"), message)
        if kind == "websocket.disconnect":
            end = rules.of(f"{FORMAT}, WebSocket Disconnect")
            end.optional(message, "code", is_int, "an int")
            end.optional(message, "reason", _text_or_none, "a str or None")
        self._state = str(following)
        return message

    def said(self, message: Any) -> Any:
        """One message of the app."""
        rules = Rules("app", f"{FORMAT}, WebSocket")
        kind = rules.message(message)
        if kind.startswith(DENIAL):
            return self._deny(rules, message)
        if self._state == "closed":  # the client has gone; the server drops it
            return message
        following = SAID.get((self._state, kind))
        rules(following is not None, f"{kind} came when the websocket was {self._state!r}")
        rules(not self._denying, f"{kind} came after the answer that denied the websocket")
        if kind == "websocket.send":
            _one_frame(rules.of(f"{FORMAT}, WebSocket Send"), message)
        if kind == "websocket.close":
            end = rules.of(f"{FORMAT}, WebSocket Close")
            end.optional(message, "code", is_int, "an int")
            end.optional(message, "reason", _text_or_none, "a str or None")
        if kind == "websocket.accept":
            message = self._accepted(rules.of(f"{FORMAT}, WebSocket Accept"), message)
        self._state = str(following)
        return message

    def ended(self) -> None:
        """The app has returned."""
        rules = Rules("app", f"{FORMAT}, WebSocket Connect")
        if self._denying:
            self._denial.ended()
        else:
            rules(self._state != "asked", "it returned without accepting or closing")

    def _accepted(self, rules: Rules, message: Any) -> Any:
        rules.optional(message, "subprotocol", _text_or_none, "a str or None")
        chosen = message.get("subprotocol")
        rules(
            chosen is None or chosen in self._subprotocols,
            f"subprotocol {chosen!r} was not offered by the client (RFC 6455, 4.2.2)",
        )
        headers = rules.headers(message.get("headers", ()), "websocket.accept")
        rules(
            all(name != b"sec-websocket-protocol" for name, _ in headers),
            "the subprotocol is named by `subprotocol`, not by a header",
        )
        return {**message, "headers": headers} if "headers" in message else message

    def _deny(self, rules: Rules, message: Any) -> Any:
        rules = rules.of("ASGI Extensions, Websocket Denial Response")
        rules(DENIAL in self._offered, f"{DENIAL} was not offered by the server")
        rules(self._state in ("asked", "closed"), f"a denial came when it was {self._state!r}")
        self._denying = True
        return self._denial.said(message)


def _one_frame(rules: Rules, message: Any) -> None:
    data, text = message.get("bytes"), message.get("text")
    rules((data is None) != (text is None), "exactly one of `bytes` and `text` is there")
    rules(data is None or is_bytes(data), "`bytes` is bytes")
    rules(text is None or is_str(text), "`text` is a str")


def _text_or_none(value: object) -> bool:
    return value is None or is_str(value)


class LifespanRules:
    """Startup and shutdown: each asked once, each answered once."""

    def __init__(self, _scope: Any) -> None:
        self._asked: list[str] = []
        self._answered: set[str] = set()

    def heard(self, message: Any) -> Any:
        """One message of the server."""
        rules = Rules("server", "Lifespan Protocol")
        kind = rules.message(message)
        expected = ("lifespan.startup", "lifespan.shutdown")[len(self._asked) :][:1]
        rules(kind in expected, f"{kind} came after {self._asked or 'nothing'}")
        self._asked.append(kind)
        return message

    def said(self, message: Any) -> Any:
        """One message of the app."""
        rules = Rules("app", "Lifespan Protocol")
        kind = rules.message(message)
        question, _, word = kind.rpartition(".")
        rules(word in ("complete", "failed"), f"{kind} is no message of the lifespan protocol")
        rules(question in self._asked, f"{kind} answers what was not asked")
        rules(question not in self._answered, f"{kind} answers for the second time")
        rules.optional(message, "message", is_str, "a str")
        self._answered.add(question)
        return message

    def ended(self) -> None:
        """The app has returned; it may also never have listened."""
        left = set(self._asked) - self._answered
        rules = Rules("app", "Lifespan Protocol")
        rules(not left, f"it returned without an answer to {', '.join(sorted(left))}")
