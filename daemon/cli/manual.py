"""The man page, made from the parsers that read the command line: `python -m daemon.cli.manual > chartwire.1`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from daemon.cli.advice import DEFAULT_CONFIG, VARIABLE
from daemon.cli.commands import ABOUT_ALL, EXITS, parser_of, version_of
from daemon.cli.completing import parsers
from daemon.cli.failures import TRACEBACK
from daemon.cli.printing import say
from projections.terms.names import NAMES

ENVIRONMENT = {
    VARIABLE: f"the configuration of commands that are given no --config; without it {DEFAULT_CONFIG}",
    "NO_COLOR": "nothing is coloured, on a terminal either",
    TRACEBACK: "a failure shows where in the program it arose; for a report of a defect",
}
FILES = {
    DEFAULT_CONFIG: "the configuration",
    "/etc/chartwire/keys": "the practices' keys: without them nothing that is stored can be read",
    "/usr/share/doc/chartwire": "the guide from nothing to a running service, and an example of the configuration",
}
DESCRIPTION = (
    f"chartwire keeps a medical practice's charts ({NAMES.ehr.label}) and its billing ({NAMES.billing.label}) in agreement. What it sees, decides and writes is "
    "an event in an append-only store. Whatever it cannot do by itself waits, with the reason and what to do."
)


class _Wide(argparse.HelpFormatter):
    """Usage in one line: troff breaks lines."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=100_000)


def page() -> str:
    """The page as troff (man macros)."""
    parser = parser_of([], whole=True)
    lines = [f'.TH CHARTWIRE 1 "" "{_troff(f"chartwire {version_of()}")}" "User Commands"']
    lines += [".SH NAME", _troff(f"chartwire - {ABOUT_ALL[0].lower()}{ABOUT_ALL[1:].rstrip('.')}")]
    lines += [".SH SYNOPSIS", ".B chartwire", r".I COMMAND", _troff("[ARGUMENT ...] [OPTION ...]")]
    lines += [".SH DESCRIPTION", _troff(DESCRIPTION), ".PP"]
    lines += [_troff("Every command has --help; `chartwire --version` shows the version.")]
    lines += [".SH COMMANDS"]
    for one in list(parsers(parser))[1:]:
        lines += _command(one)
    lines += [".SH EXIT STATUS", *_terms({str(code): text for code, text in EXITS.items()})]
    lines += [".SH ENVIRONMENT", *_terms(ENVIRONMENT), ".SH FILES", *_terms(FILES)]
    return "\n".join(lines) + "\n"


def _command(parser: argparse.ArgumentParser) -> Iterator[str]:
    """One command: what it is for, how it is called, its arguments and options."""
    parser.formatter_class = _Wide
    formatter = _Wide(parser.prog)
    yield f'.SS "{_troff(parser.prog.removeprefix("chartwire "))}"'
    about = parser.description or _help_of(parser)
    if about:
        yield from (_troff(about[0].upper() + about[1:].rstrip(".") + "."), ".PP")
    yield from (".RS 0", r"\fB" + _troff(" ".join(parser.format_usage().removeprefix("usage: ").split())) + r"\fR", ".RE")
    for action in parser._actions:
        if isinstance(action, argparse._HelpAction | argparse._SubParsersAction):
            continue
        yield from _terms({formatter._format_action_invocation(action): _explained(formatter, action)})


def _explained(formatter: argparse.HelpFormatter, action: argparse.Action) -> str:
    """The help of an argument, and what it takes where that is a closed set."""
    text = formatter._expand_help(action) if action.help else ""
    choices = f"one of {', '.join(map(str, action.choices))}" if action.choices else ""
    return "; ".join(filter(None, (text, choices)))


def _help_of(parser: argparse.ArgumentParser) -> str:
    return _HELP.get(parser.prog, "")


def _helps() -> dict[str, str]:
    """What each command's parent says of it, by how it is called."""
    found: dict[str, str] = {}
    for one in parsers(parser_of([], whole=True)):
        for action in one._actions:
            if isinstance(action, argparse._SubParsersAction):
                found |= {action.choices[each.dest].prog: each.help or "" for each in action._choices_actions}
    return found


_HELP = _helps()


def _terms(terms: dict[str, str]) -> Iterator[str]:
    for term, text in terms.items():
        yield from (".TP", r"\fB" + _troff(term) + r"\fR", _troff(text))


def _troff(text: str) -> str:
    """`text` with nothing in it that troff obeys."""
    escaped = text.replace("\\", r"\e").replace("-", r"\-").replace('"', r"\(dq")
    return rf"\&{escaped}" if escaped.startswith((".", "'")) or not escaped else escaped


if __name__ == "__main__":
    say(*page().rstrip("\n").split("\n"))
