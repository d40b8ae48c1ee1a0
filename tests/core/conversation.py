"""Flows answered by hand: each turn is the question that must come, and what is said to it."""

from typing import Any, TypeVar

from seeother.core.ops import Flow, Op

T = TypeVar("T")
Turn = tuple[Op[Any] | type[Op[Any]], Any]


def converse(flow: Flow[T], *turns: Turn) -> T:
    """Take a flow through these turns, no more and no fewer; its value, or what it raises.

    A question is compared as a whole; where it is given as a type, only its kind counts. An error
    that is said is raised inside the flow, at the place that asked.
    """
    reply: Any = None
    for expected, answer in turns:
        try:
            op = _told(flow, reply)
        except (Exception, StopIteration) as error:
            raise AssertionError(f"it ended before {expected}: {error!r}") from error
        fits = isinstance(op, expected) if isinstance(expected, type) else op == expected
        assert fits, f"{op} instead of {expected}"
        reply = answer
    try:
        more = _told(flow, reply)
    except StopIteration as end:
        value: T = end.value
        return value
    raise AssertionError(f"one question too many: {more}")


def _told(flow: Flow[Any], reply: Any) -> Op[Any]:
    return flow.throw(reply) if isinstance(reply, Exception) else flow.send(reply)
