"""`chartwire demo` is told to end, at whatever moment: it ends, and nothing of it is left behind."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import psutil
import pytest

MOST_SECONDS = 600.0
"""A whole small day, on a busy machine."""

END_SECONDS = 90.0


@asynccontextmanager
async def demo(folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """`chartwire demo --keep`, all of whose files are in `folder`; whatever has become of it and its servers, they are gone
    afterwards."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "daemon", "demo", "--keep", "--size", "3"),
        env={**os.environ, "TMPDIR": str(folder)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield process
    finally:
        servers: list[psutil.Process] = []
        with suppress(psutil.NoSuchProcess):
            servers = children(process)
            process.kill()
        await process.wait()
        for one in servers:
            with suppress(psutil.NoSuchProcess):
                one.kill()


def children(process: asyncio.subprocess.Process) -> list[psutil.Process]:
    """The servers that it has started, with their own processes."""
    return psutil.Process(process.pid).children(recursive=True)


async def said(process: asyncio.subprocess.Process, words: str) -> None:
    """Read on until it says so. Fails with all that it has said."""
    assert process.stdout is not None
    lines: list[str] = []
    try:
        async with asyncio.timeout(MOST_SECONDS):
            while words not in "".join(lines[-1:]):
                line = await process.stdout.readline()
                assert line, f"it ended before it said {words!r}: {''.join(lines)}"
                lines.append(line.decode())
    except TimeoutError:
        pytest.fail(f"did not say {words!r} within {MOST_SECONDS:.0f} s: {''.join(lines)}")


async def left(process: asyncio.subprocess.Process, number: signal.Signals, folder: Path) -> tuple[int, str, list[str]]:
    """End it with a signal, twice as impatient people do: (its exit code, what it said until then, what is left of it)."""
    started = children(process)
    assert started, "its servers run"
    for _ in range(2):
        process.send_signal(number)
    try:
        out, _ = await asyncio.wait_for(process.communicate(), END_SECONDS)
    except TimeoutError:
        pytest.fail(f"it has not ended {END_SECONDS:.0f} s after the signal")
    _, alive = await asyncio.to_thread(psutil.wait_procs, started, 10)
    files = [one.name for one in folder.iterdir()]
    assert process.returncode is not None
    return process.returncode, out.decode(), [*(one.name() for one in alive), *files]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where another user's server may go, as root's PostgreSQL does: pytest's own folders are closed to it."""
    made = Path(tempfile.mkdtemp(prefix="chartwire-ends-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.mark.slow
async def test_what_is_kept_ends_when_told_to(folder: Path) -> None:
    """The ordinary end of --keep: the result is printed, and the exit code is the result's."""
    async with demo(folder) as process:
        await said(process, "everything keeps running")
        code, out, rest = await left(process, signal.SIGTERM, folder)
    assert rest == []
    assert "every invariant holds" in out
    assert code == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_day_that_is_cut_short_leaves_nothing(folder: Path, number: signal.Signals) -> None:
    async with demo(folder) as process:
        await said(process, "PostgreSQL on")
        code, out, rest = await left(process, number, folder)
    assert rest == []
    assert code == 128 + number
    assert "Traceback" not in out


async def test_servers_that_are_just_starting_are_not_left_either(folder: Path) -> None:
    async with demo(folder) as process:
        async with asyncio.timeout(END_SECONDS):
            while not children(process):
                await asyncio.sleep(0.01)
        code, out, rest = await left(process, signal.SIGTERM, folder)
    assert rest == []
    assert code == 128 + signal.SIGTERM
    assert "Traceback" not in out
