"""`{% load seeother %}`: a rejected form in a template that uses no form class.

    <form method="post">{% csrf_token %}
      <input name="tea" value="{% old "tea" %}"> {% error "tea" %}
      {% errors as wrong %}{% for name, text in wrong.items %}<li>{{ name }}: {{ text }}{% endfor %}
    </form>

`{% seeother_field %}` is the hidden field, for pages that nothing is planted into (`inject` off).
What was typed is escaped like everything else in a template. All four are empty where no visit is:
in a mail, in a test that renders a template, behind a view that Django's own error pages replace.
"""

from __future__ import annotations

from typing import Any

from django import template
from django.http import HttpRequest
from django.template import Context
from django.utils.safestring import SafeString, mark_safe

from ...core.values import Draft
from ..visits import DjangoVisit, visit_of

register = template.Library()


@register.simple_tag(takes_context=True)
def seeother_field(context: Context) -> SafeString | str:
    """The hidden field that names this submission."""
    visit = _visit(context)
    return "" if visit is None else mark_safe(str(visit.field()))  # noqa: S308 - it is ours


@register.simple_tag(takes_context=True)
def old(context: Context, name: str, default: str = "") -> str:
    """What was typed into a field of a form that was rejected."""
    draft = _draft(context)
    found = None if draft is None else draft.old(name)
    return default if found is None else found


@register.simple_tag(takes_context=True)
def error(context: Context, name: str) -> str:
    """What is wrong with a field; empty where nothing is."""
    return errors(context).get(name, "")


@register.simple_tag(takes_context=True)
def errors(context: Context) -> dict[str, str]:
    """What is wrong, by the name of the field: `{% errors as wrong %}`."""
    draft = _draft(context)
    return {} if draft is None else dict(draft.errors)


def _draft(context: Context) -> Draft | None:
    visit = _visit(context)
    return None if visit is None else visit.draft


def _visit(context: Any) -> DjangoVisit | None:
    """The visit of the request that the template was given, else of the one being answered."""
    request = context.get("request")
    return visit_of(request) if isinstance(request, HttpRequest) else visit_of()
