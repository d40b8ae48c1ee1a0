"""The tests that all message storages and all session engines of Django's inherit: so do ours.

Without seeother the same classes test what Django takes by itself, so that both runs have the same
tests. A storage of ours has two places for a message, and is tested with each: the receipt, where
the request is a visitor's, and Django's own cookie, where it is nobody's yet.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.messages import constants
from django.contrib.messages.storage.base import BaseStorage, Message
from django.contrib.messages.storage.cookie import CookieStorage
from django.contrib.messages.storage.fallback import FallbackStorage
from django.http import HttpRequest
from django.test import RequestFactory, TestCase
from django.utils.module_loading import import_string
from messages_tests.base import BaseTests  # type: ignore[import-not-found]
from messages_tests.test_cookie import (  # type: ignore[import-not-found]
    set_cookie_data,
    stored_cookie_messages_count,
)
from messages_tests.test_session import (  # type: ignore[import-not-found]
    stored_session_messages_count,
)
from sessions_tests.tests import SessionTestsMixin  # type: ignore[import-not-found]

STORAGE: type[BaseStorage] = import_string(settings.MESSAGE_STORAGE)
ENGINE: Any = import_module(settings.SESSION_ENGINE).SessionStore
OURS = STORAGE.__module__.startswith("seeother.")
VISITOR = "A" * 22  # 16 bytes of base64: any browser that was here before


def visited(request: HttpRequest) -> HttpRequest:
    """The request with a visit of a known visitor, as the middleware makes it."""
    from seeother.core.entry import greet
    from seeother.django.incoming import core_request
    from seeother.django.settings import current
    from seeother.django.visits import DjangoVisit

    policy = current().policy
    arrived = RequestFactory(headers={"cookie": f"{visitor_cookie()}={VISITOR}"}).get("/")
    visit = DjangoVisit(greet(core_request(arrived), policy), policy, request)
    assert visit.greeting.visitor is not None
    request.seeother = visit  # type: ignore[attr-defined]
    return request


def visitor_cookie() -> str:
    """The name of the visitor's cookie in this project."""
    from seeother.core.cookie import cookie_names
    from seeother.django.settings import current

    return cookie_names(current().policy.ring.tags[0], secure=False).visitor


class SessionEngineTests(SessionTestsMixin, TestCase):  # type: ignore[misc]
    """The engine that SESSION_ENGINE names."""

    backend = ENGINE


class StorageTests(BaseTests, TestCase):  # type: ignore[misc]
    """The storage that MESSAGE_STORAGE names; with ours, for somebody without a visitor cookie."""

    storage_class = STORAGE

    def get_request(self) -> HttpRequest:
        request: HttpRequest = super().get_request()
        request.session = {}  # type: ignore[assignment]
        return request

    def stored_messages_count(self, storage: Any, response: Any) -> int:
        """What the next page would find."""
        if isinstance(storage, FallbackStorage):
            cookie, session = storage.storages
            kept: int = stored_session_messages_count(session)
            return kept + int(stored_cookie_messages_count(cookie, response))
        return int(stored_cookie_messages_count(CookieStorage(storage.request), response))

    def test_get(self) -> None:
        """What an earlier answer left in the cookie is found."""
        request, messages = self.get_request(), [str(n) for n in range(5)]
        set_cookie_data(CookieStorage(request), messages)
        found: list[Any] = list(self.storage_class(request))
        assert found == messages


class ReceiptStorageTests(StorageTests):
    """The same for a visitor, with the messages in receipts; without seeother once more."""

    def setUp(self) -> None:
        super().setUp()
        if OURS:
            self.client.cookies[visitor_cookie()] = VISITOR

    def get_request(self) -> HttpRequest:
        return visited(super().get_request()) if OURS else super().get_request()

    def stored_messages_count(self, storage: Any, response: Any) -> int:
        if not OURS:
            return super().stored_messages_count(storage, response)
        left = len(storage.request.seeother.waiting())
        return left + super().stored_messages_count(storage, response)

    def test_get(self) -> None:
        """What came with the receipt is found."""
        if not OURS:
            super().test_get()
            return
        from seeother.core.ops import Taken
        from seeother.core.values import Flash

        request = self.get_request()
        taken = Taken(receipt=b"r" * 8, messages=(Flash("one", "info"), Flash("two", "error")))
        request.seeother.begin(None, (taken,))  # type: ignore[attr-defined]
        found = [Message(constants.INFO, "one"), Message(constants.ERROR, "two")]
        assert list(self.storage_class(request)) == found
