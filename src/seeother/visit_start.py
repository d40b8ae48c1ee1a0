"""The start of a visit: the form is read, and the submission gets its name.

Three things can be in the way of a name, and only one of them is a fault of the sender:

* the path is switched off (`off` in the policy): nothing is read, nobody claims it;
* the form cannot be read without guessing. Where views rely on `visit.form` it is refused. But an
  app that knows nothing of us (zero-code) may have a parser that can; so there it passes, and
  nobody claims it. What is wrong with it is raised if somebody asks for `visit.form` all the same;
* the token is none of ours: `admit` says so.

What passes without a name has been judged all the same: where a token would have had to prove the
origin it is refused (`_prove`), and so is a body that is not as long as it said (`core.body`).
"""

from __future__ import annotations

from functools import cache
from typing import Final

from .core.body import is_form
from .core.entry import Greeting, admit
from .core.form import Form, Limits, Parsed, read_form
from .core.origin import Verdict
from .core.policy import Policy
from .errors import CrossSite, Refused, TokenRequired
from .visit_end import Ending

NO_FORM: Final = Form()
_limits: Final = cache(Limits)  # of a process they are the same for all forms


class Start(Ending):
    """What is known of a request before its view runs; `seeother.visit.Visit` adds the verbs."""

    def __init__(self, greeting: Greeting, policy: Policy, *, trusts_307: bool) -> None:
        super().__init__(greeting, policy, trusts_307=trusts_307)
        self._form = NO_FORM
        self.unread: Refused | None = None
        self.explicit = True

    @property
    def sender(self) -> str:
        """What the request as it came says of who sent it: the headers' principal, the session."""
        sid = self.greeting.sid
        return f"{self.greeting.principal} {sid.hex() if sid is not None else ''}"

    def submit(self, body: bytes | None) -> None:
        """Read the form (None: the body is none) and name the submission.

        Raises what `read_form`, `Form` and `admit` raise; no store was asked. On a path that is
        switched off nothing is read or named. Zero-code, a form that nobody can read without
        guessing is for the app to judge (`pass_unread`), and one that is no UTF-8 is a submission.
        """
        if self.off:
            return self._prove()
        parsed = Parsed((), canonical=True)
        try:
            parsed = parsed if body is None else self._parsed(body)
        except Refused as error:
            return self.pass_unread(error)
        try:
            self._form = Form(parsed.items)
        except Refused as error:
            if not self.zero_code:
                raise
            self.unread = error
        self.entry = admit(self.greeting, parsed, body or b"", self.policy, who=self.sender)
        return None

    def _parsed(self, body: bytes) -> Parsed:
        policy = self.policy
        limits = _limits(policy.max_fields, policy.max_files, policy.max_part_header)
        kind = self.greeting.request.header(b"content-type") or b""
        return read_form(kind.decode("latin-1"), body, limits)

    def pass_unread(self, error: Refused) -> None:
        """Let a form pass that cannot be read, unprotected: without a name nobody can claim it.

        Raises the error where this is not zero-code, CrossSite where a token had to prove the
        origin, TokenRequired where the policy asks for one.
        """
        if not self.zero_code:
            raise error
        self._prove()
        if self.policy.require_token:
            raise TokenRequired(f"the form cannot be read: {error.detail}") from error
        self.unread = error

    def _prove(self) -> None:
        """Nobody reads the token of this request: it must have been proved without one."""
        if self.greeting.verdict is Verdict.TOKEN:
            raise CrossSite("nothing but a token could prove where this came from")

    @property
    def form(self) -> Form:
        """The strictly parsed form. Raises what is wrong with one that passed all the same."""
        if self.unread is not None:
            raise self.unread
        return self._form

    @property
    def zero_code(self) -> bool:
        """Does the adapter claim by itself, around an app that knows nothing of it?"""
        return not self.explicit and self.policy.mode in (None, "separate")

    @property
    def off(self) -> bool:
        """Is this path to be left alone? Only the origin of what is sent to it is judged."""
        request = self.greeting.request
        return bool(self.policy.off) and self.policy.leaves(request.root + request.path)

    @property
    def claims(self) -> bool:
        """Does the adapter claim this request itself (separate)? Only forms submit anything."""
        form = self.entry is not None and is_form(self.greeting.request)
        return form and self.policy.mode in (None, "separate")
