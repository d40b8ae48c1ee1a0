r"""Islands of SVG and MathML in an HTML document, and the HTML that may stand on them again.

In an island other rules hold (HTML 13.2.6.5): a `<form>` is a shape without any power, the content
of `<style>` is markup, `<![CDATA[` begins text in which `</form>` means nothing. Whoever confuses
inside and outside takes a form for closed that is open, and plants a secret into the wrong one.

So the open elements of an island are kept, from its root on. Three kinds of them matter: elements
of the island, *points* at which HTML may stand (`<foreignObject>`, `<title>`, `<mtext>` ...), and
the HTML elements in those. Well-nested islands are followed exactly. Where an end tag fits nothing,
a browser repairs by rules that need the whole document; then the islands are `lost`, and whoever
asked must give up rather than guess.
"""

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

__all__ = ["Islands"]

SVG, MATH, POINT, HTML = "svg", "math", "point", "html"
_ROOTS: Final = {b"svg": SVG, b"math": MATH}
_FOREIGN: Final = frozenset({SVG, MATH})
_POINTS: Final = {
    SVG: frozenset({b"foreignobject", b"desc", b"title"}),
    MATH: frozenset({b"mi", b"mo", b"mn", b"ms", b"mtext"}),
}
# Whose end tags are implied by that of what they stand in (HTML 13.2.6.3).
_IMPLIED: Final = frozenset(b"dd dt li optgroup option p rb rp rt rtc".split())
DEEPEST: Final = 4096  # open elements that are kept; browsers keep no more than 512
# Two that stay MathML where it is text (HTML 13.2.6).
_GLYPHS: Final = frozenset({b"mglyph", b"malignmark"})
_HTML_ENCODINGS: Final = frozenset({b"text/html", b"application/xhtml+xml"})
# These tags end every island up to the next point: they are signs of an island left open.
_BREAKOUT: Final = frozenset(
    b"b big blockquote body br center code dd div dl dt em embed h1 h2 h3 h4 h5 h6 head hr i img"
    b" li listing menu meta nobr ol p pre ruby s small span strong strike sub sup table tt u ul"
    b" var".split()
)
_VOID: Final = frozenset(
    b"area base basefont bgsound br col embed frame hr image img input keygen link meta param"
    b" source track wbr".split()
)

Attributes = Callable[[bytes], bytes | None]


class _Open(NamedTuple):
    name: bytes
    kind: str


class Islands:
    """The open elements of the island in which the document is just now, if it is in one.

    >>> islands = Islands()
    >>> islands.start(b"svg", self_closing=False), islands.start(b"form", self_closing=False)
    (False, False)
    >>> islands.end(b"svg"), islands.start(b"form", self_closing=False)
    (False, True)
    """

    __slots__ = ("_open", "lost")

    def __init__(self) -> None:
        self._open: list[_Open] = []
        self.lost = False

    def __bool__(self) -> bool:
        """Whether any island is open, HTML on it included."""
        return bool(self._open)

    @property
    def foreign(self) -> bool:
        """Whether a start tag here would be one of SVG or MathML."""
        return bool(self._open) and self._open[-1].kind in _FOREIGN

    @property
    def takes_cdata(self) -> bool:
        """Whether `<![CDATA[` begins a CDATA section here."""
        return bool(self._open) and self._open[-1].kind != HTML

    def start(
        self, name: bytes, *, self_closing: bool, attributes: Attributes = lambda name: None
    ) -> bool:
        """Take a start tag; returns whether it is an HTML element."""
        if not self._open and name not in _ROOTS:
            return True
        self.lost |= len(self._open) >= DEEPEST
        if self.foreign and self._breaks_out(name, attributes):
            self._leave()
        if not self.foreign and not self._is_glyph(name):
            return self._start_html(name, self_closing)
        if not self_closing:
            parent = self._open[-1]
            kind = self._kind(name, parent, attributes)
            self._open.append(_Open(name, kind))
        return False

    def end(self, name: bytes) -> bool:
        """Take an end tag; returns whether it is one of HTML."""
        if not self._open:
            return True
        if self._open[-1].kind == HTML:
            self._end_html(name)
            return True
        if name in (b"br", b"p"):
            self._leave()
            return True
        return self._close(name)

    def _is_glyph(self, name: bytes) -> bool:
        return name in _GLYPHS and bool(self._open) and self._open[-1].name in _POINTS[MATH]

    def _start_html(self, name: bytes, self_closing: bool) -> bool:
        root = _ROOTS.get(name)
        if root is None:
            if self._open and name not in _VOID:
                self._open.append(_Open(name, HTML))
            return True
        if not self_closing:
            self._open.append(_Open(name, root))
        return False

    def _end_html(self, name: bytes) -> None:
        top = self._open.pop()
        while top.name != name and top.name in _IMPLIED and self._open[-1].kind == HTML:
            top = self._open.pop()
        self.lost |= top.name != name

    def _close(self, name: bytes) -> bool:
        """Pop up to the nearest element of this name, but never through HTML.

        Without one the tag is for what stands around the island; the form there can be closed.
        """
        for depth in range(len(self._open) - 1, -1, -1):
            if self._open[depth].kind == HTML:
                self.lost = True
                return False
            if self._open[depth].name == name:
                del self._open[depth:]
                return False
        self.lost = name != b"form"
        return True

    def _leave(self) -> None:
        while self.foreign:
            self._open.pop()

    @staticmethod
    def _breaks_out(name: bytes, attributes: Attributes) -> bool:
        if name == b"font":
            return _any(attributes, (b"color", b"face", b"size"))
        return name in _BREAKOUT

    @staticmethod
    def _kind(name: bytes, parent: _Open, attributes: Attributes) -> str:
        if parent.name == b"annotation-xml" and name == b"svg":
            return SVG
        if name in _GLYPHS:
            return MATH if parent.kind == POINT else parent.kind
        if parent.kind == MATH and name == b"annotation-xml":
            encoding = (attributes(b"encoding") or b"").lower()
            return POINT if encoding in _HTML_ENCODINGS else MATH
        return POINT if name in _POINTS[parent.kind] else parent.kind


def _any(attributes: Attributes, names: Iterable[bytes]) -> bool:
    return any(attributes(name) is not None for name in names)
