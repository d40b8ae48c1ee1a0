"""What a Redis server is asked before it is trusted with a ledger, and how its outages are told.

A row that is lost makes a submission that was accepted new again. Redis loses rows in three ways,
each of them a setting: it may forget what was not written to disk when it dies (`appendonly`,
`appendfsync`), and it may throw away keys when its memory is full (`maxmemory-policy`). A service
that hides its settings cannot be checked; it is said that it was not.

What no setting says: a replica that takes over may lack the last writes, because replication is
asynchronous (https://redis.io/docs/latest/operate/oss_and_stack/management/replication/).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, NamedTuple

from redis import Redis
from redis.exceptions import RedisError, ResponseError

from ..errors import PolicyError, StoreDown

EVENTS: Final = logging.getLogger("seeother")
OLDEST: Final = (6, 2)
SETTINGS: Final = ("maxmemory", "maxmemory-policy", "appendonly", "appendfsync", "save")
Settings = dict[str, str]


class Said(NamedTuple):
    """What a server's setting means for a ledger; not `good`: rows may be lost."""

    good: bool
    text: str


@contextmanager
def outages() -> Generator[None]:
    """Whatever a server cannot do is StoreDown: nothing is lost, the same token stays valid."""
    try:
        yield
    except RedisError as error:
        raise down(error) from error


def down(error: RedisError) -> StoreDown:
    """Whatever redis-py says, as ours."""
    return StoreDown(f"Redis: {type(error).__name__}: {error}".rstrip(": "))


def prepared(client: Redis, scripts: Iterable[bytes]) -> None:
    """Check the server and give it the scripts; what is at risk is logged as a warning.

    Raises PolicyError where it is too old, redis-py's errors where it does not answer.
    """
    version = version_of(client)
    if version is not None and _number(version) < OLDEST:
        raise PolicyError(f"Redis {version} is too old: 6.2 or newer is needed (or any Valkey)")
    for said in risks(client):
        if not said.good:
            EVENTS.warning("Redis: %s", said.text)
    for one in scripts:
        client.script_load(one)


def version_of(client: Redis) -> str | None:
    """The version of Redis that the server says it is; None where it does not tell."""
    found = told(client, "server").get("redis_version")
    return None if found is None else str(found)


def told(client: Redis, section: str) -> dict[str, Any]:
    """A section of INFO; empty where it is refused."""
    asking: Any = client
    return _allowed(lambda: asking.info(section)) or {}


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])


def risks(client: Redis) -> tuple[Said, ...]:
    """What may happen to rows, by the settings of the server."""
    found: Settings = {}
    asking: Any = client
    for name in SETTINGS:
        answer = _allowed(partial(asking.config_get, name))
        if answer is None:
            return (Said(True, "note: its settings cannot be checked (CONFIG is refused)"),)
        found |= {_text(key): _text(value) for key, value in answer.items()}
    return tuple(check(found) for check in CHECKS)


def _memory(found: Settings) -> Said:
    policy, most = found.get("maxmemory-policy", "?"), found.get("maxmemory", "?")
    if policy == "noeviction":
        return Said(True, "maxmemory-policy noeviction")
    limit = "no limit is set now" if most == "0" else f"past {most} bytes"
    return Said(
        False,
        f"maxmemory-policy {policy} throws away rows when memory is full ({limit}), and what was"
        " accepted could run again: set it to noeviction",
    )


def _log(found: Settings) -> Said:
    if found.get("appendonly") != "yes":
        saves = "only snapshots survive" if found.get("save") else "nothing survives"
        return Said(
            False,
            f"appendonly no: {saves} when the server ends, and what was accepted could run"
            " again: set appendonly yes",
        )
    sync = found.get("appendfsync", "?")
    return Said(sync != "no", f"appendonly yes, appendfsync {sync}{SYNCS.get(sync, '')}")


SYNCS: Final = {
    "everysec": " (a power cut may lose the last two seconds; always loses none)",
    "no": ": a power cut may lose half a minute; set appendfsync everysec or always",
}
CHECKS: Final[tuple[Callable[[Settings], Said], ...]] = (_memory, _log)


def _allowed(ask: Callable[[], Any]) -> Any:
    """The answer, or None where this user may not ask (a managed server, an ACL)."""
    try:
        return ask()
    except ResponseError:
        return None


def _text(word: bytes | str) -> str:
    return word.decode("utf-8", "replace") if isinstance(word, bytes) else word
