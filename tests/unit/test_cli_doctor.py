"""`chartwire doctor` as it is typed: lines and JSON, advice that can be pasted, and the exit code."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path

import pytest

from daemon.__main__ import main
from daemon.cli.doctor import _told
from daemon.findings import Finding, error, note, warning

HERE = Namespace(config=Path("/srv/here.toml"), json=False)
NOTE = note("not-finished", "keys.directory", "not in use", "`chartwire migrate --finish`")
BAD = error("schema-old", "postgres.dsn", "old", "`chartwire migrate`", "elm")


@pytest.mark.parametrize(("found", "code"), [([], 0), ([NOTE], 0), ([warning("a", "b", "c", "d")], 1), ([BAD, NOTE], 1)])
def test_the_exit_code_says_whether_anything_is_to_repair(found: list[Finding], code: int) -> None:
    assert _told(found, HERE) == code


def test_advice_can_be_pasted_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    _told([BAD, NOTE], HERE)
    said = capsys.readouterr().out
    assert "error    elm: old  (postgres.dsn)\n         `chartwire migrate --config /srv/here.toml`\n" in said
    assert said.endswith("1 to repair, 1 to know\n")


def test_json_is_an_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert _told([BAD, NOTE], Namespace(**vars(HERE) | {"json": True})) == 1
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (first["code"], first["severity"], first["practice"]) == ("schema-old", "error", "elm")
    assert second["repair"] == "`chartwire migrate --finish --config /srv/here.toml`"


def test_a_file_with_problems_is_a_finding_for_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "chartwire.toml"
    file.write_text("[postgres]\n")
    assert main(["doctor", "--json", "--config", str(file)]) == 1
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {"postgres.dsn", "kafka", "keys", "http", "practice"} <= {one["key"] for one in found}
    assert all(one["code"] == "configuration" and str(file) in one["repair"] for one in found)
