"""`chartwire verify`: both systems as they are now, compared under the direction table, and the cause of every difference."""

from __future__ import annotations

import argparse
import sys
from collections import Counter, defaultdict
from typing import Any

import msgspec

from daemon.cli.common import add_config, configured, run_async
from daemon.cli.repair import tell
from daemon.config import policy_of
from daemon.operator.commands import Followed, command, login, write
from daemon.operator.drift import verify
from daemon.runtime.surroundings import Surroundings, surroundings
from daemon.telemetry import configure_logging
from daemon.vendors.ports.errors import VendorError
from events.commands import ResyncRequested, RetryRequested
from events.ids import BillingPatientId, Charts, EhrChartId
from events.schema import Origin
from events.store import AWAY
from projections.terms.policy import Policy
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
                _print(drift, as_json=arguments.json, policy=policy_of(practice))
                if arguments.repair:
                    return await _repair(around, policy_of(practice), drift)
        except (VendorError, *AWAY) as error:
            print(f"not everything could be read ({type(error).__name__}); nothing can be said", file=sys.stderr)
            return 1
        return 1 if any(one.cause is Cause.UNEXPLAINED for one in drift) else 0

    return run_async(work())


async def _repair(around: Surroundings, policy: Policy, drift: list[Drift]) -> int:
    """Ask as `chartwire resync` and `retry` do; what people changed on the losing side, and what waits for them, is theirs.

    0 when everything asked for was carried out.
    """
    practice, names = policy.practice, policy.names
    causes: defaultdict[Charts, set[Cause]] = defaultdict(set)
    for one in drift:
        causes[_charts(one)].add(one.cause)
    who, why, code = login(), "chartwire verify --repair", 0
    for charts, found in causes.items():
        name = names.one_of(charts)
        if not name:
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
        code = max(code, tell(ask, names))
    return code


def _charts(one: Drift) -> Charts:
    """One of the patient's charts: the owner knows the other."""
    if one.billing is not None:
        return Charts(billing=BillingPatientId(one.billing))
    return Charts(ehr=None if one.ehr is None else EhrChartId(one.ehr))


def _print(drift: list[Drift], *, as_json: bool, policy: Policy) -> None:
    counts = Counter(one.cause.value for one in drift)
    if as_json:
        report = {"practice": policy.practice, "causes": {one.value: counts[one.value] for one in Cause}, "drift": drift}
        print(msgspec.json.encode(report).decode())
        return
    for one in drift:
        who = f"{policy.names.ehr.label} {one.ehr or '-'} / {policy.names.billing.label} {one.billing or '-'}"
        print(f"{who}: {one.what} {' '.join(one.fields)}: {one.cause.value} {one.code}".rstrip())
        for name, (held, wanted) in one.values.items():
            print(f"    {name}: holds {held!r}, should hold {wanted!r}")
    summary = ", ".join(f"{counts[one.value]} {one.value}" for one in Cause if counts[one.value])
    print(f"{policy.practice}: {summary or 'no difference'}")
