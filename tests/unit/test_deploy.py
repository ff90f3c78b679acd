"""What is deployed: units that may do little, and threats whose every claim names its test (deploy/)."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))
CONSOLE = ROOT / "deploy" / "systemd" / "chartwire-console.service"
WORKERS = [one for one in UNITS if one.name in ("chartwire.service", "chartwire@.service")]
EVERY_UNIT = sorted((ROOT / "deploy").rglob("*.service"))
"""With that of a broker on the same machine."""
THREATS = ROOT / "deploy" / "THREATS.md"
MOST_EXPOSED = 2.0
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def settings(unit: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in unit.read_text().splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith(("#", ";", "[")):
            found.setdefault(name, []).append(value)
    return found


def test_there_are_units() -> None:
    assert len(WORKERS) == 2
    assert CONSOLE in UNITS


@pytest.mark.parametrize("unit", EVERY_UNIT, ids=lambda unit: unit.name)
def test_a_unit_sets_what_holds_its_process(unit: Path) -> None:
    found = settings(unit)
    assert found["UMask"] == ["0077"]
    assert found["ProtectProc"] == ["invisible"]
    assert found["SystemCallArchitectures"] == ["native"]
    assert found["LimitCORE"] == ["0"]
    assert int(found["LimitNOFILE"][0]) >= 1024
    assert found["CapabilityBoundingSet"] == [""]
    assert "prlimit64" in found["SystemCallFilter"][-1], "the budget of files is read with it (runtime/listening.py)"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("unit", EVERY_UNIT, ids=lambda unit: unit.name)
def test_a_units_exposure_is_low(unit: Path) -> None:
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    level = re.search(r"Overall exposure level for \S+: ([0-9.]+)", said.stdout)
    assert level is not None, said.stderr
    assert float(level[1]) <= MOST_EXPOSED, said.stdout


def test_the_units_differ_in_their_instance_alone() -> None:
    one, many = (settings(unit) for unit in WORKERS)
    assert {name for name in one | many if one.get(name) != many.get(name)} == {"CacheDirectory", "Description", "ExecStart"}


def test_the_console_may_no_more_than_a_worker_and_has_no_vendors_secret() -> None:
    """It is another process: it writes nothing, sees no secret, is not reloaded, and stops without draining."""
    worker, console = settings(WORKERS[0]), settings(CONSOLE)
    assert {name for name in worker | console if worker.get(name) != console.get(name)} == {
        "CacheDirectory",
        "Description",
        "ExecReload",
        "ExecStart",
        "InaccessiblePaths",
        "LoadCredential",
        "TimeoutStartSec",
        "TimeoutStopSec",
    }
    assert not console.keys() & {"CacheDirectory", "ExecReload", "ReadWritePaths", "StateDirectory"}
    assert set(console["LoadCredential"]) < set(worker["LoadCredential"])
    assert not any("kareo" in one or "elation" in one for one in console["LoadCredential"])
    assert console["InaccessiblePaths"] == ["-/etc/chartwire/secrets"]


# -- threats --------------------------------------------------------------------------------------------------------------


def test_every_claim_about_a_threat_names_a_test() -> None:
    rows = [line for line in THREATS.read_text().splitlines() if line.startswith("| ")]
    assert rows[0].startswith("| Who, from where ")
    held = rows[1:]
    assert len(held) >= 25
    assert [line for line in held if not TEST.search(line)] == []


@pytest.mark.parametrize(("file", "name"), sorted(set(TEST.findall(THREATS.read_text()))))
def test_a_named_test_exists(file: str, name: str) -> None:
    assert re.search(rf"^(?:async )?def {name}\(", (ROOT / file).read_text(), re.MULTILINE)


def test_it_is_one_page() -> None:
    assert len(THREATS.read_text().split()) < 1100


# -- pages ----------------------------------------------------------------------------------------------------------------

CITED = re.compile(r"`?((?:\w+/)*[A-Z]+\.md)`?")


@pytest.mark.parametrize("page", sorted((ROOT / "deploy").rglob("*.md")), ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_cites_pages_that_are_there(page: Path) -> None:
    cited = set(CITED.findall(page.read_text()))
    assert {
        one for one in cited if not any((folder / one).is_file() for folder in (page.parent, ROOT / "deploy", ROOT))
    } == set()


def test_commands_of_the_pages_are_commands() -> None:
    from daemon.cli.commands import ABOUT

    pages = "".join(page.read_text() for page in (ROOT / "deploy").rglob("*.md"))
    named = set(re.findall(r"(?:^|`)chartwire ([a-z][a-z-]+)", pages, re.MULTILINE))
    assert {"doctor", "audit", "status"} <= named
    assert named - ABOUT.keys() == set()
