"""`flask seeother ledger ...` and `flask seeother doctor`: the app's own ledger.

They are the commands of `seeother` (`seeother.operate`); all that is Flask's is the store that they
look at when `--store` does not name one: that of the app which `flask --app` found.

`SeeOther.init_app` puts them on `app.cli`, and no entry point of the package does. Whether an app
has a ledger is known only when its factory has run: on `app.cli` they are there for exactly the
apps that SeeOther stands around, also for `app.test_cli_runner()`, which loads no entry points. An
entry point would offer them for every app in the environment, and fail in the others.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click
from flask import current_app
from flask.cli import with_appcontext

from ..errors import SeeOtherError
from ..operate import doctor, forget, ledger
from ..stores.sqlite import SQLiteStore
from ..wsgi import KEY

if TYPE_CHECKING:
    from flask import Flask


@click.group()
@with_appcontext
def seeother() -> None:
    """Look at this app's ledger, and end doubts."""
    try:
        url = store_url(current_app)
    except SeeOtherError as error:
        click.echo(f"seeother: {error.detail or error.hint}", err=True)
        sys.exit(2)
    click.get_current_context().default_map = _defaults(seeother, url)


seeother.add_command(ledger)
seeother.add_command(doctor)
seeother.add_command(forget)


def store_url(app: Flask) -> str:
    """The URL of the store that an app works with. Raises PolicyError for settings that cannot be.

    A store that lives in the app's own process has one too; commands say that they cannot see it.
    """
    store = app.extensions[KEY].settings.store
    if isinstance(store, SQLiteStore):
        return f"sqlite:///{quote(str(store.path.absolute()))}"
    return str(getattr(store, "address", "memory://"))  # a server's URL, if it is on one


def _defaults(group: click.Group, url: str) -> dict[str, Any]:
    """What every command below a group has for `--store` (click's `default_map`)."""
    return {
        name: _defaults(command, url) if isinstance(command, click.Group) else {"store": url}
        for name, command in group.commands.items()
    }
