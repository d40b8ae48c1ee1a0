"""The commands behind `seeother.cli`; they need the extra `cli` (click)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn, TypeVar

import click

from .errors import SeeOtherError
from .operate import doctor, forget, ledger

F = TypeVar("F", bound=Callable[..., Any])


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="seeother")
def cli() -> None:
    """Post/Redirect/Get for any Python web app; forms count once (exactly: joined, fenced)."""


cli.add_command(ledger)
cli.add_command(doctor)
cli.add_command(forget)


def listening(command: F) -> F:
    """The options of everything that serves."""
    return _with(
        command,
        click.option(
            "--host", default="127.0.0.1", show_default=True, help="Address to listen on."
        ),
        click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535)),
        click.option("--secret-file", help="Key file; made beside the data if missing."),
        click.option("--hosts", default="", help="Further host names, separated by commas."),
        click.option("--proxy-hops", default=0, show_default=True, type=click.IntRange(0, 16)),
        click.option("--quiet", is_flag=True, help="No line per request."),
    )


def storing(command: F) -> F:
    """The further options of what serves the board."""
    return _with(
        command,
        click.option(
            "--db", default="sqlite:///var/board.db", show_default=True, help="File or URL."
        ),
        click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64)),
    )


def _with(command: F, *options: Callable[[F], F]) -> F:
    for option in reversed(options):
        command = option(command)
    return command


@cli.command()
@listening
@storing
def board(**options: Any) -> None:
    """Serve the message board."""
    with _starting("the board", "board"):
        from .apps import server  # noqa: PLC0415 - the board is an extra
        from .apps.board import serve  # noqa: PLC0415

        config = serve.Config(**_settings(options, server))
        app, listener = serve.build(config), serve.bind(config)
    _say(f"Message board: {server.address(listener)}/   (Ctrl-C ends it)")
    _tell_key(config)
    serve.serve(config, app, listener)


@cli.command()
@listening
@storing
def demo(**options: Any) -> None:
    """Serve the message board and, under /tour/, the five lessons; `make run` does the same.

    It is one process: one of the lessons keeps its messages in memory, as it is taught. With more
    --workers the board is served by all of them, and without the tour.
    """
    if options["workers"] > 1:
        _say("The tour is left out: a lesson keeps its list in the memory of one process.")
        click.get_current_context().invoke(board, **options)
        return
    with _starting("the demo", "demo"):
        from .apps import demo as both  # noqa: PLC0415 - so is this
        from .apps import server  # noqa: PLC0415
        from .apps.board import serve  # noqa: PLC0415

        config = serve.Config(**_settings(options, server))
        app, listener = both.build(config), serve.bind(config)
    _say(f"Message board: {server.address(listener)}/   (Ctrl-C ends it)")
    _say(
        f"Tour:          {server.address(listener)}/tour/   (five lessons, in three versions each)"
    )
    _tell_key(config)
    server.run(app, listener)


@cli.command()
@listening
@click.option("--data", default="var/tour", show_default=True, help="Folder for what it keeps.")
@click.option("--check", metavar="URL", help="Look at your own message board instead of serving.")
def tour(check: str | None, data: str, **options: Any) -> None:
    """Serve the five lessons, or --check your own server.

    --check sends one message to the page with the form at URL, judges five points and says why they
    matter. Exit code 0: all are kept, 1: not all, or no answer, 2: URL is no address.
    """
    if check is not None:
        _check(check)
    with _starting("the tour", "demo"):
        from .apps import server  # noqa: PLC0415 - so is this
        from .apps.tour import serve  # noqa: PLC0415

        settings = _settings(options, server)
        host, port = settings["host"], settings["port"]
        app = serve.build(
            Path(data),
            hosts=server.known_hosts(host, settings["hosts"]),
            proxy_hops=settings["proxy_hops"],
            secret_file=settings["secret_file"],
        )
        listener = server.bind(host, port)
    _say(f"Tour: {server.address(listener)}/tour/   (Ctrl-C ends it)")
    server.run(app, listener)


def _check(url: str) -> NoReturn:
    from .apps.tour import check, probe  # noqa: PLC0415 - not needed by other commands

    if not check.is_address(url):
        _stop("--check needs the address of a page, such as http://localhost:8000/")
    try:
        findings = check.check(url)
    except probe.NoAnswer as error:
        _stop(f"{url}: {error}", code=1)
    click.echo(check.report(findings))
    sys.exit(0 if all(finding.kept for finding in findings) else 1)


@contextmanager
def _starting(what: str, extra: str) -> Generator[None]:
    """Whatever goes wrong at a start is one sentence: a missing extra, or what our errors say."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("seeother"):
            raise
        more = f"{extra},postgres" if error.name == "psycopg" else extra
        _stop(f'{what} needs an extra ({error.name} is missing): pip install "seeother[{more}]"')
    except SeeOtherError as error:
        _stop(error.detail or error.hint)


def _settings(options: dict[str, Any], server: ModuleType) -> dict[str, Any]:
    """The options as settings; from here on requests and warnings are printed."""
    hosts = tuple(h.strip() for h in options.pop("hosts").split(",") if h.strip())
    colour = sys.stderr.isatty()
    server.log_requests(quiet=options["quiet"], colour=colour)
    db = {"db": _database(options.pop("db"))} if "db" in options else {}
    return {**options, **db, "hosts": hosts, "colour": colour}


def _database(url: str) -> str:
    """What `--db` names: the SQLite file, or a PostgreSQL database by its URL as it is."""
    scheme, found, _ = url.partition("://")
    if not found or scheme.partition("+")[0] in ("postgres", "postgresql"):
        return url
    if scheme != "sqlite" or not url.startswith("sqlite:///"):
        _stop(f"--db {scheme}: the board runs on sqlite:///FILE or postgresql://USER@HOST/DATABASE")
    return url.removeprefix("sqlite:///")


def _tell_key(config: Any) -> None:
    """A database that others can reach has no folder: who adds a node has to know of the key."""
    if config.shared and config.secret_file is None:
        _say(f"Key file:      {config.key}   (another node needs a copy of it: --secret-file)")


def _say(text: str) -> None:
    click.echo(text, err=True)


def _stop(text: str, code: int = 2) -> NoReturn:
    _say(f"seeother: {text}")
    sys.exit(code)
