"""System checks and settings: wrong settings are said before a visitor finds out."""

import warnings
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.handlers.wsgi import WSGIHandler
from django.test import override_settings

from seeother.django.checks import MIDDLEWARE
from seeother.errors import PolicyError
from tests.adapters.django import project

OTHERS = project.MIDDLEWARE[1:]
SESSION = OTHERS[0]
GZIP = "django.middleware.gzip.GZipMiddleware"


def found(**settings: Any) -> list[str]:
    """The ids of what seeother says."""
    with override_settings(**settings):
        return sorted(str(m.id) for m in run_checks() if str(m.id).startswith("seeother."))


def test_a_right_project_hears_nothing() -> None:
    """The test project itself."""
    assert found() == []


@pytest.mark.parametrize(
    ("settings", "ids"),
    [
        ({"MIDDLEWARE": OTHERS}, ["seeother.E001"]),
        ({"MIDDLEWARE": [*OTHERS, MIDDLEWARE]}, ["seeother.E001"] * 3),
        ({"MIDDLEWARE": [MIDDLEWARE, GZIP, *OTHERS]}, ["seeother.W001"]),
        ({"MIDDLEWARE": [GZIP, MIDDLEWARE, *OTHERS]}, []),
        ({"SEEOTHER": {"max_agee": 3}}, ["seeother.E002"]),
        ({"SEEOTHER": {"mode": "hooked"}}, ["seeother.E002"]),
        ({"SEEOTHER": {"store": "memory://"}}, ["seeother.E002"]),
        ({"SEEOTHER": ["max_age"]}, ["seeother.E002"]),
        ({"SECRET_KEY": "dev"}, ["seeother.W002"]),
        ({"SESSION_ENGINE": "django.contrib.sessions.backends.db"}, ["seeother.W003"]),
        (
            {"MESSAGE_STORAGE": "django.contrib.messages.storage.cookie.CookieStorage"},
            ["seeother.W004"],
        ),
    ],
)
def test_what_is_wrong_is_said(settings: dict[str, Any], ids: list[str]) -> None:
    """Each mistake has an id of its own."""
    assert found(**settings) == ids


def test_an_unknown_setting_suggests_the_nearest() -> None:
    """And the server does not start with it."""
    with override_settings(SEEOTHER={"max_agee": 3}), pytest.raises(PolicyError, match="max_age"):
        WSGIHandler()


def test_names_may_be_written_as_settings_are() -> None:
    """MAX_AGE and max_age are the same name."""
    from seeother.django.settings import current

    with override_settings(SEEOTHER={"MAX_AGE": 60, "Echo": 0}):
        assert (current().policy.max_age, current().policy.echo) == (60, 0)


def test_no_mark_is_a_choice() -> None:
    """`"mark": None` switches the mark off; None anywhere else leaves the default."""
    from seeother.django.settings import current

    with override_settings(SEEOTHER={"mark": None, "store": None}):
        assert current().policy.mark is None


def test_a_weak_secret_is_refused_in_production(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under test it warns; where mail is really sent it is refused."""
    from django.core import mail

    with override_settings(SECRET_KEY="dev"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        WSGIHandler()
    monkeypatch.delattr(mail, "outbox")
    with override_settings(SECRET_KEY="dev"), pytest.raises(PolicyError, match="secret"):
        WSGIHandler()


def test_another_database_is_said() -> None:
    """Oracle is no half-way: an error, not a surprise."""
    from django.db import connections

    from seeother.django.checks import check_database

    class Other:
        vendor = "oracle"

    kept = connections["default"]
    try:
        connections["default"] = Other()  # type: ignore[assignment]
        assert [m.id for m in check_database()] == ["seeother.E003"]
    finally:
        connections["default"] = kept
