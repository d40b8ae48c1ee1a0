"""The commands behind `seeother.cli`; they need the extra `cli` (click)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

import click

from .errors import SeeOtherError
from .operate import doctor, ledger

F = TypeVar("F", bound=Callable[..., Any])


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="seeother")
def cli() -> None:
    """Post/Redirect/Get for any Python web app: every submission takes effect exactly once."""


cli.add_command(ledger)
cli.add_command(doctor)


def served(command: F) -> F:
    """The options of everything that serves."""
    options = (
        click.option(
            "--host", default="127.0.0.1", show_default=True, help="Address to listen on."
        ),
        click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535)),
        click.option("--db", default="sqlite:///var/board.db", show_default=True, help="Store."),
        click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64)),
        click.option("--secret-file", help="Key file; made beside the database if missing."),
        click.option("--hosts", default="", help="Further host names, separated by commas."),
        click.option("--proxy-hops", default=0, show_default=True, type=click.IntRange(0, 16)),
        click.option("--quiet", is_flag=True, help="No line per request."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@cli.command()
@served
def board(**options: Any) -> None:
    """Serve the message board."""
    _serve(options)


@cli.command()
@served
def demo(**options: Any) -> None:
    """Serve the message board, as `make run` does."""
    _serve(options)


def _serve(options: dict[str, Any]) -> None:
    try:
        from .apps.board import serve  # noqa: PLC0415 - the board is an extra
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("seeother"):
            raise
        _stop(f'the board needs an extra ({error.name} is missing): pip install "seeother[board]"')
    try:
        hosts = tuple(h.strip() for h in options.pop("hosts").split(",") if h.strip())
        db = _path(options.pop("db"))
        config = serve.Config(db=db, hosts=hosts, colour=sys.stderr.isatty(), **options)
        serve.build(config)
        listener = serve.bind(config)
    except SeeOtherError as error:
        _stop(error.detail or error.hint)
    host, port = listener.getsockname()[:2]
    name = "localhost" if host in ("127.0.0.1", "::1") else host
    click.echo(f"Message board: http://{name}:{port}/   (Ctrl-C ends it)", err=True)
    serve.serve(config, listener)


def _path(url: str) -> str:
    if url.startswith("sqlite:///"):
        return url.removeprefix("sqlite:///")
    if "://" in url:
        _stop(f"--db {url.partition('://')[0]}: the board runs on sqlite:///FILE in this version")
    return url


def _stop(text: str) -> NoReturn:
    click.echo(f"seeother: {text}", err=True)
    sys.exit(2)
