"""django.contrib.messages on receipts: levels, tags, tabs, and clients without cookies."""

import pytest
from django.contrib.messages import constants
from django.contrib.messages.storage.base import Message
from django.test import Client, RequestFactory
from django.utils.safestring import SafeString, mark_safe

from seeother.core.values import Flash
from seeother.django.messages import FlashStorage, flash_of, message_of
from tests.adapters.django.project import filled

MESSAGES = [
    Message(constants.SUCCESS, "Saved."),
    Message(constants.ERROR, "Wrong.", "wide"),
    Message(42, "A level of the project's own.", ""),
    Message(constants.INFO, mark_safe("<b>bold</b>")),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda m: m.message[:5])
def test_a_message_survives_its_receipt(message: Message) -> None:
    """Level, tags and safe markup come back as they were left."""
    found = message_of(flash_of(message))
    assert (found, found.tags) == (message, message.tags)
    assert isinstance(found.message, SafeString) == isinstance(message.message, SafeString)


def test_categories_of_a_visit_are_levels_or_tags() -> None:
    """What `visit.flash()` leaves is a message of Django's too."""
    pairs = [message_of(Flash("x", word)) for word in ("warning", "message", "big")]
    found = [(one.level, one.tags) for one in pairs]
    assert found == [
        (constants.WARNING, "warning"),
        (constants.INFO, "info"),
        (constants.INFO, "big info"),
    ]


def test_a_storage_alone_keeps_them_in_a_cookie() -> None:
    """Without the middleware it is Django's own cookie storage; looking consumes nothing."""
    storage = FlashStorage(RequestFactory().get("/"))
    storage.add(constants.INFO, "Hello")
    assert len(storage) == 1 and not storage.used


@pytest.mark.usefixtures("database")
class TestTabs:
    """Whose message it is."""

    def test_each_tab_shows_its_own(self) -> None:
        """Two forms in two tabs: each landing page shows what it did."""
        client = Client()
        forms = [filled(client, "/", name=name) for name in ("Ann", "Bob")]
        pages = [client.post("/", sent)["Location"] for sent in forms]
        shown = [client.get(page).content for page in reversed(pages)]
        assert [b"Saved Bob." in shown[0], b"Saved Ann." in shown[0]] == [True, False]
        assert [b"Saved Ann." in shown[1], b"Saved Bob." in shown[1]] == [True, False]

    def test_a_first_request_gets_its_message_too(self) -> None:
        """A client that posts without having seen a page keeps the message in Django's cookie."""
        client = Client()
        assert client.post("/", {"name": "Ann"})["Location"] == "/done/"
        pages = [client.get("/done/").content for _ in range(2)]
        assert [b"Saved Ann." in page for page in pages] == [True, False]
