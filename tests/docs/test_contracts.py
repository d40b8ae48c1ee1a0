"""The classes of docs/testing.md, as somebody has them who copies the page into a test file."""

import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "testing.md"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_contracts_of_the_page_are_kept(tmp_path: Path) -> None:
    """Pytest finds both contracts in the copied page, and what it shows keeps their promises."""
    file = tmp_path / "test_copied.py"
    file.write_text("\n".join(BLOCK.findall(PAGE.read_text("utf-8"))))
    words = "TestMine or (TestAdapter and (duplicate or message or site))"
    command = [sys.executable, "-m", "pytest", "-q", "-k", words, "-p", "no:cacheprovider"]
    run = subprocess.run([*command, file.name], cwd=tmp_path, capture_output=True, text=True)  # noqa: PLW1510
    assert run.returncode == 0, run.stdout
    passed = re.search(r"(\d+) passed", run.stdout)
    assert passed is not None
    assert int(passed[1]) > 80
