"""The guessing game: Django, a message through the session, a CSRF token, a form class."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from seeother.apps.tour.lessons import lesson
from tests.tour.arms_site import Learner, Site, attribute, location, post_form, running, said

STATUS = {"lesson": 302, "seeother": 303}
BY_HAND, BY_CLASS = "getpost/awesome", "getpost/form"
WORDS = [
    ("41", "Your guess was too low"),
    ("43", "Your guess was too high"),
    ("42", "Congratulations!"),
    ("-7", "Your guess was too low"),
]
NOT_WHOLE = ["", "forty-two", "4.2", "9" * 5000, "<b>"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """All arms on one server."""
    with running(tmp_path_factory.mktemp("guess")) as found:
        yield found


@pytest.fixture(params=STATUS)
def learner(request: pytest.FixtureRequest, site: Site) -> Learner:
    """A new browser, in the arms that redirect."""
    return site.learner(lesson("guess"), request.param)


@pytest.mark.parametrize("path", [BY_HAND, BY_CLASS])
def test_the_first_page_has_no_message(learner: Learner, path: str) -> None:
    """Before the first guess there is a form with a CSRF token, and nothing is said."""
    page = learner.open(path)
    assert said(page) == [] and page.alerts == []
    assert "csrfmiddlewaretoken" in post_form(page).fields
    assert len(page.tree.css('label[for] ~ input[name="guess"]')) == 1


@pytest.mark.parametrize(("guess", "words"), WORDS)
@pytest.mark.parametrize("path", [BY_HAND, BY_CLASS])
def test_a_guess(learner: Learner, path: str, guess: str, words: str) -> None:
    """POST redirects to its own address without a body; the GET says it once, and only once."""
    answer = learner.type_in(path, guess=guess)
    assert (answer.status_code, answer.content) == (STATUS[learner.arm], b"")
    assert location(answer) == learner.path(path)
    assert said(learner.landing(answer)) == [words]
    assert said(learner.open(path)) == []
    assert learner.effects == 1


@pytest.mark.parametrize("guess", NOT_WHOLE)
def test_no_whole_number(learner: Learner, guess: str) -> None:
    """By hand: a message like any other, and no guess was made."""
    answer = learner.type_in(BY_HAND, guess=guess)
    assert answer.status_code == STATUS[learner.arm]
    assert said(learner.landing(answer)) == ["Please type a whole number"]
    assert learner.effects == 0


def test_a_missing_field(learner: Learner) -> None:
    """A form without its field is no traceback."""
    action, fields = learner.fill(learner.open(BY_HAND))
    answer = learner.post(fields, action)
    assert said(learner.landing(answer)) == ["Please type a whole number"]


@pytest.mark.parametrize("guess", ["forty-two", "4.2", "<b>"])
def test_the_form_class_refuses(learner: Learner, guess: str) -> None:
    """The form class: the page again, what was typed is in it, the error beside the field."""
    answer = learner.type_in(BY_CLASS, guess=guess)
    page = learner.landing(answer)
    assert answer.status_code == 200
    assert page.alerts == ["Please type a whole number"]
    assert attribute(page, 'input[name="guess"]', "value") == guess
    assert attribute(page, 'input[name="guess"]', "aria-invalid") == "true"
    assert learner.effects == 0


def test_the_form_class_refuses_nothing(learner: Learner) -> None:
    """An empty field is a different mistake, and the form class knows the words for it."""
    page = learner.landing(learner.type_in(BY_CLASS, guess=""))
    assert page.alerts == ["This field is required."]
    assert learner.effects == 0


def test_corrected(learner: Learner) -> None:
    """The form that was refused can be corrected on the page that came, and counts once."""
    page = learner.landing(learner.type_in(BY_CLASS, guess="forty-two"))
    answer = learner.send_form(learner.fill(page, guess="42"))
    assert said(learner.landing(answer)) == ["Congratulations!"]
    assert learner.effects == 1


def test_without_the_csrf_token(learner: Learner) -> None:
    """CsrfViewMiddleware is on: a form without its token is refused, and nothing is guessed."""
    action, fields = learner.fill(learner.open(BY_HAND), guess="41")
    del fields["csrfmiddlewaretoken"]
    assert learner.post(fields, action).status_code == 403
    assert learner.effects == 0


def test_a_message_is_for_its_session(site: Site, learner: Learner) -> None:
    """Another browser does not see it; the own one still does."""
    answer = learner.type_in(BY_HAND, guess="41")
    assert said(site.learner(learner.lesson, learner.arm).open(BY_HAND)) == []
    assert said(learner.landing(answer)) == ["Your guess was too low"]


@pytest.mark.parametrize("path", [BY_HAND, BY_CLASS])
def test_the_page_arm(site: Site, path: str) -> None:
    """The page arm answers the POST with the page: no redirect, the message is there."""
    learner = site.learner(lesson("guess"), "page")
    answer = learner.type_in(path, guess="41")
    assert answer.status_code == 200
    assert said(learner.landing(answer)) == ["Your guess was too low"]


TWICE = """
import sys
from pathlib import Path
from seeother.apps.tour.arms import build
from seeother.apps.tour.lessons import lesson
from werkzeug.test import Client
settings = {"prefix": "", "secret": b"x" * 32, "hosts": ["tour.example"]}
data = Path(sys.argv[1])
for arm in ("seeother", "lesson", "seeother"):
    client = Client(build(lesson("guess"), arm, data=data / "one", **settings))
    for host in ("tour.example", "evil.example") if arm == "seeother" else ():
        print(client.get("/getpost/awesome", base_url=f"http://{host}/").status_code)
try:
    build(lesson("guess"), "lesson", data=data / "two", **settings)
except RuntimeError as error:
    print(error)
"""


def test_one_project_in_a_process(tmp_path: Path) -> None:
    """An arm may be made again; a second folder is refused; the arm `seeother` checks the host."""
    command = [sys.executable, "-W", "error", "-c", TWICE, str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    *statuses, refused = run.stdout.splitlines()
    assert statuses == ["200", "400"] * 2
    assert "Django is configured already" in refused


def test_the_replay_finds_its_message(site: Site) -> None:
    """The first answer is lost, its session cookie too; sent again, the message is there."""
    learner = site.learner(lesson("guess"), "seeother")
    filled = learner.fill(learner.open(BY_HAND), guess="41")
    before = dict(learner.client.cookies)
    learner.send_form(filled)
    learner.client.cookies.clear()
    learner.client.cookies.update(before)
    assert said(learner.landing(learner.send_form(filled))) == ["Your guess was too low"]
    assert learner.effects == 1
