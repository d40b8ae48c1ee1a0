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
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from html import escape
from typing import Any, Final, cast, get_args

from . import pages
from .core.body import is_form
from .core.cookie import SetCookie
from .core.entry import COOKIE_BYTES, ECHO_JOINT, Entry, Greeting, admit
from .core.fingerprint import session_id
from .core.flows import Answer, page, submission
from .core.form import Form, Limits, Parsed, read_form
from .core.headers import redirect
from .core.html import FormTag, Page, Planter
from .core.keys import encode
from .core.mark import add, sign
from .core.ops import Flow, Opened, Taken
from .core.policy import Policy
from .core.record import unpack_draft
from .core.seal import can_seal, unseal
from .core.session import Session, dump_json
from .core.target import safe_target
from .core.token import FIELD, OnEdit, mint
from .core.values import Changes, Draft, Flash, Handled, Key, Response, SessionWrite
from .core.waiting import Awaited, Fate, cut_wait, waited
from .errors import Interrupted, OutcomeUnknown, Refused, SeeOtherError, StoreError
from .hold import can_plant
from .log import EVENTS, clean

TOUCHES: Final = 14  # a busy session is touched about once a day, by unsafe requests only
VISITOR_SECONDS: Final = 400 * 86_400  # the longest that browsers allow (RFC 6265bis 5.5)


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


class Visit:
    """One request, seen from the view.

    `dump` and `load` are the codec of a session's values; a framework may bring its own.
    """

    dump: Callable[[Any], bytes] = staticmethod(dump_json)
    load: Callable[[bytes], Any] = staticmethod(json.loads)

    def __init__(self, greeting: Greeting, policy: Policy, *, trusts_307: bool = True) -> None:
        self.greeting, self.policy = greeting, policy
        self.form = Form()
        self._repeats = trusts_307
        self.entry: Entry | None = None
        self.word = "page"
        self.settled: tuple[SetCookie, ...] | None = None
        self.running: Key | None = None
        self._opened = Opened()
        self._taken: tuple[Flash, ...] = ()
        self._given: list[Flash] = []
        self._draft_given: Draft | None = None
        self._session: Session | None = None
        self._shown = self._rendered = False
        self._visitor = greeting.visitor
        self._new_sid = b""

    def submit(self, body: bytes | None) -> None:
        """Read the form (None: the body is none) and name the submission.

        Raises what `read_form`, `Form` and `admit` raise; no store was asked.
        """
        policy, request = self.policy, self.greeting.request
        parsed = Parsed((), canonical=True)
        if body is not None:
            limits = Limits(policy.max_fields, policy.max_files, policy.max_part_header)
            kind = request.header(b"content-type") or b""
            parsed = read_form(kind.decode("latin-1"), body, limits)
            self.form = Form(parsed.items)
        self.entry = admit(self.greeting, parsed, body or b"", policy)

    @property
    def claims(self) -> bool:
        """Does the adapter claim this request itself (separate)? Only forms submit anything."""
        form = self.entry is not None and is_form(self.greeting.request)
        return form and self.policy.mode in (None, "separate")

    def flow(self) -> Flow[Answer]:
        """The conversation around this request."""
        _, named = cut_wait(self.policy.ring, self.greeting.request.query, self.policy.mark)
        if named is not None and not self.greeting.unsafe:
            return self._watch(named)
        if self.claims and self.entry is not None:
            return submission(self.entry, self.policy, "separate", surround=True)
        return page(self.greeting, self.policy)

    def _watch(self, awaited: Awaited) -> Flow[Answer]:
        """The waiting page: what became of a submission that took too long to wait for."""
        request = self.greeting.request
        found = yield from waited(awaited, self.policy)
        if found.fate is Fate.RUNNING:
            return Answer(pages.waiting_page(request.url.removeprefix(request.origin)), "waiting")
        if found.fate is Fate.IN_DOUBT:
            raise OutcomeUnknown("an earlier attempt ended without an answer")
        if found.outcome is not None:
            location = found.outcome.location
            return Answer(self.complete(Response(303, redirect(303, location) if location else ())))
        raise Interrupted("the claim is gone; nothing took effect")

    def begin(self, opened: Opened | None, taken: tuple[Taken, ...]) -> None:
        """What was fetched for this visit."""
        self._opened = opened or Opened()
        self._taken = tuple(message for one in taken for message in one.messages)

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
        """Rejected input that waits under this page's mark."""
        greeting = self.greeting
        if not self._opened.draft or greeting.mark is None or greeting.visitor is None:
            return None
        row, visitor = greeting.mark, greeting.visitor
        plain = unseal(
            self.policy.ring, self._opened.draft, purpose="draft", row=row, visitor=visitor
        )
        return unpack_draft(plain) if plain is not None else None

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
        if not self.policy.inject or request.method == "HEAD" or not can_plant(head):
            return None
        query = request.query.decode("latin-1")
        here = Page(request.origin, request.root + request.path, query, self.policy.mark)
        return Planter(self._planted, page=here)

    def _planted(self, form: FormTag) -> bytes | None:
        edit = form.edit if form.edit in get_args(OnEdit) else None
        return self.field(on_edit=cast("OnEdit | None", edit)).encode("ascii")

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
            self._draft_given = Draft(self.form.pairs(), tuple(draft.items()))
            if not self._keeps_drafts(location):
                return self.resend(DraftRefused(), errors=draft)
        status = policy.redirect_status
        return Response(status, redirect(status, location))

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
        request, ignored = self.greeting.request, self.policy.ignored
        fields = [(n, v) for n, v in self.form.pairs() if n not in ignored]
        kept = self.form.get(FIELD) if isinstance(error, StoreError) else None
        same = f'<input type="hidden" name="{FIELD}" value="{escape(kept or "")}">'
        token = same if kept else self.field()
        query = request.query.decode("latin-1")
        action = request.root + request.path + (f"?{query}" if query else "")
        return pages.resend_page(
            error,
            fields,
            action=self.action(action),
            token=token,
            errors=errors,
            secret=[n for n, _ in fields if self.policy.is_secret(n)],
            debug=bool(self.policy.debug),
        )

    def complete(self, response: Response) -> Response:
        """A replay; without a Location there is no recorded body: say that it was done."""
        if response.body or response.header(b"location") is not None:
            return response
        request = self.greeting.request
        return pages.already_page(request.root + request.path)

    def refusal(self, error: SeeOtherError) -> Response:
        """The answer to anything that went wrong: the form once more where that is safe."""
        greeting, request = self.greeting, self.greeting.request
        if error.resend and greeting.unsafe and greeting.same_origin and len(self.form):
            return self.resend(error)
        home = request.root + request.path if greeting.unsafe else None
        return pages.error_page(error, debug=bool(self.policy.debug), home=home)

    def forget(self) -> None:
        """The submission had no effect: what the view left in this visit goes with it."""
        self._given, self._draft_given, self._session = [], None, None

    # The end ---------------------------------------------------------------------------------

    def handled(self, response: Response) -> Handled:
        """What this visit leaves behind, to be written in one step with the outcome."""
        if self.settled is not None:
            cookies = {cookie.name: cookie for cookie in (*self.settled, *self._cookies(None))}
            kept = tuple(cookies.values())
            return Handled(response, rendered=self._rendered, cookies=kept, final=True)
        self._notice(response)
        write = self._session_write()
        return Handled(
            response,
            flashes=tuple(self._given),
            draft=self._draft_given,
            session=write,
            shown=self._shown,
            rendered=self._rendered,
            cookies=self._cookies(write),
            repeat=self._repeats,
        )

    def _notice(self, response: Response) -> None:
        """In joined and fenced mode an effect without `once` is nobody's but the app's."""
        named = self.entry is not None and self.entry.named and self.entry.key != self.running
        if named and self.policy.mode in ("joined", "fenced") and response.status < 400:
            request = self.greeting.request
            path = clean(request.root + request.path)
            EVENTS.warning("unprotected: %s %s was answered without once()", request.method, path)

    def _session_write(self) -> SessionWrite | None:
        """What this visit did to its session, and under which id it goes on."""
        session, old = self._session, self._session_id()
        changes = session.changes() if session is not None else Changes()
        rotated = session is not None and session.rotated and old is not None
        if old is None:
            return self._begun(changes) if changes.sets or changes.updates else None
        if changes.cleared:  # signed out: what is set afterwards belongs to somebody else
            kept = changes.sets or changes.updates
            write = self._begun(changes) if kept else SessionWrite(old, Changes())
            return replace(write, ends=old)
        if rotated:
            self._new_sid = self.greeting.request.entropy(COOKIE_BYTES)
            return SessionWrite(session_id(self._new_sid), changes, moves=old)
        idle = self.greeting.unsafe and self._opened.unseen > self.policy.session_idle / TOUCHES
        return SessionWrite(old, changes) if changes or idle else None

    def _session_id(self) -> bytes | None:
        """The id of the session that was opened; an unknown id is as good as none."""
        opened = self._opened.session is not None and self.greeting.sid is not None
        return session_id(self.greeting.sid or b"") if opened else None

    def _begun(self, changes: Changes) -> SessionWrite:
        self._new_sid = self.greeting.request.entropy(COOKIE_BYTES)
        return SessionWrite(session_id(self._new_sid), changes, fresh=True)

    def _cookies(self, write: SessionWrite | None) -> tuple[SetCookie, ...]:
        greeting, out = self.greeting, []
        if self._rendered and greeting.visitor is None and self._visitor is not None:
            out.append(self._cookie(greeting.names.visitor, self._visitor, VISITOR_SECONDS))
        if write is not None and self._new_sid:
            seconds = int(self.policy.session_idle)
            out.append(self._cookie(greeting.names.session, self._new_sid, seconds))
        elif write is not None and write.ends is not None:
            out.append(SetCookie.expired(greeting.names.session, secure=greeting.secure))
        return tuple(out)

    def _cookie(self, name: str, value: bytes, seconds: int) -> SetCookie:
        return SetCookie(name, encode(value), max_age=seconds, secure=self.greeting.secure)
