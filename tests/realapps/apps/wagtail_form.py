"""Wagtail's form pages: a visitor's message, answered by a page and not by a redirect.

Such a page cannot be refreshed without sending the form again. With seeother it is kept, and the
browser is redirected to it; whoever sends the same once more ends there as well.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from tests.realapps.app import Effect, Task

from . import wagtail

MODELS: Final = """
from django.db import models
from modelcluster.fields import ParentalKey
from wagtail.contrib.forms.models import AbstractForm, AbstractFormField

class Field(AbstractFormField):
    page = ParentalKey("Contact", on_delete=models.CASCADE, related_name="form_fields")

class Contact(AbstractForm):
    template = "contact.html"
    landing_page_template = "thanks.html"
"""
FORM: Final = """{% load wagtailcore_tags %}<!doctype html><title>Contact</title>
<form method="post" action="{% pageurl page %}" id="contact">{% csrf_token %}{{ form.as_p }}
<button>Send</button></form>
"""
CREATE: Final = (
    "from notes.models import Contact, Field;"
    "from wagtail.models import Page;"
    "page = Page.objects.get(depth=2).add_child(instance=Contact(title='Contact'));"
    "Field.objects.create(page=page, label='Text', field_type='singleline')"
)

APP: Final = replace(
    wagtail.APP,
    name="wagtail_form",
    says="a form page of a content management system, answered by a page",
    files={
        **wagtail.APP.files,
        "notes/models.py": MODELS,
        "notes/templates/contact.html": FORM,
        "notes/templates/thanks.html": "<!doctype html><title>Thanks</title><h1>Thank you</h1>",
    },
    create=(
        *wagtail.APP.create,
        ("django-admin", "shell", "--settings=settings", "-c", CREATE),
    ),
    task=Task("/contact/", "form#contact", {"text": "{}"}, landing="Thank you"),
    effect=Effect("db.sqlite3", "wagtailforms_formsubmission", "json_extract(form_data, '$.text')"),
)
