"""The promises of sessions: writes merge per key, and what has ended stays ended."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from ..core.values import Changes, SessionWrite
from .harness import Harness, named, together, write

SID, NEXT, LAST = named("session"), named("next"), named("last")
IDLE = 14 * 86_400.0
LIFETIME = 90 * 86_400.0

# What a key held, and what it is replaced by: a deep merge or a typed column loses one of these.
REPLACED: tuple[tuple[Any, Any], ...] = (
    ({"a": 1, "b": {"c": 2}}, {"a": 1}),
    ({"a": 1}, {}),
    ({"a": 1}, {"a": None}),
    ({"a": 1}, None),
    ({"a": 1}, [1, 2]),
    ([1, 2, 3], [3]),
    ([1], {}),
    (None, False),
    ("", "\u4e2d\U0001f600"),
)
KEYS = ("a.b", 'say "hi"', "$set", "a[0]", "[", "$", ".", "", " ", "caf\u00e9", "a'b", "%s", "?")


def dumped(value: Any) -> bytes:
    """A value as a codec would write it."""
    return json.dumps(value).encode()


class SessionPromises(Harness):
    """One row per key: set, delete, clear, update; rotation, and the end of a session."""

    def test_a_session_is_there_after_its_first_write(self) -> None:
        """A fresh write creates it; before that there is none, which is not an empty one."""
        assert self.session(SID) is None
        self.save(write(SID, fresh=True, sets={"cart": b"[]"}))
        assert self.session(SID) == {"cart": b"[]"}
        self.save(write(SID, "cart"))
        assert self.session(SID) == {}

    def test_a_value_is_replaced_whole(self) -> None:
        """Shrunk, emptied, None, another type: what was written last is what is read."""
        self.save(write(SID, fresh=True))
        for before, after in REPLACED:
            for value in (before, after):
                self.save(write(SID, sets={"key": dumped(value)}))
            assert self.session(SID) == {"key": dumped(after)}

    def test_keys_are_only_names(self) -> None:
        """Dots, quotes, dollars and brackets in a key mean nothing; each is a key of its own."""
        self.save(write(SID, fresh=True, sets={name: dumped(name) for name in KEYS}))
        assert self.session(SID) == {name: dumped(name) for name in KEYS}
        for name in KEYS:
            self.save(write(SID, name))
        assert self.session(SID) == {}

    def test_values_are_bytes(self) -> None:
        """Whatever the codec writes comes back, byte for byte."""
        values = {"nul": b"\x00", "all": bytes(range(256)), "empty": b"", "long": b"x" * 100_000}
        self.save(write(SID, fresh=True, sets=values))
        assert self.session(SID) == values

    def test_writes_to_other_keys_survive(self) -> None:
        """Two visits that began together and wrote different keys: both are kept (S1)."""
        self.save(write(SID, fresh=True, sets={"a": b"0", "b": b"0"}))
        self.save(write(SID, sets={"a": b"1"}))
        self.save(write(SID, sets={"b": b"1"}))
        assert self.session(SID) == {"a": b"1", "b": b"1"}

    def test_a_deletion_survives_a_write_of_another_key(self) -> None:
        """One visit deletes a key while another one writes: the key stays deleted."""
        self.save(write(SID, fresh=True, sets={"a": b"0", "b": b"0"}))
        self.save(write(SID, "a"))
        self.save(write(SID, sets={"b": b"1"}))
        assert self.session(SID) == {"b": b"1"}

    def test_sixteen_visits_at_once(self) -> None:
        """Sixteen visits write sixteen keys at the same moment: all are there."""
        self.save(write(SID, fresh=True))
        writes = [write(SID, sets={f"key {n}": b"1"}) for n in range(16)]
        together(self.save, writes)
        assert self.session(SID) == {f"key {n}": b"1" for n in range(16)}

    def test_clearing_forgets_everything(self) -> None:
        """Also what another visit added meanwhile; what the same visit sets afterwards is kept."""
        self.save(write(SID, fresh=True, sets={"a": b"0"}))
        self.save(write(SID, sets={"b": b"0"}))
        self.save(write(SID, cleared=True, sets={"c": b"1"}))
        assert self.session(SID) == {"c": b"1"}

    def test_sessions_do_not_know_each_other(self) -> None:
        """The same key in another session is another key."""
        other = named("other")
        for sid in (SID, other):
            self.save(write(sid, fresh=True, sets={"key": sid}))
        self.save(write(SID, cleared=True))
        assert self.session(other) == {"key": other}

    def test_a_late_write_creates_nothing(self) -> None:
        """A session that is not there is not made by a visit that believed it was (S3)."""
        self.save(write(SID, sets={"key": b"1"}))
        assert self.session(SID) is None

    def test_an_idle_session_ends(self) -> None:
        """Unwritten for two weeks: gone, and a late write does not bring it back."""
        self.save(write(SID, fresh=True, sets={"key": b"1"}))
        self.clock.tick(IDLE - 1)
        self.save(write(SID, sets={"other": b"1"}))
        self.clock.tick(IDLE - 1)
        assert self.session(SID) == {"key": b"1", "other": b"1"}
        self.clock.tick(1)
        assert self.session(SID) is None
        self.save(write(SID, sets={"key": b"2"}))
        assert self.session(SID) is None

    def test_no_session_lives_for_ever(self) -> None:
        """90 days after its first write it ends, however busy it is."""
        self.save(write(SID, fresh=True, sets={"key": b"1"}))
        for _ in range(9):
            self.clock.tick(LIFETIME / 10)
            self.save(write(SID, sets={"key": b"1"}))
        assert self.session(SID) == {"key": b"1"}
        self.clock.tick(LIFETIME / 10)
        assert self.session(SID) is None

    # Exact updates ---------------------------------------------------------------------------

    def test_an_update_sees_what_is_stored(self) -> None:
        """It gets the value of the moment of writing, not the one that its visit read (S2)."""
        self.save(write(SID, fresh=True, sets={"n": b"1"}))
        self.save(write(SID, sets={"n": b"5"}))
        self.save(_updating("n", "missing"))
        assert self.session(SID) == {"n": b"6", "missing": b"1"}

    def test_no_update_is_lost(self) -> None:
        """Sixteen visits count at the same moment: sixteen."""
        self.save(write(SID, fresh=True))
        together(lambda _: self.save(_updating("n")), range(16))
        assert self.session(SID) == {"n": b"16"}

    def test_updates_come_in_order_and_after_clearing(self) -> None:
        """Several of one key follow each other; what was cleared is not there for them."""
        self.save(write(SID, fresh=True, sets={"n": b"7", "m": b"7"}))
        twice = _updating("n", "n")
        self.save(replace(twice, changes=replace(twice.changes, cleared=True)))
        assert self.session(SID) == {"n": b"2"}

    # Rotation and end ------------------------------------------------------------------------

    def test_a_rotated_session_goes_on_under_its_new_id(self) -> None:
        """With all it had and what the same visit changed; the old id opens nothing any more."""
        self.save(write(SID, fresh=True, sets={"a": b"1", "b": b"1"}))
        self.save(_rotated(SID, NEXT, sets={"b": b"2"}))
        assert self.session(SID) is None
        assert self.session(NEXT) == {"a": b"1", "b": b"2"}

    def test_a_visit_that_began_before_writes_into_the_new_one(self) -> None:
        """Its changes land under the new id, however often that moved; it reads nothing (S4)."""
        self.save(write(SID, fresh=True, sets={"a": b"1"}))
        self.save(_rotated(SID, NEXT))
        self.save(_rotated(NEXT, LAST))
        self.save(write(SID, sets={"late": b"1"}))
        assert self.session(SID) is None
        assert self.session(NEXT) is None
        assert self.session(LAST) == {"a": b"1", "late": b"1"}

    def test_two_visits_rotate_at_once(self) -> None:
        """Both began under the old id: everything is under the id of the one that came last."""
        self.save(write(SID, fresh=True, sets={"a": b"1"}))
        self.save(_rotated(SID, NEXT, sets={"b": b"1"}))
        self.save(_rotated(SID, LAST, sets={"c": b"1"}))
        assert self.session(NEXT) is None
        assert self.session(LAST) == {"a": b"1", "b": b"1", "c": b"1"}

    def test_an_old_id_forwards_for_a_minute(self) -> None:
        """No visit takes longer; after that a write through it is dropped."""
        self.save(write(SID, fresh=True, sets={"a": b"1"}))
        self.save(_rotated(SID, NEXT))
        self.clock.tick(60.5)
        self.save(write(SID, sets={"late": b"1"}))
        assert self.session(NEXT) == {"a": b"1"}

    def test_rotating_makes_no_session_younger(self) -> None:
        """90 days count from the first write, under whatever id."""
        self.save(write(SID, fresh=True, sets={"a": b"1"}))
        self.clock.tick(IDLE - 1)
        self.save(_rotated(SID, NEXT))
        for _ in range(10):
            self.clock.tick((LIFETIME - IDLE) / 10)
            self.save(write(NEXT, sets={"a": b"1"}))
        assert self.session(NEXT) is not None
        self.clock.tick(1)
        assert self.session(NEXT) is None

    def test_what_is_not_there_cannot_be_rotated(self) -> None:
        """Neither an unknown session nor one that has ended comes to life under a new id (S3)."""
        self.save(_rotated(SID, NEXT, sets={"a": b"1"}))
        assert self.session(NEXT) is None

    def test_an_ended_session_stays_ended(self) -> None:
        """A visit that began before cannot bring it back, nor any key of it (S3)."""
        self.save(write(SID, fresh=True, sets={"user": b"1"}))
        self.save(SessionWrite(SID, Changes(), ends=SID))
        self.save(write(SID, sets={"user": b"1"}))
        assert self.session(SID) is None
        self.save(_rotated(SID, NEXT))
        assert self.session(NEXT) is None

    def test_a_successor_gets_nothing(self) -> None:
        """What follows an ended session starts with its own changes only."""
        self.save(write(SID, fresh=True, sets={"user": b"1"}))
        self.save(SessionWrite(NEXT, Changes((("hint", b"1"),)), fresh=True, ends=SID))
        assert self.session(SID) is None
        assert self.session(NEXT) == {"hint": b"1"}

    def test_an_end_finds_the_session_where_it_went(self) -> None:
        """Signed out in a visit that began before a rotation: the new id is closed as well."""
        self.save(write(SID, fresh=True, sets={"user": b"1"}))
        self.save(_rotated(SID, NEXT))
        self.save(SessionWrite(SID, Changes(), ends=SID))
        assert self.session(NEXT) is None
        self.save(write(SID, sets={"user": b"1"}))
        self.save(write(NEXT, sets={"user": b"1"}))
        assert self.session(NEXT) is None


def _counted(stored: bytes | None) -> bytes:
    return str(int(stored or b"0") + 1).encode()


def _updating(*names: str) -> SessionWrite:
    return SessionWrite(SID, Changes(updates=tuple((name, _counted) for name in names)))


def _rotated(old: bytes, new: bytes, **more: Any) -> SessionWrite:
    return replace(write(new, **more), moves=old)
