"""The shape of everything that is stored: names and types of all that events, messages, heads and projections hold, and the migrations.

`python -m tests.stored.shape` prints its digest. It uses nothing that an older version need not have, so it runs in one, too.
"""

from __future__ import annotations

import hashlib
import json
from importlib.resources import files
from typing import Any

import msgspec

from events import topics
from events.feed import Published
from events.schema import Body
from events.writes import AnyResult, AnyWrite
from projections.state.directory import Directory
from projections.state.patient import Patient

MESSAGE = getattr(topics, "_EncodedMessage", None) or topics._Wire
"""A message as it is stored; the second name is that of older versions."""
STORED = [*Body.__args__, AnyWrite, AnyResult, MESSAGE, Published, Patient, Directory]


def shape() -> dict[str, Any]:
    """Every stored type by its name, and every migration by its text."""
    _, components = msgspec.json.schema_components(STORED, schema_hook=lambda _: {})
    types = {name: _told(one) for name, one in components.items()}
    migrations = {
        one.name: hashlib.sha256(one.read_bytes()).hexdigest()
        for one in files("events").joinpath("migrations").iterdir()
        if one.name.endswith(".sql")
    }
    return {"types": types, "migrations": migrations}


def _told(value: Any) -> Any:
    """Without what a type says to people."""
    if isinstance(value, dict):
        return {name: _told(one) for name, one in value.items() if name not in ("description", "title")}
    return [_told(one) for one in value] if isinstance(value, list) else value


def digest() -> str:
    """Sixteen hexadecimal digits of it."""
    return hashlib.sha256(json.dumps(shape(), sort_keys=True).encode()).hexdigest()[:16]


if __name__ == "__main__":
    print(digest())
