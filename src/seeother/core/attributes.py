"""The attributes of an HTML tag, each with its value as meant and its place in the bytes.

HTML 13.2.5.32 and following: the first of two equal names counts, a quote opens a value only right
after `=`, and character references are resolved by the rules for attributes, in which `&copy=1` in
a query string stays what it is (13.2.5.73).
"""

import re
from html.entities import html5
from typing import Final, NamedTuple

__all__ = ["ATTRIBUTE", "SPACE", "Attribute", "attributes", "resolved"]

SPACE: Final = rb"\t\n\f\r "
_ATTRIBUTE = (
    rb"(?P<name>[^%(s)b/>][^%(s)b/>=]*+)(?:[%(s)b]*+=[%(s)b]*+"
    rb"(?:\"(?P<double>[^\"]*+)\"|'(?P<single>[^']*+)'|(?P<bare>[^%(s)b>\"'][^%(s)b>]*+)|(?=>))"
    rb"|(?![%(s)b]*+=))"
) % {b"s": SPACE}
# The same without names, as a part of larger patterns.
ATTRIBUTE: Final = re.sub(rb"\(\?P<\w+>", b"(?:", _ATTRIBUTE)

_ATTRIBUTES = re.compile(_ATTRIBUTE)
_TAG_NAME = re.compile(rb"</?[^%b/>]*+" % SPACE)
_REFERENCE = re.compile(
    rb"&(?:#(?:[xX](?P<hex>[0-9a-fA-F]+)|(?P<decimal>[0-9]+));?"
    rb"|(?P<name>[a-zA-Z][a-zA-Z0-9]*+(?:;|(?!=))))"
)
_MOST_DIGITS: Final = 7  # of a code point; more are beyond Unicode and become U+FFFD


class Attribute(NamedTuple):
    """A value with its references resolved; the whole attribute stands at `tag[start:end]`."""

    value: bytes
    start: int
    end: int


def attributes(tag: bytes) -> dict[bytes, Attribute]:
    """The attributes of a whole start tag, by name in lower case.

    >>> attributes(b'<form method=post ACTION="/?a=1&amp;b" action="/no" novalidate>')[b"action"]
    Attribute(value=b'/?a=1&b', start=18, end=38)
    """
    found: dict[bytes, Attribute] = {}
    name_end = _TAG_NAME.match(tag)
    for match in _ATTRIBUTES.finditer(tag, name_end.end() if name_end else 0):
        name, double, single, bare = match.group("name", "double", "single", "bare")
        value = resolved(double or single or bare or b"")
        found.setdefault(name.lower(), Attribute(value, *match.span()))
    return found


def resolved(value: bytes) -> bytes:
    """An attribute's value with its character references resolved, as UTF-8.

    >>> resolved(b"/?a=1&amp;b=2&copy=3&lt;&#x2f;")
    b'/?a=1&b=2&copy=3</'
    """
    return _REFERENCE.sub(_character, value) if b"&" in value else value


def _character(match: re.Match[bytes]) -> bytes:
    if name := match["name"]:
        text = html5.get(name.decode())
        return match[0] if text is None else text.encode()
    digits = (match["hex"] or match["decimal"]).lstrip(b"0") or b"0"
    code = int(digits, 16 if match["hex"] else 10) if len(digits) <= _MOST_DIGITS else 0
    return _of_code(code).encode()


def _of_code(code: int) -> str:
    """A numeric reference (HTML 13.2.5.80): 128 to 159 mean Windows-1252, nonsense U+FFFD."""
    if 0x80 <= code <= 0x9F:
        return bytes([code]).decode("cp1252", "ignore") or chr(code)
    if code == 0 or 0xD800 <= code <= 0xDFFF or code > 0x10FFFF:
        return "\N{REPLACEMENT CHARACTER}"
    return chr(code)
