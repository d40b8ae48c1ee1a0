"""Sessions: a mapping like any other, and writes that merge instead of overwriting each other."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seeother.core.session import Session, dump_json
from seeother.core.values import Changes

Rows = dict[str, bytes]

names = st.sampled_from(["a", "b", "c", "d", ".", '"', "$", "[", "", "café"])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)
contents = st.dictionaries(names, values, max_size=5)
verbs = st.sampled_from(
    ["set", "delete", "read", "nest", "default", "update", "clear", "change", "change"]
)
steps = st.lists(st.tuples(verbs, names, values), max_size=12)


def rows_of(content: Mapping[str, Any]) -> Rows:
    """What a store keeps of a session."""
    return {name: dump_json(value) for name, value in content.items()}


def merged(rows: Rows, changes: Changes) -> Rows:
    """What every store does with the changes of one visit."""
    after = {} if changes.cleared else dict(rows)
    for name in changes.deletes:
        after.pop(name, None)
    for name, update in changes.updates:
        after[name] = update(after.get(name))
    return {**after, **dict(changes.sets)}


def content_of(rows: Rows) -> dict[str, Any]:
    """What a next visit reads."""
    return dict(Session(rows.items()))


def do(target: Any, verb: str, name: str, value: Any) -> None:
    """One step of a view, on a session or on a dict; a value is never shared between both."""
    value = json.loads(dump_json(value))
    match verb:
        case "set":
            target[name] = value
        case "delete" if name in target:
            del target[name]
        case "nest" if isinstance(target.get(name), list):
            target[name].append(value)
        case "nest" if isinstance(target.get(name), dict):
            target[name]["new"] = value
        case "default":
            target.setdefault(name, value)
        case "update":
            target.update({name: value, "z": 1})
        case "clear":
            target.clear()
        case "change" if isinstance(target, Session):
            target.change(name, lambda old: [old, value], default="none")
        case "change":
            target[name] = [target.get(name, "none"), value]
        case _:
            target.get(name)


# --- a mapping like any other ---------------------------------------------------------------------


@given(contents, steps)
def test_a_session_is_a_dict(content: dict[str, Any], todo: list[tuple[str, str, Any]]) -> None:
    """Whatever a view does, the session and what is merged of it equal a plain dict."""
    session, model = Session(rows_of(content).items()), dict(content)
    model = json.loads(dump_json(model))
    for step in todo:
        do(session, *step)
        do(model, *step)
        assert session == model
        assert len(session) == len(model)
        assert set(session) == set(model)
    assert content_of(merged(rows_of(content), session.changes())) == model


@given(contents)
def test_reading_writes_nothing(content: dict[str, Any]) -> None:
    """A visit that only reads leaves no change, whatever the values are."""
    session = Session(rows_of(content).items())
    assert dict(session) == content
    assert not session.changes()


@given(contents, steps)
def test_the_rows_are_what_the_visit_sees(
    content: dict[str, Any], todo: list[tuple[str, str, Any]]
) -> None:
    """The rows of a session hold everything that was stored, set and edited, and nothing else."""
    session = Session(rows_of(content).items())
    for verb, name, value in todo:
        do(session, verb, name, value)
    assert content_of(dict(session.rows())) == dict(session)


def test_what_cannot_be_edited_is_not_compared() -> None:
    """Text that was only read is not serialised for that; what may have been edited is."""
    dumped: list[Any] = []

    def dump(value: Any) -> bytes:
        dumped.append(value)
        return dump_json(value)

    session = Session([("name", b'"Ann"'), ("cart", b"[1]")], dump=dump)
    assert (session["name"], session["name"], session["cart"]) == ("Ann", "Ann", [1])
    assert not session.changes()
    assert dict(session.rows()) == {"name": b'"Ann"', "cart": b"[1]"}
    assert dumped == [[1], [1]]


def test_a_value_is_loaded_when_it_is_read() -> None:
    """A value that nobody reads costs nothing, and a damaged one hurts only who reads it."""
    session = Session([("good", b"1"), ("damaged", b"{")])
    assert session["good"] == 1
    assert "damaged" in session
    assert not session.changes()
    with pytest.raises(ValueError, match="Expecting"):
        session["damaged"]


def test_missing_keys_are_key_errors() -> None:
    """What was never there, and what was deleted, raises KeyError, read or deleted."""
    session = Session([("a", b"1")])
    del session["a"]
    for name in ("a", "b"):
        with pytest.raises(KeyError):
            session[name]
        with pytest.raises(KeyError):
            del session[name]


@pytest.mark.parametrize("name", [1, None, b"a", ("a",)])
def test_names_are_texts(name: Any) -> None:
    """A key that no store could keep is refused where it is set."""
    with pytest.raises(TypeError, match="strings"):
        Session()[name] = 1


def test_the_values_stay_out_of_logs() -> None:
    """The repr of a session names its keys and shows no value."""
    assert repr(Session([("cart", b'"4111-1111"')])) == "<Session with 'cart'>"
    assert repr(Session()) == "<Session with nothing>"


# --- what is written ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"a": 1, "b": 2}, {"a": 1}),
        ({"a": 1}, {}),
        ({"a": {"b": {"c": 1}}}, {"a": {}}),
        (1, None),
        ({"a": 1}, [1]),
        ([1, 2, 3], [1]),
        ("x", ""),
        ("x", "\ud800"),
        (0, False),
        ([], {}),
    ],
)
@pytest.mark.parametrize("name", ["a", "a.b", 'a"b', "$", "[0]", ""])
def test_a_value_is_replaced_whole(name: str, before: Any, after: Any) -> None:
    """Shrunk, emptied, None, of another type: what is read next is what was set, never a blend."""
    rows = rows_of({name: before, "other": 1})
    session = Session(rows.items())
    session[name] = after
    found = content_of(merged(rows, session.changes()))
    assert dump_json(found) == dump_json({name: after, "other": 1})


def test_nested_change_is_kept() -> None:
    """A change inside a value that was read is kept without being announced, and alone."""
    session = Session(rows_of({"cart": [1], "name": "Ann", "seen": {}}).items())
    session["cart"].append(2)
    session["seen"]["a"] = 1
    assert session["name"] == "Ann"
    assert dict(session.changes().sets) == {"cart": b"[1,2]", "seen": b'{"a":1}'}


def test_no_net_change_is_no_change() -> None:
    """Set to what it was, deleted and set again, added and removed again: nothing is written."""
    session = Session(rows_of({"a": [1], "b": 2}).items())
    session["a"] = [1]
    del session["b"]
    session["b"] = 2
    session["c"] = 3
    del session["c"]
    assert session.changes() == Changes()


def test_another_release_of_the_codec() -> None:
    """A value that was stored in other bytes is not written again for having been read."""
    session = Session([("a", b'{"b": [1, 2]}')])
    assert session["a"] == {"b": [1, 2]}
    assert not session.changes()
    session["a"]["b"].append(3)
    assert session.changes().sets == (("a", b'{"b":[1,2,3]}'),)


def test_another_codec() -> None:
    """An adapter's own codec is used for reading and writing."""
    session = Session([("a", b"AB")], dump=lambda v: v.upper().encode(), load=lambda b: b.decode())
    assert session["a"] == "AB"
    session["b"] = "cd"
    assert session.changes().sets == (("b", b"CD"),)


# --- change ---------------------------------------------------------------------------------------


def append(item: int) -> Callable[[list[int]], list[int]]:
    """A function that works on the very list that it is given."""

    def fn(items: list[int]) -> list[int]:
        items.append(item)
        return items

    return fn


def test_change_is_exact() -> None:
    """Read-modify-write meets what the store holds at the end, also what came meanwhile (S2)."""
    rows = rows_of({"n": 1, "cart": [1]})
    one, two = Session(rows.items()), Session(rows.items())
    for session in (one, two):
        session.change("n", lambda n: n + 1)
        session.change("n", lambda n: n * 10)
        assert session["n"] == 20
        session.change("cart", append(2))
        session.change("new", append(3), default=[])
        assert (session["cart"], session["new"]) == ([1, 2], [3])
    after = merged(merged(rows, one.changes()), two.changes())
    assert content_of(after) == {"n": 210, "cart": [1, 2, 2], "new": [3, 3]}


def test_change_of_something_read() -> None:
    """Having read a key before does not make its change inexact."""
    session = Session(rows_of({"n": 1}).items())
    assert session["n"] == 1
    session.change("n", lambda n: n + 1)
    assert content_of(merged(rows_of({"n": 5}), session.changes())) == {"n": 6}


@pytest.mark.parametrize(
    "before",
    [
        lambda session: session.update(cart=[9]),
        lambda session: session["cart"].append(9),
        lambda session: session.pop("cart"),
        lambda session: session.clear(),
    ],
    ids=["set", "edited", "deleted", "cleared"],
)
def test_change_of_something_overwritten(before: Callable[[Session], None]) -> None:
    """What this visit set, edited, deleted or cleared before is what its change goes on with."""
    session = Session(rows_of({"cart": [1]}).items())
    before(session)
    session.change("cart", append(2), default=[])
    seen = list(session["cart"])
    meanwhile = rows_of({"cart": [1, 7]})
    assert content_of(merged(meanwhile, session.changes())) == {"cart": seen}


@pytest.mark.parametrize(
    ("then", "left"),
    [
        (lambda session: session.update(cart=[9]), {"cart": [9]}),
        (lambda session: session["cart"].append(9), {"cart": [1, 2, 9]}),
        (lambda session: session.pop("cart"), {}),
        (lambda session: session.clear(), {}),
    ],
    ids=["set", "edited", "deleted", "cleared"],
)
def test_overwritten_after_a_change(then: Callable[[Session], None], left: Any) -> None:
    """What is set, edited, deleted or cleared after a change is what stays."""
    session = Session(rows_of({"cart": [1]}).items())
    session.change("cart", append(2))
    then(session)
    assert content_of(merged(rows_of({"cart": [1, 7]}), session.changes())) == left
    session.change("cart", append(3), default=[])
    assert session["cart"][-1] == 3


def test_rotate() -> None:
    """A session asks for a new id by itself, without any change."""
    session, untouched = Session(), Session()
    session.rotate()
    assert (session.rotated, untouched.rotated) == (True, False)
    assert not session.changes()


# --- two visits at once ---------------------------------------------------------------------------


@given(contents, steps, steps)
def test_different_keys_survive(
    content: dict[str, Any], one: list[tuple[str, str, Any]], two: list[tuple[str, str, Any]]
) -> None:
    """Two visits that touch different keys both keep what they did, in either order (S1)."""
    rows = rows_of(content)
    sessions = Session(rows.items()), Session(rows.items())
    alone = []
    for session, todo, mine in zip(sessions, (one, two), ("abc", 'd."$['), strict=True):
        for verb, name, value in todo:
            if verb not in ("clear", "update") and name and name in mine:
                do(session, verb, name, value)
        alone.append(merged(rows, session.changes()))
    first, second = (session.changes() for session in sessions)
    both = merged(merged(rows, first), second)
    assert both == merged(merged(rows, second), first)
    for name in both.keys() | rows.keys():
        owner = alone[0] if name and name in "abc" else alone[1]
        assert both.get(name) == owner.get(name)


def test_clear_forgets_what_came_in_the_meantime() -> None:
    """`clear` empties the session also of keys that another visit added; what follows stays."""
    rows = rows_of({"a": 1})
    session = Session(rows.items())
    session.clear()
    session["b"] = 2
    assert dict(session) == {"b": 2}
    assert content_of(merged({**rows, "late": b"3"}, session.changes())) == {"b": 2}


def test_clear_then_the_same_value() -> None:
    """A value that is set again after `clear` is written although it equals the old one."""
    session = Session(rows_of({"a": 1, "b": 2}).items())
    session.clear()
    session["a"] = 1
    assert session.changes() == Changes((("a", b"1"),), cleared=True)
