"""Which configuration commands use, and commands that are advised: complete, so that they can be pasted as they are."""

from __future__ import annotations

import argparse
import os
import re
import shlex
from pathlib import Path

DEFAULT_CONFIG = "/etc/chartwire/chartwire.toml"
VARIABLE = "CHARTWIRE_CONFIG"
QUOTED = re.compile(r"`chartwire ([^`]+)`")


def add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config",
        type=Path,
        default=default_config(),
        help=f"configuration file (default: the environment's {VARIABLE}, else {DEFAULT_CONFIG})",
    )


def default_config() -> Path:
    """The configuration when a command names none."""
    return Path(os.environ.get(VARIABLE) or DEFAULT_CONFIG)


def advice(command: str, arguments: argparse.Namespace) -> str:
    """`chartwire COMMAND`, with --config where this call had to name it."""
    config: Path | None = getattr(arguments, "config", None)
    if config is None or config == default_config():
        return f"chartwire {command}"
    return f"chartwire {command} --config {shlex.quote(str(config))}"


def pasteable(text: str, arguments: argparse.Namespace) -> str:
    """`text` with every `chartwire COMMAND` that it quotes made complete."""
    return QUOTED.sub(lambda found: found[0] if "--config" in found[1] else f"`{advice(found[1], arguments)}`", text)
