"""Draws the two generated pictures of ARCHITECTURE.md.

    python -m tests.docs.diagram            prints them
    python -m tests.docs.diagram --write    puts them between their markers

The states are not read off the table but tried: every kind of row meets every kind of ask, and what
`step` makes of it is drawn. So the picture shows what the code does, and `moves()` also tells which
entries of the table nothing can reach.

The double click is a recording: two real `submission` flows, one after the other sending its
question, with this file playing driver, store and view.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from seeother.core import ledger, ops
from seeother.core.entry import Entry, admit, greet
from seeother.core.flows import Answer, submission
from seeother.core.form import read_form
from seeother.core.headers import redirect
from seeother.core.ledger import Case, Row, State, step
from seeother.core.policy import Policy
from seeother.core.token import mint
from seeother.core.values import ACCEPTED, REJECTED, Handled, Key, Outcome, Request, Response

PAGE = Path(__file__).parents[2] / "ARCHITECTURE.md"
NOW = 1_000.0
KEY = Key(b"i" * 16, b"v" * 16)
MINE, OTHER = b"mine", b"other"
DONE = Outcome(ACCEPTED, 303, "/")

# The states of a submission -----------------------------------------------------------------


class Move(NamedTuple):
    """A row in `before` met `verb`, it was this `case`, and the row went to `after`."""

    before: State | None
    verb: str
    case: Case
    after: State | None
    kept: bool
    again: bool  # the row was accepted before, and somebody claimed it once more


def rows() -> Iterator[Row | None]:
    """No row, and every kind of row."""
    yield None
    for state, lease, tainted, keeping, outcome, age in product(
        State,
        (0.0, 9.0),
        (False, True),
        (False, True),
        (DONE, Outcome(REJECTED, 303, "/"), None),
        (1, 99),
    ):
        if (outcome is None) != (state is State.SETTLED) or outcome == DONE:
            at = NOW - age if outcome is not None else 0.0
            yield Row(state, 1, MINE, b"fp", NOW - 1 + lease, tainted, keeping, outcome, at)


def asks() -> Iterator[ops.Claim | ops.HolderOp]:
    """Every kind of question about a row."""
    for claim_id, fp, takeover, retry, keeping in product(
        (MINE, OTHER), (b"fp", b"edited"), (False, True), (False, True), (False, True)
    ):
        yield ops.Claim(KEY, fp, claim_id, 30.0, 10.0, takeover, retry, keeping)
    for fence in (1, 2):
        grant = ops.Granted(fence, MINE)
        yield ops.Renew(KEY, grant, 30.0)
        yield ops.Settle(KEY, grant, b"fp", DONE)
        yield ops.Settle(KEY, grant, b"fp", DONE, keep=False)
        yield ops.Abandon(KEY, grant)
        yield ops.Doubt(KEY, grant)
    yield ops.Resolve(KEY, happened=True, outcome=DONE)
    yield ops.Resolve(KEY, happened=False)


def moves() -> set[Move]:
    """Everything that can happen to a row."""
    found = set()
    for row, ask in product(rows(), asks()):
        if isinstance(ask, ops.Claim):
            case = ledger._case_of_claim(row, ask, NOW)
        else:
            case = ledger._case_of_holder(row, ask)
        after, _reply = step(row, ask, NOW)
        again = row is not None and row.state is not State.SETTLED and row.outcome is not None
        verb = ledger._name(ask)
        found.add(Move(_state(row), verb, case, _state(after), after is row, again))
    return found


def _state(row: Row | None) -> State | None:
    return None if row is None else row.state


def state_diagram() -> str:
    """The moves that change a row, as a mermaid state diagram."""
    labels: dict[tuple[str, str], dict[str, set[Move]]] = {}
    for move in moves():
        if not move.kept:
            edge = (_node(move.before), _node(move.after))
            labels.setdefault(edge, {}).setdefault(move.verb, set()).add(move)
    lines = ["stateDiagram-v2"]
    for (before, after), verbs in sorted(labels.items(), key=lambda item: _order(item[0])):
        for verb, found in sorted(verbs.items()):
            lines.append(f"    {before} --> {after}: {verb}{_why(verb, found)}")
    return _fenced(lines)


PLAIN = {Case.HELD, Case.DOUBTFUL, Case.ABSENT}


def _why(verb: str, found: set[Move]) -> str:
    """The case, where the verb alone does not say it."""
    if all(move.again for move in found):
        return " (accepted before)"
    told = sorted({move.case.value for move in found} - {case.value for case in PLAIN})
    if not told or (any(move.case in PLAIN for move in found) and verb != "abandon"):
        return ""
    return f" ({' / '.join(told).replace(';', ',')})"


def _node(state: State | None) -> str:
    return "[*]" if state is None else state.name


def _order(edge: tuple[str, str]) -> tuple[int, int]:
    nodes = ["[*]", *(state.name for state in State)]
    return nodes.index(edge[0]), nodes.index(edge[1])


# The double click ---------------------------------------------------------------------------


class Play:
    """Driver, store and view for two flows; it writes down what is asked and answered."""

    def __init__(self) -> None:
        self.row: Row | None = None
        self.running = False
        self.lines = ["sequenceDiagram"]
        for name, title in (
            ("B", "browser"),
            ("F", "first click"),
            ("S", "second click"),
            ("D", "driver"),
            ("L", "ledger"),
            ("V", "view"),
        ):
            self.lines.append(f"    participant {name} as {title}")

    def whom(self, op: ops.Op[Any]) -> str:
        """Who answers an op: in one process a second claim does not even reach the store."""
        if isinstance(op, ops.Pause) or (isinstance(op, ops.Claim) and self.running):
            return "D"
        return "V" if isinstance(op, ops.Handle) else "L"

    def reply(self, op: ops.Op[Any]) -> Any:
        """What is answered."""
        match op:
            case ops.Lookup():
                outcome = self.row.outcome if self.row is not None else None
                return ops.Unknown() if outcome is None else ops.Settled(outcome, 0.1)
            case ops.Claim() if self.running:
                return ops.InFlight()
            case ops.Claim() | ops.Settle():
                self.row, reply = step(self.row, op, NOW)
                self.running = isinstance(op, ops.Claim)
                return reply
            case ops.Handle():
                return Handled(Response(303, redirect(303, "/thanks")))
            case ops.Pause():
                return ops.Paused(0.02)
        raise AssertionError(f"a double click does not ask {op!r}")

    def say(self, line: str) -> None:
        """One line of the picture."""
        self.lines.append(f"    {line}")


class Click:
    """One of the two submissions."""

    def __init__(self, play: Play, who: str) -> None:
        self.play, self.who = play, who
        play.say(f"B->>{who}: POST /order")
        self.flow = submission(one_entry(), POLICY)
        self.op: ops.Op[Any] | None = None
        self.asked = ""
        self.answer: Answer | None = None
        self._send(None)

    def go(self) -> None:
        """Take the reply to what was asked back to the flow."""
        assert self.op is not None
        reply = self.play.reply(self.op)
        said = REPLIES.get(type(reply), type(reply).__name__)
        self.play.say(f"{self.asked}-->>{self.who}: {said}")
        self._send(reply)

    def _send(self, reply: object) -> None:
        try:
            self.op = self.flow.send(reply)
        except StopIteration as end:
            self.op, self.answer = None, end.value
            self.play.say(f"{self.who}-->>B: 303 /thanks ({end.value.word})")
        else:
            self.asked, verb = self.play.whom(self.op), self.op.verb
            self.play.say(f"{self.who}->>{self.asked}: {TITLES.get(verb, verb.capitalize())}")


TITLES = {
    "claim": "Claim (BEGIN)",
    "settle": "Settle (row, COMMIT)",
    "handle": "Handle: run the view",
}
REPLIES: dict[type[object], str] = {
    Handled: "303 and what it leaves",
    ops.Paused: "the first is done",
}
POLICY = Policy.of({"secret": "0123456789abcdef0123456789abcdef", "mode": "joined"})


def one_entry() -> Entry:
    """The same form, sent once more: token and input are the same."""
    token = mint(POLICY.ring, visitor=b"v" * 16, now=NOW, nonce=b"n" * 16, unbound=True)
    body = f"so_token={token}&item=7".encode()
    kind = "application/x-www-form-urlencoded"
    headers = ((b"host", b"shop.example"), (b"sec-fetch-site", b"same-origin"))
    request = Request(
        "POST", "https", "shop.example", "", "/order", b"", headers, NOW, lambda n: b"e" * n
    )
    return admit(greet(request, POLICY), read_form(kind, body), body, POLICY)


def double_click() -> tuple[Play, Click, Click]:
    """Two clicks; the second comes while the view of the first is running."""
    play = Play()
    first = Click(play, "F")
    first.go()  # Lookup
    first.go()  # Claim: granted; what comes next is the view
    second = Click(play, "S")
    second.go()  # Lookup
    second.go()  # Claim: in flight; what comes next is a pause
    while first.op is not None:
        first.go()
    while second.op is not None:
        second.go()
    return play, first, second


def sequence_diagram() -> str:
    """The recording as a mermaid sequence diagram."""
    return _fenced(double_click()[0].lines)


# In the page --------------------------------------------------------------------------------

PICTURES = {"states": state_diagram, "double click": sequence_diagram}


def _fenced(lines: list[str]) -> str:
    return "\n".join(("```mermaid", *lines, "```"))


def put(page: str) -> str:
    """The page with both pictures drawn anew."""
    for name, draw in PICTURES.items():
        start, end = f"<!-- picture: {name} -->\n", f"<!-- end of {name} -->"
        head, found, rest = page.partition(start)
        _old, closed, tail = rest.partition(end)
        if not (found and closed):
            raise ValueError(f"{PAGE.name} has no place for the picture {name!r}")
        page = f"{head}{start}{draw()}\n{end}{tail}"
    return page


if __name__ == "__main__":
    if "--write" in sys.argv:
        PAGE.write_text(put(PAGE.read_text("utf-8")), "utf-8")
    else:
        print("\n\n".join(draw() for draw in PICTURES.values()))
