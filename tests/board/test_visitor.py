"""The board for browsers, over real HTTP: cookies, Origin and Sec-Fetch-* as Chromium sends them.

Every promise about messages that are shown once, drafts, replays and tabs. Where time matters the
board runs in this process and its clock is moved (tests/board/hosted.py).
"""

from collections.abc import Iterator

import pytest

from seeother.core.keys import decode
from seeother.core.token import FIELD, mint
from tests.board.hosted import Hosted
from tests.board.visitor import Page, Visitor

POSTED = "Your message was posted."
DONE = "This was already done."
LATER = 6.0  # more than the 5 s after which a message waits for any page of its visitor
MUCH_LATER = 11.0  # more than the 10 s in which a replay shows its own message again


@pytest.fixture(scope="module")
def hosted(tmp_path_factory: pytest.TempPathFactory, database: str | None) -> Iterator[Hosted]:
    """A board whose clock can be moved, on either database."""
    with Hosted(tmp_path_factory.mktemp("board"), database) as started:
        yield started


@pytest.fixture
def board(hosted: Hosted) -> Hosted:
    """The board, empty."""
    return hosted.emptied()


@pytest.fixture
def ann(board: Hosted) -> Iterator[Visitor]:
    """A visitor."""
    with Visitor(board.url) as visitor:
        yield visitor


@pytest.fixture
def bob(board: Hosted) -> Iterator[Visitor]:
    """Another one."""
    with Visitor(board.url) as visitor:
        yield visitor


def expired_token(board: Hosted, visitor: Visitor) -> str:
    """A token of this visitor's that was issued two days ago."""
    secret = decode(visitor.cookie("so-") or "", 16)
    assert secret is not None
    ring = board.app.policy.ring
    return mint(ring, visitor=secret, now=board.clock() - 2 * 86_400, nonce=b"n" * 16)


# Post, redirect, get -----------------------------------------------------------------------------


def test_a_message_is_said_once_and_not_after_a_reload(board: Hosted, ann: Visitor) -> None:
    """POST -> 303 with a mark -> the page says it once; the same URL reloaded does not."""
    answer = ann.submit(ann.get(), message="hello")
    assert answer.status_code == 303 and answer.content == b""
    assert answer.headers["location"].startswith("/?so=")
    assert answer.headers["cache-control"] == "no-store"
    landing = ann.follow(answer)
    assert (landing.said, landing.links) == ([POSTED], ["/m/1"])
    assert landing.messages == ["hello"]
    assert landing.title == f"Message Board · {POSTED}"
    for _ in range(2):
        reloaded = ann.get(landing.url)
        assert reloaded.said == [] and reloaded.messages == ["hello"]
    assert board.messages() == 1


def test_the_landing_page_is_private_and_the_hint_goes(board: Hosted, ann: Visitor) -> None:
    """A page with a message and a form is `private, no-cache`, `Vary: Cookie`; the hint ends."""
    landing = ann.say("hello")
    headers = landing.answer.headers
    assert headers["cache-control"] == "private, no-cache"
    assert headers["vary"] == "Cookie"
    assert ann.cookie("so-h-") is None
    assert ann.get().answer.headers.get_list("set-cookie") == []


def test_a_replay_within_ten_seconds_says_its_own_message_again(
    board: Hosted, ann: Visitor
) -> None:
    """Back, same text, Post: the first Location, the first message again, one row."""
    page = ann.get()
    first = ann.submit(page, message="hello")
    assert ann.follow(first).said == [POSTED]
    again = ann.submit(page, message="hello")
    assert again.headers["location"] == first.headers["location"]
    landing = ann.follow(again)
    assert (landing.said, landing.links) == ([POSTED], ["/m/1"])
    assert ann.get(landing.url).said == []
    assert board.messages() == 1


def test_a_late_replay_says_that_it_was_done(board: Hosted, ann: Visitor) -> None:
    """After 10 s the replay says "This was already done." and leads to the message."""
    page = ann.get()
    first = ann.submit(page, message="hello")
    ann.follow(first)
    board.clock.advance(MUCH_LATER)
    again = ann.submit(page, message="hello")
    assert again.headers["location"] == first.headers["location"]
    landing = ann.follow(again)
    assert (landing.said, landing.links) == ([DONE], ["/m/1"])
    assert ann.get(landing.url).said == []
    assert board.messages() == 1


def test_a_replay_of_a_message_that_still_waits_is_the_original(
    board: Hosted, ann: Visitor
) -> None:
    """The answer was lost, the retry comes much later: the person gets the original message."""
    page = ann.get()
    ann.submit(page, message="hello")
    board.clock.advance(MUCH_LATER)
    assert ann.follow(ann.submit(page, message="hello")).said == [POSTED]
    assert board.messages() == 1


def test_edited_text_under_the_same_token_is_a_second_message(board: Hosted, ann: Visitor) -> None:
    """Back, other text, Post: nothing that somebody typed is dropped."""
    page = ann.get()
    assert ann.follow(ann.submit(page, message="one")).said == [POSTED]
    landing = ann.follow(ann.submit(page, message="two"))
    assert (landing.said, landing.messages) == ([POSTED], ["two", "one"])
    assert board.messages() == 2


def test_two_tabs_each_see_their_own_message(ann: Visitor) -> None:
    """Two tabs post before either lands: each landing page says what its own POST did."""
    left, right = ann.get(), ann.get()
    answers = [ann.submit(left, message="left"), ann.submit(right, message="right")]
    landings = [ann.follow(answer) for answer in reversed(answers)]
    assert [(page.said, page.links) for page in landings] == [
        ([POSTED], ["/m/2"]),
        ([POSTED], ["/m/1"]),
    ]


def test_the_name_is_remembered(board: Hosted, ann: Visitor, bob: Visitor) -> None:
    """The name given with a message is in the form next time, and in nobody else's."""
    assert ann.say("hello", name="Ann <3").form.fields["name"] == "Ann <3"
    board.clock.advance(3600)
    assert ann.get().form.fields["name"] == "Ann <3"
    assert ann.say("again", name="").form.fields["name"] == ""
    assert bob.get().form.fields["name"] == ""


# Drafts ------------------------------------------------------------------------------------------


def test_a_draft_survives_reload(board: Hosted, ann: Visitor) -> None:
    """Too long: 303 back to the form, text and name still there, an error, also after reload."""
    typed = "long\r\n" + "x" * 2000
    answer = ann.submit(ann.get(), message=typed, name="Ann")
    page = ann.follow(answer)
    for _ in range(3):
        assert page.form.fields["message"] == typed.replace("\r\n", "\n")
        assert page.form.fields["name"] == "Ann"
        assert any("5 characters too long" in text for text in page.alerts)
        assert page.title.startswith("Message Board · Error")
        assert page.said == []
        page = ann.get(page.url)
    assert board.messages() == 0
    assert ann.get().form.fields["message"] == ""


def test_a_corrected_draft_is_posted_once(board: Hosted, ann: Visitor) -> None:
    """The form with the errors can be corrected and sent, twice even: one message."""
    page = ann.follow(ann.submit(ann.get(), message=" "))
    assert page.alerts and page.tree.css_first("textarea[aria-invalid=true]") is not None
    answers = [ann.submit(page, message="better") for _ in range(2)]
    assert answers[0].headers["location"] == answers[1].headers["location"]
    assert ann.follow(answers[0]).said == [POSTED]
    assert board.messages() == 1


def test_a_draft_and_a_message_belong_to_their_visitor(ann: Visitor, bob: Visitor) -> None:
    """Whoever gets hold of the landing URL gets neither the draft nor the message."""
    draft = ann.submit(ann.get(), message="secret " * 400).headers["location"]
    posted = ann.submit(ann.get(), message="hello").headers["location"]
    bob.say("hi")
    for location in (draft, posted):
        seen = bob.get(location)
        assert seen.said == [] and seen.alerts == []
        assert "secret" not in seen.source
    assert ann.get(posted).said == [POSTED]
    assert "secret" in ann.get(draft).form.fields["message"]


# Who takes a message -----------------------------------------------------------------------------

IDLE = {
    "prefetch": {"sec_purpose": "prefetch"},
    "prerender": {"sec_purpose": "prefetch;prerender"},
    "old prefetch": {"purpose": "prefetch"},
}


@pytest.mark.parametrize("headers", IDLE.values(), ids=IDLE.keys())
def test_a_prefetch_takes_no_message(ann: Visitor, headers: dict[str, str]) -> None:
    """A page that is fetched ahead of time and perhaps never seen leaves the message alone."""
    location = ann.submit(ann.get(), message="hello").headers["location"]
    assert ann.get(location, site="same-origin", **headers).said == []
    assert ann.get(location, site="same-origin").said == [POSTED]


def test_head_takes_no_message(ann: Visitor) -> None:
    """HEAD of the landing page leaves the message and the hint alone."""
    location = ann.submit(ann.get(), message="hello").headers["location"]
    ann.send("HEAD", location, {"sec-fetch-site": "same-origin"})
    assert ann.get(location, site="same-origin").said == [POSTED]


def test_an_orphaned_message_reaches_the_next_page(board: Hosted, ann: Visitor) -> None:
    """Nobody came to the landing page: after 5 s, not before, the next page says it, once."""
    ann.submit(ann.get(), message="hello")
    assert ann.get().said == []
    board.clock.advance(LATER)
    assert (board_page := ann.get()).said == [POSTED] and board_page.links == ["/m/1"]
    assert ann.get().said == []


ELSEWHERE = {
    "a page of another site": {"site": "cross-site"},
    "a page of a sibling": {"site": "same-site"},
    "a frame": {"site": "same-origin", "sec_fetch_dest": "iframe"},
    "a script": {"site": "same-origin", "sec_fetch_dest": "empty", "sec_fetch_mode": "cors"},
    "an image": {"site": "same-origin", "sec_fetch_dest": "image", "accept": "image/*"},
    "a prefetch": {"site": "same-origin", "sec_purpose": "prefetch"},
}


@pytest.mark.parametrize("headers", ELSEWHERE.values(), ids=ELSEWHERE.keys())
def test_an_orphaned_message_waits_for_the_visitor_himself(
    board: Hosted, ann: Visitor, headers: dict[str, str]
) -> None:
    """A message without a landing page is for a top-level page that the visitor opens himself."""
    ann.submit(ann.get(), message="hello")
    board.clock.advance(LATER)
    assert ann.get("/", **headers).said == []
    assert ann.get().said == [POSTED]


# Double clicks that hit the landing page ---------------------------------------------------------


def test_an_echo_is_the_other_half_of_a_double_click(board: Hosted, ann: Visitor) -> None:
    """The same input from the landing page within 1 s is a replay, message included."""
    first = ann.submit(ann.get(), message="hello")
    landing = ann.follow(first)
    echo = ann.submit(landing, message="hello")
    assert echo.headers["location"] == first.headers["location"]
    assert ann.follow(echo).said == [POSTED]
    assert board.messages() == 1


def test_other_input_from_the_landing_page_is_new(board: Hosted, ann: Visitor) -> None:
    """A fast typist's second message is a second message."""
    landing = ann.follow(ann.submit(ann.get(), message="one"))
    assert ann.follow(ann.submit(landing, message="two")).messages == ["two", "one"]
    assert board.messages() == 2


def test_an_echo_ends_after_a_second(board: Hosted, ann: Visitor) -> None:
    """The same words later, on the landing page's own form, are meant: a second message."""
    landing = ann.follow(ann.submit(ann.get(), message="again!"))
    board.clock.advance(1.5)
    answer = ann.submit(landing, message="again!")
    assert ann.follow(answer).messages == ["again!", "again!"]
    assert board.messages() == 2


# Tokens ------------------------------------------------------------------------------------------


def resend(page: Page, status: int, text: str) -> None:
    """It is the resend page: this status, an alert, the text in the form, a Send button."""
    assert page.status == status, page.source
    assert page.alerts and page.texts("button[type=submit]") == ["Send"]
    assert page.form.fields["message"] == text


def test_the_resend_page_is_kept_from_caches(board: Hosted, ann: Visitor) -> None:
    """It holds a token and what somebody typed: `private, no-cache`, `Vary: Cookie`."""
    ann.get()
    headers = ann.post({FIELD: expired_token(board, ann), "message": "mine"}).headers
    assert headers["cache-control"] == "private, no-cache"
    assert headers.get("vary") == "Cookie"


def test_cookies_refused(board: Hosted) -> None:
    """A browser that keeps no cookie: one effect, `Location: /` without a mark, also twice."""
    with Visitor(board.url, cookies=False) as carl:
        page = carl.get()
        answers = [carl.submit(page, message="no cookies") for _ in range(2)]
        assert [answer.headers.get("location") for answer in answers] == ["/", "/"]
        assert carl.follow(answers[1]).messages == ["no cookies"]
        resend(Page(carl.submit(carl.get(), message="x" * 2001)), 422, "x" * 2001)
    assert board.messages() == 1


def test_an_expired_token_brings_the_form_back(board: Hosted, ann: Visitor) -> None:
    """The page was open for two days: the resend page has the text, and sending it works."""
    ann.get()
    fields = {FIELD: expired_token(board, ann), "message": "Don't lose me\r\n<b>", "name": "Ann"}
    page = Page(ann.post(fields))
    resend(page, 400, "Don't lose me\n<b>")
    assert board.messages() == 0
    assert page.form.fields[FIELD] != fields[FIELD]
    answers = [ann.submit(page) for _ in range(2)]
    assert answers[0].headers["location"] == answers[1].headers["location"]
    landing = ann.follow(answers[0])
    assert (landing.said, board.messages("Don't lose me\n<b>")) == ([POSTED], 1)


def test_a_token_of_another_visitor_is_stale(board: Hosted, ann: Visitor, bob: Visitor) -> None:
    """Somebody else's token, or one from before the cookies were deleted: the form comes back."""
    ann.get()
    theirs = ann.get().form.fields[FIELD]
    bob.get()
    page = Page(bob.post({FIELD: theirs, "message": "whose?"}))
    resend(page, 400, "whose?")
    assert board.messages() == 0
    assert bob.follow(bob.submit(page)).said == [POSTED]
    assert board.messages() == 1


FORGED = {
    "a flipped bit": lambda token: token[:20] + ("A" if token[20] != "A" else "B") + token[21:],
    "the last character": lambda token: token[:-1] + ("A" if token[-1] != "A" else "B"),
    "too short": lambda token: token[:-4],
    "empty": lambda _: "",
    "markup": lambda _: '"><script>alert(1)</script>',
    "not ASCII": lambda _: "\xe9" * 56,
    "a forged echo": lambda token: token[:30] + "~" + "A" * 22,
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED.keys())
def test_a_forged_token_is_400(board: Hosted, ann: Visitor, forge: object) -> None:
    """A token that is not ours: 400, no effect, the text kept, and nothing of it reflected raw."""
    assert callable(forge)
    token = forge(ann.get().form.fields[FIELD])
    page = Page(ann.post({FIELD: token, "message": "kept"}))
    resend(page, 400, "kept")
    assert "<script" not in page.source
    assert board.messages() == 0


def test_two_tokens_are_refused(board: Hosted, ann: Visitor) -> None:
    """A form that names two submissions is no form of ours: 400, no effect."""
    tokens = [ann.get().form.fields[FIELD] for _ in range(2)]
    answer = ann.client.post(
        board.url,
        data={FIELD: tokens, "message": "two"},
        headers={"origin": board.url.rstrip("/"), "sec-fetch-site": "same-origin"},
    )
    assert answer.status_code == 400
    assert board.messages() == 0
