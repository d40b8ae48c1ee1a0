"""The shop on real servers, with threads and on an event loop, and a process that dies."""

import sys
from pathlib import Path

import httpx
import pytest

from tests.adapters.django.project import together, tokens
from tests.browser.server import Server, rows

TABLE = "shop_order"
ROOT = Path(__file__).parents[3]
START = f"""import sys; sys.path.insert(0, {str(ROOT)!r})
from tests.adapters.django.serve import main; main(*sys.argv[1:])"""


def server_of(folder: Path, kind: str) -> Server:
    """The shop in a process of its own."""
    return Server(folder, [sys.executable, "-c", START, kind, folder / "shop.db"])


def page(browser: httpx.Client, path: str) -> dict[str, str]:
    """The hidden fields of a page's form."""
    return tokens(browser.get(path).text)


@pytest.mark.parametrize(("kind", "path"), [("wsgi", "/"), ("asgi", "/"), ("asgi", "/async/")])
def test_a_double_click_over_a_socket(tmp_path: Path, kind: str, path: str) -> None:
    """Four clicks at once on a real server, sync views and async ones: one row, one outcome."""
    with server_of(tmp_path, kind) as server:
        origin = server.url.rstrip("/")
        with httpx.Client(base_url=origin, headers={"origin": origin}, timeout=30) as browser:
            sent = {**page(browser, path), "name": "Ann"}
            answers = together(*[lambda: browser.post(path, data=sent)] * 4)
            assert {a.status_code for a in answers} == {303}
            assert len({a.headers["location"] for a in answers}) == 1
            assert "Saved" in browser.get(answers[0].headers["location"]).text
    assert rows(tmp_path / "shop.db", TABLE) == 1


@pytest.mark.parametrize("path", ["/crash/", "/falling/"], ids=["joined", "fenced"])
def test_a_process_that_dies_in_a_view(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """It dies between insert and commit: nothing of it is there, and sent again it happens.

    In mode fenced its claim is there; the next process finds that its owner is dead.
    """
    with server_of(tmp_path, "wsgi") as server:
        origin = server.url.rstrip("/")
        with httpx.Client(base_url=origin, headers={"origin": origin}, timeout=30) as browser:
            sent = {**page(browser, path), "name": "Ann"}
            with pytest.raises(httpx.TransportError):
                browser.post(path, data=sent)
            monkeypatch.setenv("SHOP_SURVIVES", "1")
            server.kill()
            server.start()
            assert rows(tmp_path / "shop.db", TABLE) == 0
            answers = [browser.post(path, data=sent) for _ in range(2)]
            assert {a.status_code for a in answers} == {303}
    assert rows(tmp_path / "shop.db", TABLE) == 1


def test_two_servers_on_one_database(tmp_path: Path) -> None:
    """Two clicks reach two processes: one row, one outcome."""
    with server_of(tmp_path, "wsgi") as one, server_of(tmp_path, "asgi") as two:
        origin = one.url.rstrip("/")
        with httpx.Client(base_url=origin, headers={"origin": origin}, timeout=30) as browser:
            sent = {**page(browser, "/"), "name": "Ann"}
            host = origin.removeprefix("http://")
            answers = together(
                lambda: browser.post("/", data=sent),
                lambda: browser.post(two.url, data=sent, headers={"host": host}),
            )
            assert {a.status_code for a in answers} == {303}
            assert len({a.headers["location"] for a in answers}) == 1
    assert rows(tmp_path / "shop.db", TABLE) == 1
