"""One target tried for some seconds: what falls is told with the bytes that did it, as short as Hypothesis can make them."""

from __future__ import annotations

import time
import tracemalloc
from contextlib import suppress

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded

from tests.fuzz.targets import Target

MOST_BYTES = 32 * 1024 * 1024
"""What reading some kilobytes may take of memory."""


def tried(target: Target, *, examples: int, seed: int | None = None) -> int:
    """Try that many inputs; returns how many were read or refused. Raises what fell."""
    done = 0

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=seed is None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
    )
    @given(encoded=target.inputs())
    def one(encoded: bytes) -> None:
        nonlocal done
        began = time.process_time()
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        with suppress(*target.errors):
            target.read(encoded)
        done += 1
        assert time.process_time() - began < target.allowed_seconds, "it takes too long"
        assert tracemalloc.get_traced_memory()[1] - before < MOST_BYTES, "it takes too much memory"

    if seed is not None:
        one = seeded(seed)(one)
    tracemalloc.start(1)
    try:
        one()
    finally:
        tracemalloc.stop()
    return done
