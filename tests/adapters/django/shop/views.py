"""Views as the tutorials have them."""

import os
from collections.abc import Callable
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.forms import modelformset_factory
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.template import engines
from django.template.response import TemplateResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import CreateView, DeleteView, FormView, UpdateView

from seeother.django import (
    SeeOtherFormMixin,
    repeat,
    see_other,
    seeother_exempt,
    seeother_fenced,
)

from .models import Order

PAGE = """<!doctype html><title>Shop</title>
{% for message in messages %}<p class="{{ message.tags }}">{{ message }}</p>{% endfor %}
<form method="post">{% csrf_token %}{{ form }}<input name="name"><button>Order</button></form>"""
SENT: list[str] = []
DURING: list[Callable[[], object]] = []


def page(request: HttpRequest, **context: Any) -> HttpResponse:
    """The one page of the shop."""
    found = messages.get_messages(request)
    template = engines["django"].from_string(PAGE)
    return HttpResponse(template.render({"messages": found, **context}, request))


def order(request: HttpRequest) -> HttpResponseBase:
    """Post, redirect, get."""
    if request.method != "POST":
        return page(request)
    name = request.POST["name"]
    if not name:
        return page(request)
    Order.objects.create(name=name)
    messages.success(request, f"Saved {name}.")
    return redirect("done")


def done(request: HttpRequest) -> HttpResponse:
    """Where an order lands."""
    return page(request)


def raising(request: HttpRequest) -> HttpResponseBase:
    """It raises after its insert, as long as there is something to raise."""
    if request.method != "POST":
        return page(request)
    Order.objects.create(name=request.POST["name"])
    messages.success(request, "This never happened.")
    what = request.POST.get("raise", "")
    if what and SENT:
        SENT.pop()
        raise {"404": Http404, "500": RuntimeError}[what]("after the insert")
    return redirect("done")


def hooking(request: HttpRequest) -> HttpResponseBase:
    """It sends a mail when the order is committed; the second hook fails."""
    if request.method != "POST":
        return page(request)
    made = Order.objects.create(name=request.POST["name"])
    inside = transaction.get_connection()
    transaction.on_commit(lambda: SENT.append(f"{made} {inside.in_atomic_block}"))
    transaction.on_commit(lambda: SENT.append(str(1 / 0)))
    return redirect("done")


def doomed(request: HttpRequest) -> HttpResponseBase:
    """It asks for a rollback, and answers all the same."""
    if request.method != "POST":
        return page(request)
    Order.objects.create(name=request.POST["name"])
    transaction.set_rollback(True)
    return redirect("done")


@transaction.non_atomic_requests
def alone(request: HttpRequest) -> HttpResponseBase:
    """It commits by itself."""
    SENT.append(f"atomic: {transaction.get_connection().in_atomic_block}")
    response = order(request)
    if request.POST.get("raise"):
        raise RuntimeError("after the commit")
    return response


@csrf_exempt
def hook(request: HttpRequest) -> HttpResponse:
    """A webhook: from anywhere."""
    Order.objects.create(name=request.POST.get("name", "hook"))
    return HttpResponse("ok", content_type="text/plain")


@seeother_exempt
@csrf_exempt
def stream(request: HttpRequest) -> HttpResponse:
    """It reads the request by itself, and knows duplicates by itself."""
    Order.objects.create(name=request.read().decode()[:40])
    return HttpResponse("ok", content_type="text/plain")


def guess(request: HttpRequest) -> HttpResponseBase:
    """The guessing game: the message goes through the session."""
    if request.method == "POST":
        number = int(request.POST["name"])
        words = "low" if number < 42 else "high" if number > 42 else ""
        request.session["message"] = f"Your guess was too {words}" if words else "Congratulations!"
        return redirect(request.path)
    text = request.session.get("message", "")
    if text:
        del request.session["message"]
    return page(request, form=text)


def during(request: HttpRequest) -> HttpResponseBase:
    """Something else happens while it runs; then it orders, and writes the session."""
    if request.method != "POST":
        return page(request)
    request.session["seen"] = request.session.get("seen", 0) + 1
    while DURING:
        DURING.pop()()
    Order.objects.create(name=request.POST["name"])
    return redirect("done")


@seeother_fenced
def slow(request: HttpRequest) -> HttpResponseBase:
    """The same, claimed before it runs, whatever the project's mode is."""
    return during(request)


@seeother_fenced
async def aslow(request: HttpRequest) -> HttpResponseBase:
    """The same on the event loop."""
    if request.method != "POST":
        return page(request)
    while DURING:
        await cast("Any", DURING.pop())()
    await Order.objects.acreate(name=request.POST["name"])
    return redirect("done")


def upload(request: HttpRequest) -> HttpResponseBase:
    """A file."""
    if request.method != "POST":
        return page(request)
    file = request.FILES["file"]
    assert isinstance(file, UploadedFile)
    Order.objects.create(name=f"{file.name} {file.size} {request.POST['name']}")
    return redirect("done")


def verbs(request: HttpRequest) -> HttpResponseBase:
    """The verbs of seeother."""
    if request.method != "POST":
        return page(request)
    if request.POST["name"] == "repeat":
        return repeat("order")
    Order.objects.create(name=request.POST["name"])
    target = "//evil.example/" if request.POST["name"] == "evil" else "done"
    return see_other(target, flash=("Thank you.", "warning"))


def crash(request: HttpRequest) -> HttpResponseBase:
    """The process dies between the insert and the commit, the first time."""
    if request.method != "POST":
        return page(request)
    Order.objects.create(name=request.POST["name"])
    if not os.environ.get("SHOP_SURVIVES"):
        os._exit(9)
    return redirect("done")


@seeother_fenced
def falling(request: HttpRequest) -> HttpResponseBase:
    """The same, claimed before it runs."""
    return crash(request)


class OrderForm(forms.ModelForm[Order]):
    """Names are short, and there is a password that nobody keeps."""

    password = forms.CharField(required=False)

    class Meta:
        model = Order
        fields = ("name",)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("name") == "nobody":
            raise forms.ValidationError("There is no such thing.")
        return cleaned


class Ordering(SeeOtherFormMixin, CreateView[Order, OrderForm]):
    """A generic view whose rejected form comes back by GET."""

    model = Order
    form_class = OrderForm
    success_url = "/done/"

    def render_to_response(self, context: dict[str, Any], **_kwargs: Any) -> TemplateResponse:
        template = engines["django"].from_string(PAGE.replace('<input name="name">', ""))
        return TemplateResponse(self.request, template, context)


class Plain(CreateView[Order, OrderForm]):
    """The same as everybody has it: rejected input is answered in place, with status 200."""

    model = Order
    form_class = OrderForm
    success_url = "/done/"
    render_to_response = Ordering.render_to_response


async def aorder(request: HttpRequest) -> HttpResponseBase:
    """An async view."""
    if request.method != "POST":
        return page(request)
    await Order.objects.acreate(name=request.POST["name"])
    if request.POST.get("raise"):
        raise RuntimeError("after the insert")
    messages.success(request, "Saved.")
    return redirect("done")


TAGS = """{% load seeother %}<form method="post">{% csrf_token %}{% seeother_field %}
<input name="name" value="{% old "name" "nothing yet" %}"><p>{% error "name" %}</p>
{% errors as wrong %}{% for field, text in wrong.items %}<li>{{ field }}: {{ text }}{% endfor %}
</form>"""


def tagged(request: HttpRequest) -> HttpResponseBase:
    """A form without a form class, whose rejected input comes back by template tags."""
    if request.method == "POST":
        return see_other(request.path, draft={"name": "Too <short>."})
    template = engines["django"].from_string(TAGS)
    return HttpResponse(template.render({}, request))


class Deleting(DeleteView[Order, Any]):
    """Delete one, after a page that asks."""

    model = Order
    success_url = "/done/"
    render_to_response = Ordering.render_to_response


class Updating(SeeOtherFormMixin, UpdateView[Order, OrderForm]):
    """Change one."""

    model = Order
    form_class = OrderForm
    success_url = "/done/"
    render_to_response = Ordering.render_to_response


class Several(FormView[Any]):
    """Several at once, by a formset; it writes down every attempt, also one that is rejected."""

    form_class = modelformset_factory(Order, fields=("name",), extra=2, min_num=1)
    success_url = "/done/"

    def get_form_kwargs(self) -> dict[str, Any]:
        kwargs = super().get_form_kwargs()
        kwargs.pop("initial")
        return {**kwargs, "prefix": "form", "queryset": Order.objects.none()}

    def form_valid(self, form: Any) -> HttpResponse:
        form.save()
        return super().form_valid(form)

    def form_invalid(self, form: Any) -> HttpResponse:
        Order.objects.create(name="attempt")
        return super().form_invalid(form)

    def render_to_response(self, context: dict[str, Any], **_kwargs: Any) -> TemplateResponse:
        template = engines["django"].from_string(PAGE.replace('<input name="name">', ""))
        return TemplateResponse(self.request, template, context)


def elsewhere(request: HttpRequest) -> HttpResponseBase:
    """It writes into two databases, then raises as long as there is something to raise."""
    if request.method != "POST":
        return page(request)
    name = request.POST["name"]
    Order.objects.create(name=name)
    with transaction.atomic(using="other"):
        Order.objects.using("other").create(name=name)
        if name == "inside" and SENT:
            SENT.pop()
            raise RuntimeError("inside of the other transaction")
    if SENT:
        SENT.pop()
        raise RuntimeError("after the other commit")
    return redirect("done")


async def atagged(request: HttpRequest) -> HttpResponseBase:
    """The same, async."""
    return tagged(request)
