"""The same four things happen to every lesson in all of its arms; effects are counted in the file.

The table of expectations is the tour's promise: a page from the POST takes everything twice, the
redirect of the lesson helps against refreshing alone, and one line more makes it one effect (at
most once in mode separate, exactly once in Django's mode joined).
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from werkzeug.test import Client

from seeother.apps.tour.arms import build
from seeother.apps.tour.lessons import ARMS, LESSONS, Attack, Lesson
from tests.tour.arms_site import Learner, Site, attribute, running, together

CASES = [(lesson, attack) for lesson in LESSONS for attack in lesson.attacks]
NAMES = [f"{lesson.name}-{number}" for number, (lesson, _) in enumerate(CASES)]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """All arms on one server."""
    with running(tmp_path_factory.mktemp("arms")) as found:
        yield found


def double_click(learner: Learner, attack: Attack) -> None:
    """Two clicks before any answer is there."""
    filled = learner.fill(learner.open(attack.form), **attack.fields)
    together(*[lambda: learner.send_form(filled)] * 2)


def refresh(learner: Learner, attack: Attack) -> None:
    """Wait for the page, then F5: whatever request made the page is made once more."""
    answer = learner.send_form(learner.fill(learner.open(attack.form), **attack.fields))
    if answer.is_redirect:
        page = learner.landing(answer)
        learner.get(page.url)
        return
    body = answer.request.content.decode()
    learner.client.post(answer.request.url, content=body, headers=answer.request.headers)


def back_and_send(learner: Learner, attack: Attack) -> None:
    """Back to the form as it was, with the same text in it, and send it."""
    filled = learner.fill(learner.open(attack.form), **attack.fields)
    learner.landing(learner.send_form(filled))
    learner.landing(learner.send_form(filled))


def cut_the_answer(learner: Learner, attack: Attack) -> None:
    """The answer of the POST never arrives, cookies included; reloading sends it again."""
    filled = learner.fill(learner.open(attack.form), **attack.fields)
    before = dict(learner.client.cookies)
    learner.send_form(filled)
    learner.client.cookies.clear()
    learner.client.cookies.update(before)
    learner.landing(learner.send_form(filled))


def expected(arm: str, attack: Attack, what: Callable[..., None]) -> int:
    """How many effects there are."""
    if arm == "seeother":
        return 1
    return 1 if arm == "lesson" and what is refresh and not attack.repeats else 2


@pytest.mark.parametrize("what", [double_click, refresh, back_and_send, cut_the_answer])
@pytest.mark.parametrize("arm", ARMS)
@pytest.mark.parametrize(("lesson", "attack"), CASES, ids=NAMES)
def test_effects(
    site: Site, lesson: Lesson, attack: Attack, arm: str, what: Callable[..., None]
) -> None:
    """Page arm two, lesson arm two or, where the redirect helps, one, seeother arm one."""
    learner = site.learner(lesson, arm)
    what(learner, attack)
    assert learner.effects == expected(arm, attack, what)


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda one: one.name)
def test_every_path_answers(site: Site, lesson: Lesson) -> None:
    """Every path of a lesson is there in every arm, as a page with one heading."""
    for arm in ARMS:
        learner = site.learner(lesson, arm)
        for page in [learner.open(path) for path in lesson.paths]:
            assert page.status == 200
            assert page.answer.headers["content-type"] == "text/html; charset=utf-8"
            assert len(page.tree.css("main h1")) == 1
            assert attribute(page, "html", "lang") == "en"
            assert page.tree.css_first('meta[name="viewport"]') is not None


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda one: one.name)
def test_every_field_has_a_label(site: Site, lesson: Lesson) -> None:
    """A field that is seen is named by a label, in every arm."""
    for arm in ARMS:
        learner = site.learner(lesson, arm)
        for path in lesson.paths:
            page = learner.open(path)
            for field in page.tree.css("input, select, textarea"):
                if field.attributes.get("type") in ("hidden", "submit"):
                    continue
                named = page.tree.css(f'label[for="{field.attributes.get("id")}"]')
                assert named or (field.parent is not None and field.parent.tag == "label")


def test_the_arms_share_no_cookie(site: Site) -> None:
    """A session of one arm is not there in the others, though they are sent its cookies."""
    (lesson,) = (one for one in LESSONS if one.name == "submit")
    first = site.learner(lesson, "lesson")
    first.landing(first.type_in("submit", username="Ann"))
    names = {cookie.name for cookie in first.client.cookies.jar} - {"tour_browser"}
    assert names and all(name.startswith("tour-submit-lesson.") for name in names)
    for arm in ("page", "seeother"):
        other = site.learner(lesson, arm)
        other.client.cookies.update(first.client.cookies)
        assert "Ann" not in other.open("submit").source.replace('"Ann"', "").replace("=Ann", "")
    assert "Welcome back, Ann" in first.open("submit").source


@pytest.mark.parametrize("name", ["messages", "hello"])
def test_hosts(tmp_path: Path, name: str) -> None:
    """The arm `seeother` answers under the names of the site only (DNS rebinding)."""
    (one,) = (found for found in LESSONS if found.name == name)
    secret = b"s" * 32
    arm = build(one, "seeother", prefix="", data=tmp_path, secret=secret, hosts=["tour.example"])
    for host, status in (("tour.example", 200), ("evil.example", 400)):
        answer = Client(arm).get(f"/{one.paths[0]}", base_url=f"http://{host}/")
        assert answer.status_code == status


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda one: one.name)
def test_another_site_cannot_post(site: Site, lesson: Lesson) -> None:
    """What another site sends has no effect in the seeother arm."""
    learner = site.learner(lesson, "seeother")
    attack = lesson.attacks[0]
    action, fields = learner.fill(learner.open(attack.form), **attack.fields)
    answer = learner.post(
        fields, action, origin="https://evil.example", sec_fetch_site="cross-site"
    )
    assert answer.status_code == 403
    assert learner.effects == 0
