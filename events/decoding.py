"""Reading foreign bytes: whatever goes wrong becomes the decoder's one error.

A decoder that names the exceptions it expects forgets one: text that is no UTF-8, arrays nested 5,000 deep, a date outside of the
calendar. So none is named. Memory that runs out says nothing about the bytes and passes through, as does what cancels.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType


class decoding:
    """In its block any exception becomes `error(found)`, which carries nothing of what was read.

    Those of the classes `own` are the decoder's already and pass through.
    """

    __slots__ = ("_error", "_own")

    def __init__(self, error: Callable[[Exception], Exception], *own: type[Exception]) -> None:
        self._error = error
        self._own = (*own, MemoryError)

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, found: BaseException | None, trace: TracebackType | None) -> None:
        if not isinstance(found, Exception) or isinstance(found, self._own):
            return
        error = self._error(found)
        try:
            raise error from None
        finally:
            error.__context__ = None  # an exception that was caught may quote what it read


def named(error: Callable[[str], Exception], what: str) -> Callable[[Exception], Exception]:
    """`what`, and the type of what was found."""
    return lambda found: error(f"{what} ({type(found).__name__})")
