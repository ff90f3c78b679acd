"""The command line loads the module of the command that is called; the list of who has which has to be right."""

from __future__ import annotations

import argparse
import gc
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import daemon.cli
from daemon.__main__ import main
from daemon.cli.commands import ABOUT, COMMANDS, parser_of
from daemon.vendors.registry import VENDORS
from daemon.vendors.sections import SECTIONS

ROOT = Path(__file__).parents[2]


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


def test_d6_help_says_of_each_command_what_its_module_says() -> None:
    said = {}
    for module in COMMANDS:
        commands = argparse.ArgumentParser().add_subparsers()
        import_module(f"daemon.cli.{module}").register(commands)
        said |= {one.dest: one.help for one in commands._choices_actions}
    assert said == ABOUT


def test_d6_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert re.fullmatch(r"chartwire \d+\.\d+.*\n", capsys.readouterr().out)


HEAVY = ("zeep", "aiohttp", "aiokafka", "asyncpg", "lxml", "cryptography", "structlog", "phonenumbers", "rapidfuzz")
LIGHT = {
    "--help": HEAVY,
    "rules --help": HEAVY,
    "match --help": HEAVY,
    "status --help": ("zeep", "lxml", "aiohttp", "prometheus_client", "aiosmtplib"),
    "history --help": ("zeep", "lxml", "aiohttp", "aiokafka"),
    "explain --help": ("zeep", "lxml", "aiohttp", "aiokafka"),
    "waiting --help": ("zeep", "lxml", "aiohttp", "aiokafka"),
}


@pytest.mark.parametrize("call", LIGHT)
def test_d6_only_what_a_command_uses_is_loaded(call: str) -> None:
    """In a process of its own: this one has loaded everything already."""
    script = f"import sys; from daemon.cli.commands import parser_of; parser_of({call.split()!r})"
    script += f"; print(*(one for one in {LIGHT[call]!r} if one in sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_d6_garbage_is_not_looked_for_among_what_a_process_loads() -> None:
    """Nor is it in a test's process, whose own garbage would be kept with what is loaded."""
    script = "import gc, sys; from daemon.__main__ import main; sys.argv = ['chartwire', 'rules', '--json']; main()"
    script += "; print(gc.isenabled(), gc.get_freeze_count() > 10_000)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "True True"
    kept = gc.get_freeze_count()
    assert main(["rules", "--json"]) == 0
    assert (gc.isenabled(), gc.get_freeze_count()) == (True, kept)


def test_d6_the_entry_that_is_installed_loads_nothing_but_itself() -> None:
    """What looks whether the packages are chartwire's own costs no import but that of the package it stands in, which is empty."""
    script = "import sys; from {} import main; sys.argv = ['chartwire', '--help']\ntry: main()\nexcept SystemExit: print(*sys.modules)"
    loaded = {}
    for module in ("daemon.__main__", "projections.entrance"):
        command = [sys.executable, "-c", script.format(module)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        loaded[module] = set(done.stdout.splitlines()[-1].split())
    assert loaded["projections.entrance"] - loaded["daemon.__main__"] == {"projections", "projections.entrance"}
    assert not loaded["projections.entrance"] & {"argcomplete", "rich", "importlib.metadata", "tomllib", "asyncio", *HEAVY}


def test_d6_a_shell_can_complete_every_command_and_option() -> None:
    parser = parser_of([], whole=True)
    (commands,) = [one for one in parser._actions if isinstance(one, argparse._SubParsersAction)]
    assert set(commands.choices) == set(ABOUT)
    assert "--names" in commands.choices["history"]._option_string_actions


def test_d6_the_sections_are_the_vendors() -> None:
    assert tuple(one.section for one in VENDORS) == SECTIONS
