"""Who signs in and out, where `django.contrib.auth` is installed.

What waits for a browser (messages, drafts) waits for whoever sat there. So at a sign-out, and when
another user signs in, the browser becomes a new visitor, and nothing of the old one is shown any
more (security rule 4).
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.dispatch import receiver
from django.http import HttpRequest

from .visits import visit_of


@receiver(user_logged_out, dispatch_uid="seeother.django.login")
def signed_out(request: HttpRequest | None = None, user: Any = None, **_facts: Any) -> None:
    """Somebody has gone."""
    visit = None if request is None else visit_of(request)
    if visit is not None and user is not None:
        visit.renew()


@receiver(user_logged_in, dispatch_uid="seeother.django.login")
def signed_in(request: HttpRequest | None = None, **_facts: Any) -> None:
    """Another user: `login()` has then flushed the session of the one before, so it has no key."""
    visit = None if request is None else visit_of(request)
    if visit is not None and request is not None and request.session.session_key is None:
        visit.renew()
