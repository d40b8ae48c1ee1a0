"""The scripts of the Redis store: one per verb, put together from the files in `lua`.

A script is sent once and then called by its digest (EVALSHA), so its size does not matter; what it
does at each call does. So each verb has its own, of only what it needs, and of the transition table
only its own lines. That table is no second one: it is written here from `core.ledger.TABLE`. The
conditions in front of it (which case is it?) are Lua; that they are those of the core is tested, op
by op, against the model.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from typing import Final, NamedTuple

from ..core.ledger import KEEP, PAGE_KEEPING_SECONDS, TABLE, Move, State
from .keeper import ORPHANS
from .work import FORWARD_SECONDS

CHUNK: Final = 32
RESOLVED: Final = ("resolve", "resolve undone")
DELETE: Final = "delete"
CONSTANTS: Final = {
    "PAGE_KEEPING_SECONDS": PAGE_KEEPING_SECONDS,
    "FORWARD_SECONDS": FORWARD_SECONDS,
    "ORPHANS": ORPHANS,
    "CHUNK": CHUNK,
}
# Of each verb: its files in order, the limits that it is given, its names in the table.
OF_ROWS, OF_SESSIONS = "prefix retention", "idle lifetime"
ALL: Final = f"{OF_ROWS} {OF_SESSIONS} max_kept"
PIECES: Final = {
    "lookup": ("start row stage claims lookup", OF_ROWS, ("claim",)),
    "claim": ("start row stage claims claim", f"{OF_ROWS} max_rows_per_token", ("claim",)),
    "settle": ("start row holder session stage receipt put settle", ALL, ("settle", "release")),
    "renew": ("start row holder held", "retention", ("renew",)),
    "abandon": ("start row holder held", "retention", ("abandon",)),
    "doubt": ("start row holder held", "retention", ("doubt",)),
    "resolve": ("start row holder held", "retention", RESOLVED),
    "open": ("start session stage receipt open", f"{OF_ROWS} {OF_SESSIONS}", ()),
    "take": ("start stage receipt take", OF_ROWS, ()),
    "close": ("start session stage receipt put close", ALL, ()),
    "rearm": ("start stage receipt rearm", OF_ROWS, ()),
    "enter": ("start enter", "retention", ()),
    "forget": ("start stage receipt put forget", f"{OF_ROWS} max_kept", ()),
    "rows": ("start row rows", "retention", ()),
    "found_out": ("start row holder found_out", "retention", (*RESOLVED, "doubt")),
}


class Script(NamedTuple):
    """A script, the digest that Redis calls it by, and the limits of a store that it is given."""

    text: bytes
    digest: str
    limits: tuple[str, ...]


@cache
def script(verb: str) -> Script:
    """The script of a verb.

    >>> script("claim").text.count(b"case == 'LAPSED'")
    1
    """
    pieces, given, names = PIECES[verb]
    limits = tuple(given.split())
    parts = [_constants(), _limits(limits), _moves(names), *map(_piece, pieces.split())]
    text = "\n".join(parts).encode()
    return Script(text, hashlib.sha1(text, usedforsecurity=False).hexdigest(), limits)


@cache
def _piece(name: str) -> str:
    return files("seeother.stores").joinpath("lua", f"{name}.lua").read_text("utf-8")


def _constants() -> str:
    states = {state.name: f"'{state.value}'" for state in State}
    named = {**states, "KEEP": f"'{KEEP}'", "DELETE": f"'{DELETE}'", **CONSTANTS}
    return "\n".join(f"local {name} = {value}" for name, value in named.items())


def _limits(names: tuple[str, ...]) -> str:
    """They follow the time, which is the first argument."""
    lines = [f"local LIMITS = {1 + len(names)}"]
    for number, name in enumerate(names, 2):
        value = f"ARGV[{number}]" if name == "prefix" else f"tonumber(ARGV[{number}])"
        lines.append(f"local {name.upper()} = {value}")
    return "\n".join(lines)


def _moves(names: tuple[str, ...]) -> str:
    """`core.ledger.TABLE` in Lua: where a row goes, and what is answered.

    As a function: a table would be built at every call.
    """
    lines = [
        f"  if name == '{name}' and case == '{case.name}' then"
        f" return {_target(move)}, '{move.reply.__name__}' end"
        for (name, case), move in TABLE.items()
        if name in names
    ]
    return "\n".join(["local function move(name, case)", *lines, "end"])


def _target(move: Move) -> str:
    return f"'{DELETE if move.to is None else str(move.to)}'"
