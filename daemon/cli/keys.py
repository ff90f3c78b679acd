"""`chartwire new-key`: the key that a practice's events are encrypted with."""

from __future__ import annotations

import argparse
import tomllib
from pathlib import Path
from typing import Any

from daemon.cli.advice import add_config
from daemon.cli.ended import Ended
from daemon.cli.printing import say
from daemon.sections import resolve
from events.codec import Keyring
from events.ids import PracticeId


def register(commands: Any) -> None:
    parser: argparse.ArgumentParser = commands.add_parser(
        "new-key", help="make an encryption key for a practice (or its next)"
    )
    parser.add_argument("practice", help="the practice's id")
    parser.add_argument("--directory", type=Path, help="the folder of keys (default: [keys] of the configuration)")
    add_config(parser)
    parser.set_defaults(handler=new_key)


def new_key(arguments: argparse.Namespace) -> int:
    """Make the key. Older ones stay: what they encrypted has to stay readable. Back the folder up."""
    directory = arguments.directory or _configured(arguments.config)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = Keyring.create_key(directory, PracticeId(arguments.practice))
    say(f"{path} made; without it the practice's history cannot be read: back it up apart from the database")
    return 0


def _configured(config: Path) -> Path:
    """The folder that the configuration names: the rest of it need not be right yet. Raises Ended."""
    try:
        return resolve(tomllib.loads(config.read_text())["keys"]["directory"], config.resolve().parent)
    except (OSError, ValueError, LookupError, TypeError):
        raise Ended(f"{config}: names no keys.directory; give --directory, or --config") from None
