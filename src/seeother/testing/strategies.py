"""What `StoreMachine` draws from: few names, so that its steps meet, and every kind of change."""

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st

from ..core.values import ACCEPTED, REJECTED, Changes, Flash
from .harness import ANN, BOB, LEASE, WHOLE, key, named

KEYS: Final = (key("one", WHOLE), key("two", WHOLE), key("two"))
STEPS: Final = (0.25, 1.0, 5.0, 5.25, 10.0, 10.25, LEASE, 60.0)
NAMES: Final = ("a", "b.c", "$")


def _longer(stored: bytes | None) -> bytes:
    return (stored or b"")[:3] + b"+"


keys = st.sampled_from(KEYS)
inputs = st.sampled_from((named("input"), named("edited")))
visitors = st.sampled_from((ANN, BOB))
lease_ids = st.sampled_from((b"l1", b"l2"))
kinds = st.sampled_from((ACCEPTED, ACCEPTED, REJECTED))
texts = st.lists(st.builds(Flash, st.text(max_size=5), link=st.none() | st.just("/l")), max_size=2)
names = st.sampled_from(NAMES)
changes = st.builds(
    Changes,
    st.dictionaries(names, st.binary(max_size=3), max_size=2).map(lambda sets: (*sets.items(),)),
    st.lists(names, max_size=2, unique=True).map(tuple),
    st.booleans(),
    st.lists(st.tuples(names, st.just(_longer)), max_size=2).map(tuple),
)
ways = st.fixed_dictionaries(
    {"takeover": st.booleans(), "retry_safe": st.booleans(), "page_keeping": st.booleans()}
)

ends = st.fixed_dictionaries(
    {
        "kind": kinds,
        "visitor": visitors,
        "messages": texts,
        "changes": st.none() | changes,
        "keep": st.sampled_from((True, True, True, False)),
    }
)
