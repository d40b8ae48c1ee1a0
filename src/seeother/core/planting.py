"""One way through a document, form by form: what `html.Planter` and `html.plant` are made of.

A `Walk` reads the pieces of the tokenizer, keeps the few things that decide about forms, and holds
a form back while it is undecided. What may be planted where is told in `html`.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from .action import Page, cleaned, is_foreign, is_own, marked
from .attributes import Attribute, attributes
from .islands import Islands
from .markup import Tag, Tokenizer
from .token import FIELD

__all__ = ["HOLD", "FormTag", "Known", "Piece", "Plantable", "Walk", "filled"]

HOLD: Final = 1 << 16  # bytes of a page that are held back at most

# In a control that says something about forms: `form`, `formaction`, our field, or a reference.
_TELLING: Final = re.compile(rb"form|&|%b" % FIELD.encode(), re.IGNORECASE)
_SAME_WINDOW: Final = frozenset({b"", b"_self", b"_top", b"_parent"})
_ENCTYPES: Final = frozenset({b"multipart/form-data", b"text/plain"})
_URLENCODED: Final = "application/x-www-form-urlencoded"
# In an open `<select>` a browser of yesterday knows none of these, and what is text in them becomes
# tags; one of today does (HTML 13.2.6.4.7, changed in 2025).
_DOUBTFUL_IN_SELECT: Final = frozenset(
    b"template svg math noscript title style xmp iframe noembed noframes plaintext".split()
)


@dataclass(frozen=True, slots=True)
class FormTag:
    """The start tag of a form: what a template may say to whoever plants.

    `action` is the attribute's value with its references resolved, None where there is none;
    `edit` is `data-seeother-edit`; `off` is `data-seeother="off"`; `own` tells that the form posts
    to the address of its page.
    """

    action: bytes | None
    enctype: str
    target: str
    edit: str | None
    off: bool
    own: bool


Plantable: TypeAlias = bytes | Callable[[FormTag], bytes | None]


@dataclass(frozen=True, slots=True)
class Slot:
    """A place to plant at: the start tag of a form, as it is and as it will be with a token.

    `has_token`: a field stands in the form already, so only its action may change.
    """

    form: FormTag
    bare: bytes
    marked: bytes
    has_token: bool

    def filled(self, plantable: Plantable) -> bytes:
        """The start tag with what is to be planted behind it."""
        text: bytes | None = b""
        if not self.has_token:
            text = plantable(self.form) if callable(plantable) else plantable
        return self.bare if text is None else self.marked + text


Piece: TypeAlias = bytes | Slot


def filled(pieces: Iterable[Piece], plantable: Plantable) -> bytes:
    """Pieces of a page, planted."""
    return b"".join(
        [piece if isinstance(piece, bytes) else piece.filled(plantable) for piece in pieces]
    )


@dataclass(slots=True)
class Known:
    """What the document says about all of its forms, as far as it was read."""

    based: bool = False
    foreign_base: bool = False
    target: bytes | None = None
    sent_away: set[bytes] = field(default_factory=set)  # ids of forms with a foreign formaction

    def base(self, href: bytes | None, target: bytes | None, page: Page | None) -> None:
        """Take a `<base>`. The first counts; that a later one is no base makes it only safer."""
        self.based |= href is not None
        self.foreign_base |= href is not None and is_foreign(cleaned(href), page)
        self.target = target if self.target is None else self.target


@dataclass(slots=True)
class _Pending:
    """A form that is held back: where it stands in the output, and what was seen in it."""

    index: int
    start: int
    raw: bytes
    attributes: dict[bytes, Attribute]
    actions: list[bytes] = field(default_factory=list)  # of its buttons
    has_token: bool = False

    def value(self, name: bytes) -> bytes | None:
        """An attribute of the start tag."""
        found = self.attributes.get(name)
        return None if found is None else found.value


class Walk:
    """One way through the markup: the whole document, or the content of a `<noscript>`."""

    def __init__(self, page: Page | None, known: Known, outer: "Walk | None" = None) -> None:
        self.page = page
        self.known = known
        self.islands = Islands()
        self.scripting = outer is None
        self.markup = Tokenizer(self.islands, scripting=self.scripting)
        self.out: list[Piece] = []
        self.seen = 0  # bytes, up to the end of the last piece
        self.pending: _Pending | None = None
        self.waiting: list[_Pending] | None = []  # forms that have ended; None: decided at once
        self.templates: int = outer.templates if outer else 0
        self.in_select = False
        # Whether a form is open, for a browser with scripting and for one without.
        self.is_open: bool = outer is not None and outer.is_open_bare
        self.is_open_bare: bool = self.is_open
        self.actions: list[bytes] = []  # of buttons outside of pending forms
        self.noscript: list[bytes] | None = None
        self.noscript_size = 0

    def feed(self, data: bytes, *, final: bool = False) -> None:
        """Take all pieces that are decided by now."""
        for piece in self.markup.feed(data, final=final):
            if isinstance(piece, Tag):
                self._tag(piece)
            elif piece:
                self._text(piece)

    def release(self, fed: int | None = None) -> list[Piece]:
        """What is decided by now; without `fed`, the number of bytes fed so far, everything."""
        if fed is None and self.noscript is not None:
            self._end_noscript()
        if self.pending and (fed is None or fed - self.pending.start > HOLD):
            self.decide()
        if fed is None:
            self.settle()
        held = [*(self.waiting or ()), *((self.pending,) if self.pending else ())]
        end = held[0].index if held else len(self.out)
        ready = self.out[:end]
        del self.out[:end]
        for one in held:
            one.index -= end
        return ready

    def settle(self) -> None:
        """Decide about all forms that have ended, and from here on about each at its end."""
        for one in self.waiting or ():
            self.out[one.index] = self._planted(one)
        self.waiting = None

    @property
    def settled(self) -> bool:
        """Is all that was fed understood, and nothing of it held back?"""
        held = self.pending or self.waiting or self.noscript is not None
        return not held and self.markup.between

    def _text(self, piece: bytes) -> None:
        self._see(len(piece))
        if self.noscript is None:
            self.out.append(piece)
            return
        self.noscript.append(piece)
        self.noscript_size += len(piece)
        if self.noscript_size > HOLD:
            self.out.extend(self.noscript)
            self.noscript = None
            self.give_up()

    def _see(self, size: int) -> None:
        self.seen += size
        if self.pending and self.seen - self.pending.start > HOLD:
            self.decide()

    def _tag(self, tag: Tag) -> None:
        self._see(len(tag.raw))
        is_html = self.islands.end(tag.name) if tag.closing else self._start(tag)
        if self.islands.lost or (self.in_select and self._is_doubtful(tag)):
            self.give_up()
        elif is_html and (handler := _HANDLERS.get((tag.name, tag.closing))):
            handler(self, tag)
        self.out.append(tag.raw)

    def _start(self, tag: Tag) -> bool:
        def attribute(name: bytes) -> bytes | None:
            found = attributes(tag.raw).get(name)
            return None if found is None else found.value

        return self.islands.start(tag.name, self_closing=tag.self_closing, attributes=attribute)

    @staticmethod
    def _is_doubtful(tag: Tag) -> bool:
        """In a `<select>`: do browsers differ about what this is?"""
        return tag.name in _DOUBTFUL_IN_SELECT and not tag.closing

    def give_up(self) -> None:
        """Only a browser could tell what follows: leave it alone, and the form that is open."""
        self.pending = None
        self.markup.give_up()

    # -- forms

    def form(self, tag: Tag) -> None:
        """A form starts, unless one is open or it stands in a template."""
        if self.templates:
            return
        if tag.raw and not (self.is_open or self.is_open_bare or self.in_select):
            found = _Pending(len(self.out), self.seen - len(tag.raw), tag.raw, attributes(tag.raw))
            if (found.value(b"method") or b"").lower() == b"post":
                self.pending = found
        self.is_open = self.is_open_bare = True

    def end_form(self, tag: Tag) -> None:
        """The open form ends, wherever it began; not in a select, where it may be open for one."""
        if not (self.templates or self.in_select):
            self.decide()
            self.is_open = self.is_open_bare = False

    def control(self, tag: Tag) -> None:
        """An input or a button: it may be our field, or send a form elsewhere."""
        if tag.name == b"input":
            self.in_select = False
        if not _TELLING.search(tag.raw):
            return
        found = {name: attribute.value for name, attribute in attributes(tag.raw).items()}
        owner, action = found.get(b"form"), found.get(b"formaction")
        if action is not None:
            action = cleaned(action)
            (self.pending or self).actions.append(action)
            if owner and self._leaves(action):
                self.known.sent_away.add(owner)
        if self.pending and not self.templates and found.get(b"name") == FIELD.encode():
            self.pending.has_token |= owner in (None, self.pending.value(b"id"))

    def _leaves(self, url: bytes) -> bool:
        return is_foreign(url, self.page, foreign_base=self.known.foreign_base)

    def decide(self) -> None:
        """Plant into the form that is held back, or let it go as it is; or wait to know more."""
        if self.pending and self.waiting is not None:
            self.waiting.append(self.pending)
        elif self.pending:
            self.out[self.pending.index] = self._planted(self.pending)
        self.pending = None

    def _planted(self, pending: _Pending) -> Piece:
        action = cleaned(pending.value(b"action") or b"")
        form = self._form_tag(pending, action)
        if (
            form.off
            or form.target.lower().encode() not in _SAME_WINDOW
            or pending.value(b"id") in self.known.sent_away
            or any(self._leaves(url) for url in (action, *pending.actions))
        ):
            return pending.raw
        marked_tag = self._with_marker(pending, form, action)
        return Slot(form, pending.raw, marked_tag, pending.has_token)

    def _form_tag(self, pending: _Pending, action: bytes) -> FormTag:
        def text(value: bytes | None) -> str:
            return (value or b"").decode("utf-8", "replace")

        enctype = (pending.value(b"enctype") or b"").lower()
        target, edit = pending.value(b"target"), pending.value(b"data-seeother-edit")
        return FormTag(
            action=pending.value(b"action"),
            enctype=text(enctype) if enctype in _ENCTYPES else _URLENCODED,
            target=text(self.known.target if target is None else target),
            edit=None if edit is None else text(edit),
            off=(pending.value(b"data-seeother") or b"").lower() == b"off",
            own=is_own(action, self.page, based=self.known.based),
        )

    def _with_marker(self, pending: _Pending, form: FormTag, action: bytes) -> bytes:
        if not form.own or self.page is None or self.known.foreign_base:
            return pending.raw
        value = marked(action, self.page, based=self.known.based)
        if value is None:
            return pending.raw
        name_end = len(b"<form")
        old = pending.attributes.get(b"action", Attribute(b"", name_end, name_end))
        space = b" " if old.start == old.end else b""
        return b'%b%baction="%b"%b' % (
            pending.raw[: old.start],
            space,
            value,
            pending.raw[old.end :],
        )

    # -- what else matters to forms

    def base(self, tag: Tag) -> None:
        """Where relative addresses lead, and into which window."""
        if self.templates:
            return
        found = {name: attribute.value for name, attribute in attributes(tag.raw).items()}
        unreadable = None if tag.raw else b"//"
        self.known.base(found.get(b"href", unreadable), found.get(b"target"), self.page)

    def template(self, tag: Tag) -> None:
        """Forms in templates are none yet."""
        self.templates += 1

    def end_template(self, tag: Tag) -> None:
        """The innermost template ends."""
        if self.templates:
            self.templates -= 1
            self.in_select = False

    def select(self, tag: Tag) -> None:
        """A select starts; inside of one the tag is its end."""
        self.in_select = not self.in_select

    def end_select(self, tag: Tag) -> None:
        """Its end tag ends a select, and so does an input."""
        self.in_select = False

    def start_noscript(self, tag: Tag) -> None:
        """Keep what follows; where this walk is one without scripting it is markup as any other."""
        if self.scripting:
            self.noscript, self.noscript_size = [], 0

    def end_noscript(self, tag: Tag) -> None:
        """Walk through the content as a browser without scripting does."""
        if self.noscript is not None:
            self._end_noscript()

    def _end_noscript(self) -> None:
        content, self.noscript = b"".join(self.noscript or ()), None
        inner = Walk(self.page, self.known, outer=self)
        inner.feed(content, final=True)
        inner.pending = None  # a form that does not end where it begins is left alone
        self._take_over(inner)
        if self.pending:
            self.pending.actions.extend(inner.actions)
        self.is_open_bare = inner.is_open
        understood = inner.markup.between and not (inner.islands or inner.in_select)
        if not understood or inner.templates != self.templates:
            self.give_up()

    def _take_over(self, inner: "Walk") -> None:
        if self.waiting is None:
            inner.settle()
        for one in inner.waiting or ():
            one.index += len(self.out)
        if self.waiting is not None:
            self.waiting.extend(inner.waiting or ())
        self.out.extend(inner.out)


_HANDLERS: dict[tuple[bytes, bool], Callable[[Walk, Tag], None]] = {
    (b"form", False): Walk.form,
    (b"form", True): Walk.end_form,
    (b"input", False): Walk.control,
    (b"button", False): Walk.control,
    (b"base", False): Walk.base,
    (b"template", False): Walk.template,
    (b"template", True): Walk.end_template,
    (b"select", False): Walk.select,
    (b"select", True): Walk.end_select,
    (b"noscript", False): Walk.start_noscript,
    (b"noscript", True): Walk.end_noscript,
}
