"""Planting: a hidden field into every form that posts to this site, all other bytes untouched.

A page passes through a `Planter` in chunks of any size, and the same bytes come out for every way
of cutting it. `plant` does the same with a whole document.

**Which forms.** Those that a browser would see as forms, with method POST, that post to this origin
and into this window. Not those in comments, scripts, `<template>` (its clones would share one
token), inside another form (browsers ignore them), or marked `data-seeother="off"`.

**What a stream can know.** Whether a form may have a token depends on more than its start tag: a
`<button formaction>` may send it elsewhere, `{{ seeother_field() }}` may already stand in it. So
from its start tag on a form is held back until its end, at most `HOLD` bytes; what comes later in
it is not known. Nor is what comes after it: a `<base>`, or a button outside with `form="id"`.
`plant` knows those, because it looks twice. A form in a declarative shadow root is never planted.
None of this is what the defence rests on: a token alone never passes a cross-site check.

**`<noscript>`** is text for one browser and markup for another. A form that begins and ends in one
is planted; otherwise what stands in it opens and closes nothing outside, and a form counts as open
if it is open for either browser.

Where only a browser's repair of broken markup could tell, the rest of the page is left alone.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from .action import Page, cleaned, is_foreign, is_own, marked
from .attributes import Attribute, attributes
from .islands import Islands
from .markup import Tag, Tokenizer
from .token import FIELD

__all__ = ["HOLD", "FormTag", "Page", "Planter", "plant"]

HOLD: Final = 1 << 16  # bytes of a page that are held back at most

_FORM = re.compile(rb"<form[\t\n\f\r />]", re.IGNORECASE)
_SAME_WINDOW: Final = frozenset({b"", b"_self", b"_top", b"_parent"})
_ENCTYPES: Final = frozenset({b"multipart/form-data", b"text/plain"})
_URLENCODED: Final = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class FormTag:
    """The start tag of a form: what a template may say to whoever plants.

    `action` is the attribute's value with its references resolved, None where there is none;
    `edit` is `data-seeother-edit`; `off` is `data-seeother="off"`; `own` tells that the form posts
    to the address of its page.
    """

    action: bytes | None
    enctype: str
    target: str
    edit: str | None
    off: bool
    own: bool


type_of_field = bytes | Callable[[FormTag], bytes | None]
