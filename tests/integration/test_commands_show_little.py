"""Nothing of a person unless asked for, times in the practice's zone, and advice that can be pasted."""

from __future__ import annotations

import argparse
import re
import shlex
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from daemon.__main__ import main
from daemon.cli.advice import DEFAULT_CONFIG, VARIABLE, advice, pasteable
from daemon.cli.asking import tell
from daemon.cli.commands import COMMANDS
from daemon.cli.waiting import complete, lines
from daemon.demo.embedded import EmbeddedPostgres
from daemon.operator.commands import Followed, command
from daemon.operator.waiting import Item
from events.codes import WaitCode
from events.commands import ResyncRequested
from events.ids import Charts
from events.schema import BillingAppointmentObserved, BillingChartObserved, Recorded
from projections.words.moment import UTC
from projections.words.remedy import Audience
from projections.words.shown import EVERYTHING, MASK, NOTHING, Shown
from projections.words.words import describe
from tests.conftest import PRACTICE
from tests.integration.place import CHART, Make
from tests.integration.recorder_driver import NOON, VISIT
from tests.unit.records import ADA_THERE

DENVER = ZoneInfo("America/Denver")
SECRETS = (ADA_THERE.last_name, str(ADA_THERE.birth_date))
OF_PERSONS = {
    "history", "search-history", "explain", "onboard", "what-if", "waiting", "verify", "balance", "duplicates", "apart",
    "resync", "retry", "resend", "release-bill", "link", "move-link", "unlink", "dismiss", "remove-policy", "seen", "redrive",
    "hold", "release", "keep-out", "map",
}  # fmt: skip
"""Commands whose output may tell of persons."""
TIMED = OF_PERSONS | {"status", "replay", "maps", "settings"}
OF_NOBODY = {
    "demo", "run", "sandbox", "migrate", "check-config", "doctor", "new-key", "rotate-key", "shred", "recover", "listen", "audit",
    "export", "rules", "match", "console", "user", "status", "replay", "maps", "settings",
}  # fmt: skip
"""Commands that tell of servers, practices and numbers; `listen` of envelopes, `match` of ids."""


def options(name: str) -> set[str]:
    module = next(module for module, names in COMMANDS.items() if name in names)
    commands = argparse.ArgumentParser().add_subparsers()
    import_module(f"daemon.cli.{module}").register(commands)
    return set(commands.choices[name]._option_string_actions)


@pytest.mark.parametrize("name", sorted(TIMED))
def test_b3_every_command_about_persons_has_the_same_switches(name: str) -> None:
    wanted = {"--utc"} | ({"--values", "--names"} if name in OF_PERSONS else set())
    assert wanted <= options(name)


def test_b3_every_command_tells_of_persons_or_of_nobody() -> None:
    assert OF_PERSONS.isdisjoint(OF_NOBODY)
    assert {name for names in COMMANDS.values() for name in names} == OF_PERSONS | OF_NOBODY


def test_b3_comparing_two_charts_shows_no_values_unasked(
    place: Make,
    postgres: EmbeddedPostgres,
    recorded: tuple[str, object, int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    at = place(postgres.dsn(recorded[0], "chartwire"))
    call = ["link", str(PRACTICE), "elation:101", CHART, "--show", "--config", str(at.config)]
    assert main(call) == 0
    shy = capsys.readouterr().out
    assert MASK in shy
    assert [one for one in SECRETS if one in shy] == []
    assert main([*call, "--values", "--names"]) == 0
    told = capsys.readouterr().out
    assert [one for one in SECRETS if one not in told] == []


def test_b3_what_followed_from_a_command_names_nobody_unasked(capsys: pytest.CaptureFixture[str]) -> None:
    followed = Followed(command(PRACTICE, ResyncRequested(who="ann", reason=""), Charts(billing=ADA_THERE.id)))
    read = replace(followed.command, body=BillingChartObserved(chart=ADA_THERE))
    followed.events = [Recorded(sequence=1, recorded=NOON, event=read)]
    assert tell(followed, NOTHING, argparse.Namespace()) == 0
    shy = capsys.readouterr().out
    assert "saw patient" in shy
    assert [one for one in SECRETS if one in shy] == []
    assert tell(followed, EVERYTHING, argparse.Namespace()) == 0
    told = capsys.readouterr().out
    assert [one for one in SECRETS if one not in told] == []


QUOTING = Item(
    practice="elm", patient="kareo:1", slot="demographics:kareo", code=WaitCode.REFUSED.value, since=NOON,
    reason=f"Kareo says: {ADA_THERE.last_name} is taken", audience=Audience.FRONT_DESK, command="chartwire retry elm kareo:1",
)  # fmt: skip


def test_b3_waiting_repeats_the_vendor_s_words_only_when_asked() -> None:
    arguments = argparse.Namespace(config=None)
    for shown in (NOTHING, Shown(values=True), Shown(names=True)):
        assert ADA_THERE.last_name not in complete(QUOTING, shown, arguments).reason
    assert complete(QUOTING, EVERYTHING, arguments).reason == QUOTING.reason


def test_d2_times_are_the_practice_s_with_their_zone() -> None:
    seen = BillingAppointmentObserved(appointment=VISIT)
    assert f"{VISIT.start.astimezone(DENVER):%Y-%m-%d %H:%M} MST" in describe(seen, Shown(zone=DENVER))
    assert f"{VISIT.start:%Y-%m-%d %H:%M} UTC" in describe(seen, Shown(zone=UTC))
    assert "since 2026-03-02 10:00 MST" in lines(QUOTING, DENVER)[0]
    summer = NOON + timedelta(days=120)
    assert f"{summer.astimezone(DENVER):%H:%M} MDT" in Shown(zone=DENVER).time(summer)


@pytest.mark.parametrize(("more", "zone"), [((), "M[DS]T"), (("--utc",), "UTC")])
def test_d2_history_replay_and_status_tell_times_in_one_zone(
    place: Make, postgres: EmbeddedPostgres, recorded: tuple[str, object, int], more: tuple[str, ...], zone: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    at = place(postgres.dsn(recorded[0], "chartwire"))
    time = re.compile(r"\d\d:\d\d(?::\d\d)? ?(\S+)")
    for call in (["history", PRACTICE, CHART], ["replay", PRACTICE], ["history", PRACTICE, CHART, "--html"]):
        assert main([*call, *more, "--config", str(at.config)]) == 0
        zones = {one.partition("<")[0] for one in time.findall(capsys.readouterr().out)}
        assert zones
        assert all(re.fullmatch(zone, one.rstrip(":,")) for one in zones), zones


def test_d4_the_environment_names_the_configuration(
    place: Make, postgres: EmbeddedPostgres, recorded: tuple[str, object, int], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    at = place(postgres.dsn(recorded[0], "chartwire"))
    monkeypatch.setenv(VARIABLE, str(at.config))
    assert main(["waiting", str(PRACTICE)]) == 0
    assert "--config" not in capsys.readouterr().out, "the same call finds it without"


def test_d4_advice_can_be_pasted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    mine = argparse.Namespace(config=Path("/home/ann lee/chartwire.toml"))
    words = shlex.split(advice("retry elm kareo:1", mine))
    assert words == ["chartwire", "retry", "elm", "kareo:1", "--config", "/home/ann lee/chartwire.toml"]
    assert pasteable("no schema; run `chartwire migrate`", mine).endswith(
        "`chartwire migrate --config '/home/ann lee/chartwire.toml'`"
    )
    assert pasteable(pasteable("`chartwire migrate`", mine), mine).count("--config") == 1
    assert advice("status", argparse.Namespace(config=Path(DEFAULT_CONFIG))) == "chartwire status"


def test_d4_new_key_finds_its_folder_in_the_configuration(
    place: Make,
    nobody: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    at = place(f"postgresql://{nobody}/x")
    assert main(["new-key", "fir", "--config", str(at.config)]) == 0
    assert (at.folder / "keys" / "fir.1.key").exists()
    assert str(at.folder / "keys") in capsys.readouterr().out
    assert main(["new-key", "fir", "--config", str(at.folder / "nowhere.toml")]) == 2
