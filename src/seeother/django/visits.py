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

from django.conf import settings
from django.core.exceptions import SynchronousOnlyOperation
from django.http import HttpRequest

from ..core.entry import Greeting
from ..core.headers import redirect
from ..core.policy import Policy
from ..core.target import clean_location
from ..core.values import Draft, Handled, Response
from ..errors import SeeOtherError
from ..visit import Visit
from .proof import with_csrf

KEY: Final = "seeother"
_CURRENT: ContextVar[DjangoVisit | None] = ContextVar("seeother_visit", default=None)


class DjangoVisit(Visit):
    """One request, seen from a Django view.

    `raised` is what the view raised, before Django made a page of it; `undo`: something inside
    wants this request to have had no effect; `undoes`: where it raises, nothing of it stays.
    """

    def __init__(self, greeting: Greeting, policy: Policy, request: HttpRequest) -> None:
        self.request = request
        # Who has a session may have a message that waits, also where its hint got lost on the way.
        hinted = greeting.hinted or bool(self._cookie_of_session())
        super().__init__(replace(greeting, sid=None, hinted=hinted), policy)
        self.raised: Exception | None = None
        self.undo = self.undoes = False

    @property
    def session(self) -> Any:
        """Django's session of this request."""
        return self.request.session

    @property
    def claims(self) -> bool:
        """The middleware claims, in a flow of its own."""
        return False

    def user(self) -> object:
        """The primary key of `request.user`; None where nobody is signed in.

        It loads the session, so it is asked only where a draft is given or opened. In an async view
        that has not awaited `request.auser()` it cannot be: there the session's cookie stands for
        the user, since Django gives it another value when somebody signs in or out.
        """
        try:
            user: Any = getattr(self.request, "_acached_user", None) or self._user()
        except SynchronousOnlyOperation:
            return f"session {self._cookie_of_session()}" if self._cookie_of_session() else None
        return user.pk if user is not None and user.is_authenticated else None

    @property
    def sender(self) -> str:
        """What the request as it came says of who sent it; no session is loaded for that."""
        return f"{self.greeting.principal} {self._cookie_of_session()}"

    def _user(self) -> Any:
        """The user, loaded; an async view's may not be."""
        user: Any = getattr(self.request, "user", None)
        return user if user is None or user.is_authenticated else None

    def _cookie_of_session(self) -> str:
        return self.request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")

    def keep_nothing(self, handled: Handled) -> Handled:
        """The answer of a form that was rejected in place: no row of it stays."""
        return replace(handled, draft=self._draft_given or Draft())

    def handled(self, response: Response) -> Handled:
        """What this visit leaves behind; on the page of a failure nobody saw a message."""
        handled = super().handled(response)
        return replace(handled, shown=False) if response.status >= 500 else handled

    def seen(self, response: Response) -> Response:
        """An answer without an outcome; a redirect after a form is 303 all the same."""
        location = response.header(b"location")
        if location is None or response.status in (307, 308):
            return response
        status = self.policy.redirect_status
        return Response(status, redirect(status, clean_location(location), response.headers))

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
