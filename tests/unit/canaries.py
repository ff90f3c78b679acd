"""Values of any type with every field filled, each with a text or number of its own, so that what appears can be traced."""

from __future__ import annotations

import types
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec

DAY = date(1901, 1, 1)


class Canaries:
    """Makes values; `planted` has the traces of every field, by `Type.field`."""

    def __init__(self) -> None:
        self._count = 0
        self.planted: dict[str, set[str]] = {}

    def of(self, kind: type[Any]) -> Any:
        """An instance of a struct with nothing left out."""
        hints = get_type_hints(kind)
        return kind(**{name: self._value(hints[name], f"{kind.__name__}.{name}") for name in kind.__struct_fields__})

    def _value(self, kind: Any, place: str) -> Any:
        origin, arguments = get_origin(kind), get_args(kind)
        if origin in (Union, types.UnionType):
            return self._value(next(one for one in arguments if one is not type(None)), place)
        if origin is tuple:
            return (self._value(arguments[0], place),)
        if origin is dict:
            return {self._value(arguments[0], f"{place}.key"): self._value(arguments[1], place)}
        supertype = getattr(kind, "__supertype__", None)
        if supertype is not None:
            return self._value(supertype, place)
        if kind is bool:
            return True
        if isinstance(kind, type) and issubclass(kind, Enum):
            return next(iter(kind))
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            return self.of(kind)
        return self._leaf(kind, place)

    def _leaf(self, kind: Any, place: str) -> Any:
        self._count += 1
        made: Any
        if kind is str:
            made = trace = f"canary{self._count:04d}"
        elif kind is int:
            made, trace = 70_000 + self._count, str(70_000 + self._count)
        elif kind is datetime:
            made = datetime(1901, 1, 1, 12, tzinfo=UTC) + timedelta(days=self._count)
            trace = made.date().isoformat()
        elif kind is date:
            made = DAY + timedelta(days=self._count)
            trace = made.isoformat()
        elif kind is bytes:
            made, trace = f"canary{self._count:04d}".encode(), f"canary{self._count:04d}"
        else:
            raise TypeError(f"{place}: no canary for {kind}")
        self.planted.setdefault(place, set()).add(trace)
        return made


def leaked(text: str, canaries: Canaries) -> Iterator[str]:
    """The fields whose values appear in `text`."""
    for place, traces in canaries.planted.items():
        if any(trace in text for trace in traces):
            yield place
