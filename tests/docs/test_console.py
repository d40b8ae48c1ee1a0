"""The console blocks of the pages: each command is run, and says what the page says it says."""

import os
import re
import subprocess
import sys
from doctest import ELLIPSIS, OutputChecker
from pathlib import Path

import pytest
from werkzeug.test import Client

from seeother.wsgi import SeeOther

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^\$ (.+)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)
NAME = "6b002d34"  # of the doubt, on the page
TOKEN = re.compile('name="so_token" value="([^"]+)"')


def half_way(environ, start_response):  # type: ignore[no-untyped-def]
    """An app whose form breaks off in the middle."""
    if environ["REQUEST_METHOD"] == "POST":
        raise RuntimeError("in the middle")
    start_response("200 OK", [("Content-Type", "text/html")])
    return [b"<form method=post></form>"]


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """A folder with a ledger in it, in which one submission is in doubt."""
    app = SeeOther(half_way, store=f"sqlite:///{tmp_path / 'seeother.db'}")
    browser = Client(app)
    found = TOKEN.search(browser.get("/").text)
    assert found is not None
    with pytest.raises(RuntimeError):
        browser.post("/?so", data={"so_token": found[1]})
    app.driver.shut()
    app.store.shut()
    return tmp_path


def run(command: str, folder: Path) -> str:
    """What a command of ours says, on stdout and stderr."""
    program, *words = command.split()
    assert program == "seeother"
    done = subprocess.run(
        [sys.executable, "-m", "seeother", *words],
        cwd=folder,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stdout
    return done.stdout


def commands() -> list[tuple[str, str]]:
    """Every command of the pages and what it is said to answer, in the order of reading."""
    blocks = (b for page in sorted(DOCS.glob("*.md")) for b in BLOCK.findall(page.read_text()))
    return [(command, said) for block in blocks for command, said in COMMAND.findall(block)]


def test_commands_say_what_the_pages_say(ledger: Path) -> None:
    """From the first doubt to a clean bill of health, as somebody who follows the page."""
    real = run("seeother ledger doubts", ledger)[: len(NAME)]
    assert len(commands()) > 5
    for command, said in commands():
        got = run(command.replace(NAME, real), ledger).replace(real, NAME)
        assert OutputChecker().check_output(said, got, ELLIPSIS), f"$ {command}\n{got}"
