"""A practice of the configuration: its id, and the addresses that its patients' data travel to."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import pytest

from daemon.sandbox.clinic import write_private
from tests.unit import test_config
from tests.unit.test_config import problems, toml, with_

file = test_config.file


Changed = str | int | Callable[[str], str]


def second(file: Path, **changed: Changed) -> dict[str, str]:
    """What is wrong where the file has its practice twice, the second with these keys of its vendors' sections, and its id."""
    document = tomllib.loads(file.read_text())
    other = deepcopy(document["practice"][0])
    for key, value in changed.items():
        holder = next((one for one in (other["elation"], other["kareo"]) if key in one), other)
        holder[key] = value(holder[key]) if callable(value) else value
    document["practice"].append(other)
    write_private(file, toml(document))
    return problems(file)


TAKEN = "is the {} practice of practice[1] already: each would write what the other has written"
ELATION_TAKEN = {"practice[2].elation": TAKEN.format("Elation")}
KAREO_TAKEN = {"practice[2].kareo": TAKEN.format("Kareo")}


def test_two_practices_have_two_ids(file: Path) -> None:
    found = second(file, practice_id=1234, practice_name="Another")
    assert found == {"practice[2].id": "is used by practice[1] already"}


def test_two_practices_are_two_at_each_vendor(file: Path) -> None:
    """A section that was copied, and of which somebody forgot a key: each of the two would create what the other creates."""
    assert second(file, id="two") == ELATION_TAKEN | KAREO_TAKEN


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({"practice_id": 1234}, KAREO_TAKEN),
        ({"practice_name": "Another"}, ELATION_TAKEN),
        ({"practice_id": 1234, "practice_name": lambda name: f" {name.upper()} "}, KAREO_TAKEN),
        ({"practice_id": 1234, "endpoint": lambda url: f"{url.rstrip('/')}/"}, KAREO_TAKEN),
        ({"practice_id": 1234, "endpoint": lambda url: url.replace("http:", "HTTP:")}, KAREO_TAKEN),
        ({"practice_id": 1234, "endpoint": "https://other.example/x"}, {}),
        ({"practice_id": 1234, "customer_key_file": "other-key"}, {}),
        ({"practice_id": 1234, "practice_name": "Another"}, {}),
        ({"practice_id": 0, "practice_name": "Another"}, {"practice[2].elation.practice_id": "Expected `int` >= 1"}),
    ],
)
def test_a_practice_of_a_vendor_is_the_same_however_it_is_spelt(
    file: Path, changed: dict[str, Changed], found: dict[str, str]
) -> None:
    write_private(file.with_name("other-key"), "another customer")
    assert second(file, id="two", **changed) == found


@pytest.mark.parametrize("key", ["elation.base_url", "kareo.wsdl", "kareo.endpoint"])
@pytest.mark.parametrize(("scheme", "said"), [("http", "must be https"), ("ftp", "http or https"), ("https", "")])
def test_b7_patients_data_travel_to_no_other_host_in_the_clear(file: Path, key: str, scheme: str, said: str) -> None:
    found = with_(file, (f"practice.{key}", f"{scheme}://vendor.example/x"))
    assert list(found) == ([f"practice[1].{key}"] if said else [])
    assert all(said in text for text in found.values())


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:8080"])
def test_a_vendor_s_double_on_this_machine_needs_no_tls(file: Path, host: str) -> None:
    assert with_(file, ("practice.elation.base_url", f"http://{host}/")) == {}
