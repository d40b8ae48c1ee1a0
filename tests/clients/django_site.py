"""The small app under Django: its settings, its addresses and its one view."""

from typing import Any

import django
from django.conf import settings
from django.contrib import messages
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.http import require_POST

from seeother.django import see_other, visit_of
from tests.clients.notes import BAD, SECRET, WRONG, Notes, script
from tests.clients.page import CLIENTS, CSP, TEXT

SERVED: list[Notes] = []


def app_of(notes: Notes) -> Any:
    """Set Django up on the database of these notes."""
    SERVED.append(notes)
    settings.configure(
        SECRET_KEY=SECRET,
        ALLOWED_HOSTS=["127.0.0.1"],
        ROOT_URLCONF=__name__,
        INSTALLED_APPS=["seeother.django", "django.contrib.sessions", "django.contrib.messages"],
        MIDDLEWARE=[
            "seeother.django.middleware.SeeOtherMiddleware",
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
        ],
        SESSION_ENGINE="seeother.django.sessions",
        MESSAGE_STORAGE="seeother.django.messages.FlashStorage",
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": notes.database}},
    )
    django.setup()
    call_command("migrate", verbosity=0)
    _clock(notes)
    return get_wsgi_application()


def _clock(notes: Notes) -> None:
    """The stores take their time from the test."""
    from seeother.django.settings import current, session_store

    current().store.clock = session_store().clock = notes.clock


def file(_request: HttpRequest, name: str) -> HttpResponse:
    """A script of the page."""
    found = script(f"{name}.js")
    return HttpResponse(found or "", status=200 if found else 404, content_type="text/javascript")


def shown(request: HttpRequest, client: str) -> HttpResponse:
    """The page."""
    said = [str(one) for one in messages.get_messages(request)]
    html = SERVED[0].page(client, visit_of(request), said)
    return HttpResponse(html, headers={"Content-Security-Policy": CSP})


def index(request: HttpRequest, client: str, rest: str) -> HttpResponse:
    """Any page of the site."""
    return shown(request, client) if client in CLIENTS else HttpResponse(rest, status=404)


@require_POST
def save(request: HttpRequest, client: str) -> HttpResponse:
    """The one view; it runs inside of the transaction of its record."""
    typed = request.POST[TEXT]
    if typed == BAD and "at" in request.GET:
        visit_of(request).reject(WRONG)
        return shown(request, client)
    if typed == BAD:
        return see_other(f"/{client}/page", draft=WRONG)
    SERVED[0].wait(typed)
    request.session["last"] = typed
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO note VALUES (%s)", [typed])
    return see_other(f"/{client}/page", flash=f"Saved {typed}.")


urlpatterns = [
    path("<str:name>.js", file),
    path("<str:client>/notes", save),
    path("<str:client>/<path:rest>", index),
]
