r"""Form bodies, read strictly from bytes.

One body is read for two purposes that pull in different directions. A *person's code* wants text:
`Form`, a mapping of decoded strings. The *fingerprint* wants the bytes that were sent, because two
inputs that differ must never look alike: `%FF` and `%FE` are different input although a forgiving
decoder shows the same replacement character for both. So everything is read into bytes first
(`read_form`), `Form` decodes those strictly and refuses what is not UTF-8, and `canonical_bytes`
encodes them without loss.

A parser that guesses is a parser that disagrees with the next one. Where the parsers in use would
read a body differently it is refused, or marked as not canonical; then the bytes of the body
stand for it, and the fingerprint can only be finer than it needs to be, never coarser.
"""

import hashlib
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from ..errors import BadForm, TooLarge, UnsupportedForm
from .parts import Field, Item, Limits, Parsed, Upload, parse_multipart

__all__ = [
    "Field",
    "Form",
    "Item",
    "Limits",
    "Parsed",
    "Upload",
    "canonical_bytes",
    "parse_multipart",
    "parse_urlencoded",
    "read_form",
]

# A body that no parser reads otherwise: visible ASCII and space, well-formed escapes, no `;` (some
# parsers separate there), every pair with a name and an equals sign.
_NAME = rb"(?:[ -$'-:<>-~]++|%[0-9A-Fa-f]{2})++"
_VALUE = rb"(?:[ -$'-:<-~]++|%[0-9A-Fa-f]{2})*+"
_UNAMBIGUOUS = re.compile(rb"(?:%b=%b(?:&%b=%b)*+)?" % (_NAME, _VALUE, _NAME, _VALUE))
_STEP = 1 << 16

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_MEDIA_TYPE = re.compile(rf"[ \t]*({_TOKEN}/{_TOKEN})[ \t]*")
_PARAMETER = re.compile(rf';[ \t]*(?:({_TOKEN})=(?:({_TOKEN})|"((?:[^"\\]|\\.)*)"))?[ \t]*')
_INTEGER = re.compile(rb"-?[0-9]{1,10}")


def parse_urlencoded(body: bytes, *, max_fields: int) -> tuple[Field, ...]:
    """Read `application/x-www-form-urlencoded` (WHATWG URL, section 5.1), on bytes.

    Order and duplicates are kept, `+` is a space, an escape that is none stays as it is, and
    nothing is decoded beyond that. Raises `TooLarge` where the body holds more than `max_fields`
    pairs; empty ones count, because reading them costs the same.

    >>> parse_urlencoded(b"a=1+2&a=%FF&b", max_fields=1000)  # doctest: +NORMALIZE_WHITESPACE
    (Field(name=b'a', value=b'1 2'), Field(name=b'a', value=b'\\xff'),
     Field(name=b'b', value=b''))
    """
    if body and body.count(b"&") >= max_fields:
        raise TooLarge(f"more than {max_fields} fields")
    pairs = [pair.partition(b"=") for pair in body.replace(b"+", b" ").split(b"&") if pair]
    if b"%" not in body:
        return tuple([Field(name, value) for name, _, value in pairs])
    return tuple([Field(_unescape(name), _unescape(value)) for name, _, value in pairs])


def _unescape(raw: bytes) -> bytes:
    """Undo percent escapes, in steps: each one costs 40 bytes of memory while it is undone."""
    if b"%" not in raw:
        return raw
    if len(raw) <= _STEP:
        return unquote_to_bytes(raw)
    steps: list[bytes] = []
    start = 0
    while start < len(raw):
        end = start + _STEP
        open_escape = raw.rfind(b"%", end - 2, end)  # never cut one in two
        if open_escape > 0 and end < len(raw):
            end = open_escape
        steps.append(unquote_to_bytes(raw[start:end]))
        start = end
    return b"".join(steps)


def read_form(content_type: str, body: bytes, limits: Limits | None = None) -> Parsed:
    """Read a form body by its Content-Type (RFC 9110 section 8.3).

    Arguments: the value of the header, the whole body, the limits (`Limits()` where none are
    given). Returns the items in order. Raises `UnsupportedForm` for a type that forms do not have
    here, `BadForm` for damage, `TooLarge` over a limit. No type and no body is an empty form.

    >>> read_form("application/x-www-form-urlencoded", b"name=Ann")
    Parsed(items=(Field(name=b'name', value=b'Ann'),), canonical=True)
    """
    if not body and not content_type.strip():
        return Parsed((), canonical=True)
    plain = content_type in _READERS  # as browsers say it
    media_type, parameters = (content_type, {}) if plain else _content_type(content_type)
    reader = _READERS.get(media_type)
    if reader is None:
        raise UnsupportedForm(f"the body is {media_type}, which is no form")
    return reader(parameters, body, limits or Limits())


def _content_type(header: str) -> tuple[str, dict[str, str]]:
    match = _MEDIA_TYPE.match(header)
    if match is None:
        raise UnsupportedForm("the body has no Content-Type that can be read")
    parameters: dict[str, str] = {}
    at = match.end()
    while at < len(header):
        found = _PARAMETER.match(header, at)
        if found is None:
            raise BadForm("the Content-Type cannot be read")
        at = found.end()
        name, token, quoted = found.group(1, 2, 3)
        if name and name.lower() in parameters:
            raise BadForm("the Content-Type gives a parameter twice")
        if name:
            parameters[name.lower()] = token or re.sub(r"\\(.)", r"\1", quoted)
    return match[1].lower(), parameters


def _urlencoded(parameters: Mapping[str, str], body: bytes, limits: Limits) -> Parsed:
    charset = parameters.get("charset", "utf-8")
    if charset.lower() not in ("utf-8", "utf8"):
        raise UnsupportedForm("the form is in another charset than UTF-8")
    items = parse_urlencoded(body, max_fields=limits.max_fields)
    return Parsed(items, canonical=_UNAMBIGUOUS.fullmatch(body) is not None)


def _multipart(parameters: Mapping[str, str], body: bytes, limits: Limits) -> Parsed:
    return parse_multipart(
        body,
        parameters.get("boundary", "").encode("latin-1", "replace"),
        max_fields=limits.max_fields,
        max_files=limits.max_files,
        max_part_header=limits.max_part_header,
    )


_READERS: Mapping[str, Callable[[Mapping[str, str], bytes, Limits], Parsed]] = {
    "application/x-www-form-urlencoded": _urlencoded,
    "multipart/form-data": _multipart,
}


class Form(Mapping[str, str]):
    r"""A form as text: a mapping of names to the *first* value, in the order they were sent.

    Argument: the `items` of a `Parsed`. Raises `BadForm` where a name or value is not UTF-8; it
    names the place, never the value. Line ends in values are "\n", whatever was sent.

    >>> form = Form(read_form("application/x-www-form-urlencoded", b"a=1&b=2&a=3").items)
    >>> form["a"], form.getlist("a"), form.get("c", "none")
    ('1', ['1', '3'], 'none')
    >>> form.pairs()
    (('a', '1'), ('b', '2'), ('a', '3'))
    """

    __slots__ = ("_files", "_pairs", "_values")

    def __init__(self, items: Iterable[Item] = ()) -> None:
        self._pairs: list[tuple[str, str]] = []
        self._values: dict[str, list[str]] = {}
        self._files: dict[str, list[Upload]] = {}
        for number, item in enumerate(items, start=1):
            name = _text(item.name, "name", number)
            if isinstance(item, Field):
                value = _text(item.value, "value", number).replace("\r\n", "\n")
                self._pairs.append((name, value))
                self._values.setdefault(name, []).append(value)
            elif item.filename:  # without a name it is a file input in which nothing was chosen
                self._files.setdefault(name, []).append(item)

    def __getitem__(self, name: str) -> str:
        return self._values[name][0]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        """Counts only: what a person typed has no place in a log."""
        return f"<Form with {len(self._pairs)} fields, {len(self._files)} file fields>"

    def getlist(self, name: str) -> list[str]:
        """All values of `name` in order; an empty list where there is none."""
        return list(self._values.get(name, ()))

    def pairs(self) -> tuple[tuple[str, str], ...]:
        """All (name, value) pairs in the order in which they were sent."""
        return tuple(self._pairs)

    @property
    def files(self) -> Mapping[str, list[Upload]]:
        """The uploads by field name; a file input in which nothing was chosen is left out."""
        return self._files


def _text(raw: bytes, what: str, number: int) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise BadForm(f"the {what} of field {number} is not UTF-8") from None


def canonical_bytes(  # noqa: PLR0917 - the parts of a request in their usual order
    method: str,
    path: str | bytes,
    query: str | bytes,
    parsed: Parsed | None,
    raw_body: bytes,
    ignore: Collection[str] = (),
) -> bytes:
    r"""Encode what a submission says, so that different input gives different bytes.

    Arguments: the request's `method`, `path` and `query` (without the mark); the form as it was
    `parsed`, or None where the body is no form; the `raw_body`; the exact names of the fields that
    do not count. Returns an encoding in which every part carries its length, so that no two inputs
    meet; files are represented by digest, filename and size, and the boundary does not show. A body
    that is not canonical is represented by its own digest.

    Line ends count as "\n". Of a click on an image button (HTML 4.10.21.4, `x` and `y`, or `n.x`
    and `n.y`, side by side and integers) the button's name counts, the coordinates do not.

    >>> one = read_form("application/x-www-form-urlencoded", b"a=1&csrf=8")
    >>> two = read_form("application/x-www-form-urlencoded", b"a=1&csrf=9")
    >>> of = [canonical_bytes("POST", "/", "", form, b"", {"csrf"}) for form in (one, two)]
    >>> of[0] == of[1]
    True
    """
    if parsed is not None and parsed.canonical:
        kind, content = b"items", b"".join(_encoded(parsed.items, _raw_names(frozenset(ignore))))
    else:
        kind, content = b"body", hashlib.sha256(raw_body).digest()
    return _frame(_raw(method), _raw(path), _raw(query), kind, content)


@lru_cache(maxsize=16)
def _raw_names(names: frozenset[str]) -> frozenset[bytes]:
    return frozenset(map(_raw, names))


def _encoded(items: Iterable[Item], ignore: Collection[bytes]) -> Iterator[bytes]:
    kept = [item for item in items if item.name not in ignore]
    at = 0
    while at < len(kept):
        item = kept[at]
        at += 1
        if isinstance(item, Upload):
            size = b"%d" % item.size
            yield _frame(b"file", _lf(item.name), _lf(item.filename), size, item.digest)
        elif at < len(kept) and _is_click(item, kept[at]):
            at += 1
            yield _frame(b"click", _lf(item.name))
        else:
            name, value = _lf(item.name), _lf(item.value)
            yield b"%b%b%b%b%b" % (_FIELD, _size(name), name, _size(value), value)


def _is_click(x: Field, y: Item) -> bool:
    return (
        isinstance(y, Field)
        and (x.name == b"x" or x.name.endswith(b".x"))
        and y.name == x.name[:-1] + b"y"
        and all(_INTEGER.fullmatch(field.value) for field in (x, y))
    )


def _frame(*parts: bytes) -> bytes:
    """Each part after its length in eight bytes: no part can pass for another."""
    return b"".join([piece for part in parts for piece in (_size(part), part)])


def _size(part: bytes) -> bytes:
    return len(part).to_bytes(8, "big")


_FIELD = _frame(b"field")


def _lf(raw: bytes) -> bytes:
    return raw.replace(b"\r\n", b"\n")


def _raw(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
