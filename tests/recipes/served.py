"""A recipe that runs: the shop under gunicorn, as its file says, and a browser that clicks."""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from urllib.parse import urlencode

from tests.servers import free_port

RECIPES = Path(__file__).parents[2] / "docs/recipes"
HOST = "shop.example"
PATIENCE = 30.0


def program(name: str) -> Path | None:
    """A program of this environment, or of the machine."""
    own = Path(sys.executable).parent / name
    found = own if own.exists() else shutil.which(name)
    return Path(found) if found else None


@contextmanager
def running(command: list[str], folder: Path, env: dict[str, str], port: int) -> Generator[None]:
    """A server, from its first answer until its clean end."""
    log = (folder / f"server-{port}.log").open("wb")
    process = subprocess.Popen(command, cwd=folder, env=env, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + PATIENCE
        while not _answers(port):
            dead = process.poll() is not None or time.monotonic() > deadline
            assert not dead, Path(log.name).read_text()
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE)
        log.close()


def _answers(port: int) -> bool:
    try:
        ask(port, "GET")
    except OSError:
        return False
    return True


@contextmanager
def shop(folder: Path, database: str = "", proxies: int = 0) -> Generator[int]:
    """The shop of the recipes under gunicorn; yields its port."""
    for name in ("shop.py", "gunicorn.conf.py"):
        shutil.copy(RECIPES / name, folder)
    port, gunicorn = free_port(), program("gunicorn")
    assert gunicorn is not None
    env = {
        "PATH": "/usr/bin:/bin",
        "SHOP_SECRET": "a secret of a recipe, 32 bytes or more",
        "SHOP_DATABASE": database or f"sqlite:///{folder}/shop.db",
        "SHOP_HOSTS": HOST,
        "SHOP_PROXIES": str(proxies),
    }
    bind = ["--bind", f"127.0.0.1:{port}"]
    command = [str(gunicorn), "-c", "gunicorn.conf.py", *bind, "shop:app"]
    with running(command, folder, env, port):
        yield port


def ask(
    port: int, method: str, form: dict[str, str] | None = None, **headers: str
) -> tuple[HTTPResponse, str]:
    """One request as a browser at this site makes it; header names with _ for -."""
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    sent = {"Host": HOST, **{name.replace("_", "-"): value for name, value in headers.items()}}
    if form is not None:
        sent["Content-Type"] = "application/x-www-form-urlencoded"
    with closing(connection):
        connection.request(method, "/", urlencode(form) if form is not None else None, sent)
        response = connection.getresponse()
        return response, response.read().decode()


def five_clicks(port: int) -> list[HTTPResponse]:
    """Load the form, then send it five times at once."""
    page, text = ask(port, "GET", Sec_Fetch_Site="none")
    token = re.search(r'name="so_token" value="([^"]+)"', text)
    assert token is not None, text
    cookies = "; ".join(line.partition(";")[0] for line in page.headers.get_all("Set-Cookie") or ())
    form, answers = {"item": "Tea", "so_token": token[1]}, list[HTTPResponse]()

    def click() -> None:
        answers.append(ask(port, "POST", form, Cookie=cookies, Sec_Fetch_Site="same-origin")[0])

    threads = [threading.Thread(target=click) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def orders(folder: Path) -> int:
    """How many orders the shop's database holds."""
    with closing(sqlite3.connect(folder / "shop.db")) as database:
        count: int = database.execute('SELECT count(*) FROM "order"').fetchone()[0]
        return count
