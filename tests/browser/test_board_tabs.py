"""Who sees a message: the tab that posted, and no prefetch, no script, no other tab before it."""

import json

import pytest
from playwright.sync_api import Page

from tests.board.hosted import Hosted
from tests.browser.person import POSTED, InChromium
from tests.browser.polling import until
from tests.browser.proxy import Exchange, Fault

SHELL = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Elsewhere</title>
<link rel="icon" href="data:,"><main><h1>Elsewhere on this site</h1></main>"""


@pytest.fixture
def other(ann: InChromium) -> InChromium:
    """Another tab of the same visitor."""
    return InChromium(ann.proxy, ann.page.context.new_page())


def landing(ann: InChromium) -> str:
    """Where the last POST's answer leads, as the proxy saw it."""
    found = until(lambda: [e.location for e in ann.proxy.answered() if e.location], "a 303")[-1]
    assert found.startswith("/?so=")
    return found


def elsewhere(page: Page, ann: InChromium, inside: str) -> None:
    """Show a page of the same origin that is not the board's, with this in it."""
    ann.proxy.page("/elsewhere", SHELL + inside)
    page.goto(ann.proxy.url + "elsewhere")


def test_two_tabs_each_see_their_own(ann: InChromium, other: InChromium, board: Hosted) -> None:
    """Two tabs post before either lands: each says its own message and links to its own."""
    ann.write("left")
    other.write("right")
    gate = ann.proxy.gate()
    ann.proxy.rule(Fault(before=gate), method="GET", path="/", times=2)
    for tab, posts in ((ann, 1), (other, 2)):
        tab.press()
        until(lambda posts=posts: len(ann.proxy.seen("POST")) == posts, "a POST")  # type: ignore[misc]
    until(lambda: sum("?so=" in one.target for one in ann.proxy.begun("GET")) == 2, "two landings")
    gate.set()
    mine, theirs = ann.sees(), other.sees()
    assert (mine.said, mine.links) == ([POSTED], ["/m/1"])
    assert (theirs.said, theirs.links) == ([POSTED], ["/m/2"])
    assert (board.messages("left"), board.messages("right")) == (1, 1)


def test_another_tab_does_not_take_the_message(
    ann: InChromium, other: InChromium, board: Hosted
) -> None:
    """Another tab that loads the board before the sender lands: the message, but not the notice."""
    ann.write("mine")
    gate = ann.proxy.gate()
    ann.proxy.rule(Fault(before=gate), method="GET", path="/")
    ann.press()
    landing(ann)
    other.open()
    seen = other.sees_now()
    assert (seen.said, seen.messages) == ([], ["mine"])
    gate.set()
    assert ann.sees().said == [POSTED]
    other.reload()
    assert other.sees().said == []
    assert board.messages() == 1


def rules(kind: str, url: str) -> str:
    """Speculation rules for one address, to be followed at once."""
    found = json.dumps({kind: [{"source": "list", "urls": [url], "eagerness": "immediate"}]})
    return f'<script type="speculationrules">{found}</script>'


AHEAD = {
    "link prefetch": lambda url: f'<link rel="prefetch" href="{url}">',
    "prefetch rule": lambda url: rules("prefetch", url),
    "prerender rule": lambda url: rules("prerender", url),
}


@pytest.mark.parametrize("ahead", AHEAD)
def test_fetched_ahead_of_time(ann: InChromium, other: InChromium, ahead: str) -> None:
    """A landing page that is fetched ahead of time, and perhaps never seen, leaves the message."""
    ann.write("mine")
    gate = ann.proxy.gate()
    ann.proxy.rule(Fault(after=gate), method="POST")
    ann.press()
    url = landing(ann)
    elsewhere(other.page, ann, AHEAD[ahead](url))

    def fetched() -> list[Exchange]:
        return [e for e in ann.proxy.seen("GET") if e.request.header("sec-purpose")]

    [early] = until(fetched, "the page, fetched ahead")
    assert (early.request.target, early.status) == (url, 200)
    assert POSTED.encode() not in early.body
    gate.set()
    assert ann.sees().said == [POSTED]


def test_prefetch_takes_no_orphan(ann: InChromium, other: InChromium, board: Hosted) -> None:
    """A message whose page never came waits for the next page that somebody really opens."""
    ann.write("mine")
    ann.proxy.rule(Fault(before=ann.proxy.gate()), method="GET", path="/")
    ann.press()
    landing(ann)
    ann.page.close()
    board.clock.advance(6)
    elsewhere(other.page, ann, '<link rel="prefetch" href="/"><img src="/?x" alt="">')
    until(lambda: any(e.request.target == "/?x" for e in ann.proxy.seen()), "an image")
    until(lambda: any(e.request.header("sec-purpose") for e in ann.proxy.seen()), "a prefetch")
    other.page.goto(ann.proxy.url + "?before=9")
    seen = other.sees_now()
    assert (seen.said, seen.links, seen.messages) == ([POSTED], ["/m/1"], ["mine"])
    other.open()
    assert other.sees_now().said == []
    assert board.messages() == 1


def test_forward_does_not_say_it_again(ann: InChromium) -> None:
    """Back and Forward through the landing page: the notice was for the moment, not for ever."""
    ann.write("once")
    ann.press()
    assert ann.sees().said == [POSTED]
    ann.page.goto(ann.proxy.url + "m/1")
    ann.back()
    screen = ann.sees()
    assert (screen.said, screen.title, screen.messages) == ([], "Message Board", ["once"])
