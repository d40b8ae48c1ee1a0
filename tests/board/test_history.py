"""The board's panel "How did I get here?": a visitor's own last five requests, nobody else's."""

from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest

from seeother.apps.board.history import LONGEST
from tests.board.hosted import Hosted
from tests.board.visitor import Page, Visitor
from tests.board.wire import ask, exchange, head, post


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Hosted]:
    """A board beside a tour."""
    with Hosted(tmp_path, tour="/tour/") as hosted:
        yield hosted


@pytest.fixture
def ann(board: Hosted) -> Iterator[Visitor]:
    """A visitor."""
    with Visitor(board.url) as visitor:
        yield visitor


def steps(page: Page) -> list[str]:
    """The lines of the panel, blanks as one."""
    return [" ".join(line.split()) for line in page.texts("#history ol > li")]


def test_a_board_alone_has_neither_link_nor_panel(tmp_path: Path) -> None:
    """Where no tour is mounted nothing leads to one."""
    with Hosted(tmp_path) as hosted, Visitor(hosted.url) as visitor:
        page = visitor.say("hello")
        assert page.texts("#history") == [] and "/tour" not in page.source
        assert "/tour" not in visitor.get("/m/1").source


def test_every_page_leads_to_the_tour(board: Hosted, ann: Visitor) -> None:
    """The header of board, message and error page says "How it works"."""
    ann.say("hello")
    for path in ("/", "/m/1", "/nothing"):
        page = ann.get(path)
        (link,) = page.tree.css("header nav a")
        assert (link.text(), link.attributes["href"]) == ("How it works", "/tour/"), path


def test_the_way_to_the_message(board: Hosted, ann: Visitor) -> None:
    """GET, POST, GET: what a browser's own tools would show, in a panel that is closed at first."""
    page = ann.say("hello")
    (panel,) = page.tree.css("details#history")
    assert "open" not in panel.attributes
    assert page.texts("#history summary span")[0] == "How did I get here?"
    (first, second, third) = steps(page)
    receipt = page.url.partition("so=")[2]
    assert len(receipt) == 22
    assert first == "GET / 200"
    assert second == f"POST /?so 303 Location: /?so={receipt[:4]}…"
    assert third == f"GET /?so={receipt[:4]}… this page"
    assert receipt not in str(panel.html)


def test_what_the_panel_asks_for(board: Hosted, ann: Visitor) -> None:
    """Refresh, go back, press Post again: both POSTs have one Location, and it is one message."""
    form = ann.get()
    first = ann.submit(form, message="hello")
    ann.follow(first)
    ann.get(first.headers["location"])
    again = ann.follow(ann.submit(form, message="hello"))
    posts = [line for line in steps(again) if line.startswith("POST")]
    assert len(posts) == 2 and len(set(posts)) == 1
    assert again.messages == ["hello"] and board.messages() == 1


def test_five_at_most_and_the_newest_last(board: Hosted, ann: Visitor) -> None:
    """Older requests go; what a page brings along by itself is not listed."""
    for number in range(8):
        ann.get("/static/board.css")
        ann.get("/favicon.ico")
        ann.get(f"/?before={number}")
    page = ann.get("/?before=8")
    assert steps(page) == [
        *(f"GET /?before={n} 200" for n in range(4, 8)),
        "GET /?before=8 this page",
    ]


def test_refusals_and_errors_are_listed(board: Hosted, ann: Visitor) -> None:
    """What never reached the board's own code is there too: a foreign post, a missing page."""
    page = ann.get()
    assert ann.submit(page, message="x" * 70_000).status_code == 413
    ann.post({"message": "x"}, origin="http://evil.example", sec_fetch_site="cross-site")
    ann.get("/m/77")
    lines = steps(ann.get())
    assert lines == [
        "GET / 200",
        "POST /?so 413",
        "POST /?so 403",
        "GET /m/77 404",
        "GET / this page",
    ]


def test_everybody_sees_the_own_requests_only(board: Hosted, ann: Visitor) -> None:
    """Another browser, one without cookies and one with an invented cookie see nothing of Ann's."""
    ann.say("hello")
    with Visitor(board.url) as bob:
        assert steps(bob.get()) == ["GET / this page"]
    with Visitor(board.url, cookies=False) as nobody:
        for _ in range(2):
            assert steps(nobody.get()) == ["GET / this page"]
    name = next(c.name for c in ann.client.cookies.jar if len(c.name) == len("so-3f9a1c"))
    invented = ask(board.port, "GET", "/", cookie=f"{name}=invented")
    assert "POST" not in invented.text.partition('class="steps"')[2].partition("</ol>")[0]


def test_nothing_is_noted_of_a_plain_client(board: Hosted) -> None:
    """No cookie in, none out: the post of curl is nobody's, and no page is kept for it."""
    post(board.port, {"message": "hello"})
    assert len(board.history._steps) == 0


def test_no_cookie_and_no_store(board: Hosted, ann: Visitor, tmp_path: Path) -> None:
    """The panel sets no cookie of its own, and keeps a digest instead of the visitor's."""
    ann.say("hello")
    with Hosted(tmp_path / "alone") as alone, Visitor(alone.url) as other:
        other.say("hello")
        names = [sorted(c.name[:-6] for c in who.client.cookies.jar) for who in (ann, other)]
    assert names[0] == names[1]
    cookie = ann.cookie("so-")
    assert cookie is not None
    (kept,) = board.history._steps
    assert len(kept) == 16 and cookie.encode() not in kept


def test_memory_is_bounded(board: Hosted) -> None:
    """Of more visitors than fit, those who came last are known."""
    board.history._visitors = 3
    for number in range(8):
        with Visitor(board.url) as visitor:
            visitor.get(f"/?before={number}")
    kept = [known[-1].path for known in board.history._steps.values()]
    assert kept == [f"/?before={n}" for n in (5, 6, 7)]


def test_hostile_addresses(board: Hosted, ann: Visitor) -> None:
    """Markup in an address shows as typed, a long one is cut."""
    ann.get()
    cookie = "; ".join(f"{c.name}={c.value}" for c in ann.client.cookies.jar)
    for query in ("<script>alert(1)</script>&'\"", "x" * 4000):
        lines = {"Host": f"127.0.0.1:{board.port}", "Cookie": cookie, "Connection": "close"}
        answer = exchange(board.port, head(f"GET /?{query} HTTP/1.1", lines.items()))
        assert answer is not None and answer.status in (200, 400)
    page = ann.get()
    listed = page.source.partition('class="steps"')[2].partition("</ol>")[0]
    assert "<script" not in listed and "alert(1)" in unescape(listed)
    assert max(map(len, steps(page))) < LONGEST + 20
