"""The visit of a Django request, at `request.seeother`.

The session is Django's (`request.session`, whatever its engine is): a visit keeps messages, drafts
and tokens, and what a view did.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import Any, Final

from django.http import HttpRequest

from ..core.entry import Greeting
from ..core.policy import Policy
from ..core.values import Draft, Handled, Response
from ..errors import SeeOtherError
from ..visit import Visit
from .proof import with_csrf

KEY: Final = "seeother"
_CURRENT: ContextVar[DjangoVisit | None] = ContextVar("seeother_visit", default=None)


class DjangoVisit(Visit):
    """One request, seen from a Django view.

    `raised` is what the view raised, before Django made a page of it; `undo`: something inside
    wants this request to have had no effect.
    """

    def __init__(self, greeting: Greeting, policy: Policy, request: HttpRequest) -> None:
        super().__init__(replace(greeting, sid=None), policy)
        self.request = request
        self.raised: Exception | None = None
        self.undo = False

    @property
    def session(self) -> Any:
        """Django's session of this request."""
        return self.request.session

    @property
    def claims(self) -> bool:
        """The middleware claims, in a flow of its own."""
        return False

    def keep_nothing(self, handled: Handled) -> Handled:
        """The answer of a form that was rejected in place: no row of it stays."""
        return replace(handled, draft=self._draft_given or Draft())

    def handled(self, response: Response) -> Handled:
        """What this visit leaves behind; on the page of a failure nobody saw a message."""
        handled = super().handled(response)
        return replace(handled, shown=False) if response.status >= 500 else handled

    def resend(self, error: SeeOtherError, errors: Mapping[str, str] | None = None) -> Response:
        """The form once more, with what CsrfViewMiddleware will ask for."""
        return with_csrf(super().resend(error, errors), self.request)


def visit_of(request: HttpRequest | None = None) -> DjangoVisit | None:
    """The visit of this request, or of the one that is being answered right now."""
    if request is None:
        return _CURRENT.get()
    found = getattr(request, KEY, None)
    return found if isinstance(found, DjangoVisit) else None


@contextmanager
def visiting(visit: DjangoVisit) -> Generator[None]:
    """While this request is answered, this is the visit."""
    token = _CURRENT.set(visit)
    visit.request.seeother = visit  # type: ignore[attr-defined]
    try:
        yield
    finally:
        _CURRENT.reset(token)
