"""The visit: what a view sees of seeother during one request.

It is the only mutable thing, it lives exactly as long as its request, and it asks no store: what
there is to read was fetched before the view ran, what it leaves is collected after it
(`Visit.handled`) and written in one step together with the outcome.

    visit.session            a mapping whose writes merge, key by key
    visit.form               the strictly parsed form
    visit.flash(text, ...)   leave a message for the page behind the redirect
    visit.flashes()          the messages for this page; reading them is what consumes them
    visit.field()            the hidden field with a fresh token
    visit.see_other(target)  303, with a message or a draft
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import replace
from typing import Any, Final

from . import pages
from .core.again import SECONDS as COOKIES_SECONDS
from .core.cookie import SetCookie
from .core.entry import COOKIE_BYTES, ECHO_JOINT, Greeting
from .core.flows import Answer, page, submission
from .core.headers import is_shared, redirect
from .core.html import FormTag, Page, Planter, Unlabelled
from .core.mark import add, sign
from .core.ops import Flow, Opened, Taken
from .core.policy import Policy
from .core.principal import signs_out
from .core.record import unpack_draft
from .core.seal import can_seal, unseal
from .core.session import Session, dump_json
from .core.stored import address, keeps
from .core.target import safe_target
from .core.token import EDITS, FIELD, OnEdit, mint
from .core.values import Draft, Flash, Handled, KeptPage, Response
from .core.waiting import cut_wait
from .errors import Refused, SeeOtherError
from .hold import Hold, can_plant, is_html, names_charset
from .visit_answers import refusal, renewed, resend, watch
from .visit_end import NOTHING
from .visit_start import Start

NO_NAMES: Final[Set[bytes]] = frozenset()


class Html(str):
    """Markup that template engines do not escape (the `__html__` convention)."""

    __slots__ = ()

    def __html__(self) -> str:
        return str(self)


class DraftRefused(Refused):
    """Input that was rejected and cannot be kept for this visitor: answered in place."""

    status = 422
    reason = "rejected"
    title = "Please check what you typed"
    hint = "Nothing was saved yet. Correct the form below and send it."


class Visit(Start):
    """One request, seen from the view.

    `dump` and `load` are the codec of a session's values; a framework may bring its own.
    """

    dump: Callable[[Any], bytes] = staticmethod(dump_json)
    load: Callable[[bytes], Any] = staticmethod(json.loads)

    def __init__(self, greeting: Greeting, policy: Policy, *, trusts_307: bool = True) -> None:
        super().__init__(greeting, policy, trusts_307=trusts_307)
        self.word = "page"
        self.said: Set[bytes] = NO_NAMES
        self._taken: tuple[Flash, ...] = ()

    def flow(self) -> Flow[Answer]:
        """The conversation around this request."""
        _, named = cut_wait(self.policy.ring, self.greeting.request.query, self.policy.mark)
        if named is not None and not self.greeting.unsafe:
            return watch(self, named)
        if self.claims and self.entry is not None:
            return submission(self.entry, self.policy, "separate", surround=True)
        return page(self.greeting, self.policy)

    def begin(self, opened: Opened | None, taken: tuple[Taken, ...]) -> None:
        """What was fetched for this visit."""
        self._opened = opened or NOTHING
        self._taken = tuple([message for one in taken for message in one.messages])

    def answered(self, hold: Hold) -> Handled:
        """What the app answered, as far as it was held back, and what this visit leaves behind.

        A whole page that answers a submission is kept as it is (`core.stored`); all others are
        planted now. A page that holds a token already is not kept: a token is for one visit.
        """
        assert hold.head is not None
        page, own = None, self._rendered or self.settled is not None
        head = hold.kept_head
        if self.entry is not None and self.claims and head is not None and not own:
            page = hold.page() if keeps(self.entry, head, self.policy) else None
        if page is None:
            hold.plant()
            self._foresee(hold)
        handled = self.handled(hold.head)
        if self._signs_out(hold.head):
            handled = replace(handled, cookies=(*handled.cookies, self._parting()))
        return handled if page is None else replace(handled, page=KeptPage(page, self.said))

    def _signs_out(self, head: Response) -> bool:
        """Does an app that knows nothing of us end its session, as far as can be seen?"""
        greeting, lines = self.greeting, head.all(b"set-cookie")
        outside = self.policy.mode in (None, "separate") and self.settled is None
        known = greeting.visitor is not None and greeting.sid is None
        return bool(lines) and outside and known and signs_out(greeting, lines, self.said)

    def _parting(self) -> SetCookie:
        """The id of no session. Whoever carries it is not the sender that he was before.

        So a form of before the sign-out that is sent again brings no cookies back (`core.again`),
        for as long as those are kept.
        """
        name, none = self.greeting.names.session, self.greeting.request.entropy(COOKIE_BYTES)
        return self._cookie(name, none, COOKIES_SECONDS)

    def _foresee(self, hold: Hold) -> None:
        """Decide about a page whose end is not seen: there may be forms in what comes.

        A token makes it personal, and who gets the first one gets the visitor's cookie with it. But
        both are said in the head, which cannot wait. A page that is for shared caches stays one.
        """
        if hold.head is None or self._rendered or not hold.unseen:
            return
        if is_shared(hold.head.headers):
            hold.leave()
        else:
            self.token()

    # Sessions, messages, drafts --------------------------------------------------------------

    @property
    def session(self) -> Session:
        """The visitor's session as a mutable mapping."""
        if self._session is None:
            self._session = Session(self._opened.session or (), dump=self.dump, load=self.load)
        return self._session

    def flash(self, text: str, category: str = "message", link: str | None = None) -> None:
        """Leave a one-time message for the page behind the redirect of this answer.

        `category` is any word, as in Flask; `link` leads to the thing that the message is about.
        """
        self._given.append(Flash(text, category, link))

    def flashes(self) -> tuple[Flash, ...]:
        """The messages for this page. They count as shown once this was called."""
        self._shown = True
        self._taken, self._given = (*self._taken, *self._given), []
        return self._taken

    def waiting(self, *, given: bool = True) -> tuple[Flash, ...]:
        """The messages for this page, and those it leaves; looking at them consumes nothing."""
        return (*self._taken, *(self._given if given else ()))

    @property
    def session_is_new(self) -> bool:
        """Did this request bring no session with it, or one that is over?"""
        return self._opened.session is None

    def leave(self, messages: Iterable[Flash]) -> None:
        """Leave exactly these messages, and none that were left before."""
        self._given = list(messages)

    @property
    def draft(self) -> Draft | None:
        """Rejected input that waits under this page's mark, or is shown in place (`reject`)."""
        greeting = self.greeting
        if self._in_place is not None:
            return self._in_place
        if not self._opened.draft or greeting.mark is None or greeting.visitor is None:
            return None
        row, visitor, sealed = greeting.mark, greeting.visitor, self._opened.draft
        for who in dict.fromkeys((self.principal, "")):  # what nobody typed survives a sign-in
            plain = unseal(
                self.policy.ring, sealed, purpose="draft", row=row, visitor=visitor, who=who
            )
            if plain is not None:
                return unpack_draft(plain)
        return None

    # Who is signed in ------------------------------------------------------------------------

    @property
    def principal(self) -> str:
        """Who is signed in, as far as it can be told; empty for nobody (security rule 4).

        The policy's `identity(visit)` decides, else the adapter, else the headers. It is asked only
        where a draft is given or opened.
        """
        identity = self.policy.identity
        found = self.user() if identity is None else identity(self)
        return self.greeting.principal if found is None else f"user:{found}"

    def user(self) -> object:
        """The user's id, where an adapter knows it; None where it does not, or nobody is there."""
        return None

    def renew(self) -> None:
        """Somebody else is at this browser from now on: what waits for the old one waits no more.

        To be called when somebody signs out or another one signs in; a new visitor cookie goes out
        with this answer. Messages that this view leaves are for the new one.
        """
        if self.greeting.visitor is not None:
            self._visitor, self._renewed = self.greeting.request.entropy(COOKIE_BYTES), True

    # Forms -----------------------------------------------------------------------------------

    def token(self, scope: str = "", on_edit: OnEdit | None = None) -> str:
        """A fresh token, followed by this page's mark where there is one (the echo).

        `scope` is the path that the form posts to: the token is good for that path only. Without
        one it is good for every path; method and path are in the fingerprint all the same.
        """
        self._rendered = True
        request, unbound = self.greeting.request, self.greeting.visitor is None
        if self._visitor is None:
            self._visitor = request.entropy(COOKIE_BYTES)
        token = mint(
            self.policy.ring,
            visitor=self._visitor,
            now=request.now,
            nonce=request.entropy(16),
            scope=scope,
            on_edit=on_edit or self.policy.on_edit,
            unbound=unbound,
            had_headers=self.greeting.has_fetch_metadata,
        )
        mark = self.greeting.mark
        return token if mark is None else f"{token}{ECHO_JOINT}{sign(self.policy.ring, mark)}"

    def field(self, scope: str = "", on_edit: OnEdit | None = None) -> Html:
        """The hidden field that names this submission and proves where it comes from."""
        return Html(f'<input type="hidden" name="{FIELD}" value="{self.token(scope, on_edit)}">')

    def action(self, url: str) -> str:
        """The action of a form that posts to its page's own URL: with the empty marker."""
        return url if self.policy.mark is None else add(url, self.policy.mark, None)

    def planter(self, head: Response) -> Planter | None:
        """The planting of tokens into a page of this visit, if there is any to be done."""
        request = self.greeting.request
        left = not self.policy.inject or self.off or request.method == "HEAD"
        if left or not can_plant(head):
            return None
        query = request.query.decode("latin-1")
        here = Page(request.origin, request.root + request.path, query, self.policy.mark)
        kind = Planter if names_charset(head) else Unlabelled
        return kind(self._planted, page=here)

    def _planted(self, form: FormTag) -> bytes | None:
        edit = form.edit if form.edit in EDITS else None
        return self.field(on_edit=edit).encode("ascii")

    # Answers ---------------------------------------------------------------------------------

    def see_other(
        self,
        target: str,
        *,
        flash: str | tuple[str, str] | Flash | None = None,
        draft: Mapping[str, str] | None = None,
    ) -> Response:
        """303 to a proved target, with a message, or with the rejected input as a draft.

        `flash` is a text, (text, category) or a Flash; `draft` maps field names to what is wrong
        with them. Where a draft cannot be kept (no visitor cookie, or `cryptography` is missing)
        the rejected form is answered in place, with status 422. Raises UnsafeTarget.
        """
        request, policy = self.greeting.request, self.policy
        location = safe_target(target, base=request.url, hosts=policy.redirect_hosts)
        if isinstance(flash, str):
            self.flash(flash)
        elif flash is not None:
            self._given.append(flash if isinstance(flash, Flash) else Flash(*flash))
        if draft is not None:
            self._draft_given = Draft(self.form.pairs(), tuple(draft.items()), self.principal)
            if not self._keeps_drafts(location):
                return self.resend(DraftRefused(), errors=draft)
        status = policy.redirect_status
        return Response(status, redirect(status, location))

    def reject(self, errors: Mapping[str, str]) -> Draft:
        """The input is rejected in place: from now on it is this visit's `draft`, errors included.

        For a view that renders its form at once, for clients that swap what they get. The page is
        sent with status 422 (RFC 9110 section 15.5.21) unless the view names an error itself.
        `errors` maps field names to what is wrong with them; password-like fields come back empty.
        A plain browser asks before it sends such a page again; `see_other(draft=...)` spares that.
        """
        policy = self.policy
        typed = tuple(
            (name, value)
            for name, value in self.form.pairs()
            if name not in policy.ignored and not policy.is_secret(name)
        )
        self._in_place = Draft(typed, tuple(errors.items()), self.principal)
        return self._in_place

    def _keeps_drafts(self, location: str) -> bool:
        """Can the page behind this redirect open a draft? It needs cookie, mark and seal."""
        here = self.greeting.request.origin + "/"
        ours = not location.startswith("http") or location.startswith(here)
        known = self.greeting.visitor is not None and self.policy.mark is not None
        return known and ours and can_seal()

    def repeat(self, target: str, *, permanent: bool = False) -> Response:
        """307 (or 308): the browser sends the same form to another URL (RFC 9110 15.4.8)."""
        location = safe_target(
            target, base=self.greeting.request.url, hosts=self.policy.redirect_hosts
        )
        self._repeats = True
        status = 308 if permanent else 307
        return Response(status, redirect(status, location))

    def resend(self, error: SeeOtherError, errors: Mapping[str, str] | None = None) -> Response:
        """The form once more, inline; a token that is still good stays the same."""
        return resend(self, error, errors)

    def complete(self, response: Response) -> Response:
        """An answer without the app: a page that was stored, or a replay.

        A replay without a Location has no body that was recorded: say that it was done.
        """
        if response.header(b"content-length") is not None:
            return response
        if response.header(b"content-type") is not None:  # a page in which nothing is planted yet
            return self._shown_again(response)
        request = self.greeting.request
        if self.greeting.unsafe and address(request) is not None:
            return pages.already_page(request.root + request.path)
        return pages.already_page(request.root + "/", link="To the start page")

    def _shown_again(self, page: Response) -> Response:
        """A stored page with fresh tokens; HEAD gets none, so how long it is remains unsaid."""
        if self.greeting.request.method == "HEAD":
            return page
        planter = self.planter(page) if is_html(page) else None
        body = page.body if planter is None else planter.feed(page.body) + planter.close()
        size = (b"content-length", str(len(body)).encode())
        return Response(page.status, (*page.headers, size), body)

    def renewed(self, head: Response) -> Response:
        """The head of an answer, with a fresh token in it where the form of a script may stay."""
        return renewed(self, head)

    def refusal(self, error: SeeOtherError) -> Response:
        """The answer to anything that went wrong: the form once more where that is safe."""
        return refusal(self, error)

    def forget(self) -> None:
        """The submission had no effect: what the view left in this visit goes with it."""
        self._given, self._draft_given, self._in_place, self._session = [], None, None, None
        if self._renewed:
            self._visitor, self._renewed = self.greeting.visitor, False
