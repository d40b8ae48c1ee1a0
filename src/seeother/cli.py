"""The command line: `seeother board`, `tour`, `demo` (both), and what operators ask of a ledger.

A bare install has no command line of its own and says which extra is missing. Everything that can
go wrong at the start of a command is one sentence on stderr and exit code 2.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line."""
    try:
        from .commands import cli  # noqa: PLC0415 - click is an extra
    except ImportError as error:
        if error.name != "click":
            raise
        print(
            'seeother: the command line needs an extra: pip install "seeother[demo]"',
            file=sys.stderr,
        )
        sys.exit(2)
    cli()


if __name__ == "__main__":
    main()
