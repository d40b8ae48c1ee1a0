"""The attack buttons: real requests, effects counted in storage, and nobody else's server."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from seeother.apps.tour.attacks import AT_ONCE, ATTACKS, BY_NAME, Arena, Busy, Target
from seeother.apps.tour.effects import FILE, Effects
from seeother.apps.tour.filling import Stopped
from seeother.apps.tour.journal import Journal
from seeother.apps.tour.lessons import ARMS, LESSONS, Lesson
from seeother.apps.tour.player import Player, Site, Stranger
from tests.tour.served import Tour, Visitor

# What the three arms do, by attack: once is right.
ONCE_REPEATED = {"twice": (2, 2, 1), "refresh": (2, 2, 1), "back": (2, 2, 1), "cut": (2, 2, 1)}
SEES_OTHER = ONCE_REPEATED | {"refresh": (2, 1, 1)}


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
@pytest.mark.parametrize("attack", [attack.name for attack in ATTACKS])
def test_every_attack_on_every_arm(tour: Tour, ann: Visitor, lesson: Lesson, attack: str) -> None:
    """Page arm 2, lesson arm 2 (1 on refresh, but 2 after 307), seeother arm 1: in storage."""
    expected = [(ONCE_REPEATED if a.repeats else SEES_OTHER)[attack] for a in lesson.attacks]
    page = ann.get(f"/tour/about/{lesson.name}")
    before = tour.all_effects(lesson.name)
    page = ann.press(page, attack)
    grown = [now - then for now, then in zip(tour.all_effects(lesson.name), before, strict=True)]
    assert grown == [sum(column) for column in zip(*expected, strict=True)]
    shown = [tuple(map(int, row)) for row in page.effects[BY_NAME[attack].label]]
    assert shown == expected
    assert page.texts("[role=status] .flash") == [
        f"{BY_NAME[attack].label}: done, on all three arms."
    ]


def test_a_table_is_counted_when_it_is_shown(tour: Tour, ann: Visitor) -> None:
    """The page holds no number that storage does not hold: one more row, one more on the page."""
    page = ann.press(ann.get("/tour/about/hello"), "refresh")
    assert page.effects["Refresh"] == [("2", "1", "1")]
    played = tour.journal().runs(ann.name, "hello")["0", "refresh", "seeother"].played
    effects = Effects(tour.data / FILE)
    with effects.recording("hello", "seeother", played):
        from seeother.apps.tour.effects import record

        record("one more")
    assert ann.get("/tour/about/hello").effects["Refresh"] == [("2", "1", "2")]


def test_results_are_ones_own(ann: Visitor, bob: Visitor) -> None:
    """Nobody sees what another browser had played; a refresh keeps one's own."""
    page = ann.press(ann.get("/tour/about/submit"), "twice")
    assert page.effects["Double click"] == [("2", "2", "1")]
    assert ann.get("/tour/about/submit").effects == page.effects
    assert bob.get("/tour/about/submit").effects["Double click"] == [("– not run yet",) * 3]


def test_all_four(ann: Visitor) -> None:
    """One button runs everything."""
    page = ann.press(ann.get("/tour/about/pages"), "all")
    assert page.texts("[role=status] .flash") == ["All four: done, on all three arms."]
    assert [len(rows) for rows in page.effects.values()] == [2] * 4
    assert page.effects["Refresh"] == [("2", "1", "1"), ("2", "2", "1")]


def test_the_button_itself_is_protected(tour: Tour, ann: Visitor) -> None:
    """Two clicks on an attack button play the attack once, and both lead to its result."""
    page = ann.get("/tour/about/guess")
    before = tour.all_effects("guess")
    with ThreadPoolExecutor(2) as pool:
        clicks = [pool.submit(ann.send, page, "form.attacks", attack="refresh") for _ in range(2)]
        answers = [click.result() for click in clicks]
    assert [a.status_code for a in answers] == [303, 303]
    assert len({a.headers["location"] for a in answers}) == 1
    grown = [now - then for now, then in zip(tour.all_effects("guess"), before, strict=True)]
    assert grown == [2, 1, 1]


def test_another_site_cannot_press_it(tour: Tour, ann: Visitor) -> None:
    """A form on another site starts nothing."""
    ann.get("/tour/about/guess")
    before = tour.all_effects("guess")
    foreign = {"origin": "http://evil.example", "sec-fetch-site": "cross-site"}
    answer = ann.client.post("/tour/attack/guess", data={"attack": "all"}, headers=foreign)
    assert answer.status_code == 403 and tour.all_effects("guess") == before


# What the played browser did -------------------------------------------------------------------


def steps(
    tour: Tour, ann: Visitor, arm: str, attack: str, form: str = "0"
) -> list[tuple[str, int | None, int]]:
    """Method, status and effects so far, of each request of ann's newest run in lesson `pages`."""
    run = tour.journal().runs(ann.name, "pages")[form, attack, arm]
    return [(step.method, step.status, step.effects) for step in run.steps]


def test_refresh_repeats_what_led_to_the_page(tour: Tour, ann: Visitor) -> None:
    """After 302 or 303 a refresh is a GET, after 307 a POST, without a redirect the first POST."""
    ann.press(ann.get("/tour/about/pages"), "refresh")
    assert steps(tour, ann, "page", "refresh") == [
        ("GET", 200, 0),
        ("POST", 200, 1),
        ("POST", 200, 2),
    ]
    assert steps(tour, ann, "lesson", "refresh") == [
        ("GET", 200, 0), ("POST", 302, 1), ("GET", 200, 1), ("GET", 200, 1),
    ]  # fmt: skip
    assert steps(tour, ann, "lesson", "refresh", "1") == [
        ("GET", 200, 0), ("POST", 307, 0), ("POST", 200, 1), ("POST", 200, 2),
    ]  # fmt: skip
    assert steps(tour, ann, "seeother", "refresh") == [
        ("GET", 200, 0), ("POST", 303, 1), ("GET", 200, 1), ("GET", 200, 1),
    ]  # fmt: skip
    assert steps(tour, ann, "seeother", "refresh", "1") == [
        ("GET", 200, 0), ("POST", 307, 0), ("POST", 200, 1), ("POST", 200, 1),
    ]  # fmt: skip


def test_the_answer_is_really_lost(tour: Tour, ann: Visitor) -> None:
    """The view has run, the answer never arrives, and the second try is answered in full."""
    ann.press(ann.get("/tour/about/pages"), "cut")
    assert steps(tour, ann, "lesson", "cut") == [
        ("GET", 200, 0), ("POST", None, 1), ("POST", 302, 2), ("GET", 200, 2),
    ]  # fmt: skip
    assert steps(tour, ann, "seeother", "cut") == [
        ("GET", 200, 0), ("POST", None, 1), ("POST", 303, 1), ("GET", 200, 1),
    ]  # fmt: skip


# Bounds -------------------------------------------------------------------------------------------


@pytest.fixture
def arena(tmp_path: Path) -> Arena:
    """A place for attacks without a tour around it."""
    return Arena(Journal(tmp_path / "journal.db"), Effects(tmp_path / FILE))


def test_one_run_at_a_time(arena: Arena) -> None:
    """A browser has one run at a time, all together a few; a run that failed frees its place."""
    with arena.turn("ann"):
        with pytest.raises(Busy, match="still under way"), arena.turn("ann"):
            pytest.fail("two runs")
        with arena.turn("bob"):
            pass
    with pytest.raises(ZeroDivisionError), arena.turn("ann"):
        1 / 0  # noqa: B018
    with arena.turn("ann"):
        pass


def test_a_few_runs_together(arena: Arena) -> None:
    """More browsers than that are asked to try again."""
    from contextlib import ExitStack

    with ExitStack() as stack:
        for number in range(AT_ONCE):
            stack.enter_context(arena.turn(f"browser-{number}"))
        with pytest.raises(Busy, match="Others"), arena.turn("one more"):
            pytest.fail("too many")


class Elsewhere(BaseHTTPRequestHandler):
    """A server that is not the tour; `pages` maps paths to what it answers, `seen` what came."""

    pages: dict[str, tuple[int, str, str]]
    seen: list[str]

    def do_GET(self) -> None:
        """Answer from the table."""
        self.seen.append(f"{self.command} {self.path}")
        status, location, body = self.pages.get(self.path, (200, "", "<p>hello</p>"))
        self.send_response(status)
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    do_POST = do_GET  # noqa: N815 (the base class's name)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
        """Say nothing."""


@contextmanager
def elsewhere(**pages: tuple[int, str, str]) -> Iterator[tuple[Site, list[str]]]:
    """Another server on this machine, and what came to it."""
    seen: list[str] = []
    table = {f"/tour/{name}": page for name, page in pages.items()}
    handler = type("Handler", (Elsewhere,), {"pages": table, "seen": seen})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.02])
        thread.start()
        port = server.server_address[1]
        yield Site("127.0.0.1", port, f"127.0.0.1:{port}", "/tour"), seen
        server.shutdown()
        thread.join()


FORM = '<form method="post" action="{}"><input name="guess"></form>'
TARGET = Target("guess", "page", "0", "/tour/form", {"guess": "41"})


def test_a_stranger_gets_no_form(arena: Arena) -> None:
    """What does not write into our journal is not our server: one GET, then no more."""
    with elsewhere(form=(200, "", FORM.format("/tour/form"))) as (site, seen):
        for attack in ATTACKS:
            with pytest.raises(Stranger):
                arena.run(site, "ann", attack, TARGET)
    assert seen == ["GET /tour/form"] * len(ATTACKS)


@pytest.mark.parametrize("address", ["192.0.2.1", "8.8.8.8", "2001:db8::1", "example.org"])
def test_no_other_machine_is_asked(arena: Arena, address: str) -> None:
    """An address that is not this machine's is not even connected to."""
    with pytest.raises(Stranger, match="own address"):
        arena.run(Site(address, 80, "localhost", "/tour"), "ann", ATTACKS[0], TARGET)


@pytest.mark.parametrize(
    "location",
    ["http://evil.example/tour/x", "//evil.example/tour/x", "/", "/tours/x", "/tour/../x"],
)
def test_no_redirect_leads_out(location: str) -> None:
    """A redirect to another host, or out of the tour, ends the play."""
    with elsewhere(form=(303, location, "")) as (site, seen):
        player = Player(site, ("tour_browser", "x"), lambda: 0)
        with pytest.raises(Stopped, match="out of the tour"):
            player.visit("", "/tour/form")
    assert seen == ["GET /tour/form"]


def test_no_form_leads_out() -> None:
    """Neither does a form."""
    with elsewhere(form=(200, "", FORM.format("http://evil.example/else"))) as (site, seen):
        player = Player(site, ("tour_browser", "x"), lambda: 0)
        player.visit("", "/tour/form")
        with pytest.raises(Stopped, match="out of the tour"):
            player.press("clicks", player.fill({"guess": "41"}))
    assert seen == ["GET /tour/form"]


def test_redirects_end() -> None:
    """A loop of redirects is given up."""
    with elsewhere(form=(303, "/tour/form", "")) as (site, seen):
        player = Player(site, ("tour_browser", "x"), lambda: 0)
        with pytest.raises(Stopped, match="did not end"):
            player.visit("", "/tour/form")
    assert len(seen) < 10


def test_nobody_listens(arena: Arena) -> None:
    """A port that nobody listens on is a sentence, not a traceback."""
    with elsewhere() as (site, _):
        pass
    with pytest.raises(Stopped, match="could not be reached"):
        arena.run(site, "ann", ATTACKS[0], TARGET)


def test_all_arms_are_attacked(tour: Tour, ann: Visitor) -> None:
    """One press, three arms, three browsers: none shares its effects with another."""
    ann.press(ann.get("/tour/about/messages"), "back")
    runs = tour.journal().runs(ann.name, "messages")
    assert len({run.played for run in runs.values()}) == len(ARMS)
    found = [tour.effects("messages", arm, runs["0", "back", arm].played) for arm in ARMS]
    assert found == [2, 2, 1]


def test_behind_a_proxy(tmp_path: Path) -> None:
    """Where a proxy says how the site is called, the played browser still reaches all arms."""
    with Tour(tmp_path, proxy_hops=1) as tour, Visitor(tour.url) as ann:
        named = {"x-forwarded-host": tour.url[7:-1], "x-forwarded-proto": "http"}
        ann.client.headers.update(named)
        page = ann.press(ann.get("/tour/about/messages"), "twice")
        assert page.effects["Double click"] == [("2", "2", "1")]
