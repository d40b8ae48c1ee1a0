"""From a Django project to a policy: what `SEEOTHER` says, what Django knows already.

| what | said by | else |
|---|---|---|
| any setting | the dict SEEOTHER | the policy's default |
| `secret` | | SECRET_KEY and SECRET_KEY_FALLBACKS, by HKDF |
| `hosts` | | ALLOWED_HOSTS decides: every request asks `get_host()` |
| `trusted_origins` | added to | CSRF_TRUSTED_ORIGINS |
| `session_idle` | | SESSION_COOKIE_AGE |
| `debug` | | DEBUG |
| `store` | may not be said | the database "default" |

It is read once, when the middleware is made; `override_settings` in a test is heard.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final, cast

from django.conf import settings
from django.core import mail
from django.core.signals import setting_changed
from django.db import DEFAULT_DB_ALIAS

from ..core.keys import hkdf
from ..core.policy import Mode, Policy, stated
from ..errors import PolicyError
from .store import DjangoStore, store_for

NAME: Final = "SEEOTHER"
ALIAS: Final = DEFAULT_DB_ALIAS
MODES: Final = (None, "joined", "fenced", "separate")
MARGIN: Final = 600.0


@dataclass(frozen=True, slots=True)
class Settings:
    """What a project works with; `mode` is how views run that say nothing else.

    The policy's own mode is "joined": it says that nobody but the middleware claims anything.
    """

    policy: Policy
    store: DjangoStore
    mode: Mode


def said() -> dict[str, Any]:
    """The dict SEEOTHER, its names in lower case. Raises PolicyError for what cannot be."""
    given: object = getattr(settings, NAME, {})
    if not isinstance(given, dict):
        raise PolicyError(f"{NAME} is a dict of settings, not {type(given).__name__}")
    items = cast("dict[object, Any]", given).items()
    named = {str(name).lower(): value for name, value in items}
    Policy.of({name: value for name, value in named.items() if name != "secret"})
    if named.get("store") is not None:
        raise PolicyError("the ledger stands in the project's own database: leave out `store`")
    if named.get("mode") not in MODES:
        raise PolicyError('in Django mode is "joined" (the default), "fenced" or "separate"')
    return named


@cache
def current() -> Settings:
    """Everything that a project needs; nothing is opened. Raises PolicyError."""
    named = said()
    policy = _policy(named)
    store = store_for(
        ALIAS,
        retention=policy.max_age + MARGIN,
        idle=policy.session_idle,
        lifetime=policy.session_lifetime,
        max_rows_per_token=policy.max_rows_per_token,
        max_kept=policy.max_kept,
    )
    return Settings(policy, store, named.get("mode") or "joined")


@cache
def session_store() -> DjangoStore:
    """The store of sessions; they need no secret and work without the middleware."""
    named = said()
    idle = float(named.get("session_idle") or settings.SESSION_COOKIE_AGE)
    lifetime = max(float(named.get("session_lifetime") or Policy().session_lifetime), idle)
    return store_for(ALIAS, idle=idle, lifetime=lifetime)


def secrets() -> tuple[bytes, ...]:
    """One key per secret of the project, the signing one first.

    SECRET_KEY signs other things as well, so it is never used itself. Raises PolicyError where it
    is none (security rule 14); in debug and under test it warns.
    """
    raw = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    Policy(secret=raw, debug=settings.DEBUG or is_testing())
    return tuple(hkdf(one.encode() if isinstance(one, str) else one, b"django") for one in raw)


def is_testing() -> bool:
    """Does Django's test runner run? It collects mail instead of sending it."""
    return hasattr(mail, "outbox")


def _policy(named: dict[str, Any]) -> Policy:
    """What was said, over what Django knows."""
    exact = [origin for origin in settings.CSRF_TRUSTED_ORIGINS if "*" not in origin]
    defaults: dict[str, Any] = {
        "debug": settings.DEBUG,
        "session_idle": float(settings.SESSION_COOKIE_AGE),
    }
    merged = {**defaults, **stated(named)}
    merged["session_lifetime"] = max(
        merged.get("session_lifetime") or Policy().session_lifetime, merged["session_idle"]
    )
    merged["trusted_origins"] = (*_listed(merged.get("trusted_origins")), *exact)
    merged["secret"] = named.get("secret") or secrets()
    return replace(Policy.of({**merged, "mode": "joined"}), store=None)


def _listed(value: Iterable[str] | None) -> tuple[str, ...]:
    return tuple(value or ())


def _forget(**_changed: Any) -> None:
    """A test overrides settings."""
    current.cache_clear()
    session_store.cache_clear()


setting_changed.connect(_forget, dispatch_uid="seeother.django.settings")
