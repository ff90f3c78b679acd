"""`chartwire doctor`: what is wrong or soon will be, and the command or line that repairs it.

Exits 0 when nothing is worse than a note, 1 with an error or a warning. `check-config` is the part that a start needs.
"""

from __future__ import annotations

import argparse
import asyncio

import msgspec

from daemon.cli.advice import add_config, pasteable
from daemon.cli.parsers import Commands
from daemon.cli.printing import ERROR, PLAIN, WARNING, say, warn
from daemon.cli.similar import not_configured
from daemon.config import ConfigError, load
from daemon.findings import Finding, Severity
from daemon.operator.doctor import examine, of_file
from daemon.telemetry import configure_logging
from daemon.vendors.sections import SECTIONS

LOOKS = {Severity.ERROR: ERROR, Severity.WARNING: WARNING, Severity.NOTE: PLAIN}


def register(commands: Commands) -> None:
    parser = commands.add_parser("doctor", help="what is wrong or soon will be, and what repairs it")
    parser.add_argument("practice", nargs="*", help="only these, and what all share (default: all of the configuration)")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    add_config(parser)
    parser.set_defaults(handler=doctor)


def doctor(arguments: argparse.Namespace) -> int:
    configure_logging(json=False, level="CRITICAL")
    try:
        config = load(arguments.config, SECTIONS)
    except ConfigError as problems:
        return _told(of_file(problems, arguments.config), arguments)
    if strangers := sorted(set(arguments.practice) - {one.id for one in config.practice}):
        warn(not_configured(strangers, (one.id for one in config.practice)))
        return 1
    found = asyncio.run(examine(config, arguments.config.resolve().parent, practices=arguments.practice))
    return _told(found, arguments)


def _told(found: list[Finding], arguments: argparse.Namespace) -> int:
    complete = [msgspec.structs.replace(one, repair=pasteable(one.repair, arguments)) for one in found]
    for one in complete:
        if arguments.json:
            say(msgspec.json.encode(one).decode())
            continue
        first, *more = lines(one)
        say(first, look=LOOKS[one.severity])
        say(*more)
    bad = [one for one in found if one.severity is not Severity.NOTE]
    if not arguments.json:
        say(f"{len(bad)} to repair, {len(found) - len(bad)} to know" if found else "nothing to complain about")
    return 1 if bad else 0


def lines(finding: Finding) -> list[str]:
    whose = f"{finding.practice}: " if finding.practice else ""
    return [f"{finding.severity:<7}  {whose}{finding.text}  ({finding.key})", f"         {finding.repair}"]
