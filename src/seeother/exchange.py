"""One ASGI request and its answer: the seam between an app that sends and a flow that decides.

The app runs in a task of its own. What it sends goes into a `Hold`; when the hold says so, the flow
goes on, writes what is to be written, and decides the head; then everything held back is sent and
the rest of the body passes straight through.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from .channel import ClientGone, Incoming, Message, Outgoing, Receive, Scope, Send, Silent, inside
from .core.body import is_form
from .core.entry import Greeting, greet
from .core.flows import Answer
from .core.ops import Handle
from .core.values import Handled, Request
from .errors import Refused, SeeOtherError, TooLarge
from .hold import Hold
from .log import EVENTS, request_line
from .pages import error_page
from .setup import performing
from .visit import Visit

if TYPE_CHECKING:
    from .asgi import SeeOther

HINTS: Final = frozenset({"http.response.push", "http.response.early_hint"})


class Exchange:
    """One request on its way through."""

    def __init__(
        self, outer: SeeOther, request: Request, scope: Scope, receive: Receive, send: Send
    ) -> None:
        self._outer, self._request, self._scope = outer, request, scope
        self._policy = outer.policy_of(request)
        try:
            self._greeting: Greeting | Refused = greet(request, self._policy)
        except Refused as error:
            self._greeting = error
        self._in = Incoming(receive)
        self._out = Outgoing(send, request)
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._released = asyncio.Event()
        self._hints: list[Message] = []
        self._app: asyncio.Task[None] | None = None
        self._seen: Scope = {}
        self._hold: Hold
        self._visit: Visit
        self._own = self._begun = self._trailers = self._answered = False

    @property
    def must_end(self) -> bool:
        """Must it go on where the server cancels it? So with a submission, and with messages."""
        known = self._greeting
        if isinstance(known, Refused):
            return False
        return known.unsafe or known.hinted or known.mark is not None

    async def run(self) -> None:
        """Admit, run, answer, and write one line to the log."""
        started, word = time.perf_counter(), ""
        try:
            word = await self._run()
        except (ClientGone, Silent):
            return
        except (Exception, asyncio.CancelledError):
            await self._abandoned()
            raise
        finally:
            self._released.set()
            self._in.close()
        seconds = time.perf_counter() - started
        route = getattr(self._seen.get("route"), "path", "")  # as Starlette and FastAPI say it
        status, landing = self._out.status, self._out.landing
        request_line(self._request, status, landing, word=word, seconds=seconds, route=route)

    async def _abandoned(self) -> None:
        """Nothing will come of this request: end the app as a server would, and see it end.

        Only this exchange holds its task; left alone it could be thrown away half-way.
        """
        self._released.set()
        if self._app is not None and not self._app.done():
            self._app.cancel()
            await asyncio.wait((self._app,))

    async def _run(self) -> str:
        policy, greeting = self._policy, self._greeting
        if isinstance(greeting, Refused):
            await self._out.whole(error_page(greeting, debug=bool(policy.debug)))
            return greeting.reason
        visit = self._visit = Visit(greeting, policy, trusts_307=not is_form(greeting.request))
        visit.said, visit.explicit = self._outer.said, self._outer.explicit
        try:
            await self._admit(visit)
            await self._converse(visit)
        except SeeOtherError as error:
            if self._out.status:
                raise
            visit.forget()
            handled = visit.handled(visit.refusal(error))
            await self._out.whole(visit.renewed(handled.response), handled.cookies)
            await self._given_up(error)
            return error.reason
        return visit.word

    async def _given_up(self, error: SeeOtherError) -> None:
        """The app's answer was replaced by ours: let it end, and do not hide how."""
        self._released.set()
        if self._app is None:
            return
        await asyncio.wait((self._app,))
        failure = None if self._app.cancelled() else self._app.exception()
        if failure is not None and failure is not error:
            EVENTS.error("a view failed after its answer was given up", exc_info=failure)

    async def _admit(self, visit: Visit) -> None:
        """Read the form, if it is one, and name the submission."""
        request = visit.greeting.request
        if not visit.greeting.unsafe:
            return
        try:
            reads = is_form(request) and not visit.off
            version, most = str(self._scope.get("http_version", "1.1")), visit.policy.max_body
            visit.submit(await self._in.form(request, most, version) if reads else None)
        except TooLarge as error:
            visit.pass_unread(error)
        self._outer.admitted(visit)

    # The conversation ------------------------------------------------------------------------

    async def _converse(self, visit: Visit) -> None:
        """The flow around the app; then whatever the app still has to send."""
        self._hold = Hold(visit.planter, everything=visit.claims)
        perform = performing(self._outer.store.perform, visit.policy)
        answer = await self._outer.driver.arun(visit.flow(), perform, self._handle)
        visit.word = visit.word if answer.word == "page" else answer.word
        await self._release(answer)
        if self._app is not None:
            await self._app

    async def _handle(self, op: Handle) -> Handled:
        """Run the app until its answer is known as far as the flow needs it."""
        visit = self._visit
        visit.begin(op.opened, op.taken)
        visit.grant = op.grant
        self._seen = self._outer.inner(inside(self._scope, visit, self._outer), visit)
        self._app = asyncio.ensure_future(self._outer.app(self._seen, self._hear, self._say))
        self._app.add_done_callback(self._go_on)
        if op.taken:
            self._in.watch()
        await self._ready
        if not self._answered:
            await self._app
            raise Silent
        handled = visit.answered(self._hold)
        if op.taken and await self._in.gone():  # shown to nobody: its messages must wait
            return replace(handled, shown=False)
        return handled

    async def _hear(self) -> Message:
        """`receive` for the app; a submission hears of a disconnect after its answer only.

        Who has said its last word has nobody to talk to any more, as under any server.
        """
        message = await self._in.next()
        waits = self._visit.greeting.unsafe and not self._in.over
        if message["type"] == "http.disconnect" and waits:
            await self._released.wait()
        return message

    async def _say(self, message: Message) -> None:
        """`send` for the app."""
        if message["type"] == "http.response.start":
            self._trailers, head = message.get("trailers", False), self._out.head_of(message)
            self._outer.learn(head)
            self._hold.start(head)
            if self._hold.bare:  # a stream may wait long for its first byte; its head does not
                self._go_on()
        elif message["type"] != "http.response.body" or self._hold.head is None:
            await self._say_more(message)
        else:
            body, last = message.get("body", b""), not message.get("more_body", False)
            await self._say_body(body, last=last)
            self._in.over = last and not self._trailers

    async def _say_body(self, body: bytes, *, last: bool) -> None:
        """A piece of the body: held back, or passed on behind its head.

        The last piece is held back also where the flow has enough already: whoever has said
        everything need not wait for the flow.
        """
        if self._ready.done() and (self._begun or not last):
            await self._released.wait()
            if self._own:
                await self._out.piece(self._hold.through(body, last=last), last=last)
            return
        if self._hold.add(body, last=last):
            self._go_on()
        if self._ready.done() and not last:
            await self._released.wait()

    async def _say_more(self, message: Message) -> None:
        """What extensions allow: before the head, right after it, or in place of the body.

        What nobody can say before the head is for the server to judge, as it would without us.
        """
        before = self._hold.head is None and message["type"] not in HINTS
        if before or message["type"] == "http.response.debug":
            await self._out.send(message)
        elif message["type"] in HINTS and not self._released.is_set():
            self._hints.append(message)
        else:
            self._go_on()
            await self._released.wait()
            if self._own:
                await self._out.send(message)

    def _go_on(self, ended: object = None) -> None:
        """The flow has enough of the answer, or (`ended`) will never have it."""
        self._answered = self._answered or ended is None
        if not self._ready.done():
            self._ready.set_result(None)

    # The answer ------------------------------------------------------------------------------

    async def _release(self, answer: Answer) -> None:
        """Send the head as the flow decided it, and everything that was held back."""
        visit, head, cookies = self._visit, answer.response, answer.cookies
        own, self._begun = answer.handled is not None, True
        head = visit.renewed(head if own else visit.complete(head))
        if not own:  # a replay, or a page that was kept
            await self._out.whole(head, cookies)
        elif head.header(b"content-length") == "0":
            await self._out.whole(replace(head, body=b""), cookies)
        else:
            self._own = True
            head, held = self._hold.fitted(head), self._hold.release()
            with suppress(OSError):  # the client has gone; what was done stays done
                await self._out.start(head, cookies, trailers=self._trailers)
                for hint in self._hints:
                    await self._out.send(hint)
                if held or self._hold.complete:
                    await self._out.piece(held, last=self._hold.complete)
        self._released.set()
