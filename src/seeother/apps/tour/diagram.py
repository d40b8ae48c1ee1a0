"""Recorded requests as a drawing: a browser on the left, the server on the right, time downwards.

Two of them side by side show what a redirect after POST is good for. Nothing in a drawing is typed
in: each arrow is a request that went over a socket, and the number at the end was counted in
storage. It is inline SVG; colours come from the style sheet, so that it follows light and dark.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from .journal import Run, Step

WIDTH: Final = 220
LEFT, RIGHT, MIDDLE = 14, 206, 110
TOP: Final = 44
GAP: Final = 14  # above a deed
LINE: Final = 21
BOX: Final = 44
LETTERS: Final = 22  # of a path, before it is cut


@dataclass(frozen=True, slots=True)
class Side:
    """One half: its heading, what was recorded, and what that means in three words."""

    title: str
    run: Run
    verdict: str

    @property
    def steps(self) -> tuple[Step, ...]:
        """What is drawn: all but the opening of the form."""
        first = next((n for n, s in enumerate(self.run.steps) if s.method == "POST"), 0)
        return self.run.steps[first:]

    @property
    def effects(self) -> int:
        """What storage had counted at the end."""
        return self.run.steps[-1].effects if self.run.steps else 0


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the drawing; `kind` is its CSS class, `arrow` its direction."""

    kind: str
    text: str
    arrow: int = 0
    height: int = LINE


def sides(*halves: Side) -> Markup:
    """The drawings side by side, all of one height."""
    rows = [list(_rows(half)) for half in halves]
    tall = max(sum(row.height for row in one) for one in rows)
    drawn = [_side(half, one, tall) for half, one in zip(halves, rows, strict=True)]
    return Markup('<div class="sides">') + Markup().join(drawn) + Markup("</div>")


def told(half: Side) -> str:
    """The same in words, for who cannot see it."""
    parts = [f"{step.deed}: {_asked(step)}, {_answered(step)}".strip(": ") for step in half.steps]
    return f"{half.title}. {'; '.join(parts)}. {_effects(half.effects)}."


def _rows(half: Side) -> Iterator[Row]:
    """What was done, asked, caused and answered, in this order."""
    before, answers = 0, list[Row]()
    for number, step in enumerate(half.steps):
        if step.deed:
            yield Row("deed", step.deed, height=LINE + GAP)
        harm = " again" if step.deed and number and half.effects > 1 else ""
        yield Row(f"post{harm}" if step.method == "POST" else "get", _asked(step), 1)
        answers.append(Row("lost" if step.status is None else "answer", _answered(step), -1))
        if step.overlaps:
            continue
        if step.effects > before:
            yield Row("bad" if step.effects > 1 else "good", _caused(before, step.effects))
        yield from answers
        before, answers = step.effects, []


def _caused(before: int, now: int) -> str:
    numbers = [str(number) for number in range(before + 1, now + 1)]
    return f"effect{'s' if len(numbers) > 1 else ''} {' and '.join(numbers)}"


def _side(half: Side, rows: Sequence[Row], tall: int) -> Markup:
    height = TOP + tall + 16 + BOX + 2
    drawn = Markup()
    y = TOP
    for row in rows:
        y += row.height
        drawn += _row(row, y)
    return Markup(
        '<svg class="prg" viewBox="0 0 {width} {height}" role="img" aria-label="{told}">'
        '<text class="head" x="{middle}" y="14">{title}</text>'
        '<text class="quiet" x="2" y="34">you</text>'
        '<text class="quiet end" x="218" y="34">server</text>'
        '<path class="life" d="M{left} 42V{foot}M{right} 42V{foot}"/>'
        "{drawn}{box}</svg>"
    ).format(
        width=WIDTH,
        height=height,
        told=told(half),
        middle=MIDDLE,
        title=half.title,
        left=LEFT,
        right=RIGHT,
        foot=TOP + tall + 8,
        drawn=drawn,
        box=_box(half, TOP + tall + 16),
    )


def _row(row: Row, y: int) -> Markup:
    if not row.arrow:
        where = (LEFT + 8, "start") if row.kind == "deed" else (MIDDLE, "middle")
        return _text(row.kind, row.text, where[0], y - 6, where[1])
    words = _text(row.kind, row.text, MIDDLE, y - 6, "middle")
    return words + Markup('<path class="{} arrow" d="{}"/>').format(row.kind, _arrow(row, y))


def _text(kind: str, text: str, x: int, y: int, anchor: str) -> Markup:
    return Markup('<text class="{}" x="{}" y="{}" text-anchor="{}">{}</text>').format(
        kind, x, y, anchor, text
    )


def _arrow(row: Row, y: int) -> str:
    if row.kind == "lost":  # it ends half-way, in a cross
        cross = f"M{MIDDLE - 4} {y - 5}l10 10M{MIDDLE + 6} {y - 5}l-10 10"
        return f"M{RIGHT - 2} {y}H{MIDDLE + 6}{cross}"
    if row.arrow > 0:
        return f"M{LEFT + 2} {y}H{RIGHT - 3}M{RIGHT - 9} {y - 4}l6 4l-6 4"
    return f"M{RIGHT - 2} {y}H{LEFT + 3}M{LEFT + 9} {y - 4}l-6 4l6 4"


def _box(half: Side, y: int) -> Markup:
    kind, sign = ("good", "✓") if half.effects == 1 else ("bad", "✗")
    return (
        Markup('<rect class="{}-box" x="1" y="{}" width="218" height="{}" rx="8"/>').format(
            kind, y, BOX
        )
        + _text(kind, f"{sign} {_effects(half.effects)}", MIDDLE, y + 18, "middle")
        + _text("", half.verdict, MIDDLE, y + 35, "middle")
    )


def _effects(count: int) -> str:
    return "1 effect" if count == 1 else f"{count} effects"


def _asked(step: Step) -> str:
    return f"{step.method} {short(step.path)}"


def _answered(step: Step) -> str:
    if step.status is None:
        return "answer lost"
    if step.location is not None:
        return f"{step.status}, see {short(step.location)}"
    return f"{step.status}, page" if step.status == 200 else f"{step.status}"


def short(path: str) -> str:
    """The last part of a path, which is what changes in a lesson.

    >>> short("/tour/page/getpost/awesome?so=1"), short("/tour/submit")
    ('…/awesome', '…/submit')
    """
    parts = [part for part in path.partition("?")[0].split("/") if part]
    last = parts[-1] if parts else ""
    cut = last if len(last) <= LETTERS else last[: LETTERS - 1] + "…"
    return f"…/{cut}"
