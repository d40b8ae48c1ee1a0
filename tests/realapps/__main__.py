"""`python -m tests.realapps [app...]`: play with the apps, one table, and say what is wrong."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from tempfile import TemporaryDirectory
from typing import Final

from tests.upstream.projects import NotFetched

from . import apps
from .app import App
from .person import Person, Unexpected
from .play import BARE, PROTECTED, SCENES, Play, Result
from .site import Site

USAGE: Final = "python -m tests.realapps [--list] [--verbose] [app...]"
WIDTH: Final = 21


def main(arguments: list[str]) -> int:
    """Play with the apps that were named, or all; returns the exit code."""
    named = [one for one in arguments if not one.startswith("-")]
    chosen = [one for one in known() if not named or one.name.startswith(tuple(named))]
    if not chosen or set(arguments) - {*named, "--list", "--verbose"}:
        print(USAGE, file=sys.stderr)
        return 2
    if "--list" in arguments:
        for app in chosen:
            print(f"{app.name:16}{app.title}: {app.says}")
        return 0
    print(line("stored", "", {name: name for name in SCENES}), flush=True)
    faults = [fault for app in chosen for fault in play(app, verbose="--verbose" in arguments)]
    print("?: some who asked were told that it is in doubt")
    for fault in faults:
        print(f"FAIL {fault}")
    print(f"{len(chosen)} apps, {len(faults)} deviations")
    return 1 if faults else 0


def known() -> list[App]:
    """The apps, by name."""
    names = sorted(one.name for one in iter_modules(apps.__path__))
    return [import_module(f"{apps.__name__}.{name}").APP for name in names]


def play(app: App, *, verbose: bool) -> Iterable[str]:
    """Both halves of an app, and everything that is not as it should be."""
    for protected, names in ((False, BARE), (True, PROTECTED)):
        arm = "seeother" if protected else "bare"
        with TemporaryDirectory(prefix=f"{app.name}-") as folder:
            try:
                app.fetch()
                results = scenes(app, Path(folder), names, protected=protected)
            except (NotFetched, Unexpected, AssertionError) as error:
                yield f"{app.name}, {arm}: {error}"
                return
        print(line(app.title, arm, {name: str(one) for name, one in results.items()}), flush=True)
        if verbose:
            print(*(f"    {name}: {one.explained}" for name, one in results.items()), sep="\n")
        faults = judged(app, results, protected=protected)
        yield from (f"{app.name}, {arm}, {fault}" for fault in faults)


def scenes(
    app: App, folder: Path, names: Iterable[str], *, protected: bool
) -> Mapping[str, Result]:
    """These scenes with one app, on one database."""
    with Site(app, folder, protected=protected) as site, Person(site.ports) as person:
        app.login(person)
        stage = Play(site, person)
        return {name: SCENES[name](stage, f"A note, {name}") for name in names}


def judged(app: App, results: Mapping[str, Result], *, protected: bool) -> Iterable[str]:
    """What is not as it should be. Bare, only the numbers count: every repeat has its own end."""
    for name, result in results.items():
        wanted = PROTECTED[name] if protected else {app.bare.get(name, BARE[name])}
        if result.stored not in wanted:
            yield f"{name}: {result.stored} instead of {wanted}"
        if protected:
            yield from result.faults


def line(title: str, arm: str, cells: Mapping[str, str]) -> str:
    """One line of the table."""
    return f"{title:{WIDTH}}{arm:9}" + "".join(
        f"{cells.get(name, '-'):>{len(name) + 2}}" for name in SCENES
    )


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the servers end with this process
    sys.exit(main(sys.argv[1:]))
