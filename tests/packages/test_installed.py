"""The wheel in an empty environment: installed from the lock, as an operator does it, and used."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.packages.conftest import ROOT, Built

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(1800)]
LOCK = ROOT / "deploy" / "requirements.lock"


def run(*command: object, cwd: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(list(map(str, command)), cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


def test_the_wheel_in_an_empty_environment_plays_the_demo(built: Built, tmp_path: Path) -> None:
    run(sys.executable, "-m", "venv", tmp_path / "env", cwd=tmp_path)
    pip = [tmp_path / "env" / "bin" / "pip", "-q", "install"]
    run(*pip, "--require-hashes", "--no-deps", "-r", LOCK, cwd=tmp_path)
    run(*pip, "--no-deps", built.wheel, cwd=tmp_path)
    run(tmp_path / "env" / "bin" / "pip", "check", cwd=tmp_path)
    chartwire = tmp_path / "env" / "bin" / "chartwire"
    assert run(chartwire, "--version", cwd=tmp_path).startswith("chartwire ")
    assert "Last name" in run(chartwire, "rules", cwd=tmp_path)
    assert run(tmp_path / "env" / "bin" / "python", "-m", "daemon.cli.manual", cwd=tmp_path).startswith(".TH CHARTWIRE 1")
    assert json.loads(run(chartwire, "demo", "--headless", "--json", "--size", "3", cwd=tmp_path))["ok"] is True


def test_the_readmes_command_plays_the_demo_from_a_fresh_clone(tmp_path: Path) -> None:
    """As it stands there, but for the pictures of a terminal."""
    (command,) = re.findall(r"^<!-- demo -->\n```\n(.+)\n```$", (ROOT / "README.md").read_text(), re.MULTILINE)
    run("git", "clone", "--quiet", ROOT, "chartwire", cwd=tmp_path)
    said = run("bash", "-euc", f"{command} --headless --json --size 3", cwd=tmp_path / "chartwire")
    assert json.loads(said.splitlines()[-1])["ok"] is True
