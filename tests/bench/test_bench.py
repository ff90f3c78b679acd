"""The benchmarks themselves: every line is there and is a number. What they measure is never a test's business."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
AIMS = {
    ("append", 0.6),
    ("append", 5.0),
    ("rebuild", 0.5),
    ("rebuild", 2.0),
    ("rebuild", 1.6),
    ("history", 5.0),
    ("history", 1 / 3),
    ("history", 1.0),
    ("recording", 1.5),
    ("intake", 0.8),
    ("flat", 1.2),
}


@pytest.mark.slow
def test_every_line_is_measured_against_its_aim(tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    parts = ("storage", "recording", "intake", "long", "flat")
    command = [sys.executable, "-m", "tests.bench", "--quick", "--json", str(file), "--only", *parts]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    lines = json.loads(file.read_text())
    assert {(line["subject"], line["aim"]) for line in lines if line["aim"] is not None} == AIMS
    assert all(math.isfinite(line["value"]) and line["value"] > 0 for line in lines)
    assert all(line["met"] in (True, False) for line in lines if line["aim"] is not None)
    assert done.stdout.count("MISSED") == sum(line["met"] is False for line in lines), "what misses is shown as missed"
