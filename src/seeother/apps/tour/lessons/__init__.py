"""The five lessons: what each teaches, what is still wrong with it, and its questions.

Each lesson is one file beside this one, written as a beginner's course would write it: the arm
`lesson`. The other two arms are the same text with an edit that `seeother.apps.tour.source`
declares. Every file also runs alone: `python -m seeother.apps.tour.lessons.messages`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

ARMS: Final = ("page", "lesson", "seeother")


@dataclass(frozen=True, slots=True)
class Attack:
    """What the server, playing the browser, does in a lesson.

    `form` is the path of the page below the arm whose first POST form is filled in, `fields` what a
    person types. `repeats`: a 307 answers it, so that a refresh sends the form once more.
    """

    form: str
    fields: Mapping[str, str]
    repeats: bool = False


class Question(NamedTuple):
    """What a learner asks, or should."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Lesson:
    """One lesson. `paths` are below the arm, the start page first."""

    name: str
    framework: str
    title: str
    teaches: str
    still_wrong: str
    paths: tuple[str, ...]
    attacks: tuple[Attack, ...]
    questions: tuple[Question, ...]


GUESS: Final = Lesson(
    name="guess",
    framework="Django",
    title="A guessing game",
    teaches=(
        "A POST puts its message into the session and redirects to its own address; the GET that"
        " follows takes the message out, shows it, and can be refreshed. The CSRF token proves that"
        " the form came from this site."
    ),
    still_wrong=(
        "A double click is two guesses, and so are Back and Send, and a refresh after a lost"
        " answer. The CSRF token does not help: one token is good for any number of posts."
    ),
    paths=("getpost/awesome", "getpost/form"),
    attacks=(Attack("getpost/awesome", {"guess": "41"}),),
    questions=(
        Question(
            "Why does the POST not answer with the page itself?",
            "Then the page would be the answer of a POST, and a refresh would send the guess again."
            " After a redirect the browser stands on the answer of a GET.",
        ),
        Question(
            "Where is the message between the POST and the GET?",
            "In the session, on the server. The browser holds only a cookie with the session's"
            " name. The GET deletes the message with `del`, so that it is shown once.",
        ),
        Question(
            "The form has a CSRF token. Why is a double click still two guesses?",
            "The token says where a form comes from, not how often it was sent. seeother's token"
            " names one submission, and the second one gets the answer of the first.",
        ),
    ),
)

MESSAGES: Final = Lesson(
    name="messages",
    framework="http.server",
    title="A message board with nothing but Python",
    teaches=(
        "What a framework does for you, done by hand: read as many bytes as Content-Length says,"
        " decode them, keep the message, answer 303 with a Location and no body. The GET shows the"
        " list, escaped."
    ),
    still_wrong=(
        "The list holds a message twice after a double click, after Back and Send, or when the"
        " answer was lost and the browser sent the form again. Nothing in it can tell a repeat from"
        " a second message with the same words."
    ),
    paths=("messages",),
    attacks=(Attack("messages", {"message": "Hello from the tour"}),),
    questions=(
        Question(
            "What does 303 say that 302 does not?",
            '303 See Other says: "fetch the Location with GET", whatever the method was. 302 was'
            " meant to repeat the method, browsers make a GET of a POST anyway, and the standard"
            " allows both (RFC 9110, sections 15.4.3 and 15.4.4).",
        ),
        Question(
            "Why must the text be escaped?",
            "What a visitor typed is text. Without escaping, the browsers of all other visitors"
            " would read it as markup, and run a script in it.",
        ),
        Question(
            "What if Content-Length is missing or a lie?",
            "Then nobody knows where the form ends, and the answer is 400. It is the client's"
            " mistake, so it is no reason for a traceback.",
        ),
    ),
)

HELLO: Final = Lesson(
    name="hello",
    framework="Flask + Flask-WTF",
    title="What is your name?",
    teaches=(
        "A form class that validates, a name that the session keeps, messages by flash() and a"
        " redirect to url_for(). An empty name comes back with the error beside the field."
    ),
    still_wrong=(
        "A double click greets twice. With two tabs the message lands in the one that loads first,"
        " and a page that the browser fetched ahead of time eats it."
    ),
    paths=("hello", "hello/elsewhere"),
    attacks=(Attack("hello", {"name": "Ann"}),),
    questions=(
        Question(
            "Why session.get('name') and not session['name']?",
            "Before the first form there is no name. get() gives None, the brackets a KeyError.",
        ),
        Question(
            "How long does a flashed message live?",
            "Until a page shows it. In one request get_flashed_messages() returns the same list"
            " each time; the next request gets an empty one.",
        ),
        Question(
            "Whose page shows it, when two tabs are open?",
            "Flask alone keeps one list for the whole browser: the page that comes first. seeother"
            " ties the message to the redirect, so it is shown where the form was sent.",
        ),
    ),
)

SUBMIT: Final = Lesson(
    name="submit",
    framework="Flask",
    title="GET, POST, redirect, session",
    teaches=(
        "The same form twice: by GET its fields go into the address, by POST into the body. After"
        " the POST a redirect leads to the thank-you page, and the session remembers the name."
    ),
    still_wrong=(
        "The redirect helps after the answer has arrived. Until then a second click, a lost answer"
        " or Back and Send submit the form again, and nobody notices."
    ),
    paths=("submit", "thankyou", "submit/forget"),
    attacks=(Attack("submit", {"username": "Ann"}),),
    questions=(
        Question(
            "When GET, when POST?",
            "GET for questions: the address may be kept, shared and asked again. POST for what"
            " changes something: it is not repeated by a bookmark, and not kept in a cache.",
        ),
        Question(
            "What is the secret key for?",
            "It signs the session cookie. Whoever knows it can write any session, so it is long,"
            " random, and not in the program. seeother refuses short ones and well-known samples.",
        ),
        Question(
            'Why is "Forget me" a POST?',
            "It changes something. A link would be followed by prefetching browsers and by robots.",
        ),
    ),
)

PAGES: Final = Lesson(
    name="pages",
    framework="Flask",
    title="Three pages, 302 and 307",
    teaches=(
        "A site with a base template. One form leads back with a message or on to the third page:"
        " with 302 or 303 the browser goes there by GET, with 307 it sends the form once more."
    ),
    still_wrong=(
        "After 307 the third page is the answer of a POST: a refresh sends the form again, so the"
        " redirect has not helped at all. And a double click counts twice with every code."
    ),
    paths=("first", "second", "third", "questions"),
    attacks=(
        Attack("first", {"choice": "yes", "code": "302"}),
        Attack("first", {"choice": "yes", "code": "307"}, repeats=True),
    ),
    questions=(
        Question(
            "What is the difference between 302 and 307?",
            "After 302 browsers fetch the new address with GET, without the form. After 307 they"
            " must keep the method and send the same form to the new address.",
        ),
        Question(
            "Which code belongs after a POST that has done something?",
            "303: it says GET in so many words. 307 only where another address is to handle the"
            " form.",
        ),
        Question(
            "What is wrong with answering the POST with the third page directly?",
            "The address bar says /second, the page is the third. A refresh sends the form again,"
            " and a bookmark leads to another page than the one that was seen.",
        ),
        Question(
            "Does the redirect protect from a double click?",
            "No. Both clicks are sent before any answer is there. Somebody has to know that they"
            " are one submission, and that is what seeother adds.",
        ),
    ),
)

LESSONS: Final[tuple[Lesson, ...]] = (GUESS, MESSAGES, HELLO, SUBMIT, PAGES)


def lesson(name: str) -> Lesson:
    """A lesson by its name; raises KeyError for one that does not exist.

    >>> lesson("hello").framework
    'Flask + Flask-WTF'
    """
    return {one.name: one for one in LESSONS}[name]
