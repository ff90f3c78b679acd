"""Every decoder of foreign bytes, briefly; `python -m tests.fuzz --seconds 600` takes longer."""

from __future__ import annotations

from contextlib import suppress

import pytest

from tests.fuzz.targets import TARGETS, Target
from tests.fuzz.trial import tried


@pytest.mark.parametrize("name", TARGETS)
def test_a4_any_bytes_come_to_a_value_or_the_decoders_one_error(name: str) -> None:
    assert tried(TARGETS[name], examples=120) > 0


@pytest.mark.parametrize("name", sorted(set(TARGETS) - {"configuration", "webhook-signature", "kareo-write"}))
def test_the_bytes_that_others_are_made_of_are_read(name: str) -> None:
    """Otherwise only the first check of a decoder would be tried."""
    for seed in TARGETS[name].seeds():
        if name == "kafka-published":
            with suppress(*TARGETS[name].errors):  # its body is no sealed one
                TARGETS[name].read(seed)
        else:
            TARGETS[name].read(seed)


def test_a_decoder_that_forgets_an_error_falls() -> None:
    def careless(encoded: bytes) -> object:
        return encoded.decode()

    with pytest.raises(UnicodeDecodeError):
        tried(Target(careless, lambda: [b"abc"], (KeyError,)), examples=200)


def test_a_decoder_that_takes_too_much_memory_falls() -> None:
    with pytest.raises(AssertionError, match="too much memory"):
        tried(Target(lambda encoded: bytearray(64 * 1024 * 1024), lambda: [b"abc"], ()), examples=5)
