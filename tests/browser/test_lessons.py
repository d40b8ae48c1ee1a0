"""The five lessons in Chromium: what each teaches, and what a person sees of it.

Everything is done in the arm `lesson` and in the arm `seeother`, because whoever learned from the
one must find all of it in the other; the arm `page` where it shows why the lesson redirects. What
differs is the number of effects when something is sent twice, and it is counted in storage.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser

from seeother.apps.tour.lessons import LESSONS, Attack, Lesson, lesson
from tests.browser.chromium import look, visiting
from tests.browser.learner import Learner
from tests.browser.polling import at_rest, until
from tests.browser.proxy import Fault, Proxy
from tests.tour.served import Tour

BY_GET = "You reached this page through a GET request."
BY_POST = "You reached this page through a POST request."
CASES = [(one, attack) for one in LESSONS for attack in one.attacks]
NAMES = [one.name + ("-307" if attack.repeats else "") for one, attack in CASES]
EACH = pytest.mark.parametrize(("one", "attack"), CASES, ids=NAMES)
TAUGHT = pytest.mark.parametrize("arm", ["lesson", "seeother"])
Enter = Callable[..., Learner]


@pytest.fixture(scope="module")
def tour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tour]:
    """A tour in a process of its own."""
    with Tour(tmp_path_factory.mktemp("lessons")) as running:
        yield running


@pytest.fixture
def enter(chromium: Browser, tour: Tour) -> Iterator[Enter]:
    """Lets a new visitor enter an arm of a lesson and open its first page."""
    with ExitStack() as stack:

        def entered(name: str, arm: str, *, javascript: bool = True) -> Learner:
            tab = stack.enter_context(visiting(chromium, javascript=javascript))
            learner = Learner(tour, tab, lesson(name), arm)
            learner.open()
            return learner

        yield entered


# The guessing game -------------------------------------------------------------------------------


@TAUGHT
def test_guesses(enter: Enter, arm: str) -> None:
    """Nothing is said at first; each guess gets its words, at the same address, until a reload."""
    ann = enter("guess", arm)
    assert ann.said == []
    for typed, words in (
        ("41", "Your guess was too low"),
        ("43", "Your guess was too high"),
        ("forty-two", "Please type a whole number"),
        ("42", "Congratulations!"),
    ):
        ann.send(guess=typed)
        assert (ann.said, ann.address) == ([words], "getpost/awesome")
        ann.reload()
        assert ann.said == []
    assert ann.effects == 3


@TAUGHT
def test_guesses_with_a_form_class(enter: Enter, arm: str) -> None:
    """What is no number stays in the field with the error beside it, and can be mended."""
    ann = enter("guess", arm)
    ann.press("text=A form class")
    assert (ann.address, ann.said, ann.alerts) == ("getpost/form", [], [])
    ann.send(guess="forty-two")
    assert ann.alerts == ["Please type a whole number"] and beside(ann, "guess")
    assert ann.tab.input_value("[name=guess]") == "forty-two"
    ann.send(guess="42")
    assert (ann.said, ann.alerts) == (["Congratulations!"], [])
    ann.reload()
    assert (ann.said, ann.effects) == ([], 1)


def beside(ann: Learner, field: str) -> bool:
    """Does the error stand right below the field, as near as its label above?"""
    box = ann.tab.locator(f"main [name={field}]").bounding_box()
    error = ann.tab.locator("main [role=alert]").bounding_box()
    assert box is not None and error is not None
    return 0 <= error["y"] - (box["y"] + box["height"]) < 24


# The message board -------------------------------------------------------------------------------


@TAUGHT
def test_messages(enter: Enter, arm: str) -> None:
    """What was typed is shown as typed, in order, once; an empty field sends nothing."""
    ann = enter("messages", arm)
    typed = "Don't <b>shout</b> &amp; 你好 👋\nsecond line"
    ann.send(message=typed)
    assert ann.address == "messages"
    assert shown(ann).endswith(typed) and ann.tab.locator("pre *").count() == 0
    ann.send(message="another one")
    ann.reload()
    assert shown(ann).endswith(f"{typed}\nanother one")
    assert shown(ann).count("another one") == 1
    before = ann.asked
    ann.tab.click("main button")
    assert ann.tab.locator("textarea:invalid:focus").count() == 1
    assert (ann.asked, ann.effects) == (before, 2)


def shown(ann: Learner) -> str:
    """The list, as it is on screen."""
    return ann.tab.locator("main pre").inner_text()


# The name form -----------------------------------------------------------------------------------


@TAUGHT
@pytest.mark.parametrize("typed", ["", "   "], ids=["empty", "blanks"])
def test_a_bad_name(enter: Enter, arm: str, typed: str) -> None:
    """The error stands beside the field, what was typed is in it, and nothing took effect."""
    ann = enter("hello", arm)
    ann.send(name=typed)
    assert ann.alerts == ["This field is required."] and beside(ann, "name")
    assert ann.tab.input_value("[name=name]") == typed
    assert (ann.heading, ann.effects) == ("Hello, stranger!", 0)


@TAUGHT
def test_names(enter: Enter, arm: str) -> None:
    """Without script: messages in order and by category, dismissed; the name waits elsewhere."""
    ann = enter("hello", arm, javascript=False)
    assert (ann.heading, flashes(ann)) == ("Hello, stranger!", [])
    ann.send(name="Ann")
    assert (ann.heading, flashes(ann)) == ("Hello, Ann!", [("success", "Nice to meet you, Ann.")])
    ann.send(name="Bo")
    changed, greeted = ("info", "You have changed your name!"), "Nice to meet you, Bo."
    assert flashes(ann) == [changed, ("success", greeted)]
    assert any(text.startswith("2 messages") for text in ann.texts("p"))
    ann.press("button.dismiss")
    assert (ann.heading, flashes(ann), ann.effects) == ("Hello, Bo!", [], 2)
    assert ann.tab.locator(".dismiss").count() == 0
    ann.press("text=Go elsewhere")
    assert (ann.heading, flashes(ann)) == ("Elsewhere", [])
    assert ann.texts("p")[0] == "You are still Bo: the session knows."
    ann.press("text=Back to the greeting")
    assert ann.heading == "Hello, Bo!"


def flashes(ann: Learner) -> list[tuple[str, str]]:
    """The messages with their categories, as far as they are seen."""
    seen = [one for one in ann.tab.locator("main .flash").all() if one.is_visible()]
    return [
        ((one.get_attribute("class") or "").removeprefix("flash "), one.inner_text())
        for one in seen
    ]


# GET, POST, redirect, session --------------------------------------------------------------------


@TAUGHT
def test_by_get_and_by_post(enter: Enter, arm: str) -> None:
    """Side by side; the name is in the address after a GET, where a bookmark finds it, and in no
    address after a POST, where another browser finds nothing.
    """
    ann, bob = enter("submit", arm), enter("submit", arm)
    left, right = (ann.tab.locator(f"main #by-{how}").bounding_box() for how in ("get", "post"))
    assert left is not None and right is not None
    assert left["y"] == right["y"] and left["x"] + left["width"] < right["x"]
    assert ann.texts("tbody th") == ["URL", "Body", "Bookmark", "Cache"]
    ann.tab.fill("#by-get", "Ann")
    ann.press("text=Send by GET")
    assert (ann.address, ann.said) == ("thankyou?username=Ann", ["Username: Ann"])
    bob.open(ann.address)  # from a bookmark
    assert (bob.said, ann.effects) == (["Username: Ann"], 0)
    ann.open()
    ann.send(username="Ann")
    assert (ann.address, ann.heading) == ("thankyou", "Thank you for submitting!")
    assert ann.said == ["Username: Ann"]
    bob.open(ann.address)
    assert (bob.said, bob.heading) == ([], "Nobody has submitted anything yet")
    ann.reload()
    assert (ann.said, ann.effects) == (["Username: Ann"], 1)


@TAUGHT
def test_forget_me(enter: Enter, arm: str) -> None:
    """The session remembers; a GET of "Forget me" only asks; the button forgets."""
    ann = enter("submit", arm)
    ann.send(username="Ann")
    ann.press("text=Back to the forms")
    assert ann.said == ["Welcome back, Ann: the session remembers you."]
    assert ann.open("submit/forget").status == 200
    assert ann.heading == "Forget Ann?"
    ann.press("button")
    assert (ann.address, ann.said) == ("submit", [])
    ann.open("thankyou")
    assert (ann.said, ann.heading) == ([], "Nobody has submitted anything yet")


@TAUGHT
def test_a_missing_field(enter: Enter, arm: str) -> None:
    """A form without its field, by POST or GET, is a page that says so and leads back."""
    ann = enter("submit", arm)
    with ann.tab.expect_response(lambda one: one.request.method == "POST") as sent:
        ann.press("text=Send no username")
    assert sent.value.status == 400
    assert (ann.heading, len(ann.alerts)) == ("Something is missing", 1)
    ann.press("text=Back to the forms")
    assert ann.address == "submit"
    assert ann.open("thankyou?username=").status == 400
    assert (ann.heading, ann.effects) == ("Something is missing", 0)


# Three pages -------------------------------------------------------------------------------------


@TAUGHT
def test_a_no(enter: Enter, arm: str) -> None:
    """The second page welcomes back, once; each page has its titles and marks itself."""
    ann = enter("pages", arm)
    ann.send(choice="no")
    assert (ann.address, ann.said) == ("second", ["Welcome Back!"])
    ann.reload()
    assert (ann.said, ann.effects) == ([], 1)
    for caption in ("First", "Second", "Third", "Questions"):
        ann.press(f"nav >> text={caption}")
        assert ann.tab.title() == caption and caption.lower() in ann.heading.lower()
        assert ann.tab.inner_text("nav a[aria-current=page] >> nth=0") == caption


@TAUGHT
def test_the_third_page_by_get(enter: Enter, arm: str) -> None:
    """By address bar, link and redirect (302, 303) it is a GET, and stays one after Reload."""
    ann = enter("pages", arm)
    ann.open("third")
    assert ann.said == [BY_GET]
    ann.open()
    ann.press("nav >> text=Third")
    assert ann.said == [BY_GET]
    for count, code in enumerate(("302", "303"), 1):
        ann.open()
        ann.send(choice="yes", code=code)
        assert (ann.address, ann.said) == ("third", [BY_GET])
        ann.reload()
        assert (ann.said, ann.alerts, ann.effects) == ([BY_GET], [], count)
        ann.back("choice")
        assert (ann.address, ann.effects) == ("first", count)


def test_the_third_page_by_post(enter: Enter) -> None:
    """Without a redirect it stands at the second one's address, and says why that is wrong."""
    ann = enter("pages", "page")
    ann.send(choice="yes")
    assert (ann.address, ann.heading, ann.said) == ("second", "The third page", [BY_POST])
    (why,) = ann.alerts
    assert "/tour/page/second" in why and "that is wrong" in why and "sends the form again" in why
    ann.open(ann.address)  # from a bookmark
    assert (ann.heading, ann.alerts) == ("The second page", [])


@TAUGHT
def test_questions(enter: Enter, arm: str) -> None:
    """What the learner wrote stays, with an answer below each question, also after a reload."""
    ann = enter("pages", arm)
    ann.press("nav >> text=Questions")
    asked = lesson("pages").questions
    assert ann.texts("label") == [one.question for one in asked] and ann.texts(".answer") == []
    for number, area in enumerate(ann.tab.locator("textarea").all()):
        area.fill(f"I think <{number}>")
    for _ in range(2):
        ann.press("main button") if not ann.texts(".answer") else ann.reload()
        assert ann.texts(".answer") == [one.answer for one in asked]
        typed = [area.input_value() for area in ann.tab.locator("textarea").all()]
        assert typed == [f"I think <{number}>" for number in range(len(asked))]
    assert ann.effects == 1


# Sent twice --------------------------------------------------------------------------------------


@pytest.mark.parametrize("arm", ["page", "lesson", "seeother"])
@EACH
def test_reload(enter: Enter, one: Lesson, attack: Attack, arm: str) -> None:
    """A reload sends the form again where the page came by a POST; with seeother for nothing."""
    ann = enter(one.name, arm)
    ann.send(**attack.fields)
    assert ann.effects == 1
    ann.reload()
    assert ann.effects == {"page": 2, "lesson": 1 + attack.repeats, "seeother": 1}[arm]


@TAUGHT
@EACH
def test_a_double_click(
    chromium: Browser, tour: Tour, one: Lesson, attack: Attack, arm: str
) -> None:
    """Two clicks of a mouse before the first answer is there: two effects, with seeother one."""
    times = {"lesson": 2, "seeother": 1}[arm]
    with Proxy(tour.port) as proxy, visiting(chromium) as tab:
        ann, gate = Learner(tour, tab, one, arm, proxy.url), proxy.gate()
        ann.open()
        ann.fill(attack.fields)
        held = ann.path("third") if attack.repeats else ann.action(next(iter(attack.fields)))
        proxy.rule(Fault(after=gate), method="POST", path=held)

        def sent() -> int:
            return sum(one.path == held for one in proxy.begun("POST"))

        def ran() -> bool:  # a server may drop what nobody waits for, before it has begun
            return arm == "seeother" or tour.effects(one.name, arm, ann.name) > 0

        ann.click_twice(next(iter(attack.fields)), lambda: sent() and ran())
        until(lambda: sent() == 2, "the second POST")
        until(lambda: ann.effects == times, "the effects")
        gate.set()
        until(lambda: look(tab, "!!document.querySelector('.what')"), "the page behind it")
        assert at_rest(lambda: ann.effects if proxy.idle else None, "effects") == times


@TAUGHT
@EACH
def test_back_and_send(enter: Enter, one: Lesson, attack: Attack, arm: str) -> None:
    """Back, the same once more, Send: two effects; with seeother one, and the page of the first."""
    ann = enter(one.name, arm)
    ann.send(**attack.fields)
    where = ann.address
    ann.back(next(iter(attack.fields)))
    ann.send(**attack.fields)
    assert (ann.address, ann.effects) == (where, {"lesson": 2, "seeother": 1}[arm])
