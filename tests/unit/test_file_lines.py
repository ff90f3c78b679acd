"""A problem of the configuration is told with the practice and the line of the file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from daemon.__main__ import main
from daemon.file_lines import FileLines, lines_of

TEXT = """[postgres]
dsn = "postgresql://x"

[notify]
smtp = "here:25"
[[notify.to]]
audience = "biller"
[[notify.to]]
email = ["a@b"]

[[practice]]
id = "elm"
[practice.elation]
client_id = "a"

[[practice]]
id = "oak"  # the second
[practice.elation]
clientid = "b"
[practice.maps]
locations = { 7 = 8 }
"providers" = {}
"""


def test_keys_have_the_line_that_they_stand_in() -> None:
    lines = lines_of(TEXT)
    assert lines["postgres.dsn"] == 2
    assert (lines["notify.to[1].audience"], lines["notify.to[2].email"]) == (7, 9)
    assert (lines["practice[1].elation.client_id"], lines["practice[2].elation.clientid"]) == (14, 19)
    assert (lines["practice[2]"], lines["practice[2].maps.providers"]) == (16, 22)


def test_what_is_missing_is_at_its_table_and_what_is_nowhere_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "chartwire.toml"
    file.write_text(TEXT)
    lines = FileLines(file)
    assert lines.place("practice[2].elation.client_id") == f"{file}:18"
    assert lines.place("practice[2].maps.locations.7") == f"{file}:21"
    assert lines.place("kafka") == str(file)
    assert (lines.practice("practice[2].elation.client_id"), lines.practice("kafka"), lines.practice("practice[9]")) == (
        "oak",
        "",
        "",
    )


@pytest.mark.parametrize("text", ["", "x = = 1", "practice = 7", "[[practice]]\nid = 7", "\xff"])
def test_a_file_that_is_none_has_no_places(tmp_path: Path, text: str) -> None:
    file = tmp_path / "chartwire.toml"
    file.write_bytes(text.encode("latin-1"))
    lines = FileLines(file)
    assert lines.practice("practice[1].id") == ""
    assert lines.place("practice[3].id") == str(file)


def test_commands_and_the_doctor_say_practice_file_and_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "chartwire.toml"
    file.write_text(TEXT)
    assert main(["check-config", "--offline", "--config", str(file)]) == 1
    lines = capsys.readouterr().err.splitlines()
    (unknown,) = [one for one in lines if one.startswith("practice[2].elation.clientid: ")]
    assert "did you mean client_id?" in unknown
    assert unknown.endswith(f"(oak, {file}:19)")
    assert main(["doctor", "--json", "--config", str(file)]) == 1
    found = {one["key"]: one for one in map(json.loads, capsys.readouterr().out.splitlines())}
    assert (
        found["practice[2].elation.clientid"]["practice"],
        f"{file}:19" in found["practice[2].elation.clientid"]["repair"],
    ) == ("oak", True)
