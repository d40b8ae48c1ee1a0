"""A Flask shop of mode fenced in a process of its own, which dies in its first view.

`main(URL, FOLDER, PORT)`: it dies by SIGKILL between insert and commit, unless the folder has a
file that says that it did so before.
"""

import os
import signal
from pathlib import Path
from typing import Any

from flask import request
from werkzeug.serving import make_server

from tests.adapters.flask_shop import Shop, order
from tests.adapters.flask_site import Silent

DIED = "died"


def main(url: str, folder: str, port: str) -> None:
    """Serve until the process is ended."""
    shop, died = Shop(Path(folder), uri=url, SEEOTHER_MODE="fenced"), Path(folder, DIED)

    def post() -> Any:
        shop.add(f"half of {request.form['name']}")
        shop.db.session.flush()
        if not died.exists():
            died.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        shop.db.session.rollback()
        return order(shop)()

    shop.view(post)
    make_server(
        "127.0.0.1", int(port), shop.app, threaded=True, request_handler=Silent
    ).serve_forever()
