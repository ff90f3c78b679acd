"""`chartwire verify`: both systems as they are now, compared under the direction table, and the cause of every difference."""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict

import msgspec

from daemon.cli.advice import add_config, advice
from daemon.cli.asking import tell
from daemon.cli.common import add_shown, configured, run_async, shown_of
from daemon.cli.failures import SERVER_AWAY
from daemon.cli.parsers import Commands
from daemon.cli.printing import say, warn
from daemon.config import policy_of
from daemon.operator import deeds
from daemon.operator.commands import login, write_all
from daemon.operator.deeds import Asking, NotPossible
from daemon.operator.drift import verify
from daemon.runtime.surroundings import Surroundings, surroundings
from daemon.vendors.ports.errors import VendorError
from events.ids import BillingPatientId, Charts, EhrChartId
from projections.rules.fields import BY_NAME
from projections.terms.policy import Policy
from projections.trial.drift import Cause, Drift
from projections.words.shown import MASK, Shown

RESYNCED = {Cause.NOT_SEEN, Cause.UNEXPLAINED}


def register(commands: Commands) -> None:
    parser = commands.add_parser("verify", help="compare both systems now and explain what differs")
    parser.add_argument("practice")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--json", action="store_true")
    how.add_argument(
        "--repair", action="store_true", help="have charts that differ read again, and refused writes tried again"
    )
    add_shown(parser)
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
        warn(f"{arguments.practice}: no such practice in the configuration")
        return 2
    if practice.mode == "observe":
        warn(f"{practice.id} is only observed: `{advice(f'onboard {practice.id}', arguments)}` says what it would do")
        return 2

    shown = shown_of(arguments, practice)

    async def work() -> int:
        try:
            async with surroundings(config, beside) as around:
                drift = await verify(practice, around, warn)
                drift = [msgspec.structs.replace(one, values=_values(one, shown)) for one in drift]
                _print(drift, as_json=arguments.json, policy=policy_of(practice))
                if arguments.repair:
                    return await _repair(around, policy_of(practice), drift, shown, arguments)
        except VendorError as error:
            warn(f"{practice.id}: not everything could be read ({type(error).__name__}); nothing can be said, try again")
            return SERVER_AWAY
        return 1 if any(one.cause is Cause.UNEXPLAINED for one in drift) else 0

    return run_async(work())


async def _repair(
    around: Surroundings, policy: Policy, drift: list[Drift], shown: Shown, arguments: argparse.Namespace
) -> int:
    """Ask as `chartwire resync` and `retry` do; what people changed on the losing side, and what waits for them, is theirs.

    0 when everything asked for was carried out.
    """
    names, code = policy.names, 0
    it = Asking(around.store, policy, login(), "chartwire verify --repair")
    causes: defaultdict[Charts, set[Cause]] = defaultdict(set)
    for one in drift:
        causes[_charts(one)].add(one.cause)
    for charts, found in causes.items():
        name = names.one_of(charts)
        if not name or not found & {*RESYNCED, Cause.REFUSED}:
            continue
        again = bool(found & RESYNCED)
        say(f"{name}: {'to be read again' if again else 'refused writes to be tried again'}")
        try:
            asks = await (deeds.resync(it, charts, unseen=True) if again else deeds.retry(it, charts))
        except NotPossible as no:
            warn(str(no))
            code = 1
            continue
        await write_all(around.bus, around.store, asks)
        code = max(code, *(tell(ask, shown, arguments) for ask in asks))
    return code


def _values(one: Drift, shown: Shown) -> dict[str, tuple[str, str]]:
    """What may be shown of the values: none where nothing was asked for."""
    if not shown.any:
        return {}

    def value(name: str, text: str) -> str:
        return shown.value(name, text) if name in BY_NAME else shown.quoting(text, MASK)

    return {name: (value(name, held), value(name, wanted)) for name, (held, wanted) in one.values.items()}


def _charts(one: Drift) -> Charts:
    """One of the patient's charts: the owner knows the other."""
    if one.billing is not None:
        return Charts(billing=BillingPatientId(one.billing))
    return Charts(ehr=None if one.ehr is None else EhrChartId(one.ehr))


def _print(drift: list[Drift], *, as_json: bool, policy: Policy) -> None:
    counts = Counter(one.cause.value for one in drift)
    if as_json:
        report = {"practice": policy.practice, "causes": {one.value: counts[one.value] for one in Cause}, "drift": drift}
        say(msgspec.json.encode(report).decode())
        return
    for one in drift:
        who = f"{policy.names.ehr.label} {one.ehr or '-'} / {policy.names.billing.label} {one.billing or '-'}"
        say(f"{who}: {one.what} {' '.join(one.fields)}: {one.cause.value} {one.code}".rstrip())
        for name, (held, wanted) in one.values.items():
            say(f"    {name}: holds {held!r}, should hold {wanted!r}")
    summary = ", ".join(f"{counts[one.value]} {one.value}" for one in Cause if counts[one.value])
    say(f"{policy.practice}: {summary or 'no difference'}")
