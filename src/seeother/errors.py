"""What can go wrong, each thing once.

One root, `SeeOtherError`, and a branch for *what was learnt*:

* `Refused`     the request cannot be let through; nothing of it took effect;
* `StoreError`  the store could not answer; nothing is lost, the same token stays valid;
* `PolicyError` the developer asked for something that cannot be; raised at the start.

Every class carries three things for people: `status` (the HTTP status of the answer), `reason`
(one stable word for logs, metrics and tests) and `hint` (one sentence: what to do next). `resend`
says that a same-origin sender gets the form back with everything typed. They are
raised in the core and rendered in exactly one place, `seeother.pages`.
"""

from __future__ import annotations

__all__ = [
    "BadForm",
    "BadHost",
    "BadToken",
    "CrossSite",
    "EditRefused",
    "EditUnconfirmed",
    "Interrupted",
    "LengthRequired",
    "OutcomeUnknown",
    "PolicyError",
    "Refused",
    "SeeOtherError",
    "SentTooOften",
    "StaleToken",
    "StoreBusy",
    "StoreDown",
    "StoreError",
    "TokenRequired",
    "TooLarge",
    "UnsafeTarget",
    "UnsupportedForm",
]


class SeeOtherError(Exception):
    """The root of everything that seeother raises.

    `detail` says what arrived and which rule decided; it is shown in debug and in logs only.

    >>> raise StaleToken("issued 25 h ago, max_age is 24 h")
    Traceback (most recent call last):
    seeother.errors.StaleToken: issued 25 h ago, max_age is 24 h
    """

    status: int = 500
    reason: str = "error"
    resend: bool = False
    title: str = "Something went wrong"
    hint: str = "Please try again in a moment."

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail or self.hint)
        self.detail = detail


class Refused(SeeOtherError):
    """The request was refused before any effect; nothing was changed."""

    status = 400
    reason = "refused"
    title = "This could not be accepted"
    hint = "Go back to the form and send it again."


class BadForm(Refused):
    """The form body cannot be read without guessing (RFC 7578, WHATWG URL 5.1)."""

    reason = "bad-form"
    title = "The form could not be read"
    hint = "The data that arrived is damaged. Nothing was saved; please send the form again."


class LengthRequired(Refused):
    """A form body came without a length (RFC 9110 section 15.5.12)."""

    status = 411
    reason = "length-required"
    title = "The request has no length"
    hint = "Send the form with a Content-Length header."


class TooLarge(Refused):
    """The body is larger than the policy allows (RFC 9110 section 15.5.14)."""

    status = 413
    reason = "too-large"
    title = "That is too much at once"
    hint = "Nothing was saved. Go back, your text is still in the form, and send less at once."


class UnsupportedForm(Refused):
    """The body is of a kind that this form does not take (RFC 9110 section 15.5.16)."""

    status = 415
    reason = "unsupported-form"
    title = "This kind of form is not accepted"
    hint = "Send the form as application/x-www-form-urlencoded."


class BadHost(Refused):
    """The Host header names a site that this is not (DNS rebinding, security rule 7)."""

    reason = "bad-host"
    title = "Unknown host"
    hint = "Open this site under its own address."


class BadToken(Refused):
    """The token is not one of ours: wrong length, spelling, key, scope or tag; or of the future."""

    reason = "bad-token"
    resend = True
    title = "Please send this once more"
    hint = "The form's token was not one of ours. Nothing was saved yet."


class TokenRequired(BadToken):
    """The policy asks for a token and there was none."""

    reason = "token-required"
    hint = "The form came without its token. Nothing was saved yet."


class StaleToken(Refused):
    """The token was ours, but it is expired or belongs to another visitor."""

    reason = "stale-token"
    resend = True
    title = "Please send this once more"
    hint = (
        "This page was open for a long time. Nothing you typed is lost and nothing was saved yet."
    )


class CrossSite(Refused):
    """Another site sent this request (or nobody can prove otherwise)."""

    status = 403
    reason = "cross-site"
    title = "This came from another site"
    hint = "For your safety it was not accepted. Open the form here and send it from there."


class EditRefused(Refused):
    """The token was used with other input, and this form may be sent once (`on_edit` "refuse")."""

    status = 409
    reason = "edit-refused"
    title = "This form was already sent"
    hint = "It was sent with other input before. Open the form again to send another one."


class EditUnconfirmed(EditRefused):
    """The token was used with other input; the person is asked first (`on_edit` "confirm")."""

    reason = "edit-unconfirmed"
    resend = True
    hint = "It was sent with other input before. Press Send to send this one as well."


class SentTooOften(Refused):
    """A token has as many rows as it may have (`max_rows_per_token`; RFC 6585 section 4)."""

    status = 429
    reason = "sent-too-often"
    resend = True
    title = "This form was sent too often"
    hint = (
        "It was sent too often with different input, so this one was not saved."
        " Press Send to send it as a new form."
    )


class UnsafeTarget(SeeOtherError, ValueError):
    """A redirect target that is not provably on this site (RFC 9110 section 10.2.2)."""

    status = 400
    reason = "unsafe-target"
    title = "That link leads somewhere else"
    hint = "The address to continue at is not on this site."


class StoreError(SeeOtherError):
    """The store could not do what it was asked; the same token may be sent again."""

    status = 503
    reason = "store-error"
    resend = True
    title = "Not saved yet"
    hint = "This could not be saved just now. Nothing is lost: press Send to try again."


class StoreBusy(StoreError):
    """The store stayed locked for the whole patience."""

    reason = "store-busy"


class StoreDown(StoreError):
    """The store is unreachable, full, read-only or damaged."""

    reason = "store-down"


class Interrupted(StoreError):
    """Somebody waited for a submission that ended without any effect."""

    reason = "interrupted"
    hint = "The server was interrupted. Nothing was saved: go back to the form and send it again."


class OutcomeUnknown(SeeOtherError):
    """A crash left it open whether the submission took effect (separate); never a blind re-run."""

    status = 500
    reason = "in-doubt"
    resend = True
    title = "We cannot tell whether this was saved"
    hint = (
        "The server stopped in the middle of it. Please check whether it is there;"
        " press Send only if it is not."
    )


class PolicyError(SeeOtherError, ValueError):
    """A setting that does not exist or cannot be."""

    reason = "policy"
    title = "seeother is configured wrongly"
