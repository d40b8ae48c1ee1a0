"""The measurements themselves: they run. What they find is read by people and asserted nowhere."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_section_runs(tmp_path: Path) -> None:
    """`python -m tests.bench --quick` goes through every section and writes its page."""
    page = tmp_path / "benchmarks.md"
    command = [sys.executable, "-m", "tests.bench", "--quick", "--write", str(page)]
    ran = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    goals = {
        line.split("|")[1].strip() for line in page.read_text("utf-8").splitlines() if "| " in line
    }
    assert {"P1", "P2", "P3", "P6", "P7", "P8", "P10", "P12", "P13", "P14", "P15"} <= goals
