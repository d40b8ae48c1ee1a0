"""What a form body consists of, and the reader of multipart bodies (RFC 7578).

The push parser of the library `multipart` finds the parts, in its strict mode. It forgives a few
things that other parsers read otherwise; where two parsers may differ, a body must not be read at
all. Those are refused here on top: junk before the first and after the last delimiter, a header or
a parameter given twice, a part in an encoding that nobody undoes.

While reading, one more question is answered: *is this body exactly what a browser would send?*
Only then do its parts stand for its bytes, and only then may a fingerprint be made of parts. The
answer does not trust the parser: what a browser would make of the parts (HTML, "multipart/form-data
encoding algorithm") is compared with the body that came.
"""

import hashlib
import re
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Protocol, TypeAlias, cast

from ..errors import BadForm, TooLarge
from .frozen import quick

__all__ = ["Field", "Item", "Limits", "Parsed", "Upload", "parse_multipart"]


@quick
@dataclass(frozen=True, slots=True)
class Field:
    """One name and one value, as the bytes that were meant: escapes undone, nothing decoded."""

    name: bytes
    value: bytes


@quick
@dataclass(frozen=True, slots=True)
class Upload:
    """One file: `content_type` as the client claims it, `size` in bytes, `digest` by SHA-256.

    A file input that was left empty arrives as an upload with an empty `filename` and no data.
    """

    name: bytes
    filename: bytes
    content_type: str
    size: int
    digest: bytes
    data: bytes


Item: TypeAlias = Field | Upload


@quick
@dataclass(frozen=True, slots=True)
class Parsed:
    """A form body that was read: its items in order, and whether they stand for its bytes.

    `canonical` is True where every parser in use reads these items, and no others, in the body.
    """

    items: tuple[Item, ...]
    canonical: bool


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one body may hold: two counts, and the bytes of one part's header block."""

    max_fields: int = 1000
    max_files: int = 100
    max_part_header: int = 8192


class _Head(Protocol):
    """The part of the library's segment that is used here (the library carries no types)."""

    headerlist: Sequence[tuple[str, str]]
    name: str
    filename: str | None
    charset: str | None


# RFC 2046 section 5.1.1: up to 70 characters of this set, the last one no space.
_BOUNDARY = re.compile(rb"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARAMETER = rf'[ \t]*;[ \t]*({_TOKEN})=(?:"(?:\\.|[^"\\])*"|{_TOKEN})'
_PARAMETERS = re.compile(_PARAMETER)
_DISPOSITION = re.compile(rf"form-data(?:{_PARAMETER})*[ \t]*", re.IGNORECASE)
# WHATWG writes a backslash as it is, so a name may end in one: name="a\".
_BROWSER_DISPOSITION = re.compile(r'form-data; name="[^"]*"(?:; filename="[^"]*")?')
_ESCAPES = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})
_PLAIN_ENCODINGS = frozenset({"", "7bit", "8bit", "binary"})
_UTF8 = frozenset({"utf-8", "utf8", "us-ascii"})


def parse_multipart(
    body: bytes,
    boundary: bytes,
    *,
    max_fields: int,
    max_files: int,
    max_part_header: int,
) -> Parsed:
    r"""Read a whole `multipart/form-data` body (RFC 7578).

    Arguments: the whole `body`; the `boundary` of its Content-Type, without quotes and leading
    dashes; how many fields and files, and how many bytes of headers in one part, it may hold.
    Returns the parts in order. Raises `BadForm` where two parsers could read the body in two ways,
    `TooLarge` over a limit.

    >>> body = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--b--\r\n'
    >>> parse_multipart(body, b"b", max_fields=9, max_files=0, max_part_header=999)
    Parsed(items=(Field(name=b'a', value=b'1'),), canonical=True)
    """
    _check_frame(body, boundary)
    room = {Field: max_fields, Upload: max_files}
    items: list[Item] = []
    for head, data in _segments(body, boundary, max_fields + max_files, max_part_header):
        item = _item(head, data, max_part_header)
        room[type(item)] -= 1
        if room[type(item)] < 0:
            raise TooLarge(f"more than {max_fields} fields or {max_files} files")
        items.append(item)
    if body.count(b"\r\n--" + boundary) != len(items):
        raise BadForm("a delimiter stands where no part ends")
    return Parsed(tuple(items), _is_browser_made(body, boundary, items))


def _check_frame(body: bytes, boundary: bytes) -> None:
    """The body is delimiter to delimiter: what stands outside is read by some parsers only."""
    if not _BOUNDARY.fullmatch(boundary):
        raise BadForm("the boundary is not one of RFC 2046")
    delimiter = b"--" + boundary
    if not body.startswith(delimiter):
        raise BadForm("the body does not begin with its delimiter")
    last = b"\r\n" + delimiter + b"--"
    end = 0 if body.startswith(last[2:]) else body.find(last) + 2
    if end == 1:
        raise BadForm("the last delimiter is missing: the body was cut")
    end += len(last) - 2
    if body[end : end + 3] not in (b"", b"\r\n"):
        raise BadForm("there is data after the last delimiter")


def _segments(
    body: bytes, boundary: bytes, max_parts: int, max_header: int
) -> Iterator[tuple[_Head, bytes]]:
    # Imported here: most processes that import seeother never see a multipart body.
    library = import_module("seeother.core.push").LIBRARY
    parser = library.PushMultipartParser(
        boundary,
        len(body),
        max_header_size=max_header,
        max_segment_count=max_parts,
        strict=True,
    )
    head: _Head | None = None
    data: list[bytes] = []
    with _as_refusals(library), parser:
        for event in parser.parse(body):
            if isinstance(event, bytes):
                data.append(event)
            elif event is not None:
                head, data = cast("_Head", event), []
            else:
                assert head is not None, "the end of a part follows its head"
                yield head, b"".join(data)


@contextmanager
def _as_refusals(library: ModuleType) -> Generator[None]:
    """The library answers damage by 415 and its limits by 413; here damage is 400."""
    try:
        yield
    except library.ParserLimitReached as error:
        raise TooLarge(str(error.args[0])) from error
    except library.MultipartError as error:
        raise BadForm(str(error.args[0])) from error


def _item(head: _Head, data: bytes, max_header: int) -> Item:
    headers = _headers(head, max_header)
    name = head.name.encode()
    if head.filename is None:
        if (head.charset or "utf-8").lower() not in _UTF8:
            raise BadForm("a field is in another charset than UTF-8")
        return Field(name, data)
    kind = headers.get("Content-Type", "text/plain")  # the default of RFC 7578 section 4.4
    digest = hashlib.sha256(data).digest()
    return Upload(name, head.filename.encode(), kind, len(data), digest, data)


def _headers(head: _Head, max_header: int) -> dict[str, str]:
    """The headers of a part, once nothing in them can be read in two ways."""
    headers = dict(head.headerlist)
    if len(headers) != len(head.headerlist):
        raise BadForm("a part gives a header twice")
    if sum(len(name) + len(value) + 4 for name, value in head.headerlist) > max_header:
        raise TooLarge(f"the headers of a part are larger than {max_header} bytes")
    if any(character in value for value in headers.values() for character in "\r\n\0"):
        raise BadForm("a header of a part holds a control character")
    encoding = headers.get("Content-Transfer-Encoding", "")
    if encoding.strip().lower() not in _PLAIN_ENCODINGS:
        raise BadForm("a part is in a transfer encoding (deprecated by RFC 7578 section 4.7)")
    _check_disposition(headers["Content-Disposition"])
    return headers


def _check_disposition(value: str) -> None:
    if _BROWSER_DISPOSITION.fullmatch(value):
        return
    if not _DISPOSITION.fullmatch(value):
        raise BadForm("a Content-Disposition cannot be read")
    names = [name.lower() for name in _PARAMETERS.findall(value)]
    if len(set(names)) != len(names):
        raise BadForm("a Content-Disposition gives a parameter twice")
    # `filename*` must not be sent (RFC 7578 section 4.2). Beside a plain `filename` it is ignored;
    # alone it would turn a file into a field for some parsers.
    if any(name.endswith("*") and name[:-1] not in names for name in names):
        raise BadForm("a Content-Disposition has an extended parameter only")


def _is_browser_made(body: bytes, boundary: bytes, items: Sequence[Item]) -> bool:
    """Whether `body` is, byte for byte, what a browser makes of `items` with this boundary.

    A browser's boundary occurs nowhere else. Where it does, parsers that accept LF for CRLF, or a
    delimiter inside a header, read other items (found by fuzzing Werkzeug and Django).
    """
    delimiter = b"--" + boundary
    if body.count(delimiter) != len(items) + 1:
        return False
    at = 0
    for item in items:
        data = item.value if isinstance(item, Field) else item.data
        for piece in (delimiter, b"\r\n", _browser_head(item), b"\r\n\r\n", data, b"\r\n"):
            if not body.startswith(piece, at):
                return False
            at += len(piece)
    end = delimiter + b"--\r\n"
    return len(body) == at + len(end) and body.startswith(end, at)


def _browser_head(item: Item) -> bytes:
    head = f'Content-Disposition: form-data; name="{item.name.decode().translate(_ESCAPES)}"'
    if isinstance(item, Upload):
        head += f'; filename="{item.filename.decode().translate(_ESCAPES)}"'
        head += f"\r\nContent-Type: {item.content_type}"
    return head.encode()
