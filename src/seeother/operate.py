"""`seeother ledger ...` and `seeother doctor`: a ledger from the command line.

All take `--store URL`. Exit codes: 0 all is well, 1 something needs a person, 2 it could not be
asked. A refused, missing, locked or damaged store is one sentence, as everywhere.
"""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import NoReturn

import click

from .core.entry import COOKIE_BYTES
from .core.fingerprint import session_id, visitor_id
from .core.keys import decode
from .errors import SeeOtherError
from .setup import DEFAULT_STORE
from .stores.examine import Finding, examine, verify
from .stores.inspect import InQuestion, doubts, look_at, purge, resolve, survey
from .stores.inspect import forget as delete_visitor
from .stores.sqlite import SQLiteStore

STORE = click.option("--store", default=DEFAULT_STORE, show_default=True, help="URL of the store.")


@click.group()
def ledger() -> None:
    """Look at a ledger, and end doubts."""


@ledger.command()
@STORE
def stats(store: str) -> None:
    """Count rows, receipts and sessions."""
    with _opened(store) as opened:
        found = survey(opened)
    waiting = f"{found.waiting} with a message that waits, {found.drafts} bytes of drafts"
    click.echo(f"settled {found.settled}  claimed {found.claimed}  in doubt {found.in_doubt}")
    click.echo(f"receipts {found.receipts} ({waiting})")
    click.echo(f"sessions {found.sessions}  size {found.size / (1 << 20):.1f} MiB")


@ledger.command(name="doubts")
@STORE
def list_doubts(store: str) -> None:
    """List submissions of which nobody knows how they ended."""
    with _opened(store) as opened:
        found = doubts(opened)
    _listed(found)
    click.echo(f"{len(found)} in doubt", err=True)
    sys.exit(1 if found else 0)


@ledger.command(name="resolve")
@click.argument("name")
@click.option("--happened/--did-not-happen", required=True, help="Did it take effect?")
@STORE
def end_doubt(name: str, happened: bool, store: str) -> None:
    """End the doubt about the submission whose name starts with NAME.

    Names are listed by `ledger doubts`.
    """
    with _opened(store) as opened:
        found = [one for one in doubts(opened) if one.is_meant_by(name)]
        if len(found) > 1:
            _listed(found)
            click.echo(f"{name} is ambiguous, nothing was done; give more of the name", err=True)
            sys.exit(1)
        done = [one for one in found if resolve(opened, one.key, happened=happened)]
    click.echo(f"resolved {done[0].name}" if done else f"nothing in doubt is called {name}")
    sys.exit(0 if done else 1)


@ledger.command(name="purge")
@STORE
def delete_old(store: str) -> None:
    """Delete what belongs to tokens that are refused for their age anyway."""
    with _opened(store) as opened:
        count = purge(opened)
    click.echo(f"{count} rows and receipts deleted")


@ledger.command(name="verify")
@STORE
def check(store: str) -> None:
    """Check the ledger against its own rules."""
    with _opened(store) as opened:
        findings = verify(opened)
    _report(findings)


@click.command()
@STORE
def doctor(store: str) -> None:
    """Say what is wrong with a store, and what to do about it."""
    typed = click.get_current_context().command_path.removeprefix("python -m ")
    with _opened(store) as opened:
        findings = examine(opened, typed.removesuffix("doctor") + "ledger doubts")
    _report(findings)


@click.command(context_settings={"ignore_unknown_options": True})  # a value may begin with "-"
@click.argument("visitor")
@click.option("--session", help="Value of the session cookie: ends that session, too.")
@STORE
def forget(visitor: str, session: str | None, store: str) -> None:
    """Delete messages, drafts and pages that are kept for one VISITOR.

    VISITOR is the value of the visitor cookie, as the person's browser shows it. What was ordered
    or written is the app's, and stays.
    """
    who = _cookie(visitor, "visitor")
    session_bytes = None if session is None else session_id(_cookie(session, "session"))
    with _opened(store) as opened:
        count = delete_visitor(opened, visitor_id(who), session_bytes)
    click.echo(f"{count} receipts deleted" + (", session ended" if session else ""))


def _cookie(text: str, what: str) -> bytes:
    """A cookie's value; ends the command where it is none of ours."""
    value = decode(text.strip(), COOKIE_BYTES)
    if value is None:
        click.echo(f"seeother: {text!r} is no value of a {what} cookie (22 characters)", err=True)
        sys.exit(2)
    return value


def _listed(found: tuple[InQuestion, ...] | list[InQuestion]) -> None:
    for one in found:
        issued = datetime.fromtimestamp(one.issued, UTC).isoformat(timespec="seconds")
        click.echo(f"{one.name}  {one.state}  fence {one.fence}  form of {issued}")


def _report(findings: tuple[Finding, ...]) -> NoReturn:
    for one in findings:
        click.echo(f"{'ok  ' if one.good else 'LOOK'}  {one.text}")
    sys.exit(0 if all(one.good for one in findings) else 1)


@contextmanager
def _opened(url: str) -> Generator[SQLiteStore]:
    """The store for one command; whatever cannot be asked ends it with a sentence."""
    try:
        store = look_at(url)
        try:
            yield store
        finally:
            store.shut()
    except SeeOtherError as error:
        click.echo(f"seeother: {error.detail or error.hint}", err=True)
        sys.exit(2)
