"""Frozen values at little more than the price of plain ones.

A frozen dataclass sets its fields by `object.__setattr__`, which looks each of them up by its name:
a tenth of what a whole submission costs here, for some thirty values of up to eleven fields. But a
field of a class with slots is a descriptor, and its `__set__` can be had once and for all. That is
all that `quick` changes; whoever assigns to a field of a finished value still gets
FrozenInstanceError, and equality, hash, repr, `replace` and pickle are those of `dataclass`.
"""

from __future__ import annotations

from dataclasses import MISSING, Field, fields
from typing import Any, TypeVar

T = TypeVar("T")


def quick(cls: type[T]) -> type[T]:
    """Give a frozen dataclass with slots an initialiser that asks no names.

    Raises TypeError for what needs more than positional fields with plain defaults.

    >>> from dataclasses import dataclass
    >>> @quick
    ... @dataclass(frozen=True, slots=True)
    ... class Point:
    ...     x: int
    ...     y: int = 0
    >>> Point(1), Point(y=2, x=1) == Point(1, 2)
    (Point(x=1, y=0), True)
    """
    every: tuple[Field[Any], ...] = fields(cls)  # type: ignore[arg-type]
    given = [one for one in every if one.init]
    if any(one.kw_only or one.default_factory is not MISSING for one in every):
        raise TypeError(f"{cls.__name__} has fields that `quick` does not know")
    known: dict[str, Any] = {f"set_{one.name}": getattr(cls, one.name).__set__ for one in given}
    known |= {f"of_{one.name}": one.default for one in given}
    head = [one.name if one.default is MISSING else f"{one.name}=of_{one.name}" for one in given]
    body = [f"set_{one.name}(self, {one.name})" for one in given]
    if hasattr(cls, "__post_init__"):
        body.append("self.__post_init__()")
    lines = "\n    ".join([f"def __init__(self, {', '.join(head)}):", *body])
    # As `dataclass` itself does it: only a function that is written out takes its own parameters.
    exec(lines, known)  # noqa: S102 - names of fields, and nothing that came from elsewhere
    made = known["__init__"]
    made.__qualname__ = f"{cls.__qualname__}.__init__"
    made.__annotations__ = cls.__init__.__annotations__
    cls.__init__ = made  # type: ignore[method-assign]
    return cls
