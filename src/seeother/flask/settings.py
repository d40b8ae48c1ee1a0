"""From a Flask app to a policy and a store: what is said, what Flask knows already, the defaults.

| what | said by | else |
|---|---|---|
| any setting | argument of `SeeOther`, then `SEEOTHER_<NAME>` | the policy's default |
| `secret` | | `app.secret_key` and SECRET_KEY_FALLBACKS, by HKDF |
| `store` | | the file of Flask-SQLAlchemy's default bind, or of the session that `once` was
  given; else a file in `instance_path` |
| `debug` | | `app.debug` |
| `hosts` | | TRUSTED_HOSTS |
| `namespace` | | `app.name` |
| `session_idle` | | PERMANENT_SESSION_LIFETIME |

It is read at the first request and not in `init_app`, because apps set their key and their
database after it as often as before. Only names that cannot be are refused at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from ..core.keys import hkdf
from ..core.policy import Mode, Policy, stated
from ..errors import PolicyError
from ..setup import prepared
from ..stores import Store
from ..stores.memory import MemoryStore
from ..stores.sqlite import SQLiteStore
from .memory import InMemory, refuse_memory

if TYPE_CHECKING:
    from flask import Flask
    from sqlalchemy import Engine

PREFIX: Final = "SEEOTHER_"
FILE: Final = "seeother.db"


@dataclass(frozen=True, slots=True)
class Settings:
    """What an app works with. `mode` is how views without `once` run; joined, fenced: unclaimed.

    The policy's own mode is that of `once` where nothing else is said: the machinery around the app
    claims nothing. `engine` is the app's default database where it may hook into its commits.
    """

    policy: Policy
    store: Store
    mode: Mode
    engine: Engine | None = None
    _policies: dict[Mode, Policy] = field(default_factory=dict[Mode, Policy])

    def policy_of(self, mode: Mode) -> Policy:
        """The policy of a view that `once` runs in this mode."""
        if mode == self.policy.mode:
            return self.policy
        if mode not in self._policies:
            self._policies[mode] = replace(self.policy, mode=mode)
        return self._policies[mode]


class Database(NamedTuple):
    """The app's default database; `single`: it has no other."""

    engine: Engine
    single: bool

    @property
    def file(self) -> Path | None:
        """Its SQLite file; None for everything else, also for a database in memory."""
        name = self.engine.url.database
        if self.engine.dialect.name != "sqlite" or name in (None, "", ":memory:"):
            return None
        return None if "mode=memory" in str(name) else Path(str(name)).absolute()

    @property
    def remembers(self) -> bool:
        """Can a ledger stand in it? In an SQLite file, or on PostgreSQL by psycopg 3."""
        dialect = self.engine.dialect
        return self.file is not None or (dialect.name, dialect.driver) == ("postgresql", "psycopg")


def said(config: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """All settings by name; raises PolicyError for one that does not exist or cannot be."""
    names = {
        key.removeprefix(PREFIX).lower(): value
        for key, value in config.items()
        if key.startswith(PREFIX)
    }
    settings = {**names, **given}
    Policy.of({k: v for k, v in settings.items() if k != "secret"})
    return settings


def settle(app: Flask, given: Mapping[str, Any], bind: Any = None) -> Settings:
    """Everything that an app needs, at its first request; the store is not opened yet.

    `bind` is what `once` was given, where there is no Flask-SQLAlchemy. Raises PolicyError.
    """
    config = cast("Mapping[str, Any]", app.config)
    settings = said(config, given)
    base = database(app, bind)
    defaults: dict[str, Any] = {
        "debug": app.debug,
        "hosts": config.get("TRUSTED_HOSTS"),
        "namespace": app.name,
        "session_idle": app.permanent_session_lifetime.total_seconds(),
        "store": _store(app, base),
    }
    merged = {**defaults, **stated(settings)}
    merged["session_lifetime"] = max(
        settings.get("session_lifetime") or Policy().session_lifetime, merged["session_idle"]
    )
    merged["secret"] = settings.get("secret") or _secrets(app)
    mode = merged.pop("mode", None)
    once: Mode = "fenced" if mode == "fenced" else "joined"
    policy, store = prepared(Policy.of({**merged, "mode": once}))
    return _moded(policy, store, mode, base)


def _moded(policy: Policy, store: Store, mode: Mode | None, base: Database | None) -> Settings:
    """The mode that was asked for, or the best that this store and this database allow."""
    for name, value in (("idle", policy.session_idle), ("lifetime", policy.session_lifetime)):
        if hasattr(store, name):
            setattr(store, name, value)
    if base is not None and base.file is None and isinstance(store, MemoryStore):
        store = InMemory(base.engine, store)
    refuse_memory(store, mode)
    own = base is not None and shares(store, base.engine)
    hookable = base is not None and own and base.single and base.remembers
    if mode == "hooked" and not hookable:
        raise PolicyError(
            'mode "hooked" needs SQLAlchemy with one bind, and the ledger in its database'
        )
    found: Mode = mode or ("hooked" if hookable else "separate")
    return Settings(policy, store, found, base.engine if base and found == "hooked" else None)


def shares(store: Store, engine: Engine) -> bool:
    """Does the ledger live in the database of this engine?"""
    if isinstance(store, InMemory):
        return store.engine is engine
    if not isinstance(store, SQLiteStore):
        leads_to = getattr(store, "leads_to", None)
        return leads_to is not None and bool(leads_to(engine.url.render_as_string(False)))
    file = Database(engine, single=True).file
    return file is not None and _same(store.path, file)


def _same(one: Path, other: Path) -> bool:
    return one.absolute() == other or one.resolve() == other.resolve()


def database(app: Flask, bind: Any = None) -> Database | None:
    """The app's default database, if it has one that SQLAlchemy knows."""
    found = app.extensions.get("sqlalchemy")
    if found is not None:
        with app.app_context():
            engines = found.engines
        return Database(engines[None], len(engines) == 1) if None in engines else None
    return None if bind is None else Database(engine_of(bind), single=True)


def engine_of(db: Any) -> Engine:
    """The default engine of a Flask-SQLAlchemy extension, a session or a scoped session."""
    found = db.engine if hasattr(db, "engine") and hasattr(db, "session") else db.get_bind()
    return cast("Engine", found.engine)


def _store(app: Flask, base: Database | None) -> str:
    """The URL of the default store."""
    if base is not None:
        if base.file is not None:
            return f"sqlite:///{base.file}"
        if base.engine.dialect.name == "sqlite":
            return "memory://"  # it lives and dies with the database that it is about
        if base.remembers:
            return str(base.engine.url.render_as_string(hide_password=False))
    return f"sqlite:///{Path(app.instance_path) / FILE}"


def _secrets(app: Flask) -> tuple[bytes, ...]:
    """One key per secret of the app, the signing one first.

    The app's own secret signs other things as well, so it is never used itself. Raises PolicyError
    where there is none, or where it is none (security rule 14); in debug or under test it warns.
    """
    config = cast("Mapping[str, Any]", app.config)
    fallbacks = cast("Iterable[str | bytes]", config.get("SECRET_KEY_FALLBACKS") or ())
    if not app.secret_key:
        raise PolicyError(
            "set app.secret_key; make a good one with:"
            ' python -c "import secrets; print(secrets.token_urlsafe(32))"'
        )
    raw: tuple[str | bytes, ...] = (app.secret_key, *fallbacks)
    Policy(secret=raw, debug=app.debug or app.testing)  # refuses what cannot be a secret
    return tuple(hkdf(one.encode() if isinstance(one, str) else one, b"flask") for one in raw)
