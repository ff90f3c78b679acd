"""Kareo's published limits on a clock of our own: the loop's time jumps to whatever is awaited next."""

from __future__ import annotations

import asyncio
import itertools
import selectors
from collections.abc import Awaitable, Callable

import pytest

from daemon.vendors.kareo.limiter import INTERVALS, MARGIN, IntervalLimiter, LimiterRegistry


class Leaping(selectors.DefaultSelector):
    """Instead of waiting for a timer it moves the clock on."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.now += timeout or 0.0
        return super().select(0.0)


class LeapingLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.leaping = Leaping()
        super().__init__(self.leaping)

    def time(self) -> float:
        return self.leaping.now


def played(work: Callable[[], Awaitable[list[float]]]) -> list[float]:
    async def main() -> list[float]:
        return await work()

    with asyncio.Runner(loop_factory=LeapingLoop) as runner:
        return [round(moment, 3) for moment in runner.run(main())]


async def call(limiter: IntervalLimiter, operation: str, took: float, sent: list[float]) -> None:
    async with limiter.turn(operation):
        sent.append(asyncio.get_running_loop().time())
        await asyncio.sleep(took)


async def several(limiter: IntervalLimiter, operation: str, took: float, count: int) -> list[float]:
    sent: list[float] = []
    await asyncio.gather(*(call(limiter, operation, took, sent) for _ in range(count)))
    return sent


@pytest.mark.parametrize(
    ("operation", "step"), [("GetAllPatients", 5.25), ("UpdatePatient", 1.25), ("GetPatient", 0.5), ("New", 1.25)]
)
def test_the_least_time_between_two_calls_with_the_margin(operation: str, step: float) -> None:
    assert played(lambda: several(IntervalLimiter(), operation, 0.0, 3)) == [0.0, step, 2 * step]


def test_calls_of_one_operation_never_overlap_and_a_slow_one_counts_from_its_answer() -> None:
    assert played(lambda: several(IntervalLimiter(), "GetPatient", 3.0, 3)) == [0.0, 3.5, 7.0]


def test_a_quick_answer_counts_from_the_sending() -> None:
    assert played(lambda: several(IntervalLimiter(), "GetPatient", MARGIN - 0.01, 3)) == [0.0, 0.5, 1.0]


def test_the_server_never_sees_two_calls_closer_than_it_allows() -> None:
    """Wherever between sending and answer the server counts, which no client knows."""
    for took in (0.0, 0.1, 0.24, 0.26, 1.0, 9.0):
        sent = played(lambda took=took: several(IntervalLimiter(), "GetPatient", took, 4))  # type: ignore[misc]
        for earlier, later in itertools.pairwise(sent):
            assert later - (earlier + took) > INTERVALS["GetPatient"]


def test_operations_do_not_wait_for_each_other() -> None:
    async def work() -> list[float]:
        limiter, sent = IntervalLimiter(), list[float]()
        await asyncio.gather(*(call(limiter, name, 1.0, sent) for name in ("GetPatient", "GetPatients", "UpdatePatient")))
        return sent

    assert played(work) == [0.0, 0.0, 0.0]


def test_practices_of_a_key_share_its_pace_and_other_keys_have_their_own() -> None:
    async def work() -> list[float]:
        keys, sent = LimiterRegistry(), list[float]()
        await asyncio.gather(*(call(keys.for_key(key), "GetPatient", 0.0, sent) for key in ("a", "a", "b")))
        return sorted(sent)

    assert played(work) == [0.0, 0.0, 0.5]


def test_a_registry_does_not_keep_keys() -> None:
    registry = LimiterRegistry()
    registry.for_key("hush")
    assert "hush" not in repr(vars(registry))


def test_after_a_penalty_two_intervals_pass_also_for_those_who_wait() -> None:
    async def work() -> list[float]:
        limiter, sent = IntervalLimiter(), list[float]()

        async def throttled() -> None:
            async with limiter.turn("GetPatient"):
                limiter.penalize("GetPatient")

        await asyncio.gather(throttled(), *(call(limiter, "GetPatient", 0.0, sent) for _ in range(2)))
        return sent

    assert played(work) == [1.0, 1.5]


def test_a_call_that_fails_or_is_cancelled_counts_too() -> None:
    async def work() -> list[float]:
        limiter, sent = IntervalLimiter(), list[float]()
        task = asyncio.create_task(call(limiter, "GetPatient", 60.0, sent))
        await asyncio.sleep(0.1)
        task.cancel()
        await call(limiter, "GetPatient", 0.0, sent)
        return sent

    assert played(work) == [0.0, 0.5]


def test_scale_and_overrides() -> None:
    limiter = IntervalLimiter(0.1, {"GetPatient": 0.75})
    assert limiter.interval("GetPatient") == pytest.approx(0.1)
    assert limiter.interval("UpdatePatient") == pytest.approx(0.125)


def test_a_new_owner_of_a_key_begins_after_the_interval() -> None:
    """It does not know when the one before it called last (I10)."""

    async def taken() -> list[float]:
        limiter = IntervalLimiter()
        limiter.taken_over()
        return await several(limiter, "UpdatePatient", 0.0, 2)

    assert played(taken) == [1.25, 2.5]


def test_bookings_keep_their_published_pace() -> None:
    """EHR_LED section 4: half a second for one appointment, a second for a list, a quarter more for each."""
    limiter = IntervalLimiter()
    single = {"CreateAppointment", "UpdateAppointment", "DeleteAppointment", "GetAppointment"}
    assert {limiter.interval(one) for one in single} == {0.75}
    assert {limiter.interval(one) for one in ("GetAppointments", "UpdatePatient")} == {1.25}
