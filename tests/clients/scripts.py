"""The scripts that are fetched: each a package of the npm registry, by its name and version."""

import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree, which
from typing import Final

from tests.upstream.projects import CACHE, NotFetched, run

FOLDER: Final = CACHE / "clients"


@dataclass(frozen=True)
class Script:
    """One client: its package, and the file of it that a page loads."""

    package: str
    version: str
    file: str

    @property
    def path(self) -> Path:
        """Where the file is once it was fetched."""
        home = self.package.strip("@").replace("/", "-")
        return FOLDER / f"{home}-{self.version}" / Path(self.file).name

    def fetch(self) -> None:
        """Fetch it, if it is not there yet. Raises NotFetched."""
        if self.path.exists():
            return
        npm = which("npm")
        if npm is None:
            raise NotFetched("npm is missing (Debian and Ubuntu: apt-get install npm)")
        folder = self.path.parent
        rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        run(
            npm,
            "pack",
            "--silent",
            f"--pack-destination={folder}",
            f"{self.package}@{self.version}",
        )
        (archive,) = folder.glob("*.tgz")
        with tarfile.open(archive) as packed:
            found = packed.extractfile(f"package/{self.file}")
            assert found is not None, self.file
            self.path.write_bytes(found.read())
        archive.unlink()


SCRIPTS: Final = {
    "htmx2": Script("htmx.org", "2.0.11", "dist/htmx.min.js"),
    "htmx4": Script("htmx.org", "4.0.1", "dist/htmx.min.js"),
    "turbo": Script("@hotwired/turbo", "8.0.23", "dist/turbo.es2017-umd.js"),
    "unpoly": Script("unpoly", "3.14.3", "unpoly.min.js"),
}


def fetched() -> bool:
    """Are they all there?"""
    return all(one.path.exists() for one in SCRIPTS.values())


def fetch() -> None:
    """Fetch what is not there. Raises NotFetched."""
    for one in SCRIPTS.values():
        try:
            one.fetch()
        except (OSError, subprocess.SubprocessError, tarfile.TarError) as error:
            raise NotFetched(f"{one.package} {one.version}: {error}") from error
