"""`deploy/requirements.lock`: all that chartwire needs, each by its hash, in the releases that the tests run with, and no index named."""

from __future__ import annotations

import re
import tomllib

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.packages.conftest import ROOT

LOCK = (ROOT / "deploy" / "requirements.lock").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
ENTRY = re.compile(r"^([\w.-]+)==([\w.]+)(?: ; [^\\]+)? \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n?)+)", re.MULTILINE)
LOCKED = {canonicalize_name(name): version for name, version, _ in ENTRY.findall(LOCK)}


def test_every_line_belongs_to_an_entry_with_hashes() -> None:
    rest = "".join(line for line in ENTRY.sub("", LOCK).splitlines(keepends=True) if not line.startswith("#"))
    assert rest.strip() == ""
    assert len(LOCKED) > 30


def test_no_index_is_named() -> None:
    assert not re.search(r"://|--(?:extra-)?index|--find-links", LOCK)


def test_what_the_project_asks_for_is_locked_as_asked() -> None:
    extras = [one for name in ("console", "completion", "demo", "otel") for one in PROJECT["optional-dependencies"][name]]
    asked = [Requirement(one) for one in (*PROJECT["dependencies"], *extras) if not one.startswith("chartwire")]
    assert len(asked) > 20
    for one in asked:
        assert one.specifier.contains(LOCKED[canonicalize_name(one.name)]), one


def test_it_locks_the_releases_that_are_tested() -> None:
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().split())
    tested = {canonicalize_name(name): version for name, version in pins.items()}
    assert {name: version for name, version in LOCKED.items() if tested.get(name) != version} == {}
