"""A small shop in mode separate whose worker can be killed in the middle of an order.

    python -m tests.cli.shop FOLDER COOKIES TOKEN WHAT

answers one POST in a process of its own. The view writes the order to a file, and where the order
is called "die", its process kills itself before anybody hears of it.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from seeother.testing.adapter import Browser, WSGIClient
from seeother.testing.adapter.browser import token
from seeother.testing.adapter.stage import Answer
from seeother.wsgi import SeeOther

SECRET = "a secret for tests of the commands, 32 bytes"
FORM = b'<!doctype html><form method="post" action="/"><input name="what"></form>'
KILLED = -signal.SIGKILL


class Shop:
    """The shop in this process, and one visitor; ledger and orders are files in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.database = folder, folder / "shop.db"
        self.url = f"sqlite:///{self.database}"
        self.app = SeeOther(self.view, secret=SECRET, store=self.url)
        self.browser = Browser(WSGIClient(self.app))

    def view(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """The form, and what happens to an order."""
        if environ["REQUEST_METHOD"] == "GET":
            start_response("200 OK", [("Content-Type", "text/html")])
            return [FORM]
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])).decode()
        (what,) = parse_qs(body)["what"]
        with (self.folder / "orders").open("a") as orders:
            orders.write(f"{what}\n")
        if what.startswith("die") and __name__ == "__main__":
            os.kill(os.getpid(), signal.SIGKILL)
        environ["seeother"].flash("Thank you.")
        start_response("303 See Other", [("Location", "/thanks")])
        return [b""]

    @property
    def orders(self) -> list[str]:
        """What was ordered."""
        return (self.folder / "orders").read_text().split("\n")[:-1]

    def form(self) -> str:
        """Open the form; its token."""
        return token(self.browser.get())

    def send(self, name: str, what: str) -> Answer:
        """Order something with the form of this token."""
        return self.browser.post({"what": what, "so_token": name})

    def order(self, what: str) -> None:
        """Open the form and order something."""
        assert self.send(self.form(), what).status == 303

    def die(self, name: str | None = None, what: str = "die") -> str:
        """Order something from a worker that is killed in the middle of it; the form's token."""
        name = name or self.form()
        cookies = json.dumps(self.browser.cookies)
        run = subprocess.run(
            [sys.executable, "-m", "tests.cli.shop", self.folder, cookies, name, what],
            cwd=Path(__file__).parents[2],
            check=False,
        )
        assert run.returncode == KILLED
        return name


def main(folder: str, cookies: str, name: str, what: str) -> None:
    """One POST in this process."""
    shop = Shop(Path(folder))
    shop.browser.cookies = json.loads(cookies)
    shop.send(name, what)


if __name__ == "__main__":
    main(*sys.argv[1:])
