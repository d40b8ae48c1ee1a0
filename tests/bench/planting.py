"""Planting tokens into pages: bytes per second, and the board's own page."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from urllib.parse import urlencode

from seeother.apps.board.app import create_board
from seeother.core.html import FormTag, Page, Planter, plant
from tests.bench.board import HOSTS, Browser
from tests.bench.measure import Contestant, Scale, Summary, interleaved, spent
from tests.bench.report import Line
from tests.bench.submissions import SECRET

SIZE = 100_000
BOARD_SIZE = 6_000
HEAD = (
    b'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>List</title></head><body>'
)
ITEM = (
    b'<li class="message"><p class="by"><bdi class="author">Ann</bdi> <a href="/m/%d"><time'
    b' datetime="2025-11-12T12:00:00+00:00" title="12 Nov">3 h</time></a></p>\n<div class="text"'
    b' dir="auto"><p>A message of the <em>usual</em> length, as people write them on boards, with'
    b" a little markup and nothing else that would be worth a note.</p></div></li>\n"
)
FORM = b'<form method="post" action="/m/%d/delete"><button class="quiet">Delete</button></form>\n'
FIELD = b'<input type="hidden" name="so_token" value="%b">' % (b"t" * 56)
HERE = Page("https://board.example", "/", "")


def lines(scale: Scale) -> Iterator[Line]:
    """P10, speed only; what is right is a matter for tests."""
    spread, formless, board = _document(5), _document(0), _board_page(scale)
    assert spread.count(b"<form") == 5
    assert plant(spread, _field, page=HERE).count(FIELD) == 5
    assert b"<form" not in formless
    f = interleaved(
        {
            "spread": Contestant(_streamed(spread)),
            "spread whole": Contestant(_whole(spread)),
            "formless": Contestant(_streamed(formless)),
            "formless whole": Contestant(_whole(formless)),
            "board": Contestant(_streamed(board)),
            "board whole": Contestant(_whole(board)),
        },
        rounds=scale.rounds,
        block=max(scale.block // 4, 2),
    )
    speed = {name: _rate(spent(figures), SIZE) for name, figures in f.items()}
    yield replace(
        speed["spread"], what="100 KB, 5 forms spread over it, streamed as adapters do", budget=100
    )
    yield replace(speed["spread whole"], what="  the same, whole document at once")
    yield replace(
        speed["formless"], what="100 KB without a form, streamed as adapters do", budget=2000
    )
    yield replace(speed["formless whole"], what="  the same, whole document at once")
    size = f"{len(board) / 1000:.1f} KB"
    yield Line.of("P10", f"the board's page, {size}, streamed, CPU", spent(f["board"]), "us", 15)
    yield Line.of("P10", "  the same, whole document at once, CPU", spent(f["board whole"]), "us")


def _rate(found: Summary, size: int) -> Line:
    spread = (size / found.high, size / found.low)
    return Line("P10", "", size / found.median, "MB/s", spread=spread, floor=True)


def _field(_form: FormTag) -> bytes:
    return FIELD


def _streamed(document: bytes) -> Callable[[object], bytes]:
    """As a framework sends a rendered page: one piece, then the end."""

    def run(_item: object) -> bytes:
        planter = Planter(_field, page=HERE)
        return planter.feed(document) + planter.close()

    return run


def _whole(document: bytes) -> Callable[[object], bytes]:
    return lambda _item: plant(document, _field, page=HERE)


def _document(forms: int) -> bytes:
    """A page of about 100 KB with forms at equal distances."""
    count = SIZE // len(ITEM)
    each = count // forms if forms else count + 1
    rows = [ITEM % n + (FORM % n if n % each == each - 1 else b"") for n in range(count)]
    return HEAD + b"<ul>" + b"".join(rows[: each * forms or count]) + b"</ul></body></html>"


def _board_page(scale: Scale) -> bytes:
    """The board's page with so many messages that it has 6 KB, before anything was planted."""
    app = create_board(scale.folder / "page.db", secret=SECRET, hosts=HOSTS, inject=False)

    async def ask() -> bytes:
        visitor, page = Browser(app), b""
        while len(page) < BOARD_SIZE:
            body = urlencode({"message": "Hello *there*, how are you?", "name": "Ann"})
            await visitor.ask("POST", "/", body.encode())
            page = (await visitor.ask("GET", "/")).body
        return page

    page = asyncio.run(ask())
    app.driver.shut()
    app.store.shut()
    return page
