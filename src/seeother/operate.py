"""`seeother ledger ...` and `seeother doctor`: a ledger from the command line.

Both take `--store URL`. Exit codes: 0 all is well, 1 something needs a person, 2 it could not be
asked. A refused or missing store is one sentence, as everywhere.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import NoReturn

import click

from .errors import SeeOtherError
from .setup import DEFAULT_STORE
from .stores import open_store
from .stores.inspect import Finding, doubts, examine, purge, resolve, survey, verify
from .stores.sqlite import SQLiteStore

STORE = click.option("--store", default=DEFAULT_STORE, show_default=True, help="URL of the store.")


@click.group()
def ledger() -> None:
    """Look at a ledger, and end doubts."""


@ledger.command()
@STORE
def stats(store: str) -> None:
    """Count rows, receipts and sessions."""
    found = survey(_opened(store))
    click.echo(f"settled {found.settled}  claimed {found.claimed}  in doubt {found.in_doubt}")
    click.echo(f"receipts {found.receipts} ({found.waiting} with a message that waits)")
    click.echo(f"sessions {found.sessions}  size {found.size / (1 << 20):.1f} MiB")


@ledger.command(name="doubts")
@STORE
def list_doubts(store: str) -> None:
    """List submissions of which nobody knows how they ended."""
    found = doubts(_opened(store))
    for one in found:
        issued = datetime.fromtimestamp(one.issued, UTC).isoformat(timespec="seconds")
        click.echo(f"{one.key.id.hex()}  {one.state}  fence {one.fence}  form of {issued}")
    click.echo(f"{len(found)} in doubt", err=True)
    sys.exit(1 if found else 0)


@ledger.command(name="resolve")
@click.argument("name")
@click.option("--happened/--did-not-happen", required=True, help="Did it take effect?")
@STORE
def end_doubt(name: str, happened: bool, store: str) -> None:
    """End the doubt about the submission whose id starts with NAME."""
    count = resolve(_opened(store), name, happened=happened)
    click.echo(f"{count} resolved")
    sys.exit(0 if count else 1)


@ledger.command(name="purge")
@STORE
def delete_old(store: str) -> None:
    """Delete rows whose tokens are refused for their age anyway."""
    click.echo(f"{purge(_opened(store))} rows deleted")


@ledger.command(name="verify")
@STORE
def check(store: str) -> None:
    """Check the ledger against its own rules."""
    _report(verify(_opened(store)))


@click.command()
@STORE
def doctor(store: str) -> None:
    """Say what is wrong with a store, and what to do about it."""
    _report(examine(_opened(store)))


def _report(findings: tuple[Finding, ...]) -> NoReturn:
    for one in findings:
        click.echo(f"{'ok  ' if one.good else 'LOOK'}  {one.text}")
    sys.exit(0 if all(one.good for one in findings) else 1)


def _opened(url: str) -> SQLiteStore:
    try:
        store = open_store(url)
        if not isinstance(store, SQLiteStore):
            _stop(f"{url}: only a store on SQLite can be looked at from outside")
        if not store.path.exists():
            _stop(f"there is no ledger at {store.path}; name it with --store")
        store.prepare()
    except SeeOtherError as error:
        _stop(error.detail or error.hint)
    return store


def _stop(text: str) -> NoReturn:
    click.echo(f"seeother: {text}", err=True)
    sys.exit(2)
