"""Configuration files with something set otherwise, and what loading them complains of."""

from __future__ import annotations

import json
import math
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from daemon.config import ConfigError, load
from daemon.sandbox.clinic import Clinic, write_private
from daemon.vendors.registry import SECTIONS


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = Clinic(offices=1).write_config(
        tmp_path, dsn="postgresql://localhost/c", bootstrap_servers="localhost:9092", listen="127.0.0.1:8440"
    )
    text = made.read_text()
    write_private(
        made, re.sub(r"^(base_url|wsdl|endpoint) = .*$", r'\1 = "https://vendor.example/"', text, flags=re.MULTILINE)
    )
    return made


def with_(file: Path, *values: tuple[str, object]) -> dict[str, str]:
    """The problems of the file with these keys set otherwise."""
    document = tomllib.loads(file.read_text())
    for key, value in values:
        at: Any = document
        *way, last = key.replace("practice.", "practice.0.").split(".")
        for name in way:
            at = at[int(name)] if name.isdecimal() else at.setdefault(name, {})
        at[last] = value
    other = file.with_name("other.toml")
    write_private(other, toml(document))
    return problems(other)


def problems(file: Path) -> dict[str, str]:
    try:
        load(file, SECTIONS)
    except ConfigError as error:
        return dict(error.problems)
    return {}


def toml(document: dict[str, Any]) -> str:
    return "\n".join(f"{json.dumps(name)} = {_value(value)}" for name, value in document.items())


def _value(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(name)} = {_value(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_value(one) for one in value) + "]"
    if isinstance(value, float):
        return str(value) if math.isfinite(value) else str(value).replace("inf", "inf")
    return json.dumps(value).replace("\x7f", "\\u007f")
