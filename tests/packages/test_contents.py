"""A wheel and a source archive contain what they must, and the wheel runs without this checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email import message_from_string
from pathlib import Path

import pytest
from trove_classifiers import classifiers

from tests.packages.conftest import ROOT, Built

PACKAGES = ("daemon", "events", "projections")
DATA = {".sql", ".html", ".css", ".svg", ".wsdl", ".typed"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def sources(suffixes: set[str]) -> set[str]:
    """The files of the packages, as they are in the checkout."""
    found = {file for name in PACKAGES for file in (ROOT / name).rglob("*") if file.suffix in suffixes}
    return {str(file.relative_to(ROOT)) for file in found}


@pytest.fixture(scope="module")
def unpacked(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    zipfile.ZipFile(built.wheel).extractall(folder)
    return folder


def metadata(unpacked: Path) -> dict[str, list[str]]:
    (file,) = unpacked.glob("*.dist-info/METADATA")
    message = message_from_string(file.read_text())
    return {name: message.get_all(name) or [] for name in message}


def test_the_wheel_has_all_of_the_packages_and_nothing_else(unpacked: Path) -> None:
    files = {str(one.relative_to(unpacked)) for one in unpacked.rglob("*") if one.is_file()}
    carried = {one for one in files if ".dist-info/" not in one}
    assert sources(DATA | {".py"}) <= carried
    assert {one.split("/")[0] for one in carried} == {*PACKAGES}
    assert {f"{name}/py.typed" for name in PACKAGES} <= carried
    for suffix in DATA:
        assert any(one.endswith(suffix) for one in carried), suffix
    assert any("/licenses/LICENSE" in one for one in files)


def test_the_metadata_says_what_it_is(unpacked: Path) -> None:
    said = metadata(unpacked)
    assert said["Requires-Python"] == [PROJECT["requires-python"]]
    assert said["License-Expression"] == ["Apache-2.0"]
    assert {one.partition(",")[0] for one in said["Project-URL"]} >= {"Homepage", "Documentation", "Changelog", "Security"}
    assert set(said["Classifier"]) == set(PROJECT["classifiers"]) <= set(classifiers)
    assert {"console", "completion", "demo"} <= set(said["Provides-Extra"])
    assert PROJECT["version"] in said["Version"]


def test_the_changelog_begins_with_the_version_that_is_built() -> None:
    headings = [line for line in (ROOT / "CHANGELOG.md").read_text().splitlines() if line.startswith("## ")]
    assert headings[0].split()[1] == PROJECT["version"]


def test_the_source_archive_has_what_builds_tests_and_deploys(built: Built) -> None:
    with tarfile.open(built.sdist) as archive:
        names = {one.name.partition("/")[2] for one in archive.getmembers()}
    assert sources(DATA | {".py"}) <= names
    assert {"README.md", "LICENSE", "CHANGELOG.md", "constraints.txt", "pyproject.toml"} <= names
    assert {str(one.relative_to(ROOT)) for one in (ROOT / "deploy").rglob("*") if one.is_file()} <= names
    assert "tests/unit/test_main.py" in names
    assert not {one for one in names if one.startswith((".venv", ".mypy_cache", ".hypothesis")) or one.endswith(".pyc")}


def run_from(folder: Path, *command: str) -> str:
    """What a process says that finds chartwire in `folder` before anywhere else."""
    environment = os.environ | {"PYTHONPATH": str(folder)}
    done = subprocess.run(
        [sys.executable, *command], cwd=folder.parent, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_runs_without_the_checkout(unpacked: Path) -> None:
    assert run_from(unpacked, "-m", "projections.entrance", "--version") == f"chartwire {PROJECT['version']}\n"
    assert "Last name" in run_from(unpacked, "-m", "projections.entrance", "rules")
    assert (
        run_from(unpacked, "-c", "import daemon, events; print(daemon.__file__, events.__file__)").count(str(unpacked)) == 2
    )
