"""What seeother answers in place of a view: the form once more, a refusal, a waiting page."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING

from . import pages
from .core.flows import Answer
from .core.headers import redirect
from .core.ops import Flow
from .core.token import FIELD
from .core.values import Response
from .core.waiting import Awaited, Fate, waited
from .errors import Interrupted, OutcomeUnknown, SeeOtherError, StoreError

if TYPE_CHECKING:
    from .visit import Visit


def resend(visit: Visit, error: SeeOtherError, errors: Mapping[str, str] | None) -> Response:
    """The form once more, inline; a token that is still good stays the same."""
    request, policy = visit.greeting.request, visit.policy
    fields = [(n, v) for n, v in visit.form.pairs() if n not in policy.ignored]
    kept = visit.form.get(FIELD) if isinstance(error, StoreError) else None
    same = f'<input type="hidden" name="{FIELD}" value="{escape(kept or "")}">'
    query = request.query.decode("latin-1")
    here = request.root + request.path + (f"?{query}" if query else "")
    return pages.resend_page(
        error,
        fields,
        action=visit.action(here),
        token=same if kept else visit.field(),
        errors=errors,
        secret=[n for n, _ in fields if policy.is_secret(n)],
        debug=bool(policy.debug),
    )


def refusal(visit: Visit, error: SeeOtherError) -> Response:
    """The answer to anything that went wrong: the form once more where that is safe."""
    greeting, request = visit.greeting, visit.greeting.request
    known = greeting.unsafe and greeting.same_origin and visit.unread is None
    if error.resend and known and len(visit.form):
        return visit.resend(error)
    home = request.root + request.path if greeting.unsafe else None
    return pages.error_page(error, debug=bool(visit.policy.debug), home=home)


def watch(visit: Visit, awaited: Awaited) -> Flow[Answer]:
    """The waiting page: what became of a submission that took too long to wait for."""
    request = visit.greeting.request
    found = yield from waited(awaited, visit.policy)
    if found.fate is Fate.RUNNING:
        return Answer(pages.waiting_page(request.url.removeprefix(request.origin)), "waiting")
    if found.fate is Fate.IN_DOUBT:
        raise OutcomeUnknown("an earlier attempt ended without an answer")
    if found.outcome is not None:
        location = found.outcome.location
        return Answer(visit.complete(Response(303, redirect(303, location) if location else ())))
    raise Interrupted("the claim is gone; nothing took effect")
