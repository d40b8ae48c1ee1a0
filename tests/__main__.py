"""Every test, in two halves side by side: the browsers, which mostly wait, and all the rest.

`python -m tests` is what `make test` runs without ARGS. The half without browsers speaks while it
runs, the other one when both are done; the last line sums up, and 1 is returned if either failed.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

BROWSER = "tests/browser"
COUNT = re.compile(r"(\d+) (passed|failed|errors?|skipped|xfailed|xpassed)\b")
LAST = re.compile(r"^=+ .* in [0-9.]+s.*$", re.MULTILINE)


def main() -> int:
    """Run both halves; 0 where both passed."""
    start, command = time.monotonic(), [sys.executable, "-m", "pytest"]
    with tempfile.TemporaryDirectory(prefix="seeother-tests-") as folder:
        said = Path(folder, "browser"), Path(folder, "rest")
        with said[0].open("wb") as sink:
            browser = subprocess.Popen(
                [*command, BROWSER], stdout=sink, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
            )
            try:
                rest = _heard([*command, f"--ignore={BROWSER}"], said[1])
            except BaseException:
                browser.terminate()
                raise
            finally:
                status = browser.wait()
        text = said[0].read_text("utf-8", "replace")
        print(text, flush=True)
        print(_sum([text, said[1].read_text("utf-8", "replace")], time.monotonic() - start))
    return worse(rest, status)


def worse(*statuses: int) -> int:
    """0 where every half passed; one that a signal ended has a negative status, and failed.

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
    """Both summaries as one; a half that came to no end is said to have none."""
    total: Counter[str] = Counter()
    for text in texts:
        last = LAST.findall(text)
        if not last:
            total["half that came to no end"] += 1
        total.update({word: int(n) for n, word in COUNT.findall(last[-1])} if last else {})
    words = ", ".join(f"{n} {word}" for word, n in sorted(total.items()))
    return f"==== {words} in {seconds:.2f}s, both halves side by side ===="


if __name__ == "__main__":
    sys.exit(main())
