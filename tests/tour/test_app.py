"""The tour's own pages, and where everything stands."""

import re

import httpx
import pytest

from seeother.apps.tour.lessons import ARMS, LESSONS, Lesson
from tests.tour.served import PREFIXES, Tour, Visitor

EACH = pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)


@pytest.mark.parametrize("path", ["/", "/tour"])
def test_the_way_in(ann: Visitor, path: str) -> None:
    """The root of the site and the prefix without its slash lead to the tour."""
    answer = ann.client.get(path)
    assert (answer.status_code, answer.headers["location"]) == (303, "/tour/")


def test_index(ann: Visitor) -> None:
    """The index explains each lesson and draws it: two effects from the POST, one after 303."""
    page = ann.get("/tour/")
    assert page.status == 200 and page.texts("h1") == [
        "What happens when you press the button twice?"
    ]
    assert page.texts("article h2") == [lesson.title for lesson in LESSONS]
    for number, lesson in enumerate(LESSONS):
        card = page.tree.css("article")[number]
        assert lesson.teaches in " ".join(card.text().split())
        said = [svg.attributes["aria-label"] or "" for svg in card.css("svg")]
        assert [text.rsplit(". ", 1)[1] for text in said] == ["2 effects.", "1 effect."]
        assert "refreshes: POST" in said[0] and "refreshes: GET" in said[1]
    assert page.texts(".flash") == []


def test_drawings_are_recorded_once(tour: Tour, ann: Visitor) -> None:
    """The runs that are drawn really took place, and a second look plays nothing again."""
    ann.get("/tour/")
    before = [tour.all_effects(lesson.name) for lesson in LESSONS]
    assert all(page >= 2 and taught >= 1 for page, taught, _ in before)
    ann.get("/tour/")
    assert [tour.all_effects(lesson.name) for lesson in LESSONS] == before


@EACH
def test_about(ann: Visitor, lesson: Lesson) -> None:
    """A lesson's page has its words, its arms, its buttons, its sources and its questions."""
    page = ann.get(f"/tour/about/{lesson.name}")
    assert page.texts("h1") == [lesson.title]
    arms = [link.attributes["href"] for link in page.tree.css(".arms a")]
    assert arms == [f"{PREFIXES[arm]}/{lesson.paths[0]}" for arm in ARMS]
    assert page.texts("form.attacks button") == [
        "Double click", "Refresh", "Back + send", "Cut the answer", "All four",
    ]  # fmt: skip
    assert page.texts(".question summary") == [question for question, _ in lesson.questions]
    assert page.texts(".question p") == [answer for _, answer in lesson.questions]
    assert page.tree.css("script, [style], style") == []


@EACH
def test_sources(ann: Visitor, lesson: Lesson) -> None:
    """The source stands there three times; what makes an arm is marked, one line for seeother."""
    page = ann.get(f"/tour/about/{lesson.name}")
    assert [len(one.css("mark")) for one in page.tree.css(".source")][1:] == [0, 1]
    of_page, plain, ours = (node.text() for node in page.tree.css(".source code"))
    (line,) = (node.text() for node in page.tree.css(".source")[2].css("mark"))
    assert "seeother" in line.lower() and ours.replace(line, "", 1) == plain
    assert of_page not in (plain, ours)
    assert [node.text() for node in page.tree.css(".added mark")] == [line.strip()]
    assert "record(" in plain


@EACH
@pytest.mark.parametrize("arm", ARMS)
def test_every_page_is_there(ann: Visitor, lesson: Lesson, arm: str) -> None:
    """Each path of each arm answers with a page whose links and forms stay in this arm."""
    for path in lesson.paths:
        answer = ann.client.get(f"{PREFIXES[arm]}/{path}")
        assert answer.status_code == 200, path
        assert '<aside class="panel"' in answer.text
        own = answer.text.partition('<aside class="panel"')[0].partition("<body")[2]
        for url in re.findall(r'(?:href|action)="(/[^"]*)"', own):
            rest = url.removeprefix(PREFIXES[arm]).removeprefix("/").partition("?")[0]
            assert url.startswith(PREFIXES[arm]) and rest.partition("/")[0] not in (
                "lesson",
                "page",
            )


@pytest.mark.parametrize("arm", ["lesson", "seeother"])
@EACH
def test_redirects_respect_the_prefix(ann: Visitor, lesson: Lesson, arm: str) -> None:
    """`url_for`, `request.path` and a relative Location lead to a page of the same arm."""
    attack = lesson.attacks[0]
    answer = ann.send(ann.get(f"{PREFIXES[arm]}/{attack.form}"), **attack.fields)
    target = answer.url.join(answer.headers["location"]).path
    assert answer.is_redirect and target in [f"{PREFIXES[arm]}/{path}" for path in lesson.paths]
    assert ann.get(answer.headers["location"]).status == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/tour/about/nothing", 404),
        ("GET", "/tour/nothing", 404),
        ("GET", "/tour/lesson/about/guess", 404),
        ("GET", "/tour/attack/guess", 405),
        ("POST", "/tour/attack/nothing", 404),
        ("POST", "/tour/attack/guess", 400),
    ],
)
def test_what_is_not_there(ann: Visitor, method: str, path: str, status: int) -> None:
    """Anything else is a friendly page with the right status."""
    answer = ann.client.request(method, path)
    assert answer.status_code == status
    assert 'href="/tour/"' in answer.text and "Traceback" not in answer.text


def test_foreign_host(tour: Tour) -> None:
    """A name that is not ours is refused everywhere, so that nobody can borrow the address."""
    for path in ("/", "/tour/", "/tour/about/guess", "/tour/page/hello", "/tour/hello"):
        answer = httpx.get(tour.url.rstrip("/") + path, headers={"host": "evil.example"})
        assert (path, answer.status_code) == (path, 400)


@pytest.mark.parametrize("arm", ARMS)
def test_too_much(tour: Tour, ann: Visitor, arm: str) -> None:
    """A form that is too long for any lesson is refused before a lesson reads it."""
    before = tour.effects("messages", arm)
    answer = ann.client.post(f"{PREFIXES[arm]}/messages", data={"message": "x" * (1 << 20)})
    assert answer.status_code == 413 and tour.effects("messages", arm) == before


def test_a_browser_has_a_name(ann: Visitor) -> None:
    """The first page names the browser, in a cookie that scripts and other sites do not get."""
    answer = ann.client.get("/tour/page/messages")
    (cookie,) = [c for c in answer.headers.get_list("set-cookie") if c.startswith("tour_browser=")]
    assert cookie.endswith("; Path=/tour; HttpOnly; SameSite=Lax")
    again = ann.client.get("/tour/page/messages")
    assert not any("tour_browser" in c for c in again.headers.get_list("set-cookie"))


def test_headers(ann: Visitor) -> None:
    """Own pages and lessons allow no script and no frame."""
    for path in ("/tour/", "/tour/about/hello", "/tour/hello", "/tour/page/hello", "/tour/nothing"):
        headers = ann.client.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'none'; style-src 'self'")
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


def test_static_files(ann: Visitor) -> None:
    """Style sheet and icon are there; nothing above their folder is."""
    assert ann.client.get("/tour/static/tour.css").headers["content-type"].startswith("text/css")
    assert ann.client.get("/tour/static/favicon.svg").status_code == 200
    assert ann.client.get("/tour/static/%2e%2e/app.py").status_code == 404
