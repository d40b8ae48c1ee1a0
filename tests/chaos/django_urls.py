"""The views of the Django site."""

import os
import time
from typing import Any

from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path

from tests.chaos.sites import NUMBERS, page


def home(request: HttpRequest) -> HttpResponse:
    """The form, and what it does."""
    if request.method != "POST":
        return HttpResponse(page([]))
    run = f"{os.getpid()}-{time.monotonic_ns()}-{next(NUMBERS)}"
    with connection.cursor() as cursor:
        values: list[Any] = [request.POST["label"], run]
        cursor.execute("INSERT INTO effect(label, run) VALUES(%s, %s)", values)
    return redirect(f"/done/{run}")


def done(_request: HttpRequest, run: str) -> HttpResponse:
    """What confirms it."""
    return HttpResponse(page([run]))


urlpatterns = [path("", home), path("done/<run>", done)]
