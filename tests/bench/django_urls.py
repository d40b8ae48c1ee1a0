"""The board of `sites` in Django: one view, the ORM's connection, Django's own templates."""

from django.contrib import messages
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template import Context, Template
from django.urls import path

from tests.bench.sites import DONE, PAGE, ROWS

TEMPLATE = Template(
    PAGE.format(
        flashes="{% for m in messages %}<p role=status>{{ m }}</p>{% endfor %}",
        csrf='<input type="hidden" name="csrfmiddlewaretoken" value="{{ csrf_token }}">',
        name="{{ name }}",
        rows="{% for row in rows %}<li>{{ row.0 }}</li>\n{% endfor %}",
    )
)


def board(request: HttpRequest) -> HttpResponse:
    """The board to read, or a message to store."""
    if request.method == "POST":
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO message(text) VALUES(%s)", [request.POST["message"]])
        if request.session.get("name") != request.POST["name"]:
            request.session["name"] = request.POST["name"]
        messages.success(request, DONE)
        return redirect("/")
    from django.middleware.csrf import get_token

    with connection.cursor() as cursor:
        cursor.execute("SELECT text FROM message ORDER BY id DESC LIMIT %s", [ROWS])
        rows = cursor.fetchall()
    about = {
        "messages": messages.get_messages(request),
        "csrf_token": get_token(request),
        "name": request.session.get("name", ""),
        "rows": rows,
    }
    return HttpResponse(TEMPLATE.render(Context(about)))


urlpatterns = [path("", board)]
