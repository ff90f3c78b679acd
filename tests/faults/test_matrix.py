"""A sample of the matrix of errors; the whole of it by `python -m tests.faults.matrix`."""

from __future__ import annotations

import pytest

from tests.faults.matrix import Cell, cells, everything, row
from tests.faults.strikes import Port, ports

SAMPLE = (
    ("store", "writing", ("CancelledError", "InsufficientPrivilege", "MemoryError")),
    ("pool", "fetchval", ("TooManyConnections", "an unknown one")),
    ("bus", "publish", ("KafkaConnectionError", "CancelledError")),
    ("keyring", "open_sealed", ("KeyMissing", "UnreadableEvent")),
    ("clock", "now", ("an unknown one",)),
    ("EHR client", "update_patient", ("Unauthorized", "RecursionError", "CancelledError")),
    ("billing client", "patients_modified", ("Malformed", "CancelledError", "an unknown one")),
)


@pytest.mark.parametrize(("port", "method", "names"), SAMPLE, ids=[f"{port}.{method}" for port, method, _ in SAMPLE])
def test_one_practices_trouble_stays_its_own_and_passes(port: str, method: str, names: tuple[str, ...]) -> None:
    there = next(one for one in ports(0, "") if one.name == port)
    found = row(port, method, [one for one in cells(there, method) if one.error in names])
    assert [str(one) + ": " + one.why for one in found if one.state == "red"] == []
    assert any(one.state == "green" for one in found), "nothing was struck"


def test_every_cell_is_a_row_of_its_own() -> None:
    played = [cell for port, method in everything() for cell in cells(_port(port), method)]
    assert len(set(played)) == len(played) > 1500
    assert Cell("EHR client", "get_patient", "Gone", True) in played


def _port(name: str) -> Port:
    return next(one for one in ports(0, "") if one.name == name)
