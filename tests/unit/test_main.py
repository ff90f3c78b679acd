"""The command line loads the module of the command that is called; the list of who has which has to be right."""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path

import pytest

import daemon.cli
from daemon.__main__ import COMMANDS, main


@pytest.mark.parametrize("module", COMMANDS)
def test_a_module_has_the_commands_that_are_listed(module: str) -> None:
    commands = argparse.ArgumentParser().add_subparsers()
    import_module(f"daemon.cli.{module}").register(commands)
    assert tuple(commands.choices) == COMMANDS[module]


def test_every_module_with_commands_is_listed() -> None:
    (folder,) = daemon.cli.__path__
    having = {file.stem for file in Path(folder).glob("*.py") if "\ndef register(" in file.read_text()}
    assert having == set(COMMANDS)


@pytest.mark.parametrize("given", [["--help"], ["no-such-command"]])
def test_without_a_known_command_all_are_offered(given: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(given)
    said = "".join(capsys.readouterr())
    assert all(name in said for names in COMMANDS.values() for name in names)
