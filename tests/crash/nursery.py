"""A warm parent that forks a child for each crash, and the watch that kills the child.

    python -m tests.crash.nursery

reads orders from stdin, one JSON object a line, and answers each with one line. An order is a
database, a list of requests, and perhaps the place where the child is to die. The parent has
imported everything and has neither threads nor connections, so a fork costs milliseconds and is
safe; the child opens the board, runs the requests through its ASGI app, one after the other, and
reports every answer at once, so that what was told before the crash is known.

The places are not picked by hand. Every flow goes through `Driver.arun`, so the flow is wrapped
there: each op is a place *before* (asked, not performed) and a place *after* (performed, the reply
not yet used). Within the ops every writing statement of SQLite is a place: the trace callback runs
when a statement starts, so dying there is dying just before it, the COMMIT included.
"""

import asyncio
import json
import os
import signal
import sqlite3
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from seeother.apps.board.app import create_board
from seeother.asgi import SeeOther
from seeother.core.ops import Op
from seeother.drive import Driver

Order = dict[str, Any]
# The statements that change something, and where they name their table.
TABLE_AT = {"BEGIN": 0, "INSERT": 2, "UPDATE": 1, "DELETE": 2, "COMMIT": 0, "ROLLBACK": 0}


class Watch:
    """Counts places and dies at one of them: SIGKILL, so that nobody gets to tidy up."""

    def __init__(self, deadly: int | None) -> None:
        self.deadly = deadly
        self.places: list[str] = []
        self.armed = False

    def place(self, name: str) -> None:
        """One place is reached."""
        if not self.armed:
            return
        self.places.append(name)
        if len(self.places) - 1 == self.deadly:
            os.kill(os.getpid(), signal.SIGKILL)

    def flow(self, flow: Generator[Op[Any], Any, Any]) -> Generator[Op[Any], Any, Any]:
        """The same flow, with a place before and after each of its ops."""
        try:
            op = next(flow)
            while True:
                self.place(f"before {op.verb}")
                try:
                    reply = yield op
                except Exception as error:  # noqa: BLE001 - the flow decides what it means
                    op = flow.throw(error)
                    continue
                self.place(f"after {op.verb}")
                op = flow.send(reply)
        except StopIteration as end:
            return end.value

    def statement(self, sql: str) -> None:
        """SQLite is about to run a statement."""
        words = sql.split(None, 4)
        if words and words[0] in TABLE_AT:
            at = TABLE_AT[words[0]]
            table = words[at].partition("(")[0] if at else ""
            self.place(f"at {words[0]} {table}".rstrip())

    def install(self) -> None:
        """Put it around the driver and under every connection of this process."""
        arun: Any = Driver.arun
        connect = sqlite3.connect

        async def watched(driver: Driver, flow: Any, *args: Any, **more: Any) -> Any:
            return await arun(driver, self.flow(flow), *args, **more)

        def traced(*args: Any, **more: Any) -> sqlite3.Connection:
            connection: sqlite3.Connection = connect(*args, **more)
            connection.set_trace_callback(self.statement)
            return connection

        def trace(connection: object, _record: object) -> None:
            if isinstance(connection, sqlite3.Connection):
                connection.set_trace_callback(self.statement)

        Driver.arun = watched  # type: ignore[method-assign, assignment]
        sqlite3.connect = traced  # type: ignore[assignment]
        event.listen(Engine, "connect", trace)


async def ask(app: SeeOther, request: Order) -> Order:
    """One request through the ASGI app, as a server would call it."""
    path, _, query = str(request["target"]).partition("?")
    body = str(request.get("body", "")).encode()
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request["method"],
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(k.encode(), v.encode()) for k, v in request["headers"].items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    incoming = [{"type": "http.request", "body": body, "more_body": False}]
    sent: list[dict[str, Any]] = []
    answered = asyncio.Event()  # the client stays until it has its answer

    async def receive() -> dict[str, Any]:
        if incoming:
            return incoming.pop()
        await answered.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            answered.set()

    await app(scope, receive, send)
    headers = [[k.decode(), v.decode()] for k, v in sent[0]["headers"]]
    text = b"".join(message.get("body", b"") for message in sent[1:]).decode()
    return {"status": sent[0]["status"], "headers": headers, "text": text}


def live(order: Order, report: int) -> None:
    """The child's life: open the board, answer the requests, report each answer."""
    watch = Watch(order.get("deadly"))
    watch.install()
    app = create_board(Path(order["database"]), secret=order["secret"], hosts=("board.test",))
    store: Any = app.store
    store.clock = lambda: order["now"]
    store.prepare()
    watch.armed = True

    async def all_of_them() -> None:
        for request in order["requests"]:
            answer = await ask(app, request)
            os.write(report, json.dumps({"answer": answer}).encode() + b"\n")

    asyncio.run(all_of_them())
    os.write(report, json.dumps({"places": watch.places}).encode() + b"\n")


def bear(order: Order) -> Order:
    """Fork a child for this order; what it reported and how it ended."""
    reading, report = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(reading)
            live(order, report)
            code = 0
        finally:
            os._exit(code)
    os.close(report)
    with os.fdopen(reading, "rb") as lines:
        said = [json.loads(line) for line in lines if line.endswith(b"\n")]
    _, status = os.waitpid(child, 0)
    answers = [one["answer"] for one in said if "answer" in one]
    places = [place for one in said for place in one.get("places", ())]
    return {"code": os.waitstatus_to_exitcode(status), "answers": answers, "places": places}


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(bear(json.loads(line))), flush=True)
