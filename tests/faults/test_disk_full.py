"""The worker's own disk is full: what it would keep there is not kept, and nothing else is missing."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest

from daemon.sandbox.kareo import KareoSandbox
from daemon.vendors.kareo.soap import SoapService

ROOT = Path(__file__).parents[2]

LOGGING = """
import structlog
from daemon.telemetry import configure_logging
configure_logging(json=True)
for number in range(3):
    structlog.get_logger().error("pass_failed", practice="elm", attempt=number)
print("at work")
"""

LOADING = """
import asyncio, resource, sys
from pathlib import Path
import aiohttp
from daemon.vendors.kareo.soap import SoapService
async def main(wsdl, cache):
    async with aiohttp.ClientSession() as session:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        service = await SoapService.load(wsdl, session, cache)
        print("GetPatient" in service.operations)
asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
"""


def test_a_log_that_cannot_be_written_ends_nothing() -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([sys.executable, "-c", LOGGING], cwd=ROOT, stdout=subprocess.PIPE, stderr=full, check=False)
    assert done.stdout == b"at work\n"


@pytest.mark.parametrize("kept", [False, True], ids=["the first copy", "a later one"])
async def test_a_wsdl_that_cannot_be_kept_is_used_all_the_same(tmp_path: Path, kept: bool) -> None:
    """And the copy of before is whole: it serves when the address gives none."""
    sandbox = KareoSandbox()
    await sandbox.start()
    async with aiohttp.ClientSession() as session:
        if kept:
            await SoapService.load(sandbox.wsdl_url, session, tmp_path)
        before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
        command = [sys.executable, "-c", LOADING, sandbox.wsdl_url, str(tmp_path)]
        done = await said_by(command)
        assert b"wsdl_not_kept" in done
        assert done.endswith(b"True\n")
        assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before
        await sandbox.stop()
        if kept:
            assert "GetPatient" in (await SoapService.load(sandbox.wsdl_url, session, tmp_path)).operations


async def said_by(command: list[str]) -> bytes:
    child = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=subprocess.PIPE)
    out, _ = await child.communicate()
    return out
