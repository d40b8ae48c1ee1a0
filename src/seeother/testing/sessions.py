"""The promises of sessions: writes merge per key, and what has ended stays ended."""

from __future__ import annotations

import json
from typing import Any

from .harness import Harness, named, together, write

SID = named("session")
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
    """One row per key: set, delete, clear, and the end of a session."""

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
