"""Who mistypes is told what may have been meant, and what the exit codes are."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from daemon.__main__ import main
from daemon.cli.commands import ABOUT, CODES
from daemon.cli.similar import did_you_mean, not_configured
from daemon.runtime.supervision import failed_again
from daemon.vendors.kareo.section import KareoConfig


@pytest.mark.parametrize(
    ("typed", "meant"),
    [(["statsu"], "status"), (["doktor"], "doctor"), (["check-confg"], "check-config"), (["status", "--jsn"], "--json")],
)
def test_a_mistyped_command_or_option_is_answered_with_the_likely_one(
    typed: list[str], meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(typed)
    assert ended.value.code == 2
    assert f"did you mean {meant}?" in capsys.readouterr().err


def test_what_is_like_nothing_gets_no_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["xyzzy"])
    said = capsys.readouterr().err
    assert "xyzzy" in said
    assert "did you mean" not in said
    assert did_you_mean("xyzzy", ABOUT) == ""


def test_an_unknown_practice_is_answered_with_the_likely_one() -> None:
    assert not_configured(["elmstreet"], ["elm-street", "oak"]).endswith(
        "is not in the configuration; did you mean elm-street?"
    )
    assert not_configured(["a", "b"], ["elm"]) == "practice: a, b is not in the configuration"


@pytest.mark.parametrize("command", [[], *([one] for one in ("status", "doctor", "waiting", "run"))])
def test_help_says_the_exit_codes(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command, "--help"])
    assert ended.value.code == 0
    assert " ".join(CODES.split()) in " ".join(capsys.readouterr().out.split())


def test_d2_a_practice_that_stands_still_says_since_when_in_its_own_time() -> None:
    standing = failed_again(None, ValueError(), datetime(2026, 3, 2, 21, 30, tzinfo=UTC), 0.0)
    assert "since 2026-03-02 14:30 MST" in standing.said("America/Denver")


def test_d10_the_guides_five_minutes_hold_with_the_usual_configuration() -> None:
    """A poll every two minutes leaves three for reading, deciding and writing."""
    (default,) = [one.default for one in msgspec.structs.fields(KareoConfig) if one.name == "poll_seconds"]
    assert default == 120.0
