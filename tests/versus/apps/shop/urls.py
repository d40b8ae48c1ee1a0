"""The views: Django's CSRF protection, its messages, its sessions."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import path

from tests.versus.apps import trouble
from tests.versus.apps.shop.models import Order


def form(request: HttpRequest) -> HttpResponse:
    """The page with the form."""
    return render(request, "form.html")


def order(request: HttpRequest) -> HttpResponse:
    """Store an order, leave a message, lead on."""
    tea, note = request.POST["tea"], request.POST["note"]
    trouble.at("before", request.headers)
    trouble.work(request.headers)
    Order.objects.create(tea=tea)
    trouble.at("after", request.headers)
    request.session["last"] = tea
    messages.success(request, f"Thank you for ordering {tea}. {note}")
    return redirect("done")


def done(request: HttpRequest) -> HttpResponse:
    """The page behind the redirect."""
    return render(request, "done.html")


def look(request: HttpRequest, tea: str) -> HttpResponse:
    """A page that writes into the session."""
    request.session[f"seen {tea}"] = True
    trouble.at("looking", request.headers)
    trouble.work(request.headers)
    return HttpResponse(tea)


def seen(request: HttpRequest) -> HttpResponse:
    """What the session holds."""
    return JsonResponse(dict(request.session))


urlpatterns = [
    path("", form),
    path("order", order, name="order"),
    path("done", done, name="done"),
    path("look/<tea>", look),
    path("seen", seen),
]
