"""Prometheus's own tool, for the alert rules: found on the machine, or taken from Debian's package without installing that."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

PACKAGE = "prometheus"
SECONDS = 180


@cache
def promtool() -> Path | None:
    """Where it is; None where it cannot be had. What was unpacked stays for the next run."""
    if (found := shutil.which("promtool")) is not None:
        return Path(found)
    folder = Path(tempfile.gettempdir()) / "chartwire-promtool"
    tool = folder / "usr" / "bin" / "promtool"
    if not tool.is_file() and shutil.which("apt-get") and shutil.which("dpkg-deb"):
        with tempfile.TemporaryDirectory() as name:
            done = subprocess.run(
                ["apt-get", "download", PACKAGE], cwd=name, capture_output=True, timeout=SECONDS, check=False
            )
            for package in Path(name).glob("*.deb") if done.returncode == 0 else ():
                subprocess.run(["dpkg-deb", "-x", package, folder], check=True, timeout=SECONDS)
    return tool if tool.is_file() else None
