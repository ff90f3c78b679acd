"""The older version that tests upgrade from and go back to: out of the repository's history, as a folder, or as its wheel installed apart."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

OLDER = "9f35dbc"
"""deploy/UPGRADE.md, Formats."""

TAKE = """
import asyncio, sys, asyncpg
from pathlib import Path
from events.keys import Keyring
from events.store import Store

async def take():
    store = await Store.open(sys.argv[1], Keyring.from_directory(Path(sys.argv[2])))
    try:
        print(await store.take_over(sys.argv[3], "old:7"))
    except asyncpg.PostgresError as error:
        print(error.message)
    finally:
        await store.close()

asyncio.run(take())
"""
"""Takes a practice over with a version's own code, by a database, a folder of keys and its id; says the epoch, or why not."""

ROOT = Path(__file__).resolve().parents[2]
INSTALL_SECONDS = 600


def unpacked(commit: str, folder: Path, *paths: str) -> Path:
    """`paths` of a commit, or all of it, in `folder`. Skips where the history does not reach back so far."""
    git = shutil.which("git")
    if git is None:
        pytest.skip("git is not installed")
    known = subprocess.run([git, "cat-file", "-e", f"{commit}^{{commit}}"], cwd=ROOT, capture_output=True, check=False)
    if known.returncode:
        pytest.skip(f"the history does not reach back to {commit} (a shallow clone, or no clone)")
    packed = subprocess.run([git, "archive", commit, *paths], cwd=ROOT, capture_output=True, check=True)
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def installed(commit: str, folder: Path) -> Path:
    """The Python of an environment that has the commit's wheel, in the releases that its own constraints name. Needs pip's index."""
    source = unpacked(commit, folder / "source")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def run(*command: object) -> None:
        words = list(map(str, command))
        done = subprocess.run(
            words, cwd=source, env=environment, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
        )
        assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"

    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder / "built")
    (wheel,) = (folder / "built").glob("*.whl")
    run(sys.executable, "-m", "venv", folder / "env")
    python = folder / "env" / "bin" / "python"
    run(python, "-m", "pip", "-q", "install", "-c", source / "constraints.txt", wheel)
    return python
