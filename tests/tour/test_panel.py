"""The panel: what it shows, and what it leaves alone."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from seeother.apps.tour.arms import build
from seeother.apps.tour.diagram import Side, sides, told
from seeother.apps.tour.journal import REQUESTS, Entry, Journal, Run, Step
from seeother.apps.tour.lessons import ARMS, lesson
from seeother.apps.tour.panel import MOST, Answer, Framed, framed
from tests.tour.served import PREFIXES, SECRET, Tour, Visitor

PAGE = b"<!doctype html><html><head><title>x</title></head><body><p>y</p></body></html>"
HTML = (b"content-type", b"text/html; charset=utf-8")


def test_post_redirect_get(ann: Visitor) -> None:
    """The panel lists POST, its 303 with the Location, and the GET behind it, newest first."""
    answer = ann.send(ann.get("/tour/hello"), name="Ann")
    page = ann.get(answer.headers["location"])
    get, post, form = page.requests[:3]
    assert get[0].startswith("GET /tour/hello?so=") and get[1:] == ("200", "0")
    assert post[0].startswith("POST /tour/hello") and post[2] == "+1"
    assert post[1].startswith("303 → Location /tour/hello?so=")
    assert form == ("GET /tour/hello", "200", "0")
    assert page.texts(".recorded") == ["Recorded in storage for you in this arm: greeted Ann × 1"]


def test_what_a_page_fetches_by_itself_is_dimmed(ann: Visitor) -> None:
    """Style sheet and icon are listed, and marked as what nobody asked for."""
    ann.get("/tour/submit")
    for path in ("/tour/static/tour.css", "/tour/static/favicon.svg"):
        ann.client.get(path)
    page = ann.get("/tour/submit")
    quiet = [line.text() for line in page.tree.css(".requests tr.quiet")]
    assert len(quiet) == 2 and "favicon.svg" in quiet[0] and "tour.css" in quiet[1]
    assert len(page.requests) == 4


@pytest.mark.parametrize(("arm", "times"), [("lesson", 2), ("seeother", 1)])
def test_307_then_refresh(tour: Tour, ann: Visitor, arm: str, times: int) -> None:
    """After "yes" with 307 a refresh runs the third page's view again; seeother's runs once."""
    answer = ann.send(ann.get(f"{PREFIXES[arm]}/first"), choice="yes", code="307")
    assert answer.status_code == 307
    third, body = answer.url.join(answer.headers["location"]), answer.request.content
    kind = {"content-type": "application/x-www-form-urlencoded"}
    came = ann.client.post(third, content=body, headers=kind)  # what the browser does by itself
    assert "You reached this page through a POST request." in came.text
    ann.client.post(third, content=body, headers=kind)  # the refresh
    assert tour.effects("pages", arm, ann.name) == times
    page = ann.get(f"{PREFIXES[arm]}/first")
    assert page.texts(".what") == [f"the form came to the third page × {times}"]
    posts = [line[2] for line in page.requests if line[0].startswith("POST")]
    assert posts == (["+1", "+1", "0"] if times == 2 else ["0", "+1", "0"])


def test_303_then_refresh(tour: Tour, ann: Visitor) -> None:
    """After "yes" with 303 the page is the answer of a GET, and a refresh does nothing."""
    answer = ann.send(ann.get("/tour/lesson/first"), choice="yes", code="303")
    landed, page = (ann.get(answer.headers["location"]) for _ in range(2))
    assert "You reached this page through a GET request." in landed.answer.text
    assert "You reached this page through a GET request." in page.answer.text
    assert page.texts(".what") == ["chose yes × 1"]
    assert tour.effects("pages", "lesson", ann.name) == 1


def test_one_browser_one_panel(ann: Visitor, bob: Visitor) -> None:
    """Nobody sees what another browser asked for."""
    ann.send(ann.get("/tour/lesson/hello"), name="Secret-of-Ann")
    page = bob.get("/tour/lesson/hello")
    assert page.requests == [("GET /tour/lesson/hello", "200", "0")]
    assert "Secret-of-Ann" not in page.answer.text


def test_typed_markup_stays_text(ann: Visitor) -> None:
    """What somebody put into an address or a form comes back as text."""
    markup = "<i>x</i>"
    ann.client.get("/tour/nothing", params={"q": markup, "r": '"><script>'})
    ann.send(ann.get("/tour/page/hello"), name=markup)
    page = ann.get("/tour/page/hello")
    assert page.tree.css(".panel i, script") == []
    assert page.texts(".what") == [f"greeted {markup} × 1"]


def test_a_forged_cookie_is_no_name(ann: Visitor) -> None:
    """A name that the tour did not make gets a new one, and is shown nowhere."""
    forged = {"cookie": 'tour_browser="><script>alert(1)</script>'}
    answer = ann.client.get("/tour/page/hello", headers=forged)
    assert "alert" not in answer.text and "tour_browser=" in answer.headers["set-cookie"]


# What it leaves alone --------------------------------------------------------------------------


def test_a_redirect_has_no_body(ann: Visitor) -> None:
    """The 303 of an arm stays as empty as it was."""
    for arm in ("lesson", "seeother"):
        answer = ann.send(ann.get(f"{PREFIXES[arm]}/messages"), message="Hello")
        assert (answer.status_code, answer.content) == (303, b"")


@pytest.mark.parametrize("arm", ARMS)
def test_only_the_panel_is_new(tmp_path: Path, ann: Visitor, arm: str) -> None:
    """Beside the bare app: same status, same cookies, same words to caches, same bytes around."""
    app: Any = build(lesson("submit"), arm, prefix=PREFIXES[arm], data=tmp_path, secret=SECRET)
    mounted = httpx.WSGITransport(app, script_name=PREFIXES[arm])
    with httpx.Client(transport=mounted, base_url="http://127.0.0.1") as client:
        bare = client.get(f"{PREFIXES[arm]}/submit".removeprefix(PREFIXES[arm]))
    ours = ann.client.get(f"{PREFIXES[arm]}/submit")
    assert ours.status_code == bare.status_code == 200
    for name in ("cache-control", "vary", "content-type", "etag", "expires"):
        assert ours.headers.get(name) == bare.headers.get(name)
    added = [c for c in ours.headers.get_list("set-cookie") if not c.startswith("tour_browser=")]
    assert [c.partition("=")[0] for c in added] == [
        c.partition("=")[0] for c in bare.headers.get_list("set-cookie")
    ]
    assert int(ours.headers["content-length"]) == len(ours.content)
    head, _, rest = ours.text.partition("<aside")
    assert rest.partition("</aside>")[2].strip() == bare.text.partition("</main>")[2].strip()
    assert head.count("<main>") == 1


def through(
    headers: Sequence[tuple[bytes, bytes]],
    *pieces: bytes,
    status: int = 200,
    bodiless: bool = False,
) -> tuple[int, dict[bytes, bytes], bytes]:
    """An answer as it leaves the frame, of which each panel is `[panel]`."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def finish(answer: Answer) -> tuple[bytes, bytes]:
        assert answer.status == status
        return b"[head]", b"[panel]"

    async def run() -> None:
        out = Framed(send, finish, bodiless=bodiless)
        await out({"type": "http.response.start", "status": status, "headers": list(headers)})
        for piece in pieces:
            await out({"type": "http.response.body", "body": piece, "more_body": True})
        await out({"type": "http.response.body", "body": b""})

    asyncio.run(run())
    assert sent[-1].get("more_body", False) is False
    body = b"".join(message["body"] for message in sent[1:])
    return sent[0]["status"], dict(sent[0]["headers"]), body


def test_a_page_in_pieces() -> None:
    """However a page arrives, the panel is before the end of its body, the length true."""
    for size in (1, 7, len(PAGE)):
        pieces = [PAGE[at : at + size] for at in range(0, len(PAGE), size)]
        length = (b"content-length", str(len(PAGE)).encode())
        _, headers, body = through([HTML, length], *pieces)
        assert body.endswith(b"<p>y</p>[panel]</body></html>") and b"[head]</head>" in body
        assert headers[b"content-length"] == str(len(body)).encode()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([(b"content-type", b"application/json")], 200),
        ([], 200),
        ([HTML, (b"content-encoding", b"gzip")], 200),
        ([HTML, (b"cache-control", b"no-transform")], 200),
        ([HTML, (b"location", b"/x")], 303),
        ([HTML, (b"location", b"/x")], 307),
        ([HTML], 206),
    ],
)
def test_no_page_no_panel(headers: list[tuple[bytes, bytes]], status: int) -> None:
    """What is no page, or may not be touched, passes byte for byte, its length too."""
    length = (b"content-length", str(len(PAGE)).encode())
    got, sent, body = through([*headers, length], PAGE, status=status)
    assert (got, body, sent[b"content-length"]) == (status, PAGE, length[1])


def test_a_very_long_page_streams() -> None:
    """A page that is too long to hold back passes without a panel."""
    piece = b"x" * (MOST // 2)
    _, headers, body = through([HTML], piece, piece, piece)
    assert body == piece * 3 and b"content-length" not in headers


def test_head_has_no_body() -> None:
    """HEAD gets no panel, and no length that the page does not have."""
    _, headers, body = through([HTML, (b"content-length", b"9")], bodiless=True)
    assert body == b"" and b"content-length" not in headers


def test_a_policy_of_its_own_lets_the_style_sheet_in() -> None:
    """A page with its own content security policy keeps it; only our style sheet is let in."""
    csp = (b"content-security-policy", b"default-src 'none'; style-src 'sha256-x'")
    _, headers, _ = through([HTML, csp], PAGE)
    assert headers[csp[0]] == b"default-src 'none'; style-src 'self' 'sha256-x'"


def test_words_that_look_like_the_end() -> None:
    """The last `</body>` counts; a page without one gets the panel at its end."""
    page = b"<head></head><body><!-- </body> -->x</BODY >\n"
    assert framed(page, b"[h]", b"[p]").endswith(b"x[p]</BODY >\n")
    assert framed(b"plain", b"[h]", b"[p]").endswith(b"[p]")


# The journal and the drawings ------------------------------------------------------------------


def test_each_effect_belongs_to_one_request(tmp_path: Path) -> None:
    """However requests overlap, the sum of what they claim is what storage counts."""
    journal = Journal(tmp_path / "journal.db")
    claims = [journal.claim("ann", "guess", "page", counted) for counted in (0, 2, 1, 2, 3)]
    assert claims == [0, 2, 0, 0, 1]
    assert journal.claim("ann", "guess", "lesson", 1) == 1
    assert journal.claim("bob", "guess", "page", 1) == 1


def test_the_journal_is_bounded(tmp_path: Path) -> None:
    """It forgets the oldest requests."""
    journal = Journal(tmp_path / "journal.db")
    journal.note("ann", Entry("GET", "/first", 200))
    with journal._writing() as database:
        database.execute("UPDATE request SET id = 1")
        database.execute(
            "INSERT INTO request SELECT ?, 'bob', 'GET', '/x', 200, NULL, 0, 0", (REQUESTS,)
        )
    assert [one.path for one in journal.last("ann", 5)] == ["/first"]
    journal.note("bob", Entry("GET", "/y", 200))
    assert journal.last("ann", 5) == []
    assert [one.path for one in journal.last("bob", 5)] == ["/y", "/x"]


def test_a_run_comes_back_as_it_was(tmp_path: Path) -> None:
    """The journal keeps every step of a run, over a restart."""
    steps = (
        Step("clicks", "POST", "/tour/x", None, None, 1),
        Step("", "GET", "/y", 200, "/z", 2, overlaps=True),
    )
    run = Run("guess", "0", "cut", "page", "played", steps)
    Journal(tmp_path / "journal.db").keep("ann", run)
    again = Journal(tmp_path / "journal.db")
    assert again.runs("ann", "guess") == {("0", "cut", "page"): run}
    assert again.example("guess", "cut", "0", "page") == run
    assert again.example("guess", "cut", "1", "page") is None


def test_a_drawing_shows_each_request() -> None:
    """Every request and answer is an arrow, every effect a line; paths are text, not markup."""
    steps = (
        Step("opens the form", "GET", "/tour/a", 200, None, 0),
        Step("clicks", "POST", "/tour/<a>", 302, None, 0, overlaps=True),
        Step("clicks again", "POST", "/tour/<a>", None, None, 2),
    )
    half = Side("As taught", Run("x", "0", "twice", "lesson", "p", steps), "Both count.")
    drawn = str(sides(half, half))
    assert drawn.count("<svg") == 2 and drawn.count(' arrow"') == 2 * 4
    assert "&lt;a&gt;" in drawn and "<a>" not in drawn
    assert drawn.count("effects 1 and 2") == 2 and drawn.count("answer lost") == 2 * 2
    assert (
        told(half)
        == "As taught. clicks: POST …/<a>, 302; clicks again: POST …/<a>, answer lost. 2 effects."
    )
