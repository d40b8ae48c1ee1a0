"""A project with our middleware in it, and another seeother around all of it."""

import re
from typing import Any

import pytest
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler

from seeother import asgi, wsgi
from seeother.testing.adapter import ASGIClient, Browser, Client, WSGIClient
from seeother.testing.adapter.browser import token
from tests.adapters.django.shop.models import Order

CSRF = re.compile(r'name="csrfmiddlewaretoken" value="(\w+)"')
SETTINGS = {"secret": "the secret of the one that stands outside", "store": "memory://"}


def client_of(kind: str) -> Client:
    """The project behind another seeother."""
    if kind == "wsgi":
        return WSGIClient(wsgi.SeeOther(WSGIHandler(), **SETTINGS))
    handler: Any = ASGIHandler()
    return ASGIClient(asgi.SeeOther(handler, **SETTINGS))


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
def test_the_inner_one_does_nothing(kind: str) -> None:
    """One token, one order for a form that is sent twice, and Django's message once."""
    client = client_of(kind)
    browser = Browser(client)
    page = browser.get()
    found = CSRF.search(page.text)
    assert found is not None
    sent = {"name": "Ann", "csrfmiddlewaretoken": found[1], "so_token": token(page)}
    answers = [browser.post(sent) for _ in range(2)]
    assert [answer.status for answer in answers] == [303, 303]
    assert len({answer.location for answer in answers}) == 1
    assert list(Order.objects.values_list("name", flat=True)) == ["Ann"]
    shown = ["Saved Ann." in browser.follow(answers[0]).text for _ in range(2)]
    assert shown == [True, False]
    client.close()
