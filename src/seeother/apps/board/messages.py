"""The messages: one table, four questions, and the rules for what a message may be.

Everything here works on a connection that the caller holds, and commits nothing: the insert must
stand or fall with the ledger row in the same transaction (mode joined).

Pages are cut by key ("older than message 120"), not by offset: a page that is being read does not
slide when somebody posts, and the tenth page costs what the first one costs.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Double,
    Engine,
    Integer,
    MetaData,
    RowMapping,
    Table,
    Text,
    insert,
    select,
)

from .text import visible

__all__ = [
    "MAX_NAME",
    "MAX_TEXT",
    "Message",
    "Page",
    "add",
    "ago",
    "create",
    "message",
    "newest",
    "normal",
    "normal_name",
    "one",
    "validate",
]

MAX_TEXT = 2_000  # code points, a line break counting as one
MAX_NAME = 60
_MAX_ID = 2**63 - 1  # what both databases can hold; larger numbers come only from address bars
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

metadata = MetaData()
message = Table(
    "message",
    metadata,
    # SQLite numbers rows by itself only where the type is exactly INTEGER; AUTOINCREMENT never
    # gives a number twice, so that a permalink never comes to mean another message.
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("name", Text, nullable=False, server_default=""),
    Column("text", Text, nullable=False),
    # Seconds since 1970 in UTC: the same number in every database, and no zone to get wrong.
    Column("posted_at", Double, nullable=False),
    sqlite_autoincrement=True,
)
_EVERY = select(message.c.id, message.c.name, message.c.text, message.c.posted_at)


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it was stored; `text` is what the person typed, not HTML."""

    id: int
    name: str
    text: str
    posted_at: datetime


@dataclass(frozen=True, slots=True)
class Page:
    """Some messages, newest first; `older` is the `before` of the next page, None on the last."""

    items: tuple[Message, ...]
    older: int | None


def create(bind: Engine | Connection) -> None:
    """Create the table where it is missing; on a connection it is the caller who commits."""
    metadata.create_all(bind)


def add(connection: Connection, *, name: str, text: str, now: datetime) -> int:
    """Store a message and return its id; the caller commits.

    Args:
        connection: an open transaction.
        name: the author's name, empty for none.
        text: the message, already accepted by `validate`.
        now: when it was posted, with a time zone.
    """
    values = {"name": normal_name(name), "text": normal(text), "posted_at": now.timestamp()}
    stored = connection.execute(insert(message).values(values).returning(message.c.id))
    return int(stored.scalar_one())


def one(connection: Connection, id: int) -> Message | None:  # noqa: A002  the column's own name
    """Return the message with this id, or None."""
    if not 0 < id <= _MAX_ID:
        return None
    row = connection.execute(_EVERY.where(message.c.id == id)).mappings().one_or_none()
    return None if row is None else _message(row)


def newest(connection: Connection, *, before: int | None = None, limit: int = 20) -> Page:
    """Return the newest messages, or the newest of those older than the message `before`.

    Args:
        connection: an open connection.
        before: a message's id; it need not exist any more.
        limit: the most messages to return, at least 1.
    """
    query = _EVERY.order_by(message.c.id.desc()).limit(limit + 1)  # one more: is there a next page?
    if before is not None:
        query = query.where(message.c.id < max(0, min(before, _MAX_ID)))
    found = [_message(row) for row in connection.execute(query).mappings()]
    shown = tuple(found[:limit])
    return Page(shown, shown[-1].id if len(found) > limit else None)


def validate(name: str, text: str) -> dict[str, str]:
    """Say what is wrong, by field name; empty when nothing is.

    Lengths are counted as people count: in characters (code points), a line break as one, however
    the browser sent it, and without the control characters that `normal` removes.

    >>> validate("Ann", "Hello")
    {}
    >>> validate("", " \\r\\n ")
    {'message': 'Write a message first.'}
    >>> validate("", "a" * 2_012)["message"]
    'This is 12 characters too long: a message may have 2,000.'
    """
    errors: dict[str, str] = {}
    text = normal(text)
    if not visible(text):
        errors["message"] = "Write a message first."
    elif too_many := max(0, len(text) - MAX_TEXT):
        errors["message"] = f"This is {_characters(too_many)} too long: a message may have 2,000."
    if too_many := max(0, len(normal_name(name)) - MAX_NAME):
        errors["name"] = f"This is {_characters(too_many)} too long: a name may have {MAX_NAME}."
    return errors


def normal(text: str) -> str:
    """Return the text with LF line breaks and without control characters other than tab.

    Nobody types a control character on purpose, nobody can see one to take it out again, and
    PostgreSQL refuses NUL: they go without a word.

    >>> normal("one\\r\\ntwo\\x00\\x1b[31m")
    'one\\ntwo[31m'
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(c for c in text if c in "\n\t" or not (c < " " or "\x7f" <= c < "\xa0"))


def normal_name(name: str) -> str:
    """Return the name on one line; a name that nobody could see is no name."""
    line = " ".join(normal(name).split())
    return line if visible(line) else ""


def ago(then: datetime, now: datetime) -> str:
    """Say how long ago, as short as people do; a clock that runs ahead says "just now".

    >>> noon = datetime(2025, 11, 12, 12, 0, tzinfo=UTC)
    >>> [ago(noon, noon + timedelta(minutes=m)) for m in (0, 2, 200, 3000)]
    ['just now', '2 min', '3 h', '12 Nov']
    """
    passed = now - then
    if passed < timedelta(minutes=1):
        return "just now"
    if passed < timedelta(hours=1):
        return f"{passed // timedelta(minutes=1)} min"
    if passed < timedelta(days=1):
        return f"{passed // timedelta(hours=1)} h"
    day = f"{then.day} {_MONTHS[then.month - 1]}"
    return day if then.year == now.year else f"{day} {then.year}"


def _message(row: RowMapping) -> Message:
    posted_at = datetime.fromtimestamp(row["posted_at"], UTC)
    return Message(row["id"], row["name"], row["text"], posted_at)


def _characters(count: int) -> str:
    return "1 character" if count == 1 else f"{count:,} characters"
