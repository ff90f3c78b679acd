"""`chartwire link`: two charts are one person. Both are shown field by field with all that would be written; then a person is asked.

With `--from FILE` a list of reviewed pairs is linked at once. Exits as daemon/cli/asking.py says; 1 as well where a row was left out.
"""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from daemon.cli.asking import add_asking, asking, confirmed, looked, pair, typed
from daemon.cli.common import BOTH, Asked
from daemon.cli.ended import Ended
from daemon.cli.parsers import Commands
from daemon.cli.printing import say, warn
from daemon.operator.deeds import Asks, as_planned
from daemon.operator.duplicates import survivors_of
from daemon.operator.find import NeverSeen
from daemon.operator.links import FieldBeside, LinkPlan, plan_of_link, plan_of_move
from daemon.operator.reviewed import NotReviewed, ReviewedList, columns, read_reviewed
from events.ids import BillingPatientId, Charts
from events.store import Store
from projections.rules.fields import BY_NAME
from projections.terms.names import NAMES
from projections.words.likeness import how_alike
from projections.words.shown import Shown
from projections.words.writes import describe_write


def register(commands: Commands) -> None:
    parser = commands.add_parser("link", help="link two charts: they are one person")
    add_asking(parser, _link)
    parser.add_argument("charts", nargs="*", metavar="CHART", help=BOTH)
    parser.add_argument("--force", action="store_true", help="though birth date, sex or a name differ")
    parser.add_argument(
        "--from",
        dest="reviewed",
        type=Path,
        metavar="FILE",
        help=f"link every pair of a reviewed list (CSV; columns {', '.join(columns(NAMES))}, the last two may be missing)",
    )
    parser.add_argument("--undecided", action="store_true", help="not where somebody has said that they are two persons")
    parser.add_argument("--yes", action="store_true", help="link without asking")
    parser.add_argument("--show", action="store_true", help="only show what linking would come to")
    _moves(commands)


def _moves(commands: Commands) -> None:
    parser = commands.add_parser("move-link", help="a linked patient is gone in a merge: its link goes to the survivor")
    add_asking(parser, _move)
    patient = NAMES.patient(0).replace("0", "ID")
    parser.add_argument("gone", metavar="GONE", help=f"the linked patient that is gone ({patient})")
    parser.add_argument("survivor", nargs="?", metavar="SURVIVOR", help="who it was merged into (default: the one likely)")
    parser.add_argument("--force", action="store_true", help="though birth date, sex or a name differ")
    parser.add_argument("--yes", action="store_true", help="move it without asking")
    parser.add_argument("--show", action="store_true", help="only show what moving it would come to")


async def _link(arguments: argparse.Namespace, store: Store, it: Asked) -> Asks:
    if arguments.reviewed is not None:
        return await _reviewed(arguments, store, it)
    ehr, billing = pair(arguments.charts, it)
    plan = await _plan(it, plan_of_link(store, it.policy, ehr, billing, datetime.now(UTC), force=arguments.force))
    return await _shown_and_asked(arguments, store, it, plan, "Are they one person? Link them?")


async def _move(arguments: argparse.Namespace, store: Store, it: Asked) -> Asks:
    gone = _patient(arguments.gone, it)
    target = _patient(arguments.survivor, it) if arguments.survivor else await _survivor(store, it, gone)
    plan = await _plan(it, plan_of_move(store, it.policy, gone, target, datetime.now(UTC), force=arguments.force))
    question = f"Was {it.names.patient(gone)} merged into {it.names.patient(target)}? Move the link?"
    return await _shown_and_asked(arguments, store, it, plan, question)


async def _survivor(store: Store, it: Asked, gone: BillingPatientId) -> BillingPatientId:
    """Who was probably meant. Raises Ended where that is nobody, or several."""
    patient = (await looked(store, it, Charts(billing=gone))).patient
    found = await survivors_of(store, it.policy, patient)
    if len(found) != 1:
        likely = ", ".join(map(it.names.patient, found)) or "nobody"
        raise Ended(f"{it.names.patient(gone)}: the likely survivors are {likely}; name the right one", 1)
    return found[0]


def _patient(text: str, it: Asked) -> BillingPatientId:
    charts = typed(text, it)
    if charts.billing is None:
        raise Ended(f"{text}: must be a patient of {it.names.billing.label}")
    return charts.billing


async def _shown_and_asked(arguments: argparse.Namespace, store: Store, it: Asked, plan: LinkPlan, question: str) -> Asks:
    say(*lines(plan, it.shown))
    if arguments.show:
        return []
    if plan.refused is not None:
        raise Ended(plan.refused.text, 1)
    if not confirmed(question, arguments):
        raise Ended(code=2)
    undecided = getattr(arguments, "undecided", False)
    return await as_planned(asking(arguments, store, it), plan, force=arguments.force, undecided=undecided)


async def _plan(it: Asked, planned: Awaitable[LinkPlan]) -> LinkPlan:
    try:
        return await planned
    except NeverSeen as error:
        raise Ended(f"{it.names.one_of(error.charts)} has never been seen in {it.id}", 1) from None


# -- reviewed lists -----------------------------------------------------------------------------------------------------------


async def _reviewed(arguments: argparse.Namespace, store: Store, it: Asked) -> Asks:
    path: Path = arguments.reviewed
    if arguments.charts:
        raise Ended(f"give two charts or --from {path}, not both")
    listed = _read(path, it)
    problems = list(listed.problems)
    plans: list[tuple[LinkPlan, str, bool]] = []
    for one in listed.pairs:
        force = one.force or arguments.force
        try:
            plan = await _plan(it, plan_of_link(store, it.policy, one.ehr, one.billing, datetime.now(UTC), force=force))
        except Ended as error:
            problems.append((one.line, str(error)))
            continue
        if plan.refused is not None:
            problems.append((one.line, plan.refused.text))
            continue
        plans.append((plan, one.reason or arguments.reason, force))
        say(in_one_line(plan, it.shown))
    warn(*(f"{path}:{line}: left out: {why}" for line, why in sorted(problems)))
    writes = sum(len(plan.writes) for plan, _, _ in plans)
    say(f"{len(plans)} pairs to link, {writes} writes would follow; {len(problems)} rows left out")
    if arguments.show or not plans:
        if problems:
            raise Ended(code=1)
        return []
    if not confirmed(f"Link these {len(plans)} pairs?", arguments):
        raise Ended(code=2)
    arguments.left_out = len(problems)
    who = asking(arguments, store, it)
    return [ask for plan, reason, force in plans for ask in await as_planned(replace(who, reason=reason), plan, force=force)]


def _read(path: Path, it: Asked) -> ReviewedList:
    try:
        return read_reviewed(path.read_bytes().decode("utf-8-sig"), it.names)
    except OSError as error:
        raise Ended(f"{path}: cannot be read ({error.strerror})", 1) from None
    except UnicodeDecodeError as error:
        raise Ended(f"{path}: is not UTF-8 (byte {error.start})", 1) from None
    except NotReviewed as error:
        raise Ended(f"{path}:{error.line}: {error}", 1) from None


# -- telling ------------------------------------------------------------------------------------------------------------------


def lines(plan: LinkPlan, shown: Shown) -> Iterator[str]:
    """Both charts field by field, how alike they are, and what would be written where."""
    names = shown.systems
    yield f"{names.chart(plan.ehr)} and {names.patient(plan.billing)}, * where they differ:"
    for one in plan.fields:
        if one.ehr or one.billing:
            yield _field(one, shown)
    yield f"how alike: {how_alike(plan.alike)}"
    if plan.differ:
        yield f"they differ in {', '.join(BY_NAME[name].label.lower() for name in plan.differ)}: two persons?"
    if plan.linked:
        yield "they are linked"
        return
    if plan.observing:
        yield "the practice is only observed: nothing is written before it is live, then this:"
    for write in plan.writes:
        yield f"linking them would ask for: {describe_write(write.write, shown)}"
    if not plan.writes and plan.refused is None:
        yield "linking them would write nothing"


def _field(one: FieldBeside, shown: Shown) -> str:
    names = shown.systems
    here, there = (shown.value(one.name, value) or "-" for value in (one.ehr, one.billing))
    level = f"  {one.level}" if one.level and not one.same else ""
    goes = "".join(
        f"  -> {names.label(system)} becomes {shown.value(one.name, value) or 'empty'}"
        for system, value in one.written.items()
    )
    mark = " " if one.same else "*"
    return f"{mark} {one.label:<18} {names.ehr.label} {here:<30} {names.billing.label} {there}{level}{goes}"


def in_one_line(plan: LinkPlan, shown: Shown) -> str:
    """A pair of a list: who, how alike, in what they differ, and how many writes would follow."""
    differ = [one.label.lower() for one in plan.fields if not one.same]
    return (
        f"{shown.systems.chart(plan.ehr)} {shown.systems.patient(plan.billing)}: {plan.alike.probability:.2%} one person, "
        f"differ in {', '.join(differ) or 'nothing'}; {len(plan.writes)} writes"
    )
