"""What a shell is told that asks what could come next (argcomplete): commands, options, and the practices of the configuration."""

from __future__ import annotations

import argparse
import os
import tomllib
from collections.abc import Iterator
from typing import Any

from daemon.cli.advice import default_config


def typed() -> list[str]:
    """The words before the cursor, without the program's name: only the command among them is loaded."""
    line = os.environ.get("COMP_LINE", "")
    before = line[: int(os.environ.get("COMP_POINT") or len(line))]
    return before.split()[1:]


def complete(parser: argparse.ArgumentParser) -> int:
    """Answers the shell and ends the process; returns 1 where argcomplete is not installed, without a word into the prompt."""
    try:
        import argcomplete
    except ImportError:
        return 1
    for one in parsers(parser):
        for action in one._actions:
            if action.dest == "practice":
                setattr(action, "completer", practices)  # noqa: B010 - argcomplete's protocol, which argparse does not know
    argcomplete.autocomplete(parser)
    return 1


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """It, and all below it."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in dict.fromkeys(action.choices.values()):
                yield from parsers(below)


def practices(*, parsed_args: argparse.Namespace, **_given: Any) -> list[str]:
    """The ids of the practices, none where the configuration cannot be read by who asks."""
    try:
        file = getattr(parsed_args, "config", None) or default_config()
        return [str(one["id"]) for one in tomllib.loads(file.read_text())["practice"]]
    except (OSError, ValueError, LookupError, TypeError):
        return []
