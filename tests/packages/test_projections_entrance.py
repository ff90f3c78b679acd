"""Another distribution with a package `daemon` beside chartwire: it refuses to start, whichever was installed first (projections/entrance.py)."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.packages.conftest import ROOT, Built

FILES = {
    "daemon/__init__.py": "from daemon.daemon import DaemonContext\n",
    "daemon/daemon.py": "class DaemonContext: ...\n",
    "python_daemon-3.1.2.dist-info/METADATA": "Metadata-Version: 2.1\nName: python-daemon\nVersion: 3.1.2\n",
    "python_daemon-3.1.2.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
}
"""python-daemon as it lies in its wheel, in small."""


@pytest.fixture
def python_daemon(tmp_path: Path) -> Path:
    wheel = tmp_path / "python_daemon-3.1.2-py3-none-any.whl"
    rows = []
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in FILES.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            archive.writestr(name, text)
            rows.append(f"{name},sha256={digest},{len(text)}")
        archive.writestr(
            "python_daemon-3.1.2.dist-info/RECORD", "\n".join([*rows, "python_daemon-3.1.2.dist-info/RECORD,,", ""])
        )
    return wheel


def pip(*arguments: object) -> None:
    command = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def installed(prefix: Path, *wheels: Path) -> Path:
    """Install with pip, in this order, into one place; the folder that the packages lie in."""
    for wheel in wheels:
        pip("install", "--no-index", "--no-deps", "--no-compile", "--ignore-installed", "--prefix", prefix, wheel)
    (folder,) = prefix.glob("lib/python*/site-packages")
    return folder


def started(script: Path, *path: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, path))}
    command = [sys.executable, "-S", str(script), "--version"]  # without the packages of the tests' own environment
    return subprocess.run(command, env=environment, cwd=script.parent, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("first", ["chartwire", "python-daemon"])
def test_it_refuses_to_start_in_a_mixture(first: str, built: Built, python_daemon: Path, tmp_path: Path) -> None:
    order = [built.wheel, python_daemon] if first == "chartwire" else [python_daemon, built.wheel]
    folder = installed(tmp_path / "env", *order)
    ours = (ROOT / "daemon" / "__init__.py").read_text()
    assert ((folder / "daemon" / "__init__.py").read_text() == ours) is (first == "python-daemon")
    done = started(tmp_path / "env" / "bin" / "chartwire", folder)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith(f"chartwire cannot start: its package `daemon` in {folder} is also of python-daemon")
    assert "python3 -m venv" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_it_refuses_to_start_with_the_other_one_before_it_on_the_path(
    built: Built, python_daemon: Path, tmp_path: Path
) -> None:
    """As after `pip install -e`, whose folder comes last."""
    own, other = installed(tmp_path / "own", built.wheel), installed(tmp_path / "other", python_daemon)
    done = started(tmp_path / "own" / "bin" / "chartwire", other, own)
    assert done.returncode == 1
    assert f"`daemon` is taken from {other} (python-daemon), not from {own}" in done.stderr


def test_it_refuses_to_start_after_the_other_one_was_removed(built: Built, python_daemon: Path, tmp_path: Path) -> None:
    folder = installed(tmp_path / "env", built.wheel, python_daemon)
    for name in FILES:
        (folder / name).unlink()
    shutil.rmtree(folder / "python_daemon-3.1.2.dist-info")
    done = started(tmp_path / "env" / "bin" / "chartwire", folder)
    assert done.returncode == 1
    assert "its package `daemon` is damaged" in done.stderr


def test_it_starts_alone_and_with_the_other_one_after_it(built: Built, python_daemon: Path, tmp_path: Path) -> None:
    own, other = installed(tmp_path / "own", built.wheel), installed(tmp_path / "other", python_daemon)
    for path in ([own], [own, other]):
        done = started(tmp_path / "own" / "bin" / "chartwire", *path)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("chartwire ")
