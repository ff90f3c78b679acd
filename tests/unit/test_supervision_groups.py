"""One database takes one Kafka group: who may take a practice that another group's daemon had."""

from __future__ import annotations

import pytest

from daemon.runtime.supervision import HEARD_SECONDS, AnotherGroup, demand_one_group


@pytest.mark.parametrize(
    "owner",
    [
        ("", None),
        ("here:1", 1.0),
        ("here:1 in group ours", 1.0),
        ("there:2 in group theirs", None),
        ("there:2 in group theirs", HEARD_SECONDS),
    ],
    ids=["nobody", "an older worker", "our group", "never heard of", "not heard of any more"],
)
def test_the_practice_is_taken(owner: tuple[str, float | None]) -> None:
    demand_one_group(owner, "ours")


def test_a_daemon_of_another_group_keeps_what_it_is_at_work_on() -> None:
    with pytest.raises(
        AnotherGroup, match=r"a daemon of the Kafka group theirs has it; one database takes one kafka\.group"
    ):
        demand_one_group(("there:2 in group theirs", 14.9), "ours")
