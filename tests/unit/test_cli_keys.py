"""`chartwire new-key`: the key is made for its owner only, and an older one stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.__main__ import main
from events.codec import Keyring
from events.ids import PracticeId


def test_a_second_key_leaves_the_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "keys"
    assert main(["new-key", "elm", "--directory", str(folder)]) == 0
    (first,) = folder.iterdir()
    kept = first.read_bytes()
    assert main(["new-key", "elm", "--directory", str(folder)]) == 0
    assert first.read_bytes() == kept
    assert len(list(folder.iterdir())) == 2
    assert folder.stat().st_mode & 0o077 == 0
    assert "back it up" in capsys.readouterr().out
    assert Keyring.from_directory(folder).has(PracticeId("elm"))
