"""`chartwire`: the command line. Each command lives in `daemon/cli/`, one file each."""

from __future__ import annotations

import argparse
import sys

from daemon.cli import (
    archives,
    audit,
    check,
    demo,
    explain,
    history,
    keys,
    listen,
    migrate,
    onboard,
    repair,
    replay,
    run,
    sandbox,
    status,
    verify,
    waiting,
    what_if,
)

COMMANDS = (
    demo,
    run,
    sandbox,
    migrate,
    check,
    keys,
    history,
    status,
    listen,
    explain,
    replay,
    audit,
    archives,
    what_if,
    verify,
    onboard,
    waiting,
    repair,
)


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns its exit code (0 done, 1 found something wrong, 2 used wrongly)."""
    parser = argparse.ArgumentParser(prog="chartwire", description="Keeps Elation and Kareo in agreement, and can prove it.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.register(commands)
    arguments = parser.parse_args(argv)
    try:
        return int(arguments.handler(arguments))
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
