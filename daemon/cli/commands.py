"""Which commands there are, which module of `daemon.cli` has each, and what each is for: known without loading any."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

from daemon.cli.printing import say
from daemon.cli.similar import did_you_mean

COMMANDS = {
    "demo": ("demo",),
    "run": ("run",),
    "sandbox": ("sandbox",),
    "migrate": ("migrate",),
    "check": ("check-config",),
    "doctor": ("doctor",),
    "keys": ("new-key", "rotate-key"),
    "shred": ("shred",),
    "recover": ("recover",),
    "history": ("history",),
    "search": ("search-history",),
    "status": ("status",),
    "listen": ("listen",),
    "explain": ("explain",),
    "replay": ("replay",),
    "audit": ("audit",),
    "archives": ("export",),
    "what_if": ("what-if",),
    "rules": ("rules",),
    "verify": ("verify",),
    "balance": ("balance",),
    "onboard": ("onboard",),
    "waiting": ("waiting",),
    "match": ("match",),
    "console": ("console",),
    "user": ("user",),
    "duplicates": ("duplicates", "apart"),
    "link": ("link", "move-link"),
    "maps": ("maps", "map"),
    "settings": ("settings",),
    "hold": ("hold", "release", "keep-out"),
    "repair": ("resync", "retry", "resend", "release-bill", "unlink", "dismiss", "remove-policy", "seen", "redrive"),
}
"""The commands that each module of `daemon.cli` has: only the one that is called is loaded, so that looking something up is quick."""

ABOUT = {
    "demo": "see it work: a clinic day on sandboxes of both systems",
    "run": "run the daemon",
    "sandbox": "run the sandboxes of both systems",
    "migrate": "create or upgrade the database schema",
    "check-config": "check the configuration and reach every server",
    "doctor": "what is wrong or soon will be, and what repairs it",
    "new-key": "make an encryption key for a practice (or its next)",
    "rotate-key": "wrap a practice's data keys by a new key file, while workers run",
    "shred": "destroy a practice's keys: nothing of it can be read any more, anywhere, ever",
    "recover": "the database was restored and Kafka was lost, too: look before each creation",
    "history": "a patient's sync history, from the events",
    "search-history": "events by chart, field, person and time, and who looked",
    "status": "owner, lag, what is open and what waits, by practice",
    "listen": "recorded events as they are published outward",
    "explain": "why a write was made, or why a field is as it is: cause, values, rule, attempts, answer",
    "replay": "fold the projections from the events alone, to prove or to rebuild the stored ones",
    "audit": "tamper evidence: check the chain over all events",
    "export": "a practice's events in one encrypted file that another installation can verify and replay",
    "what-if": "replay history under another policy: the writes that would have been made or not made",
    "rules": "what is synchronized: every field, its direction and where the rule comes from",
    "verify": "compare both systems now and explain what differs",
    "balance": "accounts that balance: every signed visit note, and what of it is not billed",
    "onboard": "the first day: what was read, who matches whom, and every write that going live would make",
    "waiting": "what waits for a person, why, and what resolves it",
    "match": "match two exported lists of patients (CSV), without a daemon, database or vendor",
    "console": "the web pages, for the people of the practices",
    "user": "who may sign in to the console, and as what",
    "duplicates": "charts of one system that are likely of one person, and which one to keep",
    "apart": "two charts of one system are two persons",
    "link": "link two charts: they are one person",
    "move-link": "a linked patient is gone in a merge: its link goes to the survivor",
    "maps": "what maps to what between both systems, where each row comes from, and what waits for one",
    "map": "save a row of the maps, or give it back to the file",
    "settings": "every setting of a practice and of the daemon, and where it comes from",
    "hold": "let writes wait: of the practice, a resource, a direction or one patient",
    "release": "end a hold: what it held goes out",
    "keep-out": "leave a patient alone: test patients, employees",
    "resync": "read a chart again from both systems and decide anew",
    "retry": "try refused writes again; refused credentials and what pauses, too",
    "resend": "send a failed bill again, after a fix",
    "release-bill": "release a deferred bill, so that it is sent",
    "unlink": "undo a link; with both charts: they are not the same person",
    "dismiss": "accept a waiting item as it is",
    "remove-policy": "remove a policy of a chart that the primary case does not have",
    "seen": "conflicts have been looked at",
    "redrive": "try again what is in quarantine",
}
"""What `chartwire --help` says of each; a test holds it equal to what the modules say."""

ABOUT_ALL = "Keeps a practice's charts and its billing in agreement, and can prove it."


class Version(argparse.Action):
    """`--version`: looked up only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_given: object) -> None:
        say(f"chartwire {version_of()}")
        parser.exit()


def version_of() -> str:
    """The version that is installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("chartwire")
    except PackageNotFoundError:
        return "not installed"


EXITS = {
    0: "done",
    1: "something is wrong",
    2: "used wrongly",
    3: "a server is away (try again)",
    130: "interrupted",
}
CODES = f"Exit codes: {', '.join(f'{code} {text}' for code, text in EXITS.items())}."
MISTYPED = re.compile(r"invalid choice: '([^']*)'")


class Helping(argparse.ArgumentParser):
    """Says the exit codes in its help, and what a mistyped command or option may have been."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**{"epilog": CODES, **given})

    def error(self, message: str) -> NoReturn:
        """Ends the process with 2."""
        found = MISTYPED.search(message)
        if found is not None:
            known = list(ABOUT) if "COMMAND" in message else re.findall(r"'([^']+)'", message.partition("(choose from")[2])
            message += did_you_mean(found[1], known)
        elif message.startswith("unrecognized arguments: -"):
            option = message.removeprefix("unrecognized arguments: ").split()[0].partition("=")[0]
            message += did_you_mean(option, self._options())
        super().error(message)

    def _options(self) -> set[str]:
        """Its own options, and those of the commands that are loaded."""
        inner = [one for one in self._actions if isinstance(one, argparse._SubParsersAction)]
        parsers = [parser for one in inner for parser in one.choices.values()]
        return {option for parser in (self, *parsers) for option in parser._option_string_actions}


class AnyOrder(Helping):
    """Options may stand between the arguments, also where an argument may be left out."""

    _within = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """As of any parser; what comes after an option still counts."""
        if self._within or self._subparsers is not None:
            return super().parse_known_args(args, namespace)
        self._within = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._within = False


def parser_of(given: Sequence[str], *, whole: bool = False) -> argparse.ArgumentParser:
    """The parser for what was typed: with the module of the command called; without one, all commands by name only.

    `whole` loads every command, as the man page needs.
    """
    parser = Helping(prog="chartwire", description=ABOUT_ALL)
    parser.add_argument("--version", action=Version, nargs=0, help="show the version")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=AnyOrder)
    first = next((one for one in given if not one.startswith("-")), "")
    modules = [module for module, names in COMMANDS.items() if whole or first in names]
    for module in modules:
        import_module(f"daemon.cli.{module}").register(commands)
    if not modules:
        for name, about in ABOUT.items():
            commands.add_parser(name, help=about)
    return parser
