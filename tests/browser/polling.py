"""Waiting for something that will be seen, never for a time that should be enough."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(look: Callable[[], T], what: str, *, seconds: float = 20.0) -> T:
    """Ask again and again until the answer is true, and return it.

    `what` names the expectation for the failure; `seconds` is only the point where hope is given
    up, generous because a machine may be busy.

    >>> seen = iter([0, 0, 3])
    >>> until(lambda: next(seen), "a number")
    3
    """
    end = time.monotonic() + seconds
    while True:
        if answer := look():
            return answer
        if time.monotonic() > end:
            raise AssertionError(
                f"not seen within {seconds:.0f} s: {what}; last answer: {answer!r}"
            )
        time.sleep(0.02)


def at_rest(look: Callable[[], T | None], what: str, *, looks: int = 5) -> T:
    """Ask until the same answer came `looks` times in a row, and return it; None is no answer.

    For what is true only when nothing more comes, such as "one message and no second one".

    >>> seen = iter([1, None, 2, 2, 2])
    >>> at_rest(lambda: next(seen), "a number that stays", looks=3)
    2
    """
    row: list[T] = []

    def same() -> bool:
        answer = look()
        if answer is None or (row and row[-1] != answer):
            row.clear()
        if answer is not None:
            row.append(answer)
        return len(row) >= looks

    until(same, what)
    return row[-1]
