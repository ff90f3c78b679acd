"""Deliberate bugs, patched into the daemon by name: what the simulation has to find."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def planted(_name: str) -> Iterator[None]:
    """The daemon with this bug; "" for none."""
    yield
