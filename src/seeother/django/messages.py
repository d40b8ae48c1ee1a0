"""`django.contrib.messages`, bound to the redirect that they travel with.

    MESSAGE_STORAGE = "seeother.django.messages.FlashStorage"

`messages.success(request, ...)`, levels, tags and templates stay as they are. A message is shown
once, in the tab that caused it, and by a page that somebody sees: no prefetch, no other tab and no
failed page can take it.

A receipt belongs to a visitor. Somebody without a visitor cookie (a first request, a client without
a browser) gets the message in Django's own signed cookie, as with CookieStorage.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from django.contrib.messages import constants
from django.contrib.messages.storage.base import BaseStorage, Message
from django.contrib.messages.storage.cookie import CookieStorage
from django.http import HttpRequest, HttpResponseBase
from django.utils.safestring import SafeData, mark_safe

from ..core.values import Flash
from .visits import DjangoVisit, visit_of

TAGGED: Final = "\x00"
LEVELS: Final = {tag: level for level, tag in constants.DEFAULT_TAGS.items()}
PLAIN: Final = "message"


def flash_of(message: Message) -> Flash:
    """A message of Django's as one of ours; the level is the category."""
    safe = isinstance(message.message, SafeData)
    tag = constants.DEFAULT_TAGS.get(message.level)
    if tag is not None and not message.extra_tags and not safe:
        return Flash(str(message.message), tag)
    facts = json.dumps([message.level, message.extra_tags, safe], separators=(",", ":"))
    return Flash(str(message.message), TAGGED + facts)


def message_of(flash: Flash) -> Message:
    """The inverse of `flash_of`; a category that is no level becomes a tag of level INFO."""
    if flash.category.startswith(TAGGED):
        level, extra, safe = json.loads(flash.category.removeprefix(TAGGED))
        return Message(level, mark_safe(flash.text) if safe else flash.text, extra)  # noqa: S308
    if flash.category in LEVELS:
        return Message(LEVELS[flash.category], flash.text, "")
    extra = "" if flash.category == PLAIN else flash.category
    return Message(constants.INFO, flash.text, extra)


class FlashStorage(BaseStorage):
    """Messages in the receipt of their submission; Django finds it by MESSAGE_STORAGE."""

    if TYPE_CHECKING:  # the part of the base class that is for storages
        _queued_messages: list[Message]

        def _prepare_messages(self, messages: Sequence[Message]) -> None: ...

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        self._visit = visit_of(request)
        self._cookie: Any = CookieStorage(request)
        self._in_cookie = False

    def _get(self, *_args: Any, **_kwargs: Any) -> tuple[list[Message], bool]:
        """What waits for this page; looking at it consumes nothing."""
        kept, complete = self._cookie._get()  # noqa: SLF001 - the protocol of storages
        self._in_cookie = bool(kept)
        waiting = self._visit.waiting(given=False) if self._visit is not None else ()
        return [*(kept or ()), *map(message_of, waiting)], complete

    def update(self, response: HttpResponseBase) -> list[Message]:
        """The page is made: what it showed is shown, what was added waits for the next one."""
        self._prepare_messages(self._queued_messages)
        visit = self._visit
        if visit is None:
            return super().update(response) or []
        if visit.raised is not None:  # it had no effect, so there is nothing to tell of it
            return []
        if visit.greeting.visitor is None:
            return self._update_cookie(visit, response)
        left = _left(visit)
        if self.used:
            visit.flashes()
            if self._in_cookie:
                self._store([], response)
        visit.leave((*left, *map(flash_of, self._queued_messages)))
        return []

    def _update_cookie(self, visit: DjangoVisit, response: HttpResponseBase) -> list[Message]:
        """Nobody could open a receipt: what the view left by its visit goes the same way."""
        left = _left(visit)
        if left:
            self._queued_messages += map(message_of, left)
            self.added_new = True
            visit.leave(())
        return super().update(response) or []

    def _store(
        self, messages: Sequence[Message], response: HttpResponseBase, *args: Any, **kwargs: Any
    ) -> list[Message]:
        """Keep messages in the cookie; an empty list deletes it."""
        self._prepare_messages(messages)
        left: list[Message] = self._cookie._store(list(messages), response, *args, **kwargs)  # noqa: SLF001
        return left


def _left(visit: DjangoVisit) -> tuple[Flash, ...]:
    """What the view left by the visit itself (`see_other(flash=...)`)."""
    return visit.waiting()[len(visit.waiting(given=False)) :]
