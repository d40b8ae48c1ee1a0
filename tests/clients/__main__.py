"""`python -m tests.clients [pytest's arguments]`: fetch the scripts, then run the tests."""

import subprocess
import sys

from tests.clients.scripts import fetch
from tests.upstream.projects import NotFetched


def main(arguments: list[str]) -> int:
    """The exit code of the tests, 1 where a script could not be fetched."""
    try:
        fetch()
    except NotFetched as error:
        print(f"a script could not be fetched: {error}", file=sys.stderr)
        return 1
    return subprocess.run(
        [sys.executable, "-m", "pytest", "tests/clients", *arguments], check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
