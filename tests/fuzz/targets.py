"""Redirect targets, judged by the URL parser of browsers."""

from __future__ import annotations

from tests.core.test_target import accepted, hostile, leaves

from .tally import Tally


def targets(seed: int, number: int, tally: Tally) -> None:
    """None that leaves the origin is accepted; what is emitted is visible ASCII."""
    for raw, base in hostile(seed, number):
        location = accepted(raw, base)
        if location is None:
            tally.add("refused, would leave" if leaves(raw, base) else "refused")
            continue
        odd = not all("!" <= char <= "~" for char in location)
        away = leaves(raw, base) or leaves(location, base)
        wrong = f"{raw!r} on {base} became {location!r}"
        tally.add("accepted", wrong if odd or away else "")
