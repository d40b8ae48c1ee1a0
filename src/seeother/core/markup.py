r"""A tokenizer of HTML that changes nothing, forgets nothing and can stop anywhere.

It follows the WHATWG tokenizer (HTML 13.2.5) exactly as far as it matters for the question *where
do tags begin and end*: quotes open a value only right after `=`, comments have four ways to end,
the content of `<title>` or `<textarea>` is text, a script has its own three states. It yields the
document in pieces whose concatenation is the document: `bytes` for all that is of no interest, a
`Tag` for those in `INTERESTING` and, inside an island of SVG or MathML, for every tag.

It works on bytes, in any encoding in which the bytes of ASCII mean ASCII (UTF-8, ISO 8859, Windows
125x, Shift_JIS, GBK, Big5; not UTF-16, not ISO-2022-JP).

Three things keep it linear, however small the chunks are. What can end only by a known string (a
comment, a script) keeps no more than the length of that string. A tag that stops in the middle is
not read again: its state is one of a small table, and goes on with the next chunk. And a tag of no
interest is not kept at all, so an image of a megabyte in an attribute costs nothing.
"""

import re
import string
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from .attributes import ATTRIBUTE, SPACE
from .islands import Islands

__all__ = ["LONGEST", "Tag", "Tokenizer"]

LONGEST: Final = 1 << 16  # bytes of a tag that is kept while its end has not come

RAW_TEXT = ("style", "textarea", "title", "xmp", "iframe", "noembed", "noframes")
INTERESTING = (
    *("form", "input", "button", "select", "base", "template", "svg", "math", "script"),
    *("noscript", "plaintext", *RAW_TEXT),
)


class Tag(NamedTuple):
    """A start or end tag: `name` in lower case, `raw` as it stands in the document.

    A tag longer than `LONGEST` comes with an empty `raw`, after its bytes: too late to change it.
    """

    name: bytes
    raw: bytes
    closing: bool
    self_closing: bool


# --- inside a tag: which byte decides next, and where it leads ---------------------------------


class _State(NamedTuple):
    """`decides` finds the next byte that counts; `moves` says where it leads, else `default`."""

    decides: re.Pattern[bytes]
    moves: dict[bytes, str]
    default: str = ""


def _moves(*, space: str = "", **others: str) -> dict[bytes, str]:
    signs = {"slash": b"/", "gt": b">", "eq": b"=", "quote": b'"', "apostrophe": b"'"}
    table = {signs[name]: state for name, state in others.items()}
    return table | ({bytes([byte]): space for byte in b"\t\n\f\r "} if space else {})


_END, _END_SELF_CLOSING = "end", "end self-closing"
_TAG: dict[str, _State] = {
    "tag name": _State(re.compile(rb"[%b/>]" % SPACE), _moves(space="gap", slash="slash", gt=_END)),
    "gap": _State(re.compile(rb"[^%b]" % SPACE), _moves(slash="slash", gt=_END), "name"),
    "slash": _State(
        re.compile(rb"(?s:.)"), _moves(space="gap", slash="slash", gt=_END_SELF_CLOSING), "name"
    ),
    "name": _State(
        re.compile(rb"[%b/>=]" % SPACE),
        _moves(space="after name", slash="slash", gt=_END, eq="before value"),
    ),
    "after name": _State(
        re.compile(rb"[^%b]" % SPACE), _moves(slash="slash", gt=_END, eq="before value"), "name"
    ),
    "before value": _State(
        re.compile(rb"[^%b]" % SPACE),
        _moves(gt=_END, quote="quoted", apostrophe="single quoted"),
        "unquoted",
    ),
    "unquoted": _State(re.compile(rb"[%b>]" % SPACE), _moves(space="gap", gt=_END)),
    "quoted": _State(re.compile(rb'"'), _moves(quote="gap")),
    "single quoted": _State(re.compile(rb"'"), _moves(apostrophe="gap")),
}

# --- between tags ------------------------------------------------------------------------------

# The same grammar once more, for tags that stand whole in a chunk.
_TO_THE_END = rb"(?:[%b/]++|%b)*+>" % (SPACE, ATTRIBUTE)


def _any_case(name: str) -> bytes:
    return "".join(f"[{letter}{letter.upper()}]" for letter in name).encode()


_NAMES = b"|".join(_any_case(name) for name in INTERESTING)
_INTERESTING = frozenset(name.encode() for name in INTERESTING)
_TEXT_ELEMENTS = frozenset(name.encode() for name in (*RAW_TEXT, "plaintext"))
_FIRST_LETTERS = "".join(sorted({name[0] + name[0].upper() for name in INTERESTING})).encode()
_OTHER_LETTERS = bytes(
    letter for letter in string.ascii_letters.encode() if letter not in _FIRST_LETTERS
)


def _other_second_letter() -> bytes:
    """A first letter of an interesting name, before a second one that none of them has."""
    seconds: dict[str, str] = {}
    for name in INTERESTING:
        seconds[name[0]] = seconds.get(name[0], "") + name[1] + name[1].upper()
    rules = (f"[{first}{first.upper()}](?![{two}])" for first, two in sorted(seconds.items()))
    return "|".join(rules).encode()


# Tags of no interest, all text between them, and text areas and scripts that stand whole in a chunk
# with no `<` in them. Of the three ways in which a tag may end the middle one is what most look
# like, the last one is the whole grammar.
_DULL = re.compile(
    rb"(?:[^<]*+<(?:/?+(?:[%b]|%b|(?!(?:%b)[%b/>])[%b])[a-zA-Z0-9]*+"
    rb"(?>>|(?:[ \n][a-zA-Z:-]++=\"[^\"]*+\")++ ?/?>|[^%b/>]*+%b)"
    rb"|(textarea|script)(?:[ \n][a-zA-Z:-]++(?:=\"[^\"]*+\")?+)*+>[^<]*+</\1>))*+"
    rb"[^<]*+"
    % (_OTHER_LETTERS, _other_second_letter(), _NAMES, SPACE, _FIRST_LETTERS, SPACE, _TO_THE_END)
)
# A tag that stands whole in a chunk and does not close itself: one of interest, or any.
_USUAL_END = rb"(?>(?:[ \n][a-zA-Z:-]++(?:=\"[^\"]*+\")?+)*+>|%b(?<!/>))" % _TO_THE_END
_WHOLE = re.compile(rb"</?+(%b)(?=[%b/>])%b" % (_NAMES, SPACE, _USUAL_END))
_WHOLE_ANY = re.compile(rb"</?+([a-zA-Z][^%b/>]*+)%b" % (SPACE, _USUAL_END))
_TEXT = re.compile(rb"[^<]*+")
_MARKUP = re.compile(
    rb"<(?:(?P<tag>/?+[a-zA-Z][^%b/>]*+)|(?P<comment>!--)(?P<empty>-?>)?|(?P<cdata>!\[CDATA\[)"
    rb"|(?P<bogus>[!?]|/(?!>)))" % SPACE
)
# What may still become something else when more bytes come. No name is read further than this.
_NAME_LENGTH = 64
_UNDECIDED = re.compile(
    rb"</?(?:[a-zA-Z][^%b/>]{0,%d})?|<!(?:--?-?|\[(?:C(?:D(?:A(?:T(?:A)?)?)?)?)?)?"
    % (SPACE, _NAME_LENGTH - 1)
)


class _Until(NamedTuple):
    """A stretch of text: what ends it, and how many bytes of that may stand at a chunk's end."""

    end: re.Pattern[bytes]
    keep: int


def _end_tag(name: str) -> _Until:
    return _Until(re.compile(rb"(?=</%b[%b/>])" % (_any_case(name), SPACE)), len(name) + 2)


_STRETCHES: dict[bytes, _Until] = {
    b"comment": _Until(re.compile(rb"--!?>"), 3),
    b"bogus comment": _Until(re.compile(rb">"), 0),
    b"cdata": _Until(re.compile(rb"\]\]>"), 2),
    **{name.encode(): _end_tag(name) for name in (*RAW_TEXT, "noscript")},
}
# Script data is plain, escaped by `<!--`, or double-escaped by a `<script` in that; an end tag ends
# it in the first two (HTML 13.2.5.15 and following). In the comment's sign the dashes count twice.
_SCRIPT = re.compile(rb"<!(?=--)|-->|</?%b(?=[%b/>])" % (_any_case("script"), SPACE))
_SCRIPT_KEEP = len("</script")
_ESCAPES = {(0, b"<!"): 1, (1, b"-->"): 0, (2, b"-->"): 0, (1, b"<script"): 2, (2, b"</script"): 1}


class Tokenizer:
    """Feed it chunks, get pieces; `feed(b"", final=True)` is the end.

    `islands` is asked whether the place is one of foreign content; the reader of the pieces keeps
    it up to date, tag by tag. `scripting` says whether the content of `<noscript>` is text.
    """

    def __init__(self, islands: Islands, *, scripting: bool = True) -> None:
        self.islands = islands
        self._scripting = scripting
        self._data = b""  # what is being read
        self._at = 0  # and how far
        self._rest = b""  # undecided: a few bytes
        self._stretch = b""  # the stretch of text that is open
        self._escaped = 0  # how often script data is escaped
        self._state = ""  # inside a tag: where, a key of _TAG
        self._name = b""
        self._closing = False
        self._size = 0  # of the tag so far
        self._kept: list[bytes] | None = None  # its bytes, where it is of interest

    @property
    def between(self) -> bool:
        """Whether all that was fed is understood: no tag, comment or text is open."""
        return not (self._rest or self._stretch or self._state)

    def give_up(self) -> None:
        """Take everything from here on as text."""
        self._stretch = b"plaintext"

    def feed(self, data: bytes, *, final: bool = False) -> Iterator[bytes | Tag]:
        """The pieces of `data`, and of what was kept before, as far as they are decided."""
        self._data, self._at, self._rest = self._rest + data, 0, b""
        while self._at < len(self._data):
            if self._state:
                yield from self._through_tag()
            elif self._stretch == b"script":
                yield self._through_script(final)
            elif self._stretch:
                yield self._through_stretch(final)
            else:
                yield from self._to_markup(final)
        if final and self._kept:
            yield b"".join(self._kept)  # a tag without an end is none
            self._kept = None

    def _take(self, end: int) -> bytes:
        piece = self._data[self._at : end]
        self._at = end
        return piece

    def _take_until(self, start: int, final: bool) -> bytes:
        """Take what comes before `start`; what follows waits for more bytes, unless none come."""
        start = len(self._data) if final else max(self._at, start)
        self._rest = self._data[start:]
        self._data = self._data[:start]
        return self._take(start)

    # -- from text to the next piece of markup

    def _to_markup(self, final: bool) -> Iterable[bytes | Tag]:
        dull = (_TEXT if self.islands else _DULL).match(self._data, self._at)
        start = dull.end() if dull else self._at
        short = len(self._data) - start <= _NAME_LENGTH + 2
        if short and not final and _UNDECIDED.fullmatch(self._data, start):
            return (self._take_until(start, final),)
        text = self._take(start)
        whole = (_WHOLE_ANY if self.islands else _WHOLE).match(self._data, start)
        if whole is not None and whole.end() - start < LONGEST:
            return text, self._whole_tag(whole[1], whole.end())
        return text, self._odd_markup(start)

    def _whole_tag(self, name: bytes, end: int) -> Tag:
        raw = self._take(end)
        self._name, self._closing = name[:_NAME_LENGTH].lower(), raw[1:2] == b"/"
        self._open_text()
        return Tag(self._name, raw, self._closing, self_closing=False)

    def _odd_markup(self, start: int) -> bytes:
        """What is no whole tag: a comment, a tag that goes on in the next chunk, a lone `<`."""
        found = _MARKUP.match(self._data, start)
        if found is None:
            return self._take(min(start + 1, len(self._data)))  # a `<` that is text, or the end
        if found["tag"]:
            return self._open_tag(found.end())
        if found["bogus"] or (found["cdata"] and not self.islands.takes_cdata):
            self._stretch = b"bogus comment"
            return self._take(start + 2)
        self._stretch = b"cdata" if found["cdata"] else b"" if found["empty"] else b"comment"
        return self._take(found.end())

    def _open_tag(self, name_end: int) -> bytes:
        """A tag that has to be read byte by byte."""
        head = self._take(name_end)
        self._state, self._size = "tag name", len(head)
        self._closing = head.startswith(b"</")
        self._name = head.lstrip(b"</")[:_NAME_LENGTH].lower()
        if not (self.islands or self._name in _INTERESTING):
            return head
        self._kept = [head]
        return b""

    # -- through a tag

    def _through_tag(self) -> Iterator[bytes | Tag]:
        piece = self._take(self._tag_end())
        self._size += len(piece)
        if self._kept is None:
            yield piece
        else:
            self._kept.append(piece)
            if self._size > LONGEST:
                yield b"".join(self._kept)
                self._kept = []
        if self._state in (_END, _END_SELF_CLOSING):
            yield self._close_tag()

    def _tag_end(self) -> int:
        """Walk the states of a tag, to its end or to that of the data."""
        at = self._at
        while True:
            state = _TAG[self._state]
            found = state.decides.search(self._data, at)
            if found is None:
                return len(self._data)
            at = found.end()
            self._state = state.moves.get(found[0], state.default)
            if self._state in (_END, _END_SELF_CLOSING):
                return at

    def _close_tag(self) -> bytes | Tag:
        self_closing = self._state == _END_SELF_CLOSING
        self._state = ""
        self._open_text()
        if self._kept is None:
            return b""
        raw, self._kept = b"".join(self._kept), None
        return Tag(self._name, raw, self._closing, self_closing)

    def _open_text(self) -> None:
        if not self._closing and not self.islands.foreign and self._holds_text(self._name):
            self._stretch, self._escaped = self._name, 0

    def _holds_text(self, name: bytes) -> bool:
        if name == b"noscript":
            return self._scripting
        return name == b"script" or name in _TEXT_ELEMENTS

    # -- through text that only its own end can end

    def _through_stretch(self, final: bool) -> bytes:
        if self._stretch == b"plaintext":
            return self._take(len(self._data))
        stretch = _STRETCHES[self._stretch]
        found = stretch.end.search(self._data, self._at)
        if found is None:
            return self._take_until(len(self._data) - stretch.keep, final)
        self._stretch = b""
        return self._take(found.end())

    def _through_script(self, final: bool) -> bytes:
        found = _SCRIPT.search(self._data, self._at)
        if found is None:
            return self._take_until(len(self._data) - _SCRIPT_KEEP, final)
        sign = found[0].lower()
        if sign == b"</script" and self._escaped < 2:
            self._stretch = b""
            return self._take(found.start())
        self._escaped = _ESCAPES.get((self._escaped, sign), self._escaped)
        return self._take(found.end())
