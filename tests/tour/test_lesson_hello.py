"""The name form: Flask-WTF, session, flash, redirect and url_for."""

from collections.abc import Iterator

import pytest

from seeother.apps.tour.lessons import lesson
from tests.board.visitor import Page
from tests.tour.arms_site import Learner, Site, attribute, location, post_form, running

STATUS = {"lesson": 302, "seeother": 303}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """All arms on one server."""
    with running(tmp_path_factory.mktemp("hello")) as found:
        yield found


@pytest.fixture(params=STATUS)
def learner(request: pytest.FixtureRequest, site: Site) -> Learner:
    """A new browser, in the arms that redirect."""
    return site.learner(lesson("hello"), request.param)


def flashes(page: Page) -> list[tuple[str, str]]:
    """The messages of a page, with their categories."""
    found = page.tree.css('.flash[role="status"]')
    return [((f.attributes["class"] or "").removeprefix("flash "), f.text()) for f in found]


def greeting(page: Page) -> str:
    """Who is greeted."""
    return page.texts("h1")[0]


def asked_again(page: Page) -> str:
    """How many messages the second call of `get_flashed_messages` has found."""
    return next(text for text in page.texts("p") if "a second time" in text)[0]


def test_a_stranger(learner: Learner) -> None:
    """Nobody has a name before the first form: `session.get` finds none, and nothing is said."""
    page = learner.open()
    assert greeting(page) == "Hello, stranger!"
    assert flashes(page) == [] and page.alerts == []
    assert page.tree.css(".dismiss") == []
    assert "csrf_token" in post_form(page).fields


def test_a_name(learner: Learner) -> None:
    """A POST redirects to `url_for('hello')`; the page greets, says so once, and keeps the name."""
    answer = learner.type_in(name="Ann")
    assert answer.status_code == STATUS[learner.arm]
    assert location(answer) == learner.path("hello")
    page = learner.landing(answer)
    assert greeting(page) == "Hello, Ann!"
    assert flashes(page) == [("success", "Nice to meet you, Ann.")]
    again = learner.open()
    assert (greeting(again), flashes(again)) == ("Hello, Ann!", [])
    assert learner.effects == 1


def test_several_messages(learner: Learner) -> None:
    """In order; a second call in the request gives the same list; the next request has none."""
    learner.landing(learner.type_in(name="Ann"))
    page = learner.landing(learner.type_in(name="Bo"))
    assert flashes(page) == [
        ("info", "You have changed your name!"),
        ("success", "Nice to meet you, Bo."),
    ]
    assert asked_again(page) == "2"
    following = learner.open()
    assert (flashes(following), asked_again(following)) == ([], "0")


def test_dismissing(learner: Learner) -> None:
    """The dismiss button works without script: it is a GET of the page, and the name stays."""
    page = learner.landing(learner.type_in(name="Ann"))
    (button,) = page.tree.css("form button.dismiss")
    assert button.parent is not None and button.parent.attributes["method"] == "get"
    after = learner.get(f"{page.url.partition('?')[0]}?", site="same-origin")
    assert (greeting(after), flashes(after)) == ("Hello, Ann!", [])


def test_elsewhere(learner: Learner) -> None:
    """The name survives a visit to another page."""
    learner.landing(learner.type_in(name="Ann"))
    assert "You are still Ann" in learner.open("hello/elsewhere").source
    assert greeting(learner.open()) == "Hello, Ann!"
    assert learner.effects == 1


def test_a_message_waits_for_its_page(learner: Learner) -> None:
    """Every page shows messages: in the lesson arm the first one that comes, whichever it is.

    With seeother the message waits for the page behind the redirect.
    """
    answer = learner.type_in(name="Ann")
    elsewhere = flashes(learner.open("hello/elsewhere"))
    landing = flashes(learner.landing(answer))
    message = [("success", "Nice to meet you, Ann.")]
    found = {"lesson": (message, []), "seeother": ([], message)}
    assert (elsewhere, landing) == found[learner.arm]


@pytest.mark.parametrize(
    ("typed", "error"),
    [
        ("", "This field is required."),
        ("   ", "This field is required."),
        ("x" * 41, "Field cannot be longer than 40 characters."),
    ],
)
def test_a_bad_name(learner: Learner, typed: str, error: str) -> None:
    """The error stands beside the field, the text is kept, nothing was done."""
    page = learner.landing(learner.type_in(name=typed))
    assert page.alerts == [error]
    field = 'input[name="name"]'
    assert attribute(page, field, "value") == typed
    assert attribute(page, field, "aria-invalid") == "true"
    described = attribute(page, field, "aria-describedby")
    assert page.texts(f"#{described}") == [error]
    assert greeting(page) == "Hello, stranger!"
    assert learner.effects == 0


def test_a_corrected_name(learner: Learner) -> None:
    """The page with the error can be sent with a name, and counts once."""
    page = learner.landing(learner.type_in(name=""))
    answer = learner.send_form(learner.fill(page, name="Ann"))
    assert greeting(learner.landing(answer)) == "Hello, Ann!"
    assert learner.effects == 1


def test_without_the_csrf_token(learner: Learner) -> None:
    """Flask-WTF's own check stays on."""
    action, fields = learner.fill(learner.open(), name="Ann")
    del fields["csrf_token"]
    learner.landing(learner.post(fields, action))
    assert learner.effects == 0


def test_markup_is_text(learner: Learner) -> None:
    """A name is text, in the greeting and in the message."""
    page = learner.landing(learner.type_in(name="<b>Ann</b> & Bo"))
    assert greeting(page) == "Hello, <b>Ann</b> & Bo!"
    assert flashes(page) == [("success", "Nice to meet you, <b>Ann</b> & Bo.")]


def test_two_tabs(site: Site) -> None:
    """With seeother each tab shows its own message, whichever loads first."""
    learner = site.learner(lesson("hello"), "seeother")
    learner.landing(learner.type_in(name="Ann"))
    one, two = learner.type_in(name="Bo"), learner.type_in(name="Cy")
    assert ("success", "Nice to meet you, Cy.") in flashes(learner.landing(two))
    assert ("success", "Nice to meet you, Bo.") in flashes(learner.landing(one))


def test_already_done(site: Site) -> None:
    """Back and Send of the same name: its landing page, no second greeting is recorded."""
    learner = site.learner(lesson("hello"), "seeother")
    filled = learner.fill(learner.open(), name="Ann")
    assert flashes(learner.landing(learner.send_form(filled)))
    page = learner.landing(learner.send_form(filled))
    assert greeting(page) == "Hello, Ann!" and len(flashes(page)) == 1
    assert learner.effects == 1


def test_the_page_arm(site: Site) -> None:
    """The page arm greets in the answer of the POST, messages included."""
    learner = site.learner(lesson("hello"), "page")
    answer = learner.type_in(name="Ann")
    assert answer.status_code == 200
    page = learner.landing(answer)
    assert greeting(page) == "Hello, Ann!"
    assert flashes(page) == [("success", "Nice to meet you, Ann.")]
