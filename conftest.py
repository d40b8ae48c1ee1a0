"""Runs the documentation: the Python blocks of README.md and docs/, the examples of docstrings.

It stands at the root because pytest asks a conftest.py only about files beside and below it. The
blocks of one page share their names from top to bottom, as for somebody who types them. A block
that only shows something is marked in the page by `<!--- skip: next -->`.
"""

from sybil import Sybil
from sybil.document import PythonDocStringDocument
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser
from sybil.parsers.rest import DocTestParser

pages = Sybil(parsers=[SkipParser(), PythonCodeBlockParser()], patterns=["*.md"])
docstrings = Sybil(
    parsers=[DocTestParser()],
    patterns=["*.py"],
    path="src",
    document_types={".py": PythonDocStringDocument},
)

pytest_collect_file = (pages + docstrings).pytest()
