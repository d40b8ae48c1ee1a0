"""Where a project's tests come from, and the environment that they run in.

One folder for each project, version and Python: the unpacked source distribution and a virtual
environment beside it. The list of what was installed is written last, so a folder without it, or
with another list, is made anew.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT: Final = Path(__file__).parents[2]
CACHE: Final = ROOT / ".upstream"
OURS: Final = ("multipart", "cryptography")
PIP: Final = ("-m", "pip", "--disable-pip-version-check", "-q")
STAMP: Final = "installed.txt"


class NotFetched(Exception):
    """A project could not be fetched or installed."""


@dataclass(frozen=True)
class Project:
    """One project of the index.

    `needs` is what its tests need beside it, with versions; it goes before constraints.txt. `start`
    is what runs its tests, after the interpreter; `folder` is where, inside of its distribution.
    """

    name: str
    needs: tuple[str, ...]
    start: tuple[str, ...]
    folder: str = "."

    @cached_property
    def version(self) -> str:
        """The version that constraints.txt has for this Python."""
        return pinned()[canonicalize_name(self.name)]

    @property
    def home(self) -> Path:
        """The folder of this project."""
        python = "{}.{}".format(*sys.version_info)
        return CACHE / f"{self.name.lower()}-{self.version}-py{python}"

    @property
    def python(self) -> Path:
        """The interpreter of its environment."""
        return self.home / "venv" / "bin" / "python"

    @property
    def tests(self) -> Path:
        """The folder in which its tests are started."""
        (source,) = (path for path in (self.home / "source").iterdir() if path.is_dir())
        return source / self.folder

    @property
    def requirements(self) -> list[str]:
        """Everything that is asked for, each with its version."""
        own = {canonicalize_name(Requirement(line).name) for line in self.needs}
        pins = [f"{name}=={pinned()[name]}" for name in OURS if name not in own]
        return [f"{self.name}=={self.version}", *self.needs, *pins]

    def fetch(self) -> None:
        """Fetch and install what is not there yet. Raises NotFetched."""
        wanted, stamp = "\n".join(self.requirements), self.home / STAMP
        if stamp.exists() and stamp.read_text("utf-8") == wanted:
            return
        shutil.rmtree(self.home, ignore_errors=True)
        (self.home / "source").mkdir(parents=True)
        self._unpack()
        self._install()
        stamp.write_text(wanted, "utf-8")

    def _unpack(self) -> None:
        exact = f"{self.name}=={self.version}"
        only = ("--no-deps", "--no-binary", self.name)
        run(sys.executable, *PIP, "download", *only, "-d", str(self.home), exact)
        (archive,) = self.home.glob("*.tar.gz")
        with tarfile.open(archive) as packed:
            packed.extractall(self.home / "source", filter="data")
        archive.unlink()

    def _install(self) -> None:
        own = {canonicalize_name(Requirement(line).name) for line in self.needs}
        pins = self.home / "constraints.txt"
        pins.write_text("\n".join(f"{k}=={v}" for k, v in pinned().items() if k not in own))
        run(sys.executable, "-m", "venv", str(self.home / "venv"))
        run(str(self.python), *PIP, "install", "-c", str(pins), *self.requirements)


def pinned() -> dict[str, str]:
    """Every package of constraints.txt that is for this Python, with its version."""
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    found = [Requirement(line) for line in lines if line.strip()]
    return {
        canonicalize_name(one.name): str(one.specifier).removeprefix("==")
        for one in found
        if one.marker is None or one.marker.evaluate()
    }


def run(*command: str) -> None:
    """Run one command to its end. Raises NotFetched with what it said."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotFetched(f"{' '.join(command[1:])}\n{done.stdout}{done.stderr}")
