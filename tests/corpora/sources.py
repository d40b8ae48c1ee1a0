"""Where the documents come from: source distributions of the index, and what to read in them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.upstream.projects import CACHE, PIP, NotFetched

HOME: Final = CACHE / "corpora"
BACKENDS: Final = ("setuptools/build_meta", "hatchling/build", "flit_core/buildapi", "mesonpy")
_DATA = re.compile(rb"(?:\A|\n)#data\n(.*?)\n?#errors", re.DOTALL)


@dataclass(frozen=True)
class Source:
    """A source distribution, and where the documents are in it; they are at least `least`."""

    name: str
    version: str
    pattern: str
    least: int
    says: str

    @property
    def home(self) -> Path:
        """Where it is unpacked."""
        return HOME / f"{self.name}-{self.version}"

    def documents(self) -> Iterator[tuple[str, bytes]]:
        """Each document, with a name by which it can be found. Raises NotFetched."""
        self.fetch()
        for path in sorted(self.home.glob(self.pattern)):
            for number, document in enumerate(_READERS[path.suffix](path)):
                yield f"{self.name} {path.name} {number}", document

    def fetch(self) -> None:
        """Fetch and unpack it, if it is not there yet. Raises NotFetched."""
        if self.home.exists():
            return
        HOME.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=HOME) as folder:
            archive = _downloaded(f"{self.name}=={self.version}", Path(folder))
            with tarfile.open(archive) as packed:
                packed.extractall(folder, filter="data")
            shutil.move(Path(folder) / f"{self.name}-{self.version}", self.home)


SOURCES: Final = (
    Source("html5lib", "1.1", "**/tree-construction/**/*.dat", 1500, "html5lib's own tests"),
    Source("tinyhtml5", "2.1.0", "**/tree-construction/**/*.dat", 1500, "the same, kept by others"),
    Source("justhtml", "3.16.0", "tests/justhtml-tests/*.dat", 300, "tests of a newer parser"),
    Source("turbohtml", "1.15.4", "**/data/wpt_html_tree.json", 1900, "WPT, html/syntax/parsing"),
)


def _downloaded(requirement: str, folder: Path) -> Path:
    backends = folder / "backends"
    for name in BACKENDS:
        module = backends / f"{name}.py"
        module.parent.mkdir(parents=True, exist_ok=True)
        (module.parent / "__init__.py").touch()  # else an installed package of that name counts
        shutil.copy(Path(__file__).with_name("backend.py"), module)
    command = [sys.executable, *PIP, "download", "--no-deps", "--no-build-isolation"]
    done = subprocess.run(
        [*command, "--no-binary", ":all:", "-d", str(folder), requirement],
        env=os.environ | {"PYTHONPATH": str(backends)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise NotFetched(f"{requirement}\n{done.stdout}{done.stderr}")
    (archive,) = folder.glob("*.tar.gz")
    return archive


def tests_of(path: Path) -> Iterable[bytes]:
    """The documents of a file of html5lib's kind, which lists them one after the other."""
    return (found[1] for found in _DATA.finditer(path.read_bytes()))


def cases_of(path: Path) -> Iterable[bytes]:
    """The documents of a file of JSON that was made from such files."""
    content = json.loads(path.read_text("utf-8"))
    for case in (*content["cases"], *content["exclusions"]):
        yield case["data"].encode("utf-8", "surrogatepass")


_READERS: Final = {".dat": tests_of, ".json": cases_of}
