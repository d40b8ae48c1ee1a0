"""Two requests of one session at once, on every adapter: how long both take, against one alone.

Each of them sleeps 200 ms in its view and writes into the session. A session that is locked for the
time of a request would make them come one after the other: 2.0. The promise that they overlap is
tested with barriers (`seeother.testing.adapter.quiet`); here is only how long it takes.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from seeother.core.values import Response
from seeother.testing.adapter import Browser, Call, Client, Effects, Stage
from seeother.testing.adapter.harness import together
from seeother.testing.adapter.stage import SECRET, page
from tests.adapters.django.project import configure
from tests.bench.measure import Scale, Summary
from tests.bench.report import Line

SECONDS = 0.2


def lines(scale: Scale) -> Iterator[Line]:
    """P15."""
    configure()  # before anything of Django's is imported
    for name, client in _clients().items():
        ratio = Summary.of(_ratios(client, scale.folder / "overlap", min(scale.rounds, 5)))
        yield Line.of("P15", f"{name}: two of one session at once, against one", ratio, "x")


def _clients() -> dict[str, Callable[[Stage], Client]]:
    from tests.adapters import test_asgi, test_flask_contract, test_starlette, test_wsgi
    from tests.adapters.django import staging, test_contract

    return {
        "WSGI": test_wsgi.TestSeparate().client,
        "ASGI": test_asgi.TestSeparate().client,
        "Flask": test_flask_contract.TestSeparate().client,
        "Django, sync": test_contract.Served,
        "Django, async": lambda stage: test_contract.AsyncServed(stage, staging.ASYNC_VIEWS),
        "Starlette": test_starlette.TestStarletteSeparate().client,
        "FastAPI": test_starlette.TestFastAPISeparate().client,
    }


def slow(call: Call) -> Response:
    """A view that takes its time, and writes; only a look whether all runs takes no time."""
    if call.path != "/":
        time.sleep(float(call.visit.greeting.request.query or SECONDS))
        call.visit.session[call.path] = 1
    return page("<p>", " ".join(sorted(call.visit.session)))


def _ratios(client: Callable[[Stage], Client], folder: Path, rounds: int) -> Iterator[float]:
    nap = "?0.01" if rounds == 1 else ""
    folder.mkdir(exist_ok=True)
    store = folder / f"{len(list(folder.iterdir()))}.db"
    effects = Effects(store.with_suffix(".effects"))
    settings = {"secret": SECRET, "store": f"sqlite:///{store}", "mode": "separate"}
    served = client(Stage(slow, settings, effects))
    try:
        browser = Browser(served)
        browser.get(f"/first{nap}")
        for _ in range(rounds):
            start = time.perf_counter()
            browser.get(f"/a{nap}")
            one = time.perf_counter() - start
            start = time.perf_counter()
            together(lambda: browser.get(f"/b{nap}"), lambda: browser.get(f"/c{nap}"))
            yield (time.perf_counter() - start) / one
        assert browser.get().text.endswith("<p>/a /b /c /first")
    finally:
        served.close()
        effects.shut()
