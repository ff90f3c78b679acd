"""Every error that a port can raise x every method of every port x before and after its effect. `python -m tests.faults.matrix`.

One practice of two is struck, twice in a row, while both are at work on one worker in virtual time. A cell is green when the other
practice's change was written within five minutes all the same, the worker did not end, and the struck practice writes again within
half an hour after the last strike, without a restart. `-` is a method that nothing called while it was to be struck: it is in the
table `NEVER` with its reason. The command fails when a cell is red, when one was not called that is not in there, or was that is.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections import Counter
from concurrent.futures import as_completed
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from daemon.runtime import worker
from daemon.runtime.supervision import STEADY_SECONDS
from daemon.vendors.ports.errors import OutcomeUnknown
from events.codec import Keyring
from events.writes import changes_nothing
from tests.faults.pair import HIT, OTHER, Pair
from tests.faults.strikes import ANY, Armed, Port, Strike, armed, ports
from tests.simulation.clock import VirtualLoop, simulate
from tests.simulation.crowd import crowd
from tests.simulation.plan import Plan
from tests.simulation.world import World, connected, surrounded

STRIKES = 2
OTHERS_WITHIN = 300.0
HEALED_WITHIN = 1800.0
STRUCK_WITHIN = 600.0
TAKEN_WITHIN = 600.0

AT_A_TAKE_OVER = frozenset({"take_over", "get_practices", "ensure_external_vendor"})
"""What is called once by each owner: the practice is made to fail first, so that it is taken anew."""

DEEDS = {
    "write": ("registers a patient in Elation", "registers a patient in Kareo"),
    "look_up": ("registers a patient in Elation", "registers a patient in Kareo"),
    "patient": ("registers a patient in Kareo", "registers a patient in Elation"),
    "vendor": ("registers a patient in Elation", "registers a patient in Elation"),
    "update_patient": ("edits a chart in Elation", "edits the first patient's city in Elation"),
    "appointment": ("books an appointment in Kareo", "moves an appointment in Kareo", "cancels an appointment in Kareo"),
    "bill": ("signs a note in Elation",),
    "encounter": ("signs a note in Elation",),
    "charge": ("signs a note in Elation",),
}
"""By part of a method's name: what people do so that it is called."""


NEVER: dict[tuple[str, str], str] = {
    ("EHR client", "practices"): "only `onboard` asks",
    ("EHR client", "get_practice"): "only `check-config` and `onboard` ask",
    ("EHR client", "appointments"): "only a look-up after a lost creation, and `verify`, ask",
    ("billing client", "set_external_id"): "only after a creation that Kareo made without the external id",
    ("EHR client", "create_subscription"): "made once, before the first cell of a world begins",
    ("pool", "fetchrow"): "a practice at work asks for single rows within its transactions",
}
"""By port and method: why no cell of it is ever called."""


@dataclass(frozen=True)
class Cell:
    """One cell: `state` is "green", "red" or "-" (not called), `why` what was wrong."""

    port: str
    method: str
    error: str
    late: bool
    state: str = ""
    why: str = ""

    def __str__(self) -> str:
        return f"{self.port}.{self.method} {'after' if self.late else 'before'} its effect: {self.error}"


async def struck(pair: Pair, strike: Strike) -> tuple[str, str]:
    """Whether others and the practice itself came through: state and reason. What is looked up has to be lost before."""
    changing = replace(strike.port, about=lambda self, arguments: strike.port.about(self, arguments) and _changes(arguments))
    with armed(strike.port, "write") if strike.method == "look_up" else nullcontext(Armed()) as writes:
        writes.strike = Strike(changing, "write", lambda: OutcomeUnknown("op"), late=True, left=STRIKES)
        return await _struck(pair, strike)


def _changes(arguments: tuple[Any, ...]) -> bool:
    """Whether what a writer is asked for changes something."""
    return not changes_nothing(arguments[0]())


async def _struck(pair: Pair, strike: Strike) -> tuple[str, str]:
    """Whether others and the practice itself came through: state and reason."""
    for part, kinds in DEEDS.items():
        if part in strike.method:
            for kind in kinds:
                pair.deed(kind, 0)
    if strike.method == "create_patient":
        pair.register()
    if strike.port.name == "EHR client" and strike.method.endswith("_appointment"):
        await pair.visit(strike.method)
    if strike.port.name == "billing client" and strike.method == "get_appointment":
        await pair.visit("delete_appointment")
    if strike.method == "update_patient":
        pair.rename()
    if "polic" in strike.method or "insurance" in strike.method:
        await pair.insure(strike.method)
    here, there = pair.move(HIT), pair.move(OTHER)
    if not await pair.until(lambda: pair.lives_in(OTHER, there), OTHERS_WITHIN, HIT, OTHER):
        return "red", "the other practice's change was not written in time"
    taking = strike.method in AT_A_TAKE_OVER
    if taking:
        pair.fail()
    await pair.until(lambda: strike.left == 0, TAKEN_WITHIN if taking else STRUCK_WITHIN, HIT)
    strike.left = 0
    here = pair.move(HIT)
    if not await pair.until(lambda: pair.lives_in(HIT, here), HEALED_WITHIN, HIT):
        return "red", "the practice does not heal"
    if any(machine.starts != 1 for machine in pair.world.machines):
        return "red", "the worker ended"
    if taking:
        await asyncio.sleep(2 * STEADY_SECONDS)  # the next cell begins with short pauses
    return ("green", "") if strike.hits else ("-", "")


def cells(port: Port, method: str) -> list[Cell]:
    """The row of a method."""
    return [Cell(port.name, method, name, late) for name in (*port.tree, *ANY) for late in (False, True)]


def everything() -> list[tuple[str, str]]:
    """Every method of every port."""
    return [(port.name, method) for port in ports(0, "") for method in port.methods]


def row(port: str, method: str, wanted: list[Cell] | None = None) -> list[Cell]:
    """Strike one method with everything; after a red cell the others get a world of their own."""
    left = wanted or cells(next(one for one in ports(0, "") if one.name == port), method)
    done: list[Cell] = []
    while left:
        before = len(done)
        _in_one_world(port, method, left, done)
        if len(done) == before:
            done.append(replace(left[0], state="red", why="the world does not begin"))
        left = left[len(done) - before :]
    return done


def _in_one_world(port_name: str, method: str, left: list[Cell], done: list[Cell]) -> None:
    before = len(done)

    async def main(loop: VirtualLoop) -> None:
        world = World(Plan(seed=len(done) + 1, deeds=(), offices=2, workers=1), loop, folder)
        office = world.clinic.offices[0]
        port = next(one for one in ports(office.ehr, office.name) if one.name == port_name)
        _keep_apart(world, port)
        with connected(world.cluster), armed(_of(world, port), method) as here:
            try:
                await _cells(world, here, _of(world, port), method, left, done)
            except Exception as error:  # noqa: BLE001 - the cell is red, with its reason
                done.append(replace(left[len(done) - before], state="red", why=f"{type(error).__name__}: {error}"))
            finally:
                here.strike = None
                await world.end()

    with surrounded(1, None, lambda _text: None) as folder:
        worker.REPORT_SECONDS = 60.0
        simulate(main)


def _keep_apart(world: World, port: Port) -> None:
    """The keys of the workers are not those of the world that judges them; recorded events are published, too."""
    if port.name == "keyring":
        world.keyring = Keyring.from_directory(world.folder / "keys")
    world.config = msgspec.structs.replace(world.config, kafka=msgspec.structs.replace(world.config.kafka, feed=True))


async def _cells(world: World, here: Armed, port: Port, method: str, left: list[Cell], done: list[Cell]) -> None:
    await world.begin()
    pair = Pair(world)
    await pair.opened()
    for cell in left:
        strike = here.strike = Strike(port, method, {**port.tree, **ANY}[cell.error], cell.late, STRIKES)
        state, why = await struck(pair, strike)
        done.append(replace(cell, state=state, why=why))
        if state == "red":
            return


def _of(world: World, port: Port) -> Port:
    """A keyring is struck only where the workers have it."""
    if port.name != "keyring":
        return port
    return replace(port, about=lambda self, arguments: self is world.keyring and port.about(self, arguments))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.matrix", description=__doc__)
    parser.add_argument("--port", action="append", help="only this port; may be given again")
    parser.add_argument("--method", help="only this method")
    parser.add_argument("--processes", type=int, default=None, help="how many rows are played at once (one a processor)")
    arguments = parser.parse_args()
    rows = [
        one
        for one in everything()
        if (arguments.port is None or one[0] in arguments.port) and arguments.method in (None, one[1])
    ]
    began, played = time.monotonic(), list[Cell]()
    with crowd(arguments.processes) as pool:
        futures = {pool.submit(row, *one): one for one in rows}
        for future in as_completed(futures):
            found = future.result()
            played += found
            print(_line(*futures[future], found), flush=True)
    return _sum(played, time.monotonic() - began)


def _line(port: str, method: str, found: list[Cell]) -> str:
    marks = "".join({"green": "+", "red": "X"}.get(one.state, "-") for one in found)
    return f"{port + '.' + method:<44} {marks}"


def verdict(played: list[Cell]) -> list[str]:
    """What is wrong with these cells, a line each; nothing where all is well."""
    red = [f"red: {one}: {one.why}" for one in played if one.state == "red"]
    idle = [f"never called, and not in the table: {one}" for one in played if one.state == "-" and _row(one) not in NEVER]
    called = sorted({_row(one) for one in played if one.state != "-"} & NEVER.keys())
    return red + idle + [f"called, though the table says never: {port}.{method}" for port, method in called]


def _row(cell: Cell) -> tuple[str, str]:
    return cell.port, cell.method


def _sum(played: list[Cell], seconds: float) -> int:
    wrong, states = verdict(played), Counter(one.state for one in played)
    for port, method in sorted({_row(one) for one in played} & NEVER.keys()):
        print(f"never called: {port}.{method}: {NEVER[port, method]}")
    for line in wrong:
        print(line)
    print(
        f"{len(played)} cells in {seconds:.0f} s: {states['green']} green, {states['red']} red, {states['-']} never called"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
