"""What seeother answers in place of a view: the form once more, a refusal, a waiting page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING

from . import pages
from .core.body import is_form
from .core.flows import Answer
from .core.headers import FORM_PAGE, personal, redirect
from .core.ops import Flow
from .core.scripted import RENEWED, is_scripted
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


def renewed(visit: Visit, head: Response) -> Response:
    """The head of an answer, with a fresh token in it where the form of a script may stay.

    Of a submission that a script sent from our own page, whatever became of it; of a redirect the
    script sees nothing, so there it is the GET behind the mark. Never for another origin, and only
    for who has the visitor cookie already. No cache may keep it.
    """
    greeting, final = visit.greeting, head.status >= 200 and head.status // 100 != 3
    asks = greeting.unsafe or greeting.mark is not None
    if not (asks and final) or greeting.visitor is None or visit.off:
        return head
    request, scope = greeting.request, ""
    if not is_scripted(request):
        return head
    if greeting.unsafe:
        own, scope = greeting.same_origin and is_form(request), request.root + request.path
    else:
        own = request.header(b"sec-fetch-site") in (b"same-origin", None)
    if not own:
        return head
    edit = visit.entry.token.on_edit if visit.entry and visit.entry.token else None
    token = visit.token(scope, edit).encode("ascii")
    told = tuple(pair for pair in head.headers if pair != (b"cache-control", FORM_PAGE))
    return replace(head, headers=(*personal(told, form=False), (RENEWED, token)))


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
