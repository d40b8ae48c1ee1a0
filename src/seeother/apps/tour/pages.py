"""The tour's own pages: the index, one page for each lesson, and the buttons on it.

They are what they talk about: a button is a form that posts, its answer is a 303, the page behind
it can be refreshed, and seeother stands around them in one line.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, select_autoescape
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from .attacks import AT_ONCE, ATTACKS, Arena, Attack
from .effects import Effects
from .filling import Stopped
from .journal import Journal
from .lessons import ARMS, LESSONS, Lesson, lesson
from .panel import CSP, shown, summed
from .pictures import MISSING, MOUNTS, SAID, TAUGHT, Pictures, Two, codes, targets
from .player import Site
from .source import Source, source

HERE: Final = Path(__file__).parent
SHOWN: Final = 8  # requests in the panel
HEADERS: Final = {
    "content-security-policy": CSP.decode(),
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}
TROUBLE: Final = {
    400: ("There is no such button", "Open the lesson's page and press one of those on it."),
    404: ("There is nothing here", "The address may be mistyped."),
    405: ("That does not work here", "Open the tour and press the buttons there."),
    500: ("Something went wrong here", "It was not you. Please try again."),
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One number of the table of effects; None where nothing was run."""

    arm: str
    count: int | None

    @property
    def kind(self) -> str:
        """Its CSS class."""
        return {None: "none", 1: "good"}.get(self.count, "bad")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of that table."""

    attack: Attack
    form: str
    cells: tuple[Cell, ...]


class Pages:
    """The routes, and the panel of the lessons' pages."""

    def __init__(
        self, journal: Journal, effects: Effects, arena: Arena, *, prefix: str, board: str | None
    ) -> None:
        self.journal, self.effects = journal, effects
        self._arena, self._prefix = arena, prefix
        self._pictures = Pictures(journal, arena, prefix)
        self._players = ThreadPoolExecutor(AT_ONCE + 1, thread_name_prefix="tour-player")
        self._templates = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=select_autoescape(),
            trim_blocks=True,
            lstrip_blocks=True,
        )
        everywhere: dict[str, Any] = self._templates.globals
        everywhere |= {"prefix": prefix, "board": board, "said": SAID, "mounts": MOUNTS}
        self._templates.filters["shown"] = shown

    def app(self) -> Starlette:
        """The tour's own pages as an ASGI app."""
        at = self._prefix

        @asynccontextmanager
        async def lifespan(_app: Starlette) -> AsyncGenerator[None]:
            yield
            self._players.shutdown(wait=False, cancel_futures=True)

        routes = [
            Route(f"{at}/", self.index, methods=["GET"]),
            Route(f"{at}/about/{{name}}", self.about, methods=["GET"]),
            Route(f"{at}/attack/{{name}}", self.attack, methods=["POST"]),
            Mount(f"{at}/static", StaticFiles(directory=HERE / "static")),
        ]
        handlers: dict[Any, Any] = {HTTPException: self.trouble, 500: self.trouble}
        return Starlette(routes=routes, lifespan=lifespan, exception_handlers=handlers)

    # Pages -------------------------------------------------------------------------------------

    async def index(self, request: Request) -> Response:
        """All lessons, each with its drawing."""
        await self._ready(request, LESSONS, TAUGHT)
        drawn = {one.name: self._pictures.draw(one, TAUGHT) for one in LESSONS}
        return self.page("index.html", lessons=LESSONS, drawn=drawn, failed=self._pictures.failed)

    async def about(self, request: Request) -> Response:
        """One lesson: what it teaches, what happens to it, its source, its questions."""
        one, browser = _lesson(request), request.scope["tour.browser"]
        await self._ready(request, [one], TAUGHT, MISSING, *codes(one))
        draw, at = partial(self._pictures.draw, one), LESSONS.index(one)
        sources = {arm: source(one, arm) for arm in ARMS}
        return self.page(
            "about.html",
            lesson=one,
            lines=self._lines(one, browser),
            attacks=ATTACKS,
            taught=draw(TAUGHT),
            missing=draw(MISSING),
            codes=[draw(two) for two in codes(one)],
            failed=self._pictures.failed,
            sources=sources.items(),
            added=_marked(sources["seeother"]),
            flashes=request.scope["seeother"].flashes(),
            following=LESSONS[at + 1] if at + 1 < len(LESSONS) else None,
            preceding=LESSONS[at - 1] if at else None,
            entries=self.journal.last(browser, SHOWN),
        )

    async def attack(self, request: Request) -> Response:
        """Run what was asked for on all arms; the page behind the redirect shows the effects."""
        one, browser = _lesson(request), request.scope["tour.browser"]
        asked = str(request.scope["seeother"].form.get("attack", ""))
        attacks = [attack for attack in ATTACKS if asked in (attack.name, "all")]
        if not attacks:
            raise HTTPException(400)
        play = partial(self._play, _site(request, self._prefix), browser, one, attacks)
        flash = await asyncio.get_running_loop().run_in_executor(self._players, play)
        request.scope["seeother"].flash(*flash)
        return RedirectResponse(f"{self._prefix}/about/{one.name}#effects", 303)

    async def trouble(self, _request: Request, error: Exception) -> Response:
        """A friendly page for what went wrong."""
        status = error.status_code if isinstance(error, HTTPException) else 500
        title, hint = TROUBLE.get(status, TROUBLE[500])
        return self.page("error.html", code=status, status=status, title=title, hint=hint)

    def page(self, template: str, *, code: int = 200, **context: Any) -> Response:
        """A template as a page with the tour's headers."""
        body = self._templates.get_template(template).render(**context)
        return HTMLResponse(body, code, HEADERS)

    # The panel ---------------------------------------------------------------------------------

    def head(self) -> bytes:
        """What a lesson's page needs in its head."""
        return self._templates.get_template("head.html").render().encode()

    def panel(self, one: Lesson, arm: str, browser: str) -> bytes:
        """The panel below a page of an arm."""
        rows = self.effects.rows(one.name, arm, browser)
        context: dict[str, Any] = {"lesson": one, "arm": arm}
        context |= {"entries": self.journal.last(browser, SHOWN)}
        context |= {"recorded": summed(row.what for row in rows)}
        return self._templates.get_template("panel.html").render(context).encode()

    # What is played ----------------------------------------------------------------------------

    def _play(
        self, site: Site | None, browser: str, one: Lesson, attacks: Sequence[Attack]
    ) -> tuple[str, str]:
        """Run attacks on all arms, in this thread; what to say about it, and its category."""
        if site is None:
            return "The tour does not know its own address here.", "error"
        try:
            with self._arena.turn(browser):
                for attack in attacks:
                    for target in targets(one, self._prefix):
                        self._arena.run(site, browser, attack, target)
        except Stopped as error:
            return str(error), "error"
        name = attacks[0].label if len(attacks) == 1 else "All four"
        return f"{name}: done, on all three arms.", "success"

    async def _ready(self, request: Request, lessons: Sequence[Lesson], *pictures: Two) -> None:
        """Have what these pictures show recorded."""
        site = _site(request, self._prefix)
        if site is not None and not self._pictures.complete(lessons, *pictures):
            work = partial(self._pictures.record, site, lessons, *pictures)
            await asyncio.get_running_loop().run_in_executor(self._players, work)

    def _lines(self, one: Lesson, browser: str) -> list[Line]:
        """The table of effects: counted now, in storage."""
        runs = self.journal.runs(browser, one.name)

        def cell(form: int, attack: Attack, arm: str) -> Cell:
            run = runs.get((str(form), attack.name, arm))
            if run is None:
                return Cell(arm, None)
            return Cell(arm, self.effects.count(one.name, arm, run.played))

        return [
            Line(attack, _typed(one, form), tuple([cell(form, attack, arm) for arm in ARMS]))
            for form in range(len(one.attacks))
            for attack in ATTACKS
        ]


def _marked(code: Source) -> list[str]:
    """The lines that make an arm what it is."""
    lines = enumerate(code.text.splitlines(), 1)
    return [line.strip() for number, line in lines if number in code.changed]


def _lesson(request: Request) -> Lesson:
    try:
        return lesson(request.path_params["name"])
    except KeyError:
        raise HTTPException(404) from None


def _site(request: Request, prefix: str) -> Site | None:
    """Where this request reached the server; None where that is no port."""
    server = request.scope.get("server")
    if not server or not server[1]:
        return None
    return Site(server[0], server[1], request.headers.get("host", ""), prefix)


def _typed(one: Lesson, number: int) -> str:
    """What is typed, where a lesson has several forms to tell apart."""
    if len(one.attacks) == 1:
        return ""
    return ", ".join(f"{name} {value}" for name, value in one.attacks[number].fields.items())
