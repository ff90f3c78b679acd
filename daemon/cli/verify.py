"""`chartwire verify`: both systems as they are now, compared under the direction table, and the cause of every difference."""

from __future__ import annotations

import argparse
import sys
from collections import Counter, defaultdict
from typing import Any

import msgspec

from daemon.cli.common import add_config, configured, run_async
from daemon.cli.repair import tell
from daemon.operator.commands import Charts, Followed, command, login, write
from daemon.operator.drift import verify
from daemon.runtime.surroundings import Surroundings, surroundings
from daemon.telemetry import configure_logging
from daemon.vendors.ports.errors import VendorError
from events.commands import ResyncRequested, RetryRequested
from events.ids import BillingPatientId, EhrChartId, PracticeId
from events.schema import Origin
from events.store import AWAY
from projections.trial.drift import Cause, Drift

RESYNCED = {Cause.NOT_SEEN, Cause.UNEXPLAINED}


def register(commands: Any) -> None:
    parser: argparse.ArgumentParser = commands.add_parser("verify", help="compare both systems now and explain what differs")
    parser.add_argument("practice")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--json", action="store_true")
    how.add_argument(
        "--repair", action="store_true", help="have charts that differ read again, and refused writes tried again"
    )
    parser.add_argument("--show", action="store_true", help="also the values, which are patients' data")
    add_config(parser)
    parser.set_defaults(handler=handle)


def handle(arguments: argparse.Namespace) -> int:
    """0 when everything that differs is explained (or repaired), 1 otherwise, 2 for a practice unknown or only observed."""
    found = configured(arguments)
    if found is None:
        return 1
    config, beside = found
    practice = next((one for one in config.practice if one.id == arguments.practice), None)
    if practice is None:
        print(f"{arguments.practice}: no such practice in the configuration", file=sys.stderr)
        return 2
    if practice.mode == "observe":
        print(f"{practice.id} is only observed: `chartwire onboard {practice.id}` says what it would do", file=sys.stderr)
        return 2
    configure_logging(json=False, level="CRITICAL")

    async def work() -> int:
        try:
            async with surroundings(config, beside) as around:
                drift = await verify(practice, around, lambda line: print(line, file=sys.stderr))
                if not arguments.show:
                    drift = [msgspec.structs.replace(one, values={}) for one in drift]
                _print(drift, as_json=arguments.json, practice=practice.id)
                if arguments.repair:
                    return await _repair(around, PracticeId(practice.id), drift)
        except (VendorError, *AWAY) as error:
            print(f"not everything could be read ({type(error).__name__}); nothing can be said", file=sys.stderr)
            return 1
        return 1 if any(one.cause is Cause.UNEXPLAINED for one in drift) else 0

    return run_async(work())


async def _repair(around: Surroundings, practice: PracticeId, drift: list[Drift]) -> int:
    """Ask as `chartwire resync` and `retry` do; what people changed on the losing side, and what waits for them, is theirs.

    0 when everything asked for was carried out.
    """
    causes: defaultdict[Charts, set[Cause]] = defaultdict(set)
    for one in drift:
        causes[_charts(one)].add(one.cause)
    who, why, code = login(), "chartwire verify --repair", 0
    for charts, found in causes.items():
        name = f"elation:{charts[0]}" if charts[0] is not None else f"kareo:{charts[1]}"
        if charts == (None, None):
            continue
        if found & RESYNCED:
            print(f"{name}: to be read again")
            ask = Followed(command(practice, ResyncRequested(who=who, reason=why), charts), reading={Origin.BILLING})
        elif Cause.REFUSED in found:
            print(f"{name}: refused writes to be tried again")
            ask = Followed(command(practice, RetryRequested(slots=(), who=who, reason=why), charts))
        else:
            continue
        await write(around.bus, around.store, ask)
        code = max(code, tell(ask))
    return code


def _charts(one: Drift) -> Charts:
    """One of the patient's charts: the owner knows the other."""
    if one.billing is not None:
        return None, BillingPatientId(one.billing)
    return None if one.ehr is None else EhrChartId(one.ehr), None


def _print(drift: list[Drift], *, as_json: bool, practice: str) -> None:
    counts = Counter(one.cause.value for one in drift)
    if as_json:
        report = {"practice": practice, "causes": {one.value: counts[one.value] for one in Cause}, "drift": drift}
        print(msgspec.json.encode(report).decode())
        return
    for one in drift:
        who = f"Elation {one.ehr or '-'} / Kareo {one.billing or '-'}"
        print(f"{who}: {one.what} {' '.join(one.fields)}: {one.cause.value} {one.code}".rstrip())
        for name, (held, wanted) in one.values.items():
            print(f"    {name}: holds {held!r}, should hold {wanted!r}")
    summary = ", ".join(f"{counts[one.value]} {one.value}" for one in Cause if counts[one.value])
    print(f"{practice}: {summary or 'no difference'}")
