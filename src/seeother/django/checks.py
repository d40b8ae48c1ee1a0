"""System checks: `manage.py check` says what is wrong before a visitor finds out.

| id | says |
|---|---|
| E001 | the middleware is missing, or stands inside of sessions, messages or CSRF |
| E002 | a setting in SEEOTHER that does not exist or cannot be, or a secret that is none |
| E003 | the database "default" is neither SQLite nor PostgreSQL |
| W001 | GZipMiddleware stands inside: tokens cannot be planted into what it sends |
| W002 | the secret would be refused in production |
| W003 | two requests at once can lose session writes: SESSION_ENGINE |
| W004 | messages land in the wrong tab: MESSAGE_STORAGE |
| W005 | ATOMIC_REQUESTS is not needed for forms |
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any, Final

from django.conf import settings
from django.core import checks
from django.db import connections

from ..errors import PolicyError
from .settings import ALIAS, current
from .store import VENDORS

MIDDLEWARE: Final = "seeother.django.middleware.SeeOtherMiddleware"
ENGINE: Final = "seeother.django.sessions"
STORAGE: Final = "seeother.django.messages.FlashStorage"
INSIDE: Final = ("SessionMiddleware", "MessageMiddleware", "CsrfViewMiddleware")
GZIP: Final = "GZipMiddleware"
MESSAGES: Final = "django.contrib.messages"

Found = list[checks.CheckMessage]


@checks.register()
def check_middleware(**_kwargs: Any) -> Found:
    """Where it stands in MIDDLEWARE."""
    names = list(settings.MIDDLEWARE)
    if MIDDLEWARE not in names:
        hint = f"Put {MIDDLEWARE!r} first in MIDDLEWARE."
        return [checks.Error("SeeOtherMiddleware is not there.", hint=hint, id="seeother.E001")]
    place = names.index(MIDDLEWARE)
    return list(_misplaced(names, place))


def _misplaced(names: list[str], place: int) -> Iterator[checks.CheckMessage]:
    for number, name in enumerate(names):
        kind = name.rpartition(".")[2]
        if kind in INSIDE and number < place:
            text = f"{kind} stands outside of SeeOtherMiddleware."
            hint = "Put SeeOtherMiddleware first, so that what it writes is in the transaction."
            yield checks.Error(text, hint=hint, id="seeother.E001")
        if kind == GZIP and number > place:
            text = "GZipMiddleware stands inside of SeeOtherMiddleware."
            hint = "Put it before: tokens cannot be planted into compressed pages."
            yield checks.Warning(text, hint=hint, id="seeother.W001")


@checks.register()
def check_settings(**_kwargs: Any) -> Found:
    """What SEEOTHER and the secret say."""
    current.cache_clear()
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        try:
            current()
        except PolicyError as error:
            return [checks.Error(f"SEEOTHER: {error}", id="seeother.E002")]
    return [checks.Warning(f"{one.message}", id="seeother.W002") for one in heard]


@checks.register()
def check_database(**_kwargs: Any) -> Found:
    """What the ledger stands in."""
    vendor = connections[ALIAS].vendor
    if vendor in VENDORS:
        return []
    text = f"The ledger needs SQLite or PostgreSQL, and the database {ALIAS!r} is {vendor}."
    hint = "Other databases are not supported yet: take the middleware out of MIDDLEWARE."
    return [checks.Error(text, hint=hint, id="seeother.E003")]


@checks.register()
def check_neighbours(**_kwargs: Any) -> Found:
    """Settings beside ours without which half of the promise is missing."""
    found: Found = []
    if any(name.endswith(INSIDE[0]) for name in settings.MIDDLEWARE):
        found += _hint(settings.SESSION_ENGINE, ENGINE, "SESSION_ENGINE", "W003")
    if MESSAGES in settings.INSTALLED_APPS:
        found += _hint(settings.MESSAGE_STORAGE, STORAGE, "MESSAGE_STORAGE", "W004")
    if connections[ALIAS].settings_dict.get("ATOMIC_REQUESTS"):
        text = "ATOMIC_REQUESTS: every form runs in one transaction already."
        hint = "Leave it out, or keep it for pages that write and are no forms."
        found.append(checks.Warning(text, hint=hint, id="seeother.W005"))
    return found


def _hint(value: str, better: str, name: str, number: str) -> Found:
    if value == better:
        return []
    why = {
        "W003": "Two requests at once can lose each other's session writes.",
        "W004": "A message can be shown in another tab, or be eaten by a prefetch.",
    }
    hint = f"Set {name} = {better!r}."
    return [checks.Warning(why[number], hint=hint, id=f"seeother.{number}")]
