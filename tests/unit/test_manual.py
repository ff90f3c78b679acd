"""The man page has every command, option and exit code, and troff takes it."""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from daemon.cli.commands import ABOUT, EXITS, parser_of
from daemon.cli.completing import parsers
from daemon.cli.manual import page

PAGE = page()
PLAIN = PAGE.replace(r"\-", "-").replace(r"\e", "\\").replace(r"\(dq", '"').replace(r"\&", "")


@pytest.mark.parametrize("command", ABOUT)
def test_a_command_is_described_with_all_of_its_options(command: str) -> None:
    assert f'.SS "{command}"\n' in PLAIN
    whole = parser_of([], whole=True)
    for parser in parsers(whole):
        if parser.prog.split()[1:2] != [command]:
            continue
        section = PLAIN.partition(f'.SS "{parser.prog.removeprefix("chartwire ")}"\n')[2].partition("\n.S")[0]
        for action in parser._actions:
            if not isinstance(action, argparse._HelpAction | argparse._SubParsersAction):
                named = action.option_strings or [action.metavar or action.dest]
                assert all(re.search(rf"^\\fB.*{re.escape(str(one))}", section, re.MULTILINE) for one in named), named


def test_exit_codes_are_told() -> None:
    status = PLAIN.partition(".SH EXIT STATUS\n")[2].partition(".SH")[0]
    assert re.findall(r"\\fB(\d+)\\fR\n(.*)", status) == [(str(code), text) for code, text in EXITS.items()]


def test_variables_and_files_are_told() -> None:
    assert all(one in PLAIN for one in ("CHARTWIRE_CONFIG", "NO_COLOR", "/etc/chartwire/chartwire.toml"))


def test_nothing_in_it_is_obeyed_by_troff_but_its_own_requests() -> None:
    requests = {line.split()[0] for line in PAGE.splitlines() if line.startswith((".", "'"))}
    assert requests <= {".TH", ".SH", ".SS", ".TP", ".PP", ".B", ".I", ".RS", ".RE"}


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_troff_has_nothing_to_complain_about(tmp_path: Path) -> None:
    file = tmp_path / "chartwire.1"
    file.write_text(PAGE)
    command = ["groff", "-man", "-Tutf8", "-ww", "-z", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
