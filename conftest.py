"""Runs the documentation: the Python blocks of README.md and docs/, the examples of docstrings.

It stands at the root because pytest asks a conftest.py only about files beside and below it. The
blocks of one page share their names from top to bottom, as for somebody who types them. A block
that only shows something is marked in the page by `<!--- skip: next -->`. Each page runs in a
folder of its own, so that a database named in an example is made there.
"""

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sybil import Sybil
from sybil.document import PythonDocStringDocument
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser
from sybil.parsers.rest import DocTestParser


def enter_folder(namespace: dict[str, Any]) -> None:
    """Begin a page in a new folder."""
    namespace["__folder__"] = folder = TemporaryDirectory()
    namespace["__home__"] = Path.cwd()
    os.chdir(folder.name)


def leave_folder(namespace: dict[str, Any]) -> None:
    """Go back, and delete what the page made."""
    os.chdir(namespace["__home__"])
    namespace["__folder__"].cleanup()


pages = Sybil(
    parsers=[SkipParser(), PythonCodeBlockParser()],
    patterns=["*.md"],
    setup=enter_folder,
    teardown=leave_folder,
)
docstrings = Sybil(
    parsers=[DocTestParser()],
    patterns=["*.py"],
    path="src",
    document_types={".py": PythonDocStringDocument},
)

pytest_collect_file = (pages + docstrings).pytest()
