"""A command that has to wait says for what, ends by itself, and leaves nothing open."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from daemon.demo.embedded import free_port

if TYPE_CHECKING:
    from tests.played_day import PlayedDay

pytest_plugins = ("tests.played_day",)

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: object) -> tuple[subprocess.CompletedProcess[str], float]:
    command = [sys.executable, "-X", "dev", "-m", "daemon", *(str(one) for one in arguments)]
    started = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    return done, time.monotonic() - started


def test_a13_what_is_not_in_quarantine_is_said_at_once(played_day: PlayedDay) -> None:
    done, _ = run("redrive", "elm", "'a", "--config", played_day.config)
    assert done.returncode == 1
    assert "nothing of this name is in quarantine" in done.stderr
    assert "waiting for" not in done.stderr


def test_a13_a_command_without_a_daemon_says_what_it_waits_for_and_ends(played_day: PlayedDay) -> None:
    chart = next(one.event.ehr for one in played_day.events["elm"] if one.event.ehr is not None)
    done, seconds = run("seen", "elm", f"elation:{chart}", "--config", played_day.config)
    assert done.returncode == 1
    first, *_, last = done.stderr.splitlines()
    assert first.startswith("waiting for the practice's owner to record it, at most")
    assert "not recorded yet" in last
    assert seconds < 90


@pytest.mark.parametrize("command", ["listen", "seen"])
def test_a13_with_kafka_down_a_command_ends_and_leaves_nothing_open(played_day: PlayedDay, command: str) -> None:
    chart = next(one.event.ehr for one in played_day.events["elm"] if one.event.ehr is not None)
    words = [command] if command == "listen" else [command, "elm", f"elation:{chart}"]
    file = played_day.config.with_name("nowhere.toml")
    lines = played_day.config.read_text().splitlines()
    away = f'bootstrap_servers = "127.0.0.1:{free_port()}"'
    file.touch(mode=0o600)
    file.write_text("\n".join(away if line.startswith("bootstrap_servers") else line for line in lines))
    try:
        done, seconds = run(*words, "--config", file)
    finally:
        file.unlink()
    assert done.returncode == 3
    assert "kafka.bootstrap_servers: Kafka at " in done.stderr
    assert " cannot be reached (" in done.stderr
    assert "Unclosed" not in done.stderr
    assert seconds < 60
