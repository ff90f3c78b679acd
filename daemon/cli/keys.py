"""`chartwire new-key` and `chartwire rotate-key`: the key files that everything of a practice is encrypted under."""

from __future__ import annotations

import argparse
import tomllib
from pathlib import Path

from daemon.cli.advice import add_config
from daemon.cli.common import configured, owner_connection, run_async
from daemon.cli.ended import Ended
from daemon.cli.parsers import Commands
from daemon.cli.printing import say, warn
from daemon.config import Config
from daemon.operator.key_rotation import KeyElsewhere, Rotated, rotate
from daemon.sections import resolve
from events.data_keys import NotFinished
from events.files import destroy
from events.ids import PracticeId
from events.keys import KeyMissing, Keyring, NoPractice

FINISH = "its data keys are not in the database yet: run `chartwire migrate --finish` once all workers run this version"


def register(commands: Commands) -> None:
    parser = commands.add_parser("new-key", help="make an encryption key for a practice (or its next)")
    parser.add_argument("practice", help="the practice's id")
    parser.add_argument("--directory", type=Path, help="the folder of keys (default: [keys] of the configuration)")
    add_config(parser)
    parser.set_defaults(handler=new_key)
    rotate_ = commands.add_parser("rotate-key", help="wrap a practice's data keys by a new key file, while workers run")
    rotate_.add_argument("practice", help="the practice's id")
    rotate_.add_argument("--delete-old", action="store_true", help="also delete the key files that are of no use any more")
    add_config(rotate_)
    rotate_.set_defaults(handler=rotate_key)


def new_key(arguments: argparse.Namespace) -> int:
    """Make the key. Older ones stay: `rotate-key` says when one is of no use any more. Back the folder up."""
    folder: Path = arguments.directory or _configured(arguments.config)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = Keyring.create_key(folder, PracticeId(arguments.practice))
    except NoPractice as error:
        warn(f"practice: {error}")
        return 2
    except OSError as error:
        warn(f"{folder}: no key can be made there ({error.strerror})")
        return 1
    say(f"{path} made; without it the practice's history cannot be read: back it up apart from the database")
    return 0


def _configured(config: Path) -> Path:
    """The folder that the configuration names: the rest of it need not be right yet. Raises Ended."""
    try:
        return resolve(tomllib.loads(config.read_text())["keys"]["directory"], config.resolve().parent)
    except (OSError, ValueError, LookupError, TypeError):
        raise Ended(f"{config}: names no keys.directory; give --directory, or --config") from None


def rotate_key(arguments: argparse.Namespace) -> int:
    """Exit code 1 when nothing was rotated, or an old file that was to be deleted could not be."""
    found = configured(arguments)
    if found is None:
        return 1
    config, beside = found
    practice, folder = PracticeId(arguments.practice), resolve(config.keys.directory, beside)

    async def work() -> int:
        done = await _rotated(config, practice, folder)
        return 1 if done is None else _told(practice, folder, done, delete=arguments.delete_old)

    return run_async(work())


async def _rotated(config: Config, practice: PracticeId, folder: Path) -> Rotated | None:
    """None after it was said what is wrong."""
    try:
        async with owner_connection(config) as connection:
            return await rotate(connection, practice, folder, after_step=lambda step: say(f"{practice}: {_SAID[step]}"))
    except (KeyMissing, KeyElsewhere) as error:
        warn(error)
    except NotFinished:
        warn(f"{practice}: {FINISH}")
    except ValueError as error:
        warn(f"keys.directory: {folder}: {error}")
    return None


_SAID = {"file": "the new key file is there", "rewrapped": "its data keys are wrapped by it"}


def _told(practice: str, folder: Path, done: Rotated, *, delete: bool) -> int:
    say(f"{done.file}: back it up apart from the database, and copy it to every machine that runs a worker")
    kept = [name for name in done.retired if not (delete and destroy(folder / f"{name}.key"))]
    for name in done.retired:
        what = f"still to be deleted: {folder / name}.key" if name in kept else f"deleted: {folder / name}.key"
        say(f"{what}; nothing in the database needs it any more, backups from before this rotation do")
    for name in done.sealed_directly:
        say(f"note: a copy of {name}.key still opens what {practice} stored before `migrate --finish`: delete all copies")
    return 1 if delete and kept else 0
