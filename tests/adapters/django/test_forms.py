"""SeeOtherFormMixin: rejected input comes back by GET."""

import pytest
from django.test import Client

from tests.adapters.django.project import filled
from tests.adapters.django.shop.models import Order

pytestmark = pytest.mark.usefixtures("database")
PATH = "/ordering/"


def test_what_was_typed_comes_back() -> None:
    """303 to the form; there the text and the error, also after a reload; corrected: stored."""
    client = Client()
    typed = "a name that is longer than forty characters, by far"
    answer = client.post(PATH, filled(client, PATH, name=typed, password="hunter2"))
    assert (answer.status_code, answer.content) == (303, b"")
    for _ in range(2):
        text = client.get(answer["Location"]).content.decode()
        assert typed in text and "at most 40 characters" in text
        assert "hunter2" not in text
    assert typed not in client.get(PATH).content.decode()
    sent = filled(client, answer["Location"], name="Ann")
    landing = client.post(answer["Location"], sent)
    assert landing["Location"].partition("?")[0] == "/done/"
    assert [order.name for order in Order.objects.all()] == ["Ann"]


def test_errors_of_the_whole_form_come_back() -> None:
    """What `clean()` raises stands above the form again."""
    client = Client()
    answer = client.post(PATH, filled(client, PATH, name="nobody"))
    assert b"There is no such thing." in client.get(answer["Location"]).content


def test_without_a_cookie_it_is_answered_in_place() -> None:
    """Nothing can be kept for such a client: 422, the view's own page with text and errors."""
    answer = Client().post(PATH, {"name": "nobody"})
    assert answer.status_code == 422
    assert b"There is no such thing." in answer.content and b'value="nobody"' in answer.content
