"""Form bodies: what is called canonical, three other parsers read alike; nothing ever crashes.

A fingerprint over fields is only right where every parser behind us finds the same fields; a body
that two of them read in two ways has to stand for itself. The judges are those that apps have:
Werkzeug (Flask), Django and Starlette (python-multipart).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Coroutine, Iterator
from contextlib import closing
from io import BytesIO
from typing import Any, Final

from django.conf import settings
from django.core.files.uploadhandler import MemoryFileUploadHandler
from django.http import QueryDict
from django.http.multipartparser import MultiPartParser
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import FormParser
from starlette.formparsers import MultiPartParser as StarletteParser
from werkzeug.formparser import FormDataParser

from seeother.core.form import Field, Item, Parsed, Upload, read_form
from seeother.errors import BadForm, TooLarge, UnsupportedForm

from .tally import Tally

URLENCODED: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data; boundary=b"
Pairs = list[tuple[str, str]]

NAMES: Final = (b"a", b"b", b"a[]", b"so_token", "é".encode(), b"a b", b"", b"_charset_")
VALUES: Final = (
    b"1",
    b"",
    b"x y",
    "ü✓".encode(),
    b"two\r\nlines",
    b"--b",
    b"a=b&c",
    b"%41",
    b"\xff",
)
HEADS: Final = (
    b'Content-Disposition: form-data; name="%b"',
    b'Content-Disposition: form-data; name="%b"; filename="f.txt"\r\nContent-Type: text/plain',
    b'Content-Disposition: form-data; name="%b"; filename="g.bin"\r\nContent-Type: image/png',
    b"content-disposition: form-data; name=%b",
)
NOISE: Final = (
    b"\r\n", b"\n", b"\r", b"--b", b"--b--", b"--b\r\n", b'"', b";", b"=", b"&", b"%", b"+", b"\0",
    b"filename=", b"name=", b'name="a"', b"Content-Disposition: ", b"Content-Type: ", b"\\", b" ",
    b"Content-Transfer-Encoding: base64\r\n", b"charset=utf-16", b"\xff", b"%00", b"a", b"--",
)  # fmt: skip


def bodies(seed: int, number: int, tally: Tally) -> None:
    """Bodies as browsers send them, and damaged ones."""
    if not settings.configured:
        settings.configure()
    dice = random.Random(seed)
    for kind, body in _made(dice, number):
        try:
            parsed = read_form(kind, body)
        except (BadForm, TooLarge, UnsupportedForm) as error:
            tally.add(f"refused: {error.reason}")
            continue
        except Exception as error:  # noqa: BLE001 - the very thing that must not happen
            tally.add("crashed", f"{error!r} for {body!r}")
            continue
        tally.add(*_judged(kind, body, parsed))


def _judged(kind: str, body: bytes, parsed: Parsed) -> tuple[str, str]:
    if not parsed.canonical:
        return "read, not canonical", ""
    own = _own(parsed)
    last = [name[-1:] for item in parsed.items for name in _names(item)]
    if b"\\" in last:
        # Werkzeug takes the quote behind it for a part of the name, Django drops the file. What
        # they read is still the same wherever we read the same.
        return "canonical, a backslash at a name's end", ""
    if any("\ufffd" in text for pair in own for text in pair):
        # Each framework has a way of its own to spell what is not UTF-8; here it stays bytes.
        return "canonical, not UTF-8", ""
    for judge in JUDGES[kind]:
        try:
            found = _named(judge(body))
        except Exception as error:  # noqa: BLE001 - a body that a framework refuses has no fields to mistake
            return "canonical, refused by a judge", f"{judge.__name__}: {error!r} for {body!r}"
        if sorted(found) != sorted(own):
            return "canonical", f"{judge.__name__} reads {found} in {body!r}, we {own}"
    return "canonical, all agree", ""


def _own(parsed: Parsed) -> Pairs:
    """Fields by name and value, files by name and content, as far as apps get to see them.

    Without a file's name no file was chosen.
    """
    pairs = [(i.name, i.value) for i in parsed.items if isinstance(i, Field)]
    files = [i for i in parsed.items if isinstance(i, Upload) and i.filename]
    pairs += [(i.name, i.data) for i in files]
    return _named([(_text(name), _text(value)) for name, value in pairs])


def _named(pairs: Pairs) -> Pairs:
    """Names as all spell them, for some trim or unescape one; without a name there is no field."""
    plain = [((name or "").replace("\\", "").strip(), value) for name, value in pairs]
    return [pair for pair in plain if pair[0]]


def _names(item: Item) -> tuple[bytes, ...]:
    return (item.name, item.filename) if isinstance(item, Upload) else (item.name,)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _made(dice: random.Random, number: int) -> Iterator[tuple[str, bytes]]:
    for _ in range(number):
        multipart = dice.random() < 0.6
        body = _multipart(dice) if multipart else _urlencoded(dice)
        for _ in range(dice.choice((0, 0, 0, 1, 1, 2, 3))):
            at = dice.randrange(len(body) + 1)
            cut = at + dice.choice((0, 0, 1, 2, 5))
            body = body[:at] + dice.choice(NOISE) + body[cut:]
        yield MULTIPART if multipart else URLENCODED, body


def _multipart(dice: random.Random) -> bytes:
    body = b""
    for _ in range(dice.randint(0, 4)):
        head = dice.choice(HEADS[:3]) if dice.random() < 0.95 else HEADS[3]
        body += b"--b\r\n" + head % dice.choice(NAMES) + b"\r\n\r\n" + dice.choice(VALUES) + b"\r\n"
    return body + b"--b--\r\n"


def _urlencoded(dice: random.Random) -> bytes:
    escapes = (b"%41", b"%C3%A9", b"%26", b"%3d", b"%FF", b"+", b"a", b"1", b"-", b"%0D%0A", b"%2B")
    pairs = [b"".join(dice.choices(escapes, k=dice.randint(0, 3))) for _ in range(6)]
    return b"&".join(
        (b"a" + name + b"=" + value) for name, value in zip(pairs[:3], pairs[3:], strict=True)
    )


# The judges ------------------------------------------------------------------------------------


def werkzeug(body: bytes) -> Pairs:
    """Flask's parser."""
    kind, _, boundary = MULTIPART.partition("; boundary=")
    read = FormDataParser(silent=False).parse
    _, form, files = read(BytesIO(body), kind, len(body), {"boundary": boundary})
    pairs = [*form.items(multi=True)]
    return pairs + [(n, _all(f)) for n, f in files.items(multi=True) if f.filename]


def werkzeug_urlencoded(body: bytes) -> Pairs:
    """Flask's parser of the simple kind."""
    _, form, _ = FormDataParser(silent=False).parse(BytesIO(body), URLENCODED, len(body))
    return [*form.items(multi=True)]


def django(body: bytes) -> Pairs:
    """Django's parser."""
    meta = {"CONTENT_TYPE": MULTIPART, "CONTENT_LENGTH": str(len(body))}
    handler = MemoryFileUploadHandler()
    form, files = MultiPartParser(meta, BytesIO(body), [handler], "utf-8").parse()
    pairs = [(name, str(value)) for name, values in form.lists() for value in values]
    found = [(n, f) for n, many in files.lists() for f in many]
    return pairs + [(n, _all(f)) for n, f in found]


def django_urlencoded(body: bytes) -> Pairs:
    """Django's parser of the simple kind."""
    return [(n, str(v)) for n, many in QueryDict(body, encoding="utf-8").lists() for v in many]


def starlette(body: bytes) -> Pairs:
    """Starlette's parser, which is python-multipart's."""
    headers = Headers({"content-type": MULTIPART})
    form = _finished(StarletteParser(headers, _stream(body)).parse())
    found: Pairs = []
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            found += [(name, _all(value.file))] if value.filename else []
        else:
            found.append((name, value))
    return found


def starlette_urlencoded(body: bytes) -> Pairs:
    """Starlette's parser of the simple kind."""
    headers = Headers({"content-type": URLENCODED})
    return list(_finished(FormParser(headers, _stream(body)).parse()).multi_items())


def _all(file: Any) -> str:
    with closing(file):
        return _text(file.read())


async def _stream(body: bytes) -> Any:
    yield body
    yield b""


def _finished(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine that waits for nothing."""
    try:
        work.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("it waits")


JUDGES: Final[dict[str, tuple[Callable[[bytes], Pairs], ...]]] = {
    MULTIPART: (werkzeug, django, starlette),
    URLENCODED: (werkzeug_urlencoded, django_urlencoded, starlette_urlencoded),
}
