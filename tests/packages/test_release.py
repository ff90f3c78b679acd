"""deploy/release: what a release consists of, built twice and equal to the byte; the bill of materials says what is in it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.packages.conftest import EPOCH, ROOT
from tests.packages.roots import Root, bare
from tests.packages.test_lock import LOCKED

BOM = ROOT / "deploy" / "release" / "bom.py"
VALIDATOR = "cyclonedx-python-lib[json-validation]"


def bill(epoch: str = EPOCH) -> str:
    """The bill of the environment that the tests run in."""
    command = [sys.executable, str(BOM)]
    environment = os.environ | {"SOURCE_DATE_EPOCH": epoch}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def test_the_bill_names_chartwire_and_what_it_needs() -> None:
    found = json.loads(bill())
    assert (found["bomFormat"], found["specVersion"]) == ("CycloneDX", "1.6")
    assert found["metadata"]["component"]["name"] == "chartwire"
    assert found["metadata"]["timestamp"] == "2026-01-01T00:00:00Z"
    by_name = {one["name"]: one for one in found["components"]}
    assert {"aiohttp", "asyncpg", "zeep", "cryptography"} <= by_name.keys()
    assert by_name["zeep"]["purl"] == f"pkg:pypi/zeep@{by_name['zeep']['version']}"
    (ours,) = [one for one in found["dependencies"] if one["ref"] == found["metadata"]["component"]["bom-ref"]]
    assert by_name["zeep"]["bom-ref"] in ours["dependsOn"]
    refs = {one["ref"] for one in found["dependencies"]}
    assert {each for one in found["dependencies"] for each in one["dependsOn"]} <= refs


def test_the_bill_is_the_same_each_time_and_dated_as_it_is_told() -> None:
    assert bill() == bill()
    assert json.loads(bill("0"))["metadata"]["timestamp"] == "1970-01-01T00:00:00Z"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Root]:
    """A root with this checkout as a tree without git, at two places."""
    root = bare("bookworm", tmp_path_factory.mktemp("release") / "root")
    root.run("apt-get install -yqq --no-install-recommends python3 python3-venv")
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            for place in ("/one/tree", "/elsewhere/another"):
                root.put(ROOT / name, f"{place}/{name}")
    yield root
    subprocess.run(["rm", "-rf", str(root.folder)], check=False)


@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_two_builds_of_a_release_are_equal_to_the_byte(root: Root, tmp_path: Path) -> None:
    sums = [
        root.run(f"SOURCE_DATE_EPOCH={EPOCH} {place}/deploy/release/build {out} > /dev/null 2>&1 && cat {out}/SHA256SUMS")
        for place, out in (("/one/tree", "/out"), ("/elsewhere/another", "/again/out"))
    ]
    assert sums[0] == sums[1]
    names = re.findall(r"^[0-9a-f]{64}  (\S+)$", sums[0], re.MULTILINE)
    version = re.search(r"chartwire-([\w.]+)\.tar\.gz", sums[0])
    assert version is not None
    assert sorted(names) == sorted(
        f"chartwire{end}"
        for end in (
            f"-{version[1]}.tar.gz",
            f"-{version[1]}-py3-none-any.whl",
            f"-{version[1]}.cdx.json",
            f"_{version[1]}+deb12_amd64.deb",
        )
    )
    assert "OK" in root.run("cd /out && sha256sum --check SHA256SUMS")
    found = json.loads((root.folder / f"out/chartwire-{version[1]}.cdx.json").read_text())
    listed = {one["name"]: one["version"] for one in found["components"]}
    assert listed.items() <= LOCKED.items()
    assert len(listed) > 30
    validated(root.folder / f"out/chartwire-{version[1]}.cdx.json", tmp_path)


def validated(file: Path, folder: Path) -> None:
    """Held against CycloneDX's own schema."""
    subprocess.run([sys.executable, "-m", "venv", folder / "env"], check=True)
    python = folder / "env" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "-q", "install", VALIDATOR], check=True)
    script = """
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
print(JsonStrictValidator(SchemaVersion.V1_6).validate_str(open(sys.argv[1]).read()))
"""
    done = subprocess.run([python, "-c", script, file], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "None"
