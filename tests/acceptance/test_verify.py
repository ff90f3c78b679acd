"""`chartwire verify` after the clinic day: nothing that differs is unexplained."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.sandbox.clinic import Office
from projections.words.remedy import SHOWN_ELSEWHERE

if TYPE_CHECKING:
    from tests.played_day import PlayedDay

pytest_plugins = ("tests.played_day",)
ROOT = Path(__file__).resolve().parents[2]


def test_after_the_day_nothing_is_unexplained(played_day: PlayedDay, office: Office) -> None:
    command = [sys.executable, "-m", "daemon", "verify", office.id, "--json", "--config", str(played_day.config)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["causes"]["unexplained"] == 0
    assert report["causes"]["not seen yet"] == 0
    assert report["causes"]["in flight"] == 0
    assert report["causes"]["edited on the losing side"] >= 1
    stored = {
        (one["patient"], one["slot"], one["code"]) for one in played_day.report["waiting"] if one["practice"] == office.id
    }
    told = {
        (one["patient"], one["what"], one["code"])
        for one in report["drift"]
        if one["cause"] == "waiting" and one["code"] not in SHOWN_ELSEWHERE
    }
    assert told
    assert told <= stored
    assert all("values" not in one for one in report["drift"])
