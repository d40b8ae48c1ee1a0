"""Three pages: navigation, blocks, a choice, 302 and 303 against 307, and the questions."""

from collections.abc import Iterator

import pytest

from seeother.apps.tour.lessons import lesson
from tests.board.visitor import Page
from tests.tour.arms_site import Learner, Site, location, running, said

BY_GET = "You reached this page through a GET request."
BY_POST = "You reached this page through a POST request."
SAME_ORIGIN = {"sec-fetch-site": "same-origin"}
NAVIGATION = ["first", "second", "third", "questions"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """All arms on one server."""
    with running(tmp_path_factory.mktemp("pages")) as found:
        yield found


@pytest.fixture(params=["lesson", "seeother"])
def learner(request: pytest.FixtureRequest, site: Site) -> Learner:
    """A new browser, in the arms that redirect."""
    return site.learner(lesson("pages"), request.param)


@pytest.mark.parametrize("path", NAVIGATION)
def test_navigation(learner: Learner, path: str) -> None:
    """Each page has its own titles, and the same list of links with the current one marked."""
    page = learner.open(path)
    links = page.tree.css("nav a")
    assert [link.attributes["href"] for link in links] == [learner.path(n) for n in NAVIGATION]
    (current,) = page.tree.css('nav a[aria-current="page"]')
    assert current.attributes["href"] == learner.path(path)
    assert page.title == path.title()
    assert page.title.lower() in page.texts("h1")[0].lower()


def test_by_address_bar_and_link(learner: Learner) -> None:
    """Typing the address and following a link are GET."""
    assert said(learner.open("third")) == [BY_GET]
    (link,) = [a for a in learner.open("first").tree.css("nav a") if a.text() == "Third"]
    page = learner.get(str(link.attributes["href"]), site="same-origin")
    assert said(page) == [BY_GET] and page.alerts == []
    assert learner.effects == 0


def test_no(learner: Learner) -> None:
    """A "no" leads to the second page, which says "Welcome Back!", once."""
    answer = learner.type_in("first", choice="no", code="302")
    assert location(answer) == learner.path("second")
    assert said(learner.landing(answer)) == ["Welcome Back!"]
    assert said(learner.open("second")) == []
    assert learner.effects == 1


@pytest.mark.parametrize("code", ["302", "303"])
def test_yes(learner: Learner, code: str) -> None:
    """A "yes" redirects to the third page by GET; seeother makes 303 of every 302."""
    answer = learner.type_in("first", choice="yes", code=code)
    expected = 303 if learner.arm == "seeother" else int(code)
    assert (answer.status_code, location(answer)) == (expected, learner.path("third"))
    assert said(learner.landing(answer)) == [BY_GET]
    assert learner.effects == 1


def test_yes_with_307(learner: Learner) -> None:
    """With 307 the same form goes to the third page, in a POST; an explicit 307 stays."""
    action, fields = learner.fill(learner.open("first"), choice="yes", code="307")
    answer = learner.post(fields, action)
    assert answer.status_code == 307
    assert answer.headers["location"] == learner.path("third")
    assert learner.effects == 0
    page = Page(learner.send_form((action, fields)))
    assert page.status == 200 and said(page) == [BY_POST]
    assert page.alerts == []
    assert page.url.endswith("/third")
    assert learner.effects == 1


def test_a_refresh_after_307(learner: Learner) -> None:
    """The refresh is a POST: twice in the lesson arm, once with seeother."""
    action, fields = learner.fill(learner.open("first"), choice="yes", code="307")
    page = Page(learner.send_form((action, fields)))
    again = learner.post(fields, page.url)
    assert again.status_code == 200
    assert learner.effects == {"lesson": 2, "seeother": 1}[learner.arm]


@pytest.mark.parametrize(
    "fields",
    [{}, {"choice": "maybe"}, {"choice": "yes", "code": "200"}, {"choice": "yes", "code": "x"}],
)
def test_no_such_choice(learner: Learner, fields: dict[str, str]) -> None:
    """A form that no page of ours sends is a 400, and nothing happens."""
    action, hidden = learner.fill(learner.open("first"))
    assert learner.post({**hidden, **fields}, action).status_code == 400
    assert learner.effects == 0


def test_the_page_arm(site: Site) -> None:
    """The third page at the second page's address, and it says why that is wrong."""
    learner = site.learner(lesson("pages"), "page")
    for number, code in enumerate(("302", "307"), 1):
        answer = learner.type_in("first", choice="yes", code=code)
        page = learner.landing(answer)
        assert page.status == 200 and page.url.endswith("/tour/page/second")
        assert page.texts("h1") == ["The third page"]
        assert said(page) == [BY_POST]
        (alert,) = page.alerts
        assert "/tour/page/second" in alert and "that is wrong" in alert
        assert learner.effects == number
    assert learner.open("third").alerts == []


def test_no_in_the_page_arm(site: Site) -> None:
    """The second page in the answer of the POST."""
    learner = site.learner(lesson("pages"), "page")
    answer = learner.type_in("first", choice="no", code="302")
    assert answer.status_code == 200
    assert said(learner.landing(answer)) == ["Welcome Back!"]


def test_the_questions(learner: Learner) -> None:
    """A form with a field for each question; after it what was typed, and an answer for each."""
    asked = lesson("pages").questions
    page = learner.open("questions")
    assert page.texts("form label") == [one.question for one in asked]
    assert page.texts(".answer") == []
    action, fields = learner.fill(page)
    typed = [f"I think <{number}>" for number in range(len(asked))]
    answer = learner.send("POST", action, SAME_ORIGIN, {**fields, "answer": typed})  # type: ignore[dict-item]
    assert location(answer) == learner.path("questions")
    page = learner.landing(answer)
    assert page.texts(".answer") == [one.answer for one in asked]
    assert page.texts("textarea") == typed
    assert learner.open("questions").texts("textarea") == typed
    assert learner.effects == 1
