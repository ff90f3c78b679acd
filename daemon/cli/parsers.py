"""What a module of `daemon.cli` adds its commands to."""

from __future__ import annotations

import argparse
from typing import Protocol


class Commands(Protocol):
    """The commands of `chartwire`, as far as they are loaded."""

    def add_parser(self, name: str, *, help: str) -> argparse.ArgumentParser:
        """A further command; `help` is its line in the list of all."""
