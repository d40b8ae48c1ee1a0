"""WTForms over a redirect: what was typed and what is wrong with it come back by GET.

    form = restore(NameForm)
    if form.validate_on_submit():
        ...
        return redirect(url_for("thankyou"))
    if request.method == "POST":
        return redisplay(form)
    return render_template("name.html", form=form)

Any class with WTForms' shape will do; nothing of WTForms is imported here. Password-like fields,
files and CSRF tokens are never kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TypeVar

from flask import current_app, request
from flask.wrappers import Response
from werkzeug.datastructures import MultiDict

from .answers import flask_response
from .verbs import visit_of

T = TypeVar("T")
JOINT: Final = "\n"
WHOLE: Final = ""


def redisplay(form: Any) -> Response:
    """303 back to the form's own page, with everything that was typed and what is wrong with it.

    `form` is a validated WTForms form. Where nothing can be kept (no cookie), the form is answered
    in place with status 422.
    """
    wrong = {f.name: JOINT.join(map(str, f.errors)) for f in _fields(form) if f.errors}
    whole = getattr(form, "form_errors", ())
    if whole:
        wrong[WHOLE] = JOINT.join(map(str, whole))
    query = request.query_string.decode("latin-1")
    target = f"{_here()}?{query}" if query else _here()
    return flask_response(visit_of().see_other(target, draft=wrong), current_app)


def restore(form_class: type[T], **kwargs: Any) -> T:
    """The form, empty, as it was posted, or with the draft that waits for this page.

    `kwargs` go to the form class (`obj`, `data`, `prefix`).
    """
    draft = visit_of().draft if request.method in ("GET", "HEAD") else None
    if draft is None:
        if "formdata" not in kwargs and not hasattr(form_class, "validate_on_submit"):
            posted = request.method not in ("GET", "HEAD")
            kwargs["formdata"] = request.form if posted else None
        return form_class(**kwargs)
    form: Any = form_class(**{**kwargs, "formdata": MultiDict(draft.values)})
    wrong = {name: text.split(JOINT) for name, text in draft.errors}
    for field in _fields(form):
        field.errors = wrong.get(field.name, [])
    if WHOLE in wrong and hasattr(form, "form_errors"):
        form.form_errors = wrong[WHOLE]
    return form  # type: ignore[no-any-return]


def _here() -> str:
    greeting = visit_of().greeting
    return greeting.request.root + greeting.request.path


def _fields(form: Any) -> Iterator[Any]:
    """Every field with input of its own, also in field lists and enclosed forms."""
    for field in form:
        if hasattr(field, "entries"):
            yield from _fields(field.entries)
        elif hasattr(field, "form"):
            yield from _fields(field.form)
        else:
            yield field
