"""`chartwire`: the command line. Each command lives in `daemon/cli/`, one file each."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module

from daemon.cli.ended import Ended

COMMANDS = {
    "demo": ("demo",),
    "run": ("run",),
    "sandbox": ("sandbox",),
    "migrate": ("migrate",),
    "check": ("check-config",),
    "keys": ("new-key", "rotate-key"),
    "shred": ("shred",),
    "history": ("history",),
    "status": ("status",),
    "listen": ("listen",),
    "explain": ("explain",),
    "replay": ("replay",),
    "audit": ("audit",),
    "archives": ("export",),
    "what_if": ("what-if",),
    "rules": ("rules",),
    "verify": ("verify",),
    "onboard": ("onboard",),
    "waiting": ("waiting",),
    "match": ("match",),
    "repair": ("resync", "retry", "resend", "link", "unlink", "dismiss", "seen", "redrive"),
}
"""The commands that each module of `daemon.cli` has: only the one that is called is loaded, so that looking something up is quick."""


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns its exit code (0 done, 1 found something wrong, 2 used wrongly)."""
    given = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(prog="chartwire", description="Keeps Elation and Kareo in agreement, and can prove it.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    called = [module for module, names in COMMANDS.items() if given and given[0] in names]
    for module in called or COMMANDS:
        import_module(f"daemon.cli.{module}").register(commands)
    arguments = parser.parse_args(argv)
    try:
        return int(arguments.handler(arguments))
    except Ended as ended:
        if text := str(ended):
            print(text, file=sys.stderr)
        return ended.code
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
