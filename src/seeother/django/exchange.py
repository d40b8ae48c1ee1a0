"""One request on its way through a Django project: judged, run at most once, answered.

A form that is posted is a submission: its flow claims it (BEGIN), runs everything that is inside of
the middleware, and settles it (COMMIT). Inside are also the sessions and the messages, so what they
write belongs to the same transaction. In mode fenced the claim is a transaction of its own, and the
other one begins with the first write (`late`). Every other request is a page.

Django turns exceptions into responses before a middleware sees them. `process_exception` tells of
those of views, and then the transaction is taken back, whatever the response says; so it is for
every 5xx, and where somebody asked for it (`transaction.set_rollback(True)`).

A page that answers a POST and shows what is wrong with the form is a rejected submission, although
its status is 200. It is known by a form with errors in its context, or by a transaction in which no
row was changed: to say "this was already done" of it would be a lie.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from ..core.body import is_form
from ..core.entry import greet
from ..core.flows import Answer, submission
from ..core.ops import Flow, Handle, Lane
from ..core.policy import Mode
from ..core.record import RELEASING
from ..core.values import Handled, Request
from ..drive import Driver, Perform, Spawn, Talk, advance
from ..errors import PolicyError, Refused, SeeOtherError
from ..log import request_line
from ..pages import error_page
from ..setup import performing
from ..stores.base import Performs
from .answers import (
    apply,
    django_response,
    plant,
    rejects,
    set_cookies,
    shows_a_page,
    with_cookies,
)
from .exempt import Wishes, wishes_of
from .incoming import core_request, policy_for, read_form, unmark
from .late import Reserved, late_transaction
from .proof import finish
from .settings import Settings
from .visits import DjangoVisit, visiting

INSIDE: Final[tuple[Mode | None, ...]] = ("joined", "fenced")
SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
View = Callable[[HttpRequest], HttpResponseBase]
AsyncView = Callable[[HttpRequest], Awaitable[HttpResponseBase]]


class DjangoDriver(Driver):
    """A driver whose ops run where Django's database connection lives."""

    async def _segment(
        self, talk: Talk[Any], answer: Perform, writes: Spawn | None, *, joined: bool
    ) -> None:
        """One hop to the thread of this request; nothing waits there."""
        del writes, joined
        await sync_to_async(advance, thread_sensitive=True)(talk, answer, Lane.WRITE)


DRIVER = DjangoDriver()


class Undone(Exception):
    """The view's answer goes out, and nothing of what it did stays."""

    def __init__(self, handled: Handled) -> None:
        super().__init__()
        self.handled = handled


class Exchange:
    """One request on its way through."""

    def __init__(self, request: HttpRequest, project: Settings) -> None:
        self.request, self._project = request, project
        self._started = time.perf_counter()
        self._core: Request = core_request(request)
        self._transaction = project.store.transaction()
        self._mode: Mode | None = None
        self._reserved: Reserved | None = None
        self._response: HttpResponseBase | None = None
        self._word = "page"
        self._visit: DjangoVisit

    def run(self, view: View) -> HttpResponseBase:
        """Admit, run and answer, on one thread."""

        def handle(op: Handle) -> Handled:
            self._visit.begin(op.opened, op.taken)
            self._transaction.open()
            return self._judged(view(self.request))

        refused = self._admit()
        if refused is not None:
            return self._logged(refused)
        queues = self._mode == "joined" and self._project.store.single_writer
        with visiting(self._visit):
            try:
                answer = DRIVER.run(self._flow(), self._perform(), handle, single_writer=queues)
                response = self._answered(answer)
            except (Undone, SeeOtherError) as error:
                response = self._without_effect(error)
            finally:
                self._end()
        self._transaction.tell()
        return self._logged(response)

    async def arun(self, view: AsyncView) -> HttpResponseBase:
        """Admit, run and answer, on the event loop; the database is asked on Django's thread."""

        async def handle(op: Handle) -> Handled:
            self._visit.begin(op.opened, op.taken)
            if self._mode == "fenced":
                await on_thread(self._transaction.open)
            return self._judged(await view(self.request))

        refused = self._admit()
        if refused is not None:
            return self._logged(refused)
        with visiting(self._visit):
            try:
                answer = await DRIVER.arun(self._flow(), self._perform(), handle)
                response = self._answered(answer)
            except (Undone, SeeOtherError) as error:
                response = self._without_effect(error)
            finally:
                if self._is_open:  # cancelled: the client has gone
                    await asyncio.shield(on_thread(self._end))
        if self._transaction.tells:
            await on_thread(self._transaction.tell)
        return self._logged(response)

    # Before the view -------------------------------------------------------------------------

    def _admit(self) -> HttpResponseBase | None:
        """Judge, read the form, name the submission; an answer where it ends here."""
        wishes, policy = Wishes(), self._project.policy
        if self.request.method not in SAFE:
            wishes = wishes_of(self.request, self._project.store.alias)
            policy = policy_for(self._core, wishes, policy)
        try:
            greeting = greet(self._core, policy)
        except Refused as error:
            self._word = error.reason
            return django_response(error_page(error, debug=bool(policy.debug)))
        self._visit = DjangoVisit(greeting, policy, self.request)
        unmark(self.request, self._visit)
        if not greeting.unsafe or wishes.unclaimed:
            return None
        try:
            self._submit(wishes)
        except SeeOtherError as error:
            return self._without_effect(error)
        return None

    def _submit(self, wishes: Wishes) -> None:
        """Read the form; only forms submit anything."""
        visit, form = self._visit, is_form(self._core)
        body = read_form(self.request, self._core, visit.policy) if form else None
        visit.submit(body)
        if visit.entry is not None and form:
            visit.running = visit.entry.key
            self._mode = "separate" if wishes.non_atomic else wishes.mode or self._project.mode
        visit.undoes = self._mode in INSIDE
        if self._mode == "fenced":
            store = self._project.store
            self._transaction = late_transaction(store, visit.policy.patience)
            self._reserved = Reserved(store, self._transaction)

    def _flow(self) -> Flow[Answer]:
        """The conversation around this request."""
        visit = self._visit
        if self._mode is None or visit.entry is None:
            return visit.flow()
        return submission(visit.entry, visit.policy, self._mode, surround=True)

    def _perform(self) -> Perform:
        store = self._project.store
        inside: Performs = self._reserved or store
        if self._mode == "joined":
            inside = store.within(self._transaction)
        return performing(inside.perform, self._visit.policy)

    def _end(self) -> None:
        """Nothing is left open, whatever happened."""
        self._transaction.rollback()
        if self._reserved is not None:
            self._reserved.end()

    @property
    def _is_open(self) -> bool:
        claimed = self._reserved is not None and self._reserved.holds
        return claimed or self._transaction.is_open

    # After it --------------------------------------------------------------------------------

    def _judged(self, response: HttpResponseBase) -> Handled:
        """What the view did. Raises Undone where nothing of it may stay."""
        visit, self._response = self._visit, response
        if getattr(getattr(self.request, "session", None), "moved", False):
            response.cookies.pop(settings.SESSION_COOKIE_NAME, None)  # only the new id may be named
        plant(response, visit)
        handled = visit.handled(with_cookies(response))
        if self._mode not in INSIDE:
            return handled
        raised = visit.raised is not None or visit.undo or self._transaction.doomed
        if raised and (response.status_code < 500 or response.status_code in RELEASING):
            raise Undone(handled)
        again = shows_a_page(response) and (rejects(response) or not self._transaction.has_changed)
        return visit.keep_nothing(handled) if again else handled

    def _answered(self, answer: Answer) -> HttpResponseBase:
        """The view's own answer as the flow decided it, or the answer of an earlier one."""
        self._word = answer.word
        if answer.handled is None or self._response is None:
            page = self._visit.complete(answer.response)
            return django_response(self._visit.renewed(page), answer.cookies)
        apply(self._visit.renewed(answer.response), self._response)
        set_cookies(self._response, answer.cookies)
        return self._response

    def _without_effect(self, error: Undone | SeeOtherError) -> HttpResponseBase:
        """The answer where nothing took effect; what the view left in its visit goes with it."""
        visit = self._visit
        visit.forget()
        if isinstance(error, Undone):
            self._word = "undone"
            assert self._response is not None
            apply(visit.renewed(visit.seen(error.handled.response)), self._response)
            set_cookies(self._response, error.handled.cookies)
            return self._response
        if isinstance(error, PolicyError):
            raise error
        self._word = error.reason
        handled = visit.handled(visit.refusal(error))
        response = django_response(visit.renewed(handled.response), handled.cookies)
        finish(self.request, response)
        return response

    def _logged(self, response: HttpResponseBase) -> HttpResponseBase:
        landing = response.get("Location")
        seconds = time.perf_counter() - self._started
        match = self.request.resolver_match
        route = match.route if match is not None else ""
        status, word = response.status_code, self._word
        request_line(self._core, status, landing, word=word, seconds=seconds, route=route)
        return response


async def on_thread(job: Callable[[], None]) -> None:
    """Run it where Django's database connection of this request lives."""
    await sync_to_async(job, thread_sensitive=True)()
