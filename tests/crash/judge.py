"""What a cycle has to keep, judged by what was told and by what is in the database."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from seeother.errors import OutcomeUnknown

ACCEPTED: Final = "accepted"
DOUBT: Final = "in doubt"
LATER: Final = "later"
FINAL: Final = (ACCEPTED, DOUBT)


class Told(NamedTuple):
    """One answer to one submission, as a client got it, and when (seconds, one clock for all)."""

    at: float
    label: str
    status: int
    location: str
    text: str

    @property
    def kind(self) -> str:
        """What it says; "?" for what no submission of these may be told."""
        if self.status == 303 and self.location.startswith("/done/"):
            return ACCEPTED
        if self.status == OutcomeUnknown.status and OutcomeUnknown.title in self.text:
            return DOUBT
        waiting = self.status == 303 and "so=w." in self.location
        return LATER if waiting or self.status == 503 else "?"


@dataclass(slots=True)
class Summary:
    """Figures of many cycles.

    `struck`: the store itself dies here. Then separate may tell the truth (accepted) and fail to
    record it: who asks again is in doubt. That is counted as unrecorded, and no fault.
    """

    mode: str
    cycles: int = 0
    kills: int = 0
    strikes: int = 0
    submissions: int = 0
    answers: int = 0
    doubts: int = 0
    duplicates: int = 0
    lost: int = 0
    changed: int = 0
    unrecorded: int = 0
    struck: bool = False
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.mode}: {self.cycles} cycles, {self.kills} kills, {self.submissions} submissions"
            f", {self.answers} answers, {self.doubts} in doubt: {self.duplicates} duplicates,"
            f" {self.lost} lost, {self.changed} changed"
        )

    def judge(self, seed: int, told: Sequence[Told], runs: Iterable[tuple[str, str]]) -> None:
        """Count a cycle; every fault is noted with the seed that shows it again."""
        self.cycles += 1
        self.answers += len(told)
        effects, answers = defaultdict[str, list[str]](list), defaultdict[str, list[Told]](list)
        for label, run in runs:
            effects[label].append(run)
        for one in sorted(told):
            answers[one.label].append(one)
        self.submissions += len(answers)
        for label in effects.keys() - answers.keys():
            self.faults.append(f"seed {seed}: {label}: an effect that nobody asked for")
        for label, heard in answers.items():
            for fault in self._faults(heard, effects[label]):
                self.faults.append(f"seed {seed}: {label}: {fault}")

    def _faults(self, heard: list[Told], runs: list[str]) -> Iterator[str]:
        """Everything that is wrong with one submission."""
        kinds = [one.kind for one in heard]
        places = {one.location for one in heard if one.kind == ACCEPTED}
        self.doubts += DOUBT in kinds
        if len(runs) > 1:
            self.duplicates += 1
            yield f"{len(runs)} effects"
        if (places or self.mode != "separate") and not runs:
            self.lost += 1
            yield "no effect"
        if len(places) > 1 or not {urlsplit(one).path[6:] for one in places} <= set(runs):
            self.changed += 1
            yield f"told {places}, done {runs}"
        yield from self._misheard(heard, kinds)

    def _misheard(self, heard: list[Told], kinds: list[str]) -> Iterator[str]:
        """What was said, and in which order."""
        if "?" in kinds:
            yield f"an answer that cannot be: {heard[kinds.index('?')]}"
        if DOUBT in kinds and self.mode != "separate":
            yield "in doubt"
        if kinds[-1] not in FINAL:
            yield f"never answered: {kinds}"
        if ACCEPTED in kinds and DOUBT in kinds[kinds.index(ACCEPTED) :]:
            self.unrecorded += 1
            if not (self.struck and self.mode == "separate"):
                yield "in doubt after it was accepted"
