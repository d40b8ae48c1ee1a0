"""The picture of a run: for each attack the share of trials that failed, bare and with seeother."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Final

from .report import ARMS, Results
from .run import ATTACKS
from .shops import FRAMEWORKS

WIDTH: Final = 640
LABELS: Final = 204  # where the first panel begins
PANEL: Final = 184  # how wide 100 % is
GAP: Final = 40
TOP: Final = 78
ROW: Final = 27
BAR: Final = 6
STEP: Final = 7
STYLE: Final = """\
    .versus { font: 14px/1.2 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif }
    .versus .paper { fill: #fff; stroke: #d5dae2 }
    .versus text { fill: #1c2330 }
    .versus .head { font-weight: 700 }
    .versus .quiet { fill: #596273; font-size: 12.5px }
    .versus .end { text-anchor: end }
    .versus .mid { text-anchor: middle }
    .versus .line { stroke: #d5dae2 }
    .versus .flask { fill: #0067a3; stroke: #0067a3 }
    .versus .django { fill: #c04f00; stroke: #c04f00 }
    .versus .starlette { fill: #00805c; stroke: #00805c }
    @media (prefers-color-scheme: dark) {
      .versus .paper { fill: #14171c; stroke: #353c47 }
      .versus text { fill: #e7eaf0 }
      .versus .quiet { fill: #a3acba }
      .versus .line { stroke: #353c47 }
      .versus .flask { fill: #62b7ec; stroke: #62b7ec }
      .versus .django { fill: #f0a53a; stroke: #f0a53a }
      .versus .starlette { fill: #3fcb9d; stroke: #3fcb9d }
    }"""


def described(results: Results) -> str:
    """The picture in words: how many attacks do harm, and which of them with seeother too."""
    told = []
    for one in FRAMEWORKS:
        bare, own = (
            [name for name, result in results[one.name, arm].items() if result.failed]
            for arm in ARMS
        )
        left = f"{len(own)} ({', '.join(own)})" if own else "none"
        told.append(f"in {one.title} {len(bare)} bare and {left} with seeother")
    return f"Of {len(ATTACKS)} attacks there do harm: {'; '.join(told)}."


def draw(results: Results) -> str:
    """The picture as SVG."""
    height = TOP + ROW * len(ATTACKS) + 16
    body = "\n".join(f"  {line}" for line in (*_frame(height), *_rows(results)))
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" \
aria-labelledby="versus-title versus-desc" class="versus">
  <title id="versus-title">Share of trials that failed, bare and with seeother</title>
  <desc id="versus-desc">{escape(described(results))}</desc>
  <style>
{STYLE}
  </style>
{body}
</svg>
"""


def _left(*, protected: bool) -> int:
    return LABELS + (PANEL + GAP if protected else 0)


def _frame(height: int) -> Iterator[str]:
    """Paper, heads, legend and the lines at 0, 50 and 100 %."""
    yield f'<rect class="paper" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="10"/>'
    for number, one in enumerate(FRAMEWORKS):
        x = 16 + number * 82
        yield f'<rect class="{one.name}" x="{x}" y="17" width="10" height="{BAR}"/>'
        yield f'<text class="quiet" x="{x + 16}" y="25">{one.title}</text>'
    yield f'<text class="quiet end" x="{WIDTH - 20}" y="25">share of trials that failed</text>'
    for protected, title in ((False, "bare"), (True, "with seeother")):
        x = _left(protected=protected)
        yield f'<text class="head" x="{x}" y="52">{title}</text>'
        for part, label in ((0, "0"), (1, ""), (2, "100 %")):
            at = x + PANEL * part // 2
            yield f'<path class="line" d="M{at} {TOP - 6}V{height - 14}"/>'
            if label:
                yield f'<text class="quiet mid" x="{at}" y="{TOP - 11}">{label}</text>'


def _rows(results: Results) -> Iterator[str]:
    for number, attack in enumerate(ATTACKS):
        y = TOP + number * ROW
        yield f'<text class="end" x="{LABELS - 12}" y="{y + 15}">{escape(attack.name)}</text>'
        for arm in ARMS:
            for place, one in enumerate(FRAMEWORKS):
                result = results[one.name, arm][attack.name]
                yield _bar(
                    _left(protected=arm), y + place * STEP, result.failed / result.trials, one.name
                )


def _bar(x: int, y: int, share: float, name: str) -> str:
    """A bar, or for 0 a dot: nothing would look like not measured."""
    if share:
        size = f'width="{PANEL * share:.0f}" height="{BAR}"'
        return f'<rect class="{name}" stroke="none" x="{x}" y="{y}" {size}/>'
    return f'<circle class="{name}" cx="{x}" cy="{y + BAR / 2:g}" r="1.6"/>'
