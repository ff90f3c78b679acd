"""Colours are for people at terminals: nothing of them is piped, kept in a file, or shown where NO_COLOR is set."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "daemon", "doctor", "--config", "no-such-file.toml"]
"""Ends with one error."""


def on_a_terminal(**environment: str) -> str:
    """What the command shows on a terminal of its own."""
    controlling, terminal = pty.openpty()
    given = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "TERM")} | environment
    with subprocess.Popen(COMMAND, cwd=ROOT, env=given, stdout=terminal, stderr=terminal, stdin=terminal) as process:
        os.close(terminal)
        said = b""
        try:
            while part := os.read(controlling, 4096):
                said += part
        except OSError:  # the other end was closed: Linux's way to say that nothing more comes
            pass
        os.close(controlling)
        assert process.wait() == 1
    return said.decode().replace("\r\n", "\n")


def piped(**environment: str) -> str:
    done = subprocess.run(COMMAND, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    return done.stdout


def test_a_terminal_shows_an_error_in_colour() -> None:
    said = on_a_terminal(TERM="xterm-256color")
    assert said.startswith("\x1b[1;31merror")
    assert said.replace("\x1b[1;31m", "").replace("\x1b[0m", "") == piped()


@pytest.mark.parametrize("environment", [{"TERM": "xterm", "NO_COLOR": "1"}, {"TERM": "dumb"}, {}])
def test_a_terminal_without_colours_gets_plain_text(environment: dict[str, str]) -> None:
    assert on_a_terminal(**environment) == piped()


def test_what_is_piped_is_plain() -> None:
    assert "\x1b" not in piped(TERM="xterm-256color")
    assert piped().startswith("error")
