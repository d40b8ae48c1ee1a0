"""The drawings of the tour's pages: which runs they show, and how these come to be recorded.

Every drawing is two runs side by side. A run that is not in the journal yet is played when a page
first needs it, once for everybody; so the drawings are true of this server, and of no other.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from .attacks import BY_NAME, RECORDER, Arena, Target
from .diagram import Side, sides
from .filling import Stopped
from .journal import Journal, Run
from .lessons import ARMS, Lesson
from .player import Site

MOUNTS: Final = {"seeother": "", "lesson": "/lesson", "page": "/page"}
SAID: Final = {
    "page": ("Page from the POST", "The view answers the POST with HTML."),
    "lesson": ("As taught", "The view answers with a redirect, as the lesson has it."),
    "seeother": ("With seeother", "The same file and one line more."),
}
REST: Final = 30.0  # seconds before a failed recording is tried again
# What one effect means, and what two mean.
VERDICTS: Final = {
    "refresh": ("Refresh is harmless.", "Refresh sends it twice."),
    "twice": ("A second click is harmless.", "Both clicks count."),
}


@dataclass(frozen=True, slots=True)
class Half:
    """One half of a drawing: which arm, under which attack, with which of the lesson's forms."""

    arm: str
    attack: str
    form: int = 0
    called: str = ""


Two = tuple[Half, Half]
TAUGHT: Final[Two] = (Half("page", "refresh"), Half("lesson", "refresh"))
MISSING: Final[Two] = (Half("lesson", "twice"), Half("seeother", "twice"))


def codes(lesson: Lesson) -> list[Two]:
    """In a lesson that can answer with 307: a refresh after it, and after what leads to a GET."""
    plain = next((n for n, a in enumerate(lesson.attacks) if not a.repeats), None)
    again = next((n for n, a in enumerate(lesson.attacks) if a.repeats), None)
    if plain is None or again is None:
        return []
    first = Half("lesson", "refresh", plain, "As taught, by GET")
    repeated = Half("lesson", "refresh", again, "As taught, 307")
    safe = Half("seeother", "refresh", again, "With seeother, 307")
    return [(first, repeated), (repeated, safe)]


def targets(lesson: Lesson, prefix: str) -> Iterator[Target]:
    """Every form of every arm of a lesson."""
    for number, attack in enumerate(lesson.attacks):
        for arm in ARMS:
            path = f"{prefix}{MOUNTS[arm]}/{attack.form}"
            yield Target(lesson.name, arm, str(number), path, attack.fields)


class Pictures:
    """The drawings; `failed` says why one could not be recorded, until it is tried again."""

    def __init__(self, journal: Journal, arena: Arena, prefix: str) -> None:
        self._journal, self._arena, self._prefix = journal, arena, prefix
        self._lock = threading.Lock()
        self.failed, self._rest = "", 0.0

    def complete(self, lessons: Iterable[Lesson], *pictures: Two) -> bool:
        """Is every run of these pictures recorded, or was it in vain to try a moment ago?"""
        resting = bool(self.failed) and time.monotonic() < self._rest
        return resting or not self._missing(lessons, pictures)

    def record(self, site: Site, lessons: Iterable[Lesson], *pictures: Two) -> None:
        """Play what is missing; whoever comes meanwhile waits, and finds it done."""
        with self._lock:
            if time.monotonic() < self._rest:
                return
            self.failed = ""
            for lesson, half in self._missing(lessons, pictures):
                self._play(site, lesson, half)

    def draw(self, lesson: Lesson, two: Two) -> Markup | None:
        """The two runs side by side; None where they are not recorded."""
        halves = [
            Side(half.called or SAID[half.arm][0], run, _verdict(run))
            for half in two
            if (run := self._run(lesson, half)) is not None
        ]
        return sides(*halves) if len(halves) == len(two) else None

    def _missing(
        self, lessons: Iterable[Lesson], pictures: Iterable[Two]
    ) -> list[tuple[Lesson, Half]]:
        wanted = dict.fromkeys(half for two in pictures for half in two)
        return [(a, half) for a in lessons for half in wanted if self._run(a, half) is None]

    def _run(self, lesson: Lesson, half: Half) -> Run | None:
        return self._journal.example(lesson.name, half.attack, str(half.form), half.arm)

    def _play(self, site: Site, lesson: Lesson, half: Half) -> None:
        if self.failed:
            return
        found = {(t.form, t.arm): t for t in targets(lesson, self._prefix)}
        try:
            target = found[str(half.form), half.arm]
            self._arena.run(site, RECORDER, BY_NAME[half.attack], target)
        except Stopped as error:
            self.failed, self._rest = str(error), time.monotonic() + REST


def _verdict(run: Run) -> str:
    harmless, twice = VERDICTS[run.attack]
    return harmless if run.steps[-1].effects == 1 else twice
