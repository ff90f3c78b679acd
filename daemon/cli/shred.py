"""`chartwire shred PRACTICE`: make all bodies of a practice unreadable for ever, backups of the database included."""

from __future__ import annotations

import argparse
from pathlib import Path

from daemon.cli.advice import add_config
from daemon.cli.common import configured, owner_connection, run_async
from daemon.cli.keys import FINISH
from daemon.cli.parsers import Commands
from daemon.cli.printing import say, warn
from daemon.config import Config
from daemon.operator.shredding import OtherReceipt, Places, Receipt, shred, told
from daemon.sections import resolve
from events.data_keys import NotFinished
from events.ids import PracticeId

_SAID = {
    "receipt": "the receipt is begun",
    "database": "its data keys are deleted, its owner is fenced",
    "files": "its key files here were taken up",
}


def register(commands: Commands) -> None:
    parser = commands.add_parser(
        "shred", help="destroy a practice's keys: nothing of it can be read any more, anywhere, ever"
    )
    parser.add_argument("practice", help="the practice's id")
    parser.add_argument(
        "--receipt", type=Path, required=True, help="the receipt to make (.json; a .txt is made beside it), kept elsewhere"
    )
    parser.add_argument("--confirm", metavar="PRACTICE", help="the practice's id again, instead of typing it when asked")
    add_config(parser)
    parser.set_defaults(handler=shred_)


def shred_(arguments: argparse.Namespace) -> int:
    """Exit code 0 only when it is finished; 1 where a key file has to be deleted by hand first, 2 where it was not confirmed."""
    found = configured(arguments)
    if found is None:
        return 1
    config, beside = found
    practice = PracticeId(arguments.practice)
    places = Places(keys=resolve(config.keys.directory, beside), receipt=arguments.receipt)
    if places.receipt.suffix != ".json":
        warn(f"{places.receipt}: the receipt's name ends with .json")
        return 2
    if not _confirmed(practice, places, arguments.confirm):
        warn("not confirmed: nothing was done")
        return 2

    async def work() -> int:
        receipt = await _shredded(config, practice, places)
        if receipt is None:
            return 1
        say(*told(receipt).rstrip("\n").split("\n"))
        say(f"receipt: {places.receipt} and {places.text}")
        return 0 if receipt.state == "finished" else 1

    return run_async(work())


def _confirmed(practice: str, places: Places, typed: str | None) -> bool:
    if typed is None:
        say(f"All bodies of practice {practice} become unreadable for ever: in the database and in every backup of it.")
        say(f"Its key files in {places.keys} are destroyed. This cannot be undone.")
        try:
            typed = input("Type the practice's id to go on: ")
        except EOFError:
            return False
    return typed.strip() == practice


async def _shredded(config: Config, practice: PracticeId, places: Places) -> Receipt | None:
    try:
        async with owner_connection(config) as connection:
            return await shred(connection, practice, places, after_step=lambda step: say(f"{practice}: {_SAID[step]}"))
    except NotFinished:
        warn(f"{practice}: {FINISH}")
    except OtherReceipt as error:
        warn(error)
    except FileExistsError as error:
        warn(f"{error.filename}: exists already and is no receipt")
    return None
