"""Every test, in three parts side by side: browsers, real servers, and all the rest.

`python -m tests` is what `make test` runs without ARGS. Browsers and servers mostly wait, so three
parts on two cores are done sooner than one after the other. The rest speaks while it runs, the
others when all are done; the last line sums up, and 1 is returned if any of them failed.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Final

BROWSERS: Final = ("tests/browser",)
SERVERS: Final = (
    "tests/bench",
    "tests/board",
    "tests/chaos",
    "tests/cli",
    "tests/crash",
    "tests/power",
    "tests/recipes",
    "tests/stores",
    "tests/tour",
    "tests/versus",
)
COUNT = re.compile(r"(\d+) (passed|failed|errors?|skipped|xfailed|xpassed)\b")
LAST = re.compile(r"^=+ .* in [0-9.]+s.*$", re.MULTILINE)


def main() -> int:
    """Run all parts; 0 where all passed."""
    start, command = time.monotonic(), [sys.executable, "-m", "pytest"]
    with tempfile.TemporaryDirectory(prefix="seeother-tests-") as folder:
        quiet = {Path(folder, str(n)): part for n, part in enumerate((BROWSERS, SERVERS))}
        running = [_started([*command, *part], said) for said, part in quiet.items()]
        ignored = [f"--ignore={path}" for part in quiet.values() for path in part]
        try:
            rest = _heard([*command, *ignored], Path(folder, "rest"))
        except BaseException:
            for one in running:
                one.terminate()
            raise
        finally:
            statuses = [one.wait() for one in running]
        texts = [said.read_text("utf-8", "replace") for said in quiet]
        print(*texts, sep="\n", flush=True)
        texts.append(Path(folder, "rest").read_text("utf-8", "replace"))
        print(_sum(texts, time.monotonic() - start))
    return worse(rest, *statuses)


def _started(command: list[str], said: Path) -> subprocess.Popen[bytes]:
    """Run it, and keep what it says."""
    with said.open("wb") as sink:
        return subprocess.Popen(
            command, stdout=sink, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
        )


def worse(*statuses: int) -> int:
    """0 where every part passed; one that a signal ended has a negative status, and failed.

    >>> worse(0, 0), worse(0, 2), worse(-11, 0)
    (0, 1, 1)
    """
    return int(any(statuses))


def _heard(command: list[str], said: Path) -> int:
    """Run it, pass on what it says, and keep it."""
    with said.open("wb") as sink, subprocess.Popen(command, stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        while piece := os.read(running.stdout.fileno(), 4096):
            sink.write(piece)
            sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
    return running.returncode


def _sum(texts: list[str], seconds: float) -> str:
    """All summaries as one; a part that came to no end is said to have none."""
    total: Counter[str] = Counter()
    for text in texts:
        last = LAST.findall(text)
        if not last:
            total["part that came to no end"] += 1
        total.update({word: int(n) for n, word in COUNT.findall(last[-1])} if last else {})
    words = ", ".join(f"{n} {word}" for word, n in sorted(total.items()))
    return f"==== {words} in {seconds:.2f}s, three parts side by side ===="


if __name__ == "__main__":
    sys.exit(main())
