"""GET and POST side by side, a thank-you page, a session that can be forgotten, a secret key."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from werkzeug.test import Client

from seeother.apps.tour.arms import build
from seeother.apps.tour.lessons import lesson
from seeother.apps.tour.source import load
from seeother.errors import PolicyError
from tests.board.visitor import Page
from tests.tour.arms_site import Learner, Site, attribute, location, running, said

STATUS = {"lesson": 302, "seeother": 303}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """All arms on one server."""
    with running(tmp_path_factory.mktemp("submit")) as found:
        yield found


@pytest.fixture(params=STATUS)
def learner(request: pytest.FixtureRequest, site: Site) -> Learner:
    """A new browser, in the arms that redirect."""
    return site.learner(lesson("submit"), request.param)


def by_get(learner: Learner, username: str) -> Page:
    """What the browser does with the GET form."""
    action = attribute(learner.open(), 'form[method="get"]', "action")
    query = urlencode({"username": username})
    return learner.get(f"{action}?{query}", site="same-origin")


def test_side_by_side(learner: Learner) -> None:
    """Both forms have the same field; a table says what becomes of each: four rows."""
    page = learner.open()
    for method in ("get", "post"):
        assert len(page.tree.css(f'form[method="{method}"] input[name="username"]')) == 1
    assert page.texts('th[scope="row"]') == ["URL", "Body", "Bookmark", "Cache"]
    cells = page.texts("tbody tr:first-child code")
    assert cells == [f"{learner.path('thankyou')}?username=Ann", learner.path("submit")]


def test_by_get(learner: Learner) -> None:
    """The field is in the address, the page says so, nothing was changed; a bookmark repeats it."""
    page = by_get(learner, "Ann")
    assert page.url.endswith("/thankyou?username=Ann")
    assert said(page) == ["Username: Ann"]
    assert page.texts("code") == [f"{learner.path('thankyou')}?username=Ann"]
    assert said(learner.get(page.url)) == ["Username: Ann"]
    assert learner.effects == 0


def test_by_post(learner: Learner) -> None:
    """A redirect to the thank-you page; the name is in no address; the session knows it."""
    answer = learner.type_in(username="Ann")
    assert answer.status_code == STATUS[learner.arm]
    assert location(answer) == learner.path("thankyou")
    page = learner.landing(answer)
    assert page.texts("h1") == ["Thank you for submitting!"]
    assert said(page) == ["Username: Ann"]
    assert "Ann" not in page.url
    assert said(learner.open("thankyou")) == ["Username: Ann"]
    assert said(learner.open("submit")) == ["Welcome back, Ann: the session remembers you."]
    assert learner.effects == 1


def test_nobody_yet(learner: Learner) -> None:
    """The thank-you page of somebody who submitted nothing thanks nobody."""
    page = learner.open("thankyou")
    assert page.status == 200
    assert page.texts("h1") == ["Nobody has submitted anything yet"]


@pytest.mark.parametrize("fields", [{}, {"username": ""}, {"name": "Ann"}])
def test_a_missing_field(learner: Learner, fields: dict[str, str]) -> None:
    """A form without a username is a 400 page that leads back, and nothing was done."""
    action, hidden = learner.fill(learner.open())
    answer = learner.post({**hidden, **fields}, action)
    assert answer.status_code == 400
    page = Page(answer)
    assert page.texts("h1") == ["Something is missing"]
    assert page.tree.css(f'a[href="{learner.path("submit")}"]')
    assert learner.effects == 0


def test_a_missing_field_by_get(learner: Learner) -> None:
    """The same for the form by GET."""
    assert by_get(learner, "").status == 400


def test_forget_me(learner: Learner) -> None:
    """A POST clears the session; a GET of its address changes nothing."""
    page = learner.landing(learner.type_in(username="Ann"))
    asked = learner.open("submit/forget")
    assert (asked.status, asked.texts("h1")) == (200, ["Forget Ann?"])
    assert said(learner.open("thankyou")) == ["Username: Ann"]
    assert learner.effects == 1
    answer = learner.send_form(learner.fill(page))
    assert answer.status_code == STATUS[learner.arm]
    assert location(answer) == learner.path("submit")
    assert said(learner.landing(answer)) == []
    assert said(learner.open("thankyou")) == []
    assert learner.effects == 2


def test_nobody_to_forget(learner: Learner) -> None:
    """The same address without a session is a page that leads back, and offers no button."""
    page = learner.open("submit/forget")
    assert (page.status, page.texts("h1")) == (200, ["Nobody to forget"])
    assert page.tree.css("main form") == []
    assert page.tree.css(f'a[href="{learner.path("submit")}"]')


def test_a_form_without_the_field(learner: Learner) -> None:
    """The page has such a form, so that a person can see the 400 page."""
    page = learner.open()
    assert [len(f.css("[name=username]")) for f in page.tree.css('form[method="post"]')] == [1, 0]


def test_sessions_are_apart(site: Site, learner: Learner) -> None:
    """Another browser has another session."""
    learner.landing(learner.type_in(username="Ann"))
    assert said(site.learner(learner.lesson, learner.arm).open("thankyou")) == []


def test_markup_is_text(learner: Learner) -> None:
    """What was typed is shown as it was typed."""
    page = learner.landing(learner.type_in(username="<i>Ann</i> & Bo"))
    assert said(page) == ["Username: <i>Ann</i> & Bo"]


def test_the_page_arm(site: Site) -> None:
    """The page arm thanks in the answer of the POST, and says what a refresh would do."""
    learner = site.learner(lesson("submit"), "page")
    answer = learner.type_in(username="Ann")
    assert answer.status_code == 200
    page = learner.landing(answer)
    assert said(page) == ["Username: Ann"]
    assert "a refresh sends the form again" in page.source
    assert page.url.endswith("/submit")


def test_the_key_is_explained(learner: Learner) -> None:
    """The page says what the key is for, and that this one is long enough; it never shows it."""
    words = " ".join(learner.open().texts("p"))
    assert "It signs the session cookie" in words
    assert "43 characters" in words and "long enough" in words


@pytest.mark.parametrize("key", ["supersecretkey", "dev", "x" * 31])
def test_the_key_is_checked(tmp_path: Path, key: str) -> None:
    """The bare lesson runs with any key; seeother refuses a sample or a short one, and helps."""
    for arm in ("lesson", "seeother"):
        app = load(lesson("submit"), arm).app
        app.secret_key = key
        app.config["SEEOTHER_STORE"] = f"sqlite:///{tmp_path}/key.db"
        if arm == "lesson":
            assert app.test_client().get("/submit").status_code == 200
            continue
        with pytest.raises(PolicyError, match="token_urlsafe"):
            app.test_client().get("/submit")


def test_each_start_has_a_key_of_its_own() -> None:
    """Where the environment names no key a new one is made: none is in the program."""
    keys = {load(lesson("submit"), "lesson").app.secret_key for _ in range(3)}
    assert len(keys) == 3 and all(len(key) >= 32 for key in keys)


def test_the_tour_keeps_its_key(tmp_path: Path) -> None:
    """In the tour the key comes from the site's secret, so that sessions outlive the process."""

    def started(secret: bytes) -> Client:
        return Client(build(lesson("submit"), "lesson", prefix="", data=tmp_path, secret=secret))

    first = started(b"s" * 32)
    first.post("/submit", data={"username": "Ann"})
    cookie = first.get_cookie("tour-submit-lesson.session")
    assert cookie is not None
    for secret, known in ((b"s" * 32, True), (b"t" * 32, False)):
        other = started(secret)
        other.set_cookie(cookie.key, cookie.value)
        assert ("Username: Ann" in other.get("/thankyou").text) is known
