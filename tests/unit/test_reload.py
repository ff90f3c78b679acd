"""What a new configuration changes for a worker that runs."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from daemon.config import Config, PracticeConfig, load
from daemon.runtime.reload import InForce, compared
from daemon.sandbox.clinic import Clinic
from daemon.vendors.registry import SECTIONS

put = msgspec.structs.replace


@pytest.fixture
def config(tmp_path: Path) -> Config:
    file = Clinic(offices=3).write_config(
        tmp_path, dsn="postgresql://", bootstrap_servers="127.0.0.1:9092", listen="127.0.0.1:1"
    )
    address = r'\1 = "https://sandbox.example"'
    file.write_text(re.sub(r"^(base_url|wsdl|endpoint) = .*$", address, file.read_text(), flags=re.MULTILINE))
    return load(file, SECTIONS)


def with_practice(config: Config, number: int, **changes: object) -> Config:
    practices: list[PracticeConfig] = list(config.practice)
    practices[number] = put(practices[number], **changes)
    return put(config, practice=tuple(practices))


def test_the_same_again_changes_nothing(config: Config, tmp_path: Path) -> None:
    found = compared(InForce.read(config, tmp_path), InForce.read(config, tmp_path))
    assert not (found.added | found.changed | found.removed)
    assert (found.restart, found.refused) == ((), "")


def test_practices_that_come_go_and_change(config: Config, tmp_path: Path) -> None:
    one, two, three = config.practice
    before = put(config, practice=(one, two))
    after = with_practice(put(config, practice=(two, three)), 0, mode="observe")
    found = compared(InForce.read(before, tmp_path), InForce.read(after, tmp_path))
    assert (found.added, found.changed, found.removed) == ({three.id}, {two.id}, {one.id})


@pytest.mark.parametrize("name", ["elation", "kareo-key", "kareo-password"])
def test_a_secret_of_another_content_changes_its_practice(config: Config, tmp_path: Path, name: str) -> None:
    before = InForce.read(config, tmp_path)
    second = config.practice[1].id
    (tmp_path / f"{second}.{name}").write_text("rotated")
    assert compared(before, InForce.read(config, tmp_path)).changed == {second}


def test_what_takes_a_restart_is_named(config: Config, tmp_path: Path) -> None:
    first = config.practice[0]
    after = with_practice(config, 0, billing=put(first.billing, limits={"scale": 2.0}))
    after = put(after, log_level="DEBUG", http=put(config.http, public_url="https://elsewhere.example"))
    found = compared(InForce.read(config, tmp_path), InForce.read(after, tmp_path))
    assert found.restart == ("http", "log_level", f"practice.{first.id}.kareo.limits")


def test_an_account_shared_otherwise_would_move_partitions_and_is_refused(config: Config, tmp_path: Path) -> None:
    before = InForce.read(config, tmp_path)
    one, two = sorted(practice.id for practice in config.practice)[:2]
    (tmp_path / f"{two}.kareo-key").write_text((tmp_path / f"{one}.kareo-key").read_text())
    found = compared(before, InForce.read(config, tmp_path))
    assert two in found.refused
    assert not (found.added | found.changed | found.removed)


def test_a_practice_that_comes_may_share_the_account_of_one_that_is_there(config: Config, tmp_path: Path) -> None:
    first, *_, last = sorted(config.practice, key=lambda one: one.id)
    (tmp_path / f"{last.id}.kareo-key").write_text((tmp_path / f"{first.id}.kareo-key").read_text())
    before = put(config, practice=tuple(one for one in config.practice if one != last))
    found = compared(InForce.read(before, tmp_path), InForce.read(config, tmp_path))
    assert found.added == {last.id}
    assert not found.refused
