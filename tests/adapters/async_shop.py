"""A FastAPI shop whose views call `once` with an AsyncEngine and an AsyncSession."""

import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Final

from fastapi import Depends, FastAPI, Request
from fastapi.responses import HTMLResponse
from sqlalchemy import Connection, event, make_url, select, text
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from seeother.core.policy import Mode
from seeother.starlette import SeeOtherMiddleware, once, visit_of
from seeother.testing.adapter import ASGIClient, Browser
from seeother.testing.adapter.stage import SECRET
from seeother.visit import Visit

FORM: Final = '<form method="post"><input name="what"><button>Send</button></form>'
MODES: tuple[Mode | None, ...] = ("joined", "fenced", None)  # None: separate around it
DRIVERS: Final = {"sqlite": "aiosqlite", "postgresql": "psycopg"}
COLUMNS: Final = {"kept": "what", "person": "orders", "so_ledger": "state", "so_session": "sid"}


class Base(DeclarativeBase):
    """The app's tables."""


class Kept(Base):
    """The effect: one row."""

    __tablename__ = "kept"
    id: Mapped[int] = mapped_column(primary_key=True)
    what: Mapped[str]


class Person(Base):
    """Somebody that a dependency loads before the view runs."""

    __tablename__ = "person"
    name: Mapped[str] = mapped_column(primary_key=True)
    orders: Mapped[int] = mapped_column(default=0)


def engine_on(url: str, driver: str | None = None, **more: Any) -> AsyncEngine:
    """An engine on a store's database; asyncpg has another way to name a schema."""
    asked = make_url(url)
    if driver == "asyncpg":
        schema = str(asked.query["options"]).partition("search_path=")[2]
        more["connect_args"] = {"server_settings": {"search_path": schema}}
        asked = asked.set(query={})
    kind = asked.drivername
    return create_async_engine(asked.set(drivername=f"{kind}+{driver or DRIVERS[kind]}"), **more)


class Shop:
    """One FastAPI app on one database, its views as one writes them, and everything it heard."""

    def __init__(self, url: str, mode: Mode | None = "joined", **more: Any) -> None:
        self.heard: list[str] = []
        self.engine = engine_on(url, **more.pop("engine", {}))
        self.sessions = async_sessionmaker(self.engine)
        self.app = FastAPI()
        policy = {"secret": SECRET, "store": url, "mode": mode, **more}
        self.app.add_middleware(SeeOtherMiddleware, **policy)
        self._routes()

    @property
    def outer(self) -> Any:
        """The middleware, once a request has come."""
        found: Any = self.app.middleware_stack
        while not isinstance(found, SeeOtherMiddleware):
            found = found.app
        return found

    def _routes(self) -> None:
        async def session() -> AsyncIterator[AsyncSession]:
            async with self.sessions() as opened:
                yield opened

        async def person(db: Annotated[AsyncSession, Depends(session)]) -> Person:
            found = await db.scalars(select(Person))  # it has begun to read
            return found.one()

        @self.app.get("/{path}", response_class=HTMLResponse)
        def page(request: Request) -> str:
            return "".join(flash.text for flash in visit_of(request).flashes()) + FORM

        @self.app.post("/engine")
        async def by_engine(request: Request) -> Any:
            return await once(request, self.engine, save, "engine")

        @self.app.post("/session")
        async def by_session(
            request: Request,
            db: Annotated[AsyncSession, Depends(session)],
            who: Annotated[Person, Depends(person)],
        ) -> Any:
            event.listen(db.sync_session, "after_commit", lambda _: self.heard.append("commit"))
            return await once(request, db, order, who)


def save(connection: Connection, visit: Visit, where: str) -> Any:
    """A view of a connection, which may fail after its effect, or die."""
    connection.execute(text("INSERT INTO kept(what) VALUES(:what)"), {"what": visit.form["what"]})
    return ended(visit, where)


def order(session: Session, visit: Visit, who: Person) -> Any:
    """A view of a session: it commits in between, and leaves the rest to `once`."""
    session.add(Kept(what=visit.form["what"]))
    session.commit()
    who.orders += 1  # loaded through this very session, and expired by that commit
    return ended(visit, "session")


def ended(visit: Visit, where: str) -> Any:
    """How a view ends: by its field."""
    what = visit.form["what"]
    visit.session["last"] = what
    if what == "raise":
        raise LookupError("after the effect")
    if what == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "reject":
        return visit.see_other(f"/{where}", draft={"what": "Not that."})
    return visit.see_other(f"/{where}", flash=f"Kept {what}.")


@contextmanager
def opening() -> Iterator[Callable[[Shop], Browser]]:
    """Makes a browser for a shop; all of them are shut down at the end."""
    clients: list[tuple[ASGIClient, AsyncEngine]] = []

    def open_(shop: Shop) -> Browser:
        clients.append((ASGIClient(shop.app), shop.engine))
        return Browser(clients[-1][0])

    yield open_
    for client, engine in clients:
        assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]
        client.run(engine.dispose()).result(30)
        client.close()
