"""What a lint says, and the rules that several messages share.

Every rule is a sentence and the section it stands in. A rule is broken by one of the two sides, and
the sentence begins with that side, because the first question is always who did it: the server
(whatever is handed to the app: scope and received messages) or the app (whatever it sends).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from typing import Any, Final, Literal, TypeGuard

Side = Literal["server", "app"]
Test = Callable[[Any], bool]

TOKEN: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9a-z-]+")  # RFC 9110 section 5.6.2, lower case
DIGITS: Final = re.compile(rb"[0-9]+")
PAIR: Final = 2
INT64: Final = 1 << 63


class LintError(AssertionError):
    """A rule of the protocol was broken; `side` says by whom, `section` where it stands."""

    def __init__(self, side: Side, sentence: str, section: str) -> None:
        super().__init__(f"the {side}: {sentence} ({section})")
        self.side, self.section = side, section


class Rules:
    """The rules of one section for one side: `rules(condition, sentence)` raises LintError."""

    __slots__ = ("section", "side")

    def __init__(self, side: Side, section: str) -> None:
        self.side: Side = side
        self.section = section

    def __call__(self, kept: bool, sentence: str) -> None:
        """Raise LintError with this sentence unless the rule was kept."""
        if not kept:
            raise LintError(self.side, sentence, self.section)

    def of(self, section: str) -> Rules:
        """The rules of another section, for the same side."""
        return Rules(self.side, section)

    # Values ----------------------------------------------------------------------------------

    def message(self, message: Any) -> str:
        """A message is a dict with a str `type`, and of plain data; returns the type."""
        self(isinstance(message, dict), f"a message is a dict, not {name_of(message)}")
        self(all(isinstance(key, str) for key in message), "the keys of a message are str")
        kind = message.get("type")
        self(isinstance(kind, str), f"a message has a str `type`, not {kind!r}")
        return str(kind)

    def optional(self, message: dict[str, Any], key: str, test: Test, what: str) -> None:
        """A key that may be missing, and is checked where it is there."""
        if key in message:
            found = message[key]
            self(test(found), f"`{key}` of {message['type']} is {what}, not {name_of(found)}")

    def required(self, message: dict[str, Any], key: str, test: Test, what: str) -> None:
        """A key that has to be there."""
        self(key in message, f"{message['type']} has no `{key}`")
        self.optional(message, key, test, what)

    def headers(self, given: Any, where: str) -> list[tuple[bytes, bytes]]:
        """Header lines: pairs of bytes, names in lower case, nothing that splits a line."""
        self(isinstance(given, Iterable), f"headers of {where} are an iterable")
        self(not isinstance(given, str | bytes | dict), f"headers of {where} are a list of pairs")
        pairs = [self._pair(line, where) for line in given]
        for name, value in pairs:
            self(
                not name.startswith(b":"),
                f"headers of {where} name the pseudo header {name!r}; those never leave the server",
            )
            self(
                TOKEN.fullmatch(name) is not None,
                f"header name {name!r} of {where} is not a lower-case token (RFC 9110, 5.1)",
            )
            self(
                not set(value) & {0, 10, 13},
                f"the value of {name!r} of {where} holds CR, LF or NUL (RFC 9110, 5.5)",
            )
            self(
                value == value.strip(b" \t"),
                f"the value of {name!r} of {where} begins or ends with a blank (RFC 9110, 5.5)",
            )
        return pairs

    def _pair(self, line: Any, where: str) -> tuple[bytes, bytes]:
        pairs = hasattr(line, "__iter__") and not isinstance(line, str | bytes)
        self(pairs, f"a header of {where} is a pair, not {name_of(line)}")
        pair: list[Any] = list(line)
        self(len(pair) == PAIR, f"a header of {where} has {len(pair)} parts instead of two")
        for part in pair:
            self(is_bytes(part), f"headers of {where} are bytes, not {name_of(part)}")
        return pair[0], pair[1]

    def length(self, headers: Iterable[tuple[bytes, bytes]], where: str) -> int | None:
        """The Content-Length of these headers, if there is one."""
        found = [value for name, value in headers if name == b"content-length"]
        if not found:
            return None
        self(len(found) == 1, f"{where} has {len(found)} content-length headers (RFC 9110, 8.6)")
        self(
            DIGITS.fullmatch(found[0]) is not None,
            f"content-length {found[0]!r} of {where} is not a number (RFC 9110, 8.6)",
        )
        return int(found[0])


def name_of(value: object) -> str:
    """A value as it is named in a complaint: its type, and itself where it is short."""
    text = repr(value)
    return type(value).__name__ if len(text) > 40 else f"{type(value).__name__} {text}"


# What a value may be ------------------------------------------------------------------------


def is_bytes(value: object) -> bool:
    """Exactly bytes: a bytearray or a memoryview is none."""
    return type(value) is bytes


def is_bool(value: object) -> bool:
    """True or False, and not 1."""
    return isinstance(value, bool)


def is_str(value: object) -> bool:
    """Text."""
    return isinstance(value, str)


def is_int(value: object) -> bool:
    """An integer that fits into 64 bits, and not True."""
    return isinstance(value, int) and not isinstance(value, bool) and -INT64 <= value < INT64


def is_dict(value: object) -> TypeGuard[dict[Any, Any]]:
    """A dict."""
    return isinstance(value, dict)


def is_plain(value: Any) -> bool:
    """What could be sent over a network: the only types that events may hold."""
    if is_dict(value):
        return all(map(is_str, value)) and all(map(is_plain, value.values()))
    if type(value) in (list, tuple):
        return all(map(is_plain, value))
    if type(value) is float:
        return math.isfinite(value)
    return value is None or is_int(value) or isinstance(value, bool | str | bytes)
