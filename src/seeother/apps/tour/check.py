"""`seeother tour --check URL`: five points of a message board, looked at from outside.

Whoever wrote a first server wants to know two things of it: does it do what the lesson says, and
why does the lesson say so. So every point tells what was seen and why it matters, and where it is
broken, how to mend it. What is sent is one message with a name of its own and a bit of markup in
it; all five points are read off the three answers (GET, POST, and the GET behind the redirect).

A server that breaks one point is looked at for the others all the same.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from ...log import clean
from .probe import TIMEOUT, Answer, Learner, NoAnswer
from .reading import words_of

MARKUP: Final = "<b>bold</b>"
BARE: Final = "bold"
BEYOND: Final = "Not looked at: what a double click stores. `seeother tour` shows that."
LONGEST: Final = 100  # of what a server says and we repeat


@dataclass(frozen=True, slots=True)
class Point:
    """One thing that a form's server owes its visitors."""

    name: str
    why: str
    mend: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What was seen of a point."""

    point: Point
    kept: bool
    seen: str


GET = Point(
    "GET answers 200 with HTML",
    "The browser shows a page only if the server calls it text/html; charset=utf-8 keeps every"
    " letter as it was typed.",
    'do_GET: send_response(200), send_header("Content-Type", "text/html; charset=utf-8"),'
    " end_headers(), then write the page as UTF-8.",
)
REDIRECT = Point(
    "POST answers 303 with a Location",
    "303 See Other makes the browser fetch the next page by GET: a refresh then repeats the GET"
    " and never the POST.",
    'do_POST: send_response(303), send_header("Location", "/"), end_headers().',
)
EMPTY = Point(
    "The redirect has an empty body",
    "The browser follows the redirect and shows nothing of it: a page written there is seen by"
    " nobody.",
    "Write nothing after end_headers() in do_POST; a server that keeps connections open also says"
    " Content-Length: 0.",
)
APPEARS = Point(
    "The text appears on the page behind the redirect",
    "Who does not find the message again believes that it is lost, and sends it once more.",
    "Read Content-Length bytes, decode them as UTF-8, take the field by the name that it has in"
    " the form, keep it outside of the request (a list beside the class), and put it on the page"
    " in do_GET.",
)
ESCAPED = Point(
    "Markup is escaped",
    "Otherwise whoever posts a message runs scripts in the browsers of all who read it.",
    "Put html.escape(message) on the page, once, where the page is made.",
)
POINTS: Final = (GET, REDIRECT, EMPTY, APPEARS, ESCAPED)

# What other answers to a POST do to the person in front of it.
INSTEAD: Final = {
    200: "the page came from the POST itself, so a refresh sends the message again",
    301: "browsers may remember a 301 and never ask this address again",
    302: "browsers turn a 302 into a GET by custom only; 303 is the one that says it",
    307: "a 307 sends the POST again, to the next page",
    308: "a 308 sends the POST again, and browsers may remember it",
}


@dataclass(frozen=True, slots=True)
class Seen:
    """The three answers; the later two, or a sentence why there is none."""

    first: Answer
    posted: Answer | str
    landing: Answer | str
    leads_to: str | None
    name: str


def check(url: str, *, timeout: float = TIMEOUT) -> tuple[Finding, ...]:
    """Look at the server under `url` and judge the five points, in order.

    Args:
        url: http or https, the page with the form; `is_address` says whether it is one.
        timeout: seconds to wait for each answer.

    Returns:
        One finding for each of `POINTS`. Sends at most one POST.

    Raises:
        NoAnswer: not even the first GET was answered, so there is nothing to judge.
    """
    seen = look(Learner(url, timeout))
    return tuple(Finding(point, *judge(seen)) for point, judge in zip(POINTS, JUDGES, strict=True))


def is_address(url: str) -> bool:
    """Is this an address that can be looked at?

    >>> is_address("http://localhost:8000/"), is_address("localhost:8000")
    (True, False)
    """
    try:
        parts = urlsplit(url)
        known = parts.port != 0 and bool(parts.hostname) and url.isascii() and url.isprintable()
    except ValueError:
        return False
    return (
        known and " " not in url and parts.scheme in ("http", "https") and "@" not in parts.netloc
    )


def look(learner: Learner) -> Seen:
    """GET, POST, GET. Raises NoAnswer where the first is not answered: nothing is sent then."""
    name = secrets.token_hex(4)
    first = learner.get(learner.url)
    form = learner.form(first)
    try:
        sent_to, posted = learner.post(form, f"Zoë checks {name} {MARKUP}")
    except NoAnswer as error:
        again = _tried(lambda: learner.get(learner.url))
        return Seen(first, str(error), again, None, name)
    location = posted.header("location")
    leads_to = None if location is None else learner.own(location, sent_to)
    landing = _tried(lambda: learner.get(leads_to or learner.url))
    return Seen(first, posted, landing, leads_to, name)


def _tried(ask: Callable[[], Answer]) -> Answer | str:
    try:
        return ask()
    except NoAnswer as error:
        return str(error)


# The points ----------------------------------------------------------------------------------

Judgement = tuple[bool, str]


def _get(seen: Seen) -> Judgement:
    told = f"{_status(seen.first)}, Content-Type {_quoted(seen.first.header('content-type'))}"
    if seen.first.status == 200 and not seen.first.ended:
        return False, f"{told}; the page did not end"
    return seen.first.status == 200 and seen.first.kind == "text/html", told


def _redirect(seen: Seen) -> Judgement:
    posted = seen.posted
    if isinstance(posted, str):
        return False, f"POST: {posted}"
    location = posted.header("location")
    told = f"{_status(posted)}, Location {_quoted(location)}"
    if posted.status != 303:
        more = INSTEAD.get(posted.status, "the message may or may not have been stored")
        return False, f"{told}; {more}"
    if location is not None and seen.leads_to is None:
        return False, f"{told}; that leads to another server"
    return location is not None, told


def _empty(seen: Seen) -> Judgement:
    posted = seen.posted
    if isinstance(posted, str):
        return False, "there was no answer to the POST"
    if posted.body:
        return False, f"the answer to the POST has a body of {len(posted.body):,} bytes"
    if not posted.ended:
        return False, "the body is empty, but the answer did not end: the browser waits on"
    return True, "no byte after the headers"


def _appears(seen: Seen) -> Judgement:
    page = seen.landing
    if isinstance(page, str):
        return False, f"GET after the POST: {page}"
    words = words_of(page.text)
    where = clean(urlsplit(seen.leads_to).path or "/")[:LONGEST] if seen.leads_to else "the page"
    if page.status != 200:
        return False, f"{where} answered {_status(page)}"
    if f"Zoë checks {seen.name}" in words:
        return True, f"the message is on {where}"
    if seen.name in words:
        return False, f"the message is on {where}, but not as typed: Zoë became something else"
    return False, f"the message is not on {where}"


def _escaped(seen: Seen) -> Judgement:
    words = "" if isinstance(seen.landing, str) else words_of(seen.landing.text)
    if seen.name not in words:
        return False, "the message was not there to look at"
    _, _, behind = words.partition(seen.name)
    behind = behind.removeprefix(" ")
    if behind.startswith(MARKUP):
        return True, f"a typed {MARKUP} shows as those characters"
    if behind.startswith(BARE):
        return False, f"a typed {MARKUP} became bold, or its tags were lost"
    return False, f"a typed {MARKUP} does not show as those characters: escaped twice, or cut"


JUDGES: Final[tuple[Callable[[Seen], Judgement], ...]] = (
    _get,
    _redirect,
    _empty,
    _appears,
    _escaped,
)


def _status(answer: Answer) -> str:
    return f"{answer.status} {clean(answer.reason)[:LONGEST]}".strip()


def _quoted(value: str | None) -> str:
    return "missing" if value is None else clean(value)[:LONGEST]


# What is told --------------------------------------------------------------------------------


def report(findings: tuple[Finding, ...]) -> str:
    """The findings for a terminal, each with its reason; how to mend it only where it is broken."""
    lines: list[str] = []
    for number, finding in enumerate(findings, 1):
        lines += [f"{'ok  ' if finding.kept else 'LOOK'}  {number}. {finding.point.name}"]
        lines += [f"      Seen: {finding.seen}."]
        lines += [f"      Why:  {finding.point.why}"]
        lines += [] if finding.kept else [f"      Mend: {finding.point.mend}"]
    kept = sum(finding.kept for finding in findings)
    lines.append(f"{kept} of {len(findings)} points. {BEYOND}")
    return "\n".join(lines)
