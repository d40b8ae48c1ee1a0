"""Generic views over a redirect: what was typed and what is wrong with it come back by GET.

    class Signup(SeeOtherFormMixin, CreateView):
        model = Member
        fields = ["name", "email"]

An invalid form is answered with 303 to its own page; there it stands as it was sent, with its
errors, and reloading that page asks nothing and sends nothing. Password-like fields, files and CSRF
tokens are never kept (policy `secret_fields`). Where nothing can be kept (a client without cookies)
the form is answered in place, with status 422.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.core.exceptions import NON_FIELD_ERRORS
from django.forms.utils import ErrorDict
from django.http import HttpResponse, QueryDict

from ..core.values import Draft
from .answers import django_response
from .verbs import visit_of

if TYPE_CHECKING:
    from django.forms import BaseForm
    from django.http import HttpRequest

JOINT: Final = "\n"
WHOLE: Final = ""


class SeeOtherFormMixin:
    """For FormView, CreateView and UpdateView: put it before them."""

    if TYPE_CHECKING:
        request: HttpRequest

    def get_form_kwargs(self) -> dict[str, Any]:
        """On GET the draft that waits for this page is the form's data."""
        kwargs: dict[str, Any] = self._next().get_form_kwargs()
        draft = self._draft()
        if draft is not None:
            kwargs["data"] = as_data(draft)
        return kwargs

    def get_form(self, form_class: Any = None) -> Any:
        """The form; a restored one has the errors that it had, and is not validated again."""
        form = self._next().get_form(form_class)
        draft = self._draft()
        if draft is not None:
            restore_errors(form, draft)
        return form

    def form_invalid(self, form: Any) -> Any:
        """303 to the form's own page, with a draft of what was typed."""
        visit = visit_of(self.request)
        answer = visit.see_other(self.request.get_full_path(), draft=errors_of(form))
        if answer.status < 400:
            return django_response(answer)
        page: HttpResponse = self._next().form_invalid(form)
        page.status_code = answer.status
        return page

    def _next(self) -> Any:
        """The generic view behind this mixin."""
        return super()

    def _draft(self) -> Draft | None:
        safe = self.request.method in ("GET", "HEAD")
        return visit_of(self.request).draft if safe else None


def errors_of(form: BaseForm) -> dict[str, str]:
    """What is wrong, by the name that the field has in the page; "" is the form as a whole."""
    return {
        WHOLE if name == NON_FIELD_ERRORS else form.add_prefix(name): JOINT.join(map(str, errors))
        for name, errors in form.errors.items()
    }


def as_data(draft: Draft) -> QueryDict:
    """The values of a draft as request.POST had them."""
    data = QueryDict(mutable=True)
    for name, value in draft.values:
        data.appendlist(name, value)
    return data


def restore_errors(form: BaseForm, draft: Draft) -> None:
    """Give a bound form the errors that were recorded for it."""
    names = {form.add_prefix(name): name for name in form.fields}
    names[WHOLE] = NON_FIELD_ERRORS
    found: Any = ErrorDict()
    for name, text in draft.errors:
        if name in names:
            css = "nonfield" if name == WHOLE else None
            wrong = form.error_class(text.split(JOINT), error_class=css, renderer=form.renderer)
            found[names[name]] = wrong
    stateful: Any = form
    stateful._errors, stateful.cleaned_data = found, {}  # noqa: SLF001
