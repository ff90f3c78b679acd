"""A shell is told what could come next: asked as argcomplete's function in bash asks."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.cli.commands import ABOUT

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "deploy" / "chartwire.example.toml"


def asked(line: str, folder: Path, **environment: str) -> set[str]:
    """The words that could come at the end of `line`."""
    answer = folder / "answer"
    given = {"_ARGCOMPLETE": "1", "_ARGCOMPLETE_IFS": "\n", "_ARGCOMPLETE_STDOUT_FILENAME": str(answer)}
    given |= {"COMP_LINE": line, "COMP_POINT": str(len(line)), "COMP_TYPE": "9", **environment}
    command = [sys.executable, "-m", "projections.entrance"]
    done = subprocess.run(command, env=os.environ | given, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("", "")
    return {one.strip() for one in answer.read_text().split("\n")} - {""} if answer.exists() else set()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("chartwire hist", {"history"}),
        ("chartwire re", {one for one in ABOUT if one.startswith("re")}),
        ("chartwire status --fa", {"--fail-lag", "--fail-silent", "--fail-waiting"}),
        ("chartwire user a", {"add"}),
        ("chartwire rules --profile ", {"kareo-led", "elation-led"}),
        ("chartwire resync el", {"elm-street"}),
    ],
)
def test_commands_options_and_practices_are_offered(line: str, words: set[str], tmp_path: Path) -> None:
    pytest.importorskip("argcomplete")
    assert asked(line, tmp_path, CHARTWIRE_CONFIG=str(EXAMPLE)) == words


def test_an_option_names_the_configuration(tmp_path: Path) -> None:
    pytest.importorskip("argcomplete")
    assert asked(f"chartwire resync --config {EXAMPLE} e", tmp_path) == {"elm-street"}
    assert asked(f"chartwire resync --config {tmp_path / 'none.toml'} e", tmp_path) == set()


def test_without_argcomplete_nothing_is_said(tmp_path: Path) -> None:
    (tmp_path / "argcomplete.py").write_text("raise ImportError\n")
    assert asked("chartwire hist", tmp_path, PYTHONPATH=str(tmp_path)) == set()


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_completes(tmp_path: Path) -> None:
    argcomplete = pytest.importorskip("argcomplete")
    program = tmp_path / "chartwire"
    program.write_text(f"#!{sys.executable}\nimport runpy, sys\nsys.argv[0] = '{ROOT}/projections/entrance.py'\n")
    with program.open("a") as more:
        more.write(f"sys.path.insert(0, '{ROOT}')\nrunpy.run_module('projections.entrance', run_name='__main__')\n")
    program.chmod(0o755)
    (tmp_path / "completion").write_text(argcomplete.shellcode(["chartwire"], shell="bash"))
    script = f"""
        PATH={tmp_path}:$PATH; source {tmp_path}/completion
        COMP_WORDS=(chartwire explai); COMP_CWORD=1; COMP_LINE='chartwire explai'; COMP_POINT=16; COMP_TYPE=9
        _python_argcomplete chartwire explai chartwire; printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["explain"], done.stderr
