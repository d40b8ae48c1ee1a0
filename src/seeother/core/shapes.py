"""Where the modes differ, for the flow: one line each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from .ops import Abandon, Doubt
from .policy import Mode


@dataclass(frozen=True, slots=True)
class Shape:
    """Where a mode differs.

    `takeover`: a lapsed claim may run again, because its late commit would be refused.
    `raised`: what to say of a view that raised. `visible`: others can see a claim, so there is a
    waiting page and a doubt; in joined mode on SQLite there is neither.
    """

    takeover: bool
    raised: Callable[..., Abandon | Doubt]
    visible: bool


SHAPES: Final[dict[Mode, Shape]] = {
    "joined": Shape(takeover=True, raised=Abandon, visible=False),
    "fenced": Shape(takeover=True, raised=Abandon, visible=True),
    "hooked": Shape(takeover=True, raised=Abandon, visible=False),
    "separate": Shape(takeover=False, raised=Doubt, visible=True),
}
