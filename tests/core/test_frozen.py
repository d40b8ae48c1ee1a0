"""Frozen values that are made quickly are what `dataclass` would have made of them."""

import copy
import pickle
from dataclasses import FrozenInstanceError, dataclass, field, replace
from typing import Any

import pytest

from seeother.core.frozen import quick


@quick
@dataclass(frozen=True, slots=True)
class Point:
    """With a default, with what is made of the rest, and with a check."""

    x: int
    y: int = 0
    sum: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        """As everywhere."""
        if self.x < 0:
            raise ValueError(self.x)
        object.__setattr__(self, "sum", self.x + self.y)


def test_it_is_a_value() -> None:
    """Equal, hashed, shown, copied, pickled and replaced as any frozen dataclass."""
    one = Point(1, y=2)
    assert one == Point(y=2, x=1) != Point(1)
    assert hash(one) == hash(Point(1, 2))
    assert repr(one) == "Point(x=1, y=2, sum=3)"
    assert copy.copy(one) == one == pickle.loads(pickle.dumps(one))
    assert replace(one, y=5) == Point(1, 5)
    assert replace(one, y=5).sum == 6


def test_it_stays_as_it_is() -> None:
    """Nobody assigns to a finished one; what it checks at the start, it checks."""
    with pytest.raises(FrozenInstanceError):
        Point(1).x = 2  # type: ignore[misc]
    with pytest.raises(ValueError, match="-1"):
        Point(-1)
    with pytest.raises(TypeError):
        Point()  # type: ignore[call-arg]


@pytest.mark.parametrize("made", [field(default_factory=list), field(kw_only=True)], ids=str)
def test_what_it_cannot_do_is_refused(made: object) -> None:
    """When the class is made, not when the first value of it is."""
    kinds = {"__annotations__": {"many": list[int]}, "many": made}
    cls: Any = dataclass(frozen=True, slots=True)(type("Odd", (), kinds))
    with pytest.raises(TypeError, match="Odd"):
        quick(cls)
