"""A practice of the configuration: its id, and the addresses that its patients' data travel to."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from daemon.sandbox.clinic import write_private
from tests.unit import test_config
from tests.unit.test_config import problems, toml, with_

file = test_config.file


def test_two_practices_have_two_ids(file: Path) -> None:
    document = tomllib.loads(file.read_text())
    document["practice"] *= 2
    write_private(file, toml(document))
    assert problems(file) == {"practice[2].id": "is used by practice[1] already"}


@pytest.mark.parametrize("key", ["elation.base_url", "kareo.wsdl", "kareo.endpoint"])
@pytest.mark.parametrize(("scheme", "said"), [("http", "must be https"), ("ftp", "http or https"), ("https", "")])
def test_b7_patients_data_travel_to_no_other_host_in_the_clear(file: Path, key: str, scheme: str, said: str) -> None:
    found = with_(file, (f"practice.{key}", f"{scheme}://vendor.example/x"))
    assert list(found) == ([f"practice[1].{key}"] if said else [])
    assert all(said in text for text in found.values())


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:8080"])
def test_a_vendor_s_double_on_this_machine_needs_no_tls(file: Path, host: str) -> None:
    assert with_(file, ("practice.elation.base_url", f"http://{host}/")) == {}
