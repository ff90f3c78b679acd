"""How far a source has come, as a checkpoint tells it: a moment. One that cannot be true counts as none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
AHEAD = timedelta(minutes=5)
"""How far another worker's clock may be ahead. A watermark further on would hide what changes until then."""


def read_watermark(text: str | None, now: datetime) -> datetime | None:
    """The moment; None for no text, for what is no instant, and for one before `EARLIEST` or after `now`."""
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    if moment.tzinfo is None or not EARLIEST <= moment <= now + AHEAD:
        return None
    return moment


def read_position(text: str | None) -> int:
    """A position that counts from 1; 0 for no text and for what is no such number."""
    return int(text) if text is not None and len(text) <= 18 and text.isascii() and text.isdigit() else 0
