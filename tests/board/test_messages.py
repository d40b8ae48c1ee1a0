"""Messages: what goes in comes out, newest first, page by page, on either database."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine

from seeother.apps.board import messages
from seeother.apps.board.database import open_engine
from seeother.apps.board.messages import MAX_TEXT, Message, add, ago, newest, normal, one, validate

NOON = datetime(2025, 11, 12, 12, 0, tzinfo=UTC)


@pytest.fixture
def engine(
    tmp_path: Path, request: pytest.FixtureRequest, database: str | None
) -> Iterator[Engine]:
    """Return an engine on a fresh file, or an empty PostgreSQL, with the table in it."""
    fresh = database and request.getfixturevalue("postgres").fresh()
    engine = open_engine(fresh or tmp_path / "board.db")
    yield engine
    engine.dispose()


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    """Return a connection in a transaction."""
    with engine.begin() as connection:
        yield connection


def post(connection: Connection, count: int) -> list[int]:
    """Add that many messages and return their ids."""
    return [add(connection, name="", text=f"message {n}", now=NOON) for n in range(count)]


def test_a_message_comes_back_as_it_was_typed(engine: Engine) -> None:
    """Name, text, emoji, quotes and time survive the database and a second connection."""
    text = "Don't <b>panic</b> & 👩‍👩‍👧\n\n\tline 日本"
    with engine.begin() as connection:
        id_ = add(connection, name="Zoë", text=text, now=NOON)
    with engine.connect() as connection:
        assert one(connection, id_) == Message(id_, "Zoë", text, NOON)


def test_nothing_is_stored_without_the_callers_commit(engine: Engine) -> None:
    """The insert belongs to the caller's transaction: rolled back, it never was."""
    with engine.connect() as connection:
        post(connection, 1)
        connection.rollback()
        assert newest(connection) == messages.Page((), None)


def test_creating_twice_keeps_the_messages(engine: Engine) -> None:
    """Starting the board again on the same file keeps what is in it."""
    with engine.begin() as connection:
        post(connection, 1)
    messages.create(engine)
    with engine.connect() as connection:
        assert len(newest(connection).items) == 1


def test_an_id_is_never_used_again(engine: Engine) -> None:
    """A permalink never comes to mean another message, even when the last row was deleted."""
    with engine.begin() as connection:
        (first,) = post(connection, 1)
        connection.execute(messages.message.delete())
        (second,) = post(connection, 1)
    assert second > first


@pytest.mark.parametrize("limit", [1, 3, 7, 8])
def test_pages_show_each_message_once_newest_first(connection: Connection, limit: int) -> None:
    """Following `older` to the end shows every message exactly as often as it was posted: once."""
    ids = post(connection, 7)
    seen: list[int] = []
    page = newest(connection, limit=limit)
    seen += [m.id for m in page.items]
    while page.older is not None:
        page = newest(connection, before=page.older, limit=limit)
        assert page.items
        seen += [m.id for m in page.items]
    assert seen == ids[::-1]


def test_a_page_does_not_slide_when_somebody_posts(connection: Connection) -> None:
    """The second page is the same before and after a new message arrives."""
    post(connection, 6)
    older = newest(connection, limit=3).older
    second = newest(connection, before=older, limit=3)
    post(connection, 1)
    assert newest(connection, before=older, limit=3) == second


def test_an_empty_board_has_one_empty_page(connection: Connection) -> None:
    """No messages, no next page, no error."""
    assert newest(connection, before=5) == messages.Page((), None)


@pytest.mark.parametrize("id_", [0, -1, 99, 2**63, 10**30])
def test_numbers_from_the_address_bar_do_no_harm(connection: Connection, id_: int) -> None:
    """A number that no message has, however large, is simply not found."""
    post(connection, 2)
    assert one(connection, id_) is None
    assert len(newest(connection, before=id_).items) == (0 if id_ < 1 else 2)


@pytest.mark.parametrize(
    ("name", "text", "errors"),
    [
        ("", "hello", {}),
        ("a" * 60, "a" * 2_000, {}),
        ("", "", {"message": "Write a message first."}),
        ("", " \r\n\t\u200b\u3000", {"message": "Write a message first."}),
        ("", "a\r\n" * 1_000, {}),
        ("", "👍" * 2_000, {}),
        ("", "a" * 2_001, {"message": "1 character"}),
        ("", "a" * 3_234, {"message": "1,234 characters"}),
        ("a" * 61, "hello", {"name": "1 character"}),
        ("a" * 99, "", {"name": "39 characters", "message": "Write a message first."}),
    ],
)
def test_validate(name: str, text: str, errors: dict[str, str]) -> None:
    """Each field's error says what to do; lengths are counted in characters, breaks as one."""
    found = validate(name, text)
    assert found.keys() == errors.keys()
    assert all(words in found[field] for field, words in errors.items())


@given(st.text(st.characters(categories=["L", "Cc", "Zs", "So"]), max_size=MAX_TEXT))
def test_normal_text_is_settled_and_holds_no_control_character(text: str) -> None:
    """Normal text has no control character but tab and line feed, and stays as it is."""
    result = normal(text)
    assert normal(result) == result
    assert not {c for c in result if ord(c) < 32 or 127 <= ord(c) < 160} - {"\n", "\t"}


def test_control_characters_are_not_stored(connection: Connection) -> None:
    """NUL, escape sequences and CRLF are gone before the database sees them."""
    id_ = add(connection, name="\x1b[1mAnn\r\n Lee ", text="a\x00b\r\nc\x85", now=NOON)
    assert one(connection, id_) == Message(id_, "[1mAnn Lee", "ab\nc", NOON)


def test_an_invisible_name_is_no_name(connection: Connection) -> None:
    """Nobody posts under a name that others cannot see."""
    stored = one(connection, add(connection, name="\u200b \u2060", text="x", now=NOON))
    assert stored is not None
    assert stored.name == ""


@pytest.mark.parametrize(
    ("passed", "said"),
    [
        (timedelta(seconds=-30), "just now"),
        (timedelta(0), "just now"),
        (timedelta(seconds=59), "just now"),
        (timedelta(seconds=60), "1 min"),
        (timedelta(minutes=59, seconds=59), "59 min"),
        (timedelta(hours=1), "1 h"),
        (timedelta(hours=23, minutes=59), "23 h"),
        (timedelta(days=1), "12 Nov"),
        (timedelta(days=300), "12 Nov 2025"),
    ],
)
def test_ago(passed: timedelta, said: str) -> None:
    """Time is told as shortly as people tell it, and never as a negative number."""
    assert ago(NOON, NOON + passed) == said
