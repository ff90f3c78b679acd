"""`chartwire new-key`: the key that a practice's events are encrypted with."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from daemon.cli.printing import say
from events.codec import Keyring
from events.ids import PracticeId


def register(commands: Any) -> None:
    parser: argparse.ArgumentParser = commands.add_parser(
        "new-key", help="make an encryption key for a practice (or its next)"
    )
    parser.add_argument("practice", help="the practice's id")
    parser.add_argument("--directory", type=Path, required=True, help="the folder of [keys] in the configuration")
    parser.set_defaults(handler=new_key)


def new_key(arguments: argparse.Namespace) -> int:
    """Make the key. Older ones stay: what they encrypted has to stay readable. Back the folder up."""
    arguments.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = Keyring.create_key(arguments.directory, PracticeId(arguments.practice))
    say(f"{path} made; without it the practice's history cannot be read: back it up apart from the database")
    return 0
