"""A sample of the matrix of errors; the whole of it by `python -m tests.faults.matrix`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.faults import matrix
from tests.faults.matrix import NEVER, Cell, cells, everything, row, verdict
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


def test_the_command_fails_where_a_cell_is_red_or_was_not_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(NEVER, ("EHR client", "practices"), "nobody asks")
    here = Cell("EHR client", "get_patient", "Gone", False)
    never = replace(here, method="practices", state="-")
    assert matrix._sum([replace(here, state="green"), never], 1.0) == 0
    for wrong in (replace(here, state="red"), replace(here, state="-"), replace(never, state="green")):
        assert len(verdict([wrong])) == matrix._sum([wrong], 1.0) == 1


def test_the_table_of_cells_that_are_never_called_names_methods_that_there_are() -> None:
    assert NEVER.keys() <= set(everything())
    assert all(NEVER.values())


def _port(name: str) -> Port:
    return next(one for one in ports(0, "") if one.name == name)
