"""`chartwire balance PRACTICE`: every signed visit note of a day, week or month, where its bill stands, and what does not balance."""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime

import msgspec

from daemon.cli.advice import add_config, advice
from daemon.cli.common import Asked, add_shown, asked, run_async
from daemon.cli.ended import Ended
from daemon.cli.failures import SERVER_AWAY
from daemon.cli.parsers import Commands
from daemon.cli.printing import cell, say, warn
from daemon.operator.balance import Accounts, accounts_of, held_encounters, judged, look_up, quotes
from daemon.operator.waiting import charts_of
from daemon.runtime.surroundings import surroundings
from daemon.tables.look_ups import LookUp
from daemon.vendors.ports.errors import VendorError
from events.calendar import local_day
from events.ids import PatientKey
from events.slots import SlotKind, slot_of
from projections.rules.balancing import BalanceSheet, SignedNote, UnreadBill
from projections.state.patient import Patient
from projections.words.period import NotAPeriod, Period, of_day, parse_period
from projections.words.remedy import remedy
from projections.words.shown import MASK

QUOTED = f"{MASK} (--values --names shows the words of the vendor or the record)"
BALANCED = "nothing signed is unbilled"


def register(commands: Commands) -> None:
    parser = commands.add_parser(
        "balance", help="accounts that balance: every signed visit note, and what of it is not billed"
    )
    parser.add_argument("practice", help="the practice's id")
    when = parser.add_mutually_exclusive_group()
    when.add_argument(
        "--month", metavar="YYYY-MM", help="by day of service in the practice's time zone (default: this month)"
    )
    when.add_argument("--week", metavar="YYYY-Www", help="Monday to Sunday; any day of it will do")
    when.add_argument("--day", metavar="YYYY-MM-DD")
    parser.add_argument(
        "--recorded", action="store_true", help="by our own records alone: no encounter is looked up in the billing system"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object")
    form.add_argument("--csv", action="store_true", help="a line a visit note, for a spreadsheet")
    add_shown(parser)
    add_config(parser)
    parser.set_defaults(handler=balance)


def balance(arguments: argparse.Namespace) -> int:
    """0 when everything balances, 1 when something is listed, 2 for a period that is none, 3 when a server is away."""
    it = asked(arguments)
    if it.practice.mode == "observe":
        warn(f"{it.id} is only observed: no bill is sent; `{advice(f'onboard {it.id}', arguments)}` says what would be")
        return 2
    period = period_of(arguments, local_day(datetime.now(UTC), it.zone))

    async def work() -> int:
        if arguments.recorded:
            async with it.opened() as store:
                found = await accounts_of(store, it.policy, period)
            return _told(found, None, it, arguments)
        try:
            async with surroundings(it.config, it.beside) as around:
                found = await accounts_of(around.store, it.policy, period)
                held = await held_encounters(it.practice, around)
                looked = None if held is None else await look_up(held, around.store, it.practice, found)
        except VendorError as error:
            warn(f"{it.id}: not every encounter could be looked up ({type(error).__name__}); try again, or with --recorded")
            return SERVER_AWAY
        return _told(found, looked, it, arguments)

    return run_async(work())


def period_of(arguments: argparse.Namespace, today: date) -> Period:
    """The period that was typed, else this month. Raises Ended."""
    for kind in ("month", "week", "day"):
        if text := getattr(arguments, kind):
            try:
                return parse_period(kind, text)
            except NotAPeriod as error:
                raise Ended(f"--{kind} {error}") from None
    return of_day("month", today)


def _told(found: Accounts, looked: LookUp | None, it: Asked, arguments: argparse.Namespace) -> int:
    sheet = judged(found.sheet, looked, it.policy)
    if arguments.json:
        told = document(sheet, looked, found.patients, it, arguments) | {"unread": [one.bill for one in found.unread]}
        say(msgspec.json.encode(told).decode())
    elif arguments.csv:
        say(*spreadsheet(sheet, found.patients, it, arguments).rstrip("\n").split("\n"))
        for line in unread_lines(found.unread, it):
            warn(line.strip())
    else:
        say(*lines(sheet, looked, found.patients, it, arguments), *unread_lines(found.unread, it))
    return 1 if sheet.listed else 0


def lines(
    sheet: BalanceSheet,
    looked: LookUp | None,
    patients: Mapping[PatientKey, Patient],
    it: Asked,
    arguments: argparse.Namespace,
) -> Iterator[str]:
    """The equation, what was looked up, and below what does not balance."""
    period = sheet.period
    yield f"{it.id}  {period.kind} {period.text}: {period.first} to {period.last}, {it.practice.time_zone}"
    yield f"  {sheet.signed} signed visit notes = {' + '.join(f'{count} {one.value}' for one, count in sheet.counts.items())}"
    there = it.names.billing.label
    if looked is not None:
        removed = sum("removed" in edits for edits in looked.differs.values())
        yield (
            f"  {looked.encounters} encounters looked up in {there}: {removed} are not there any more, "
            f"{len(looked.differs) - removed} are not as they were sent"
        )
    else:
        yield f"  by our own records; what {there} holds was not looked up"
    if not sheet.listed:
        left = f", but {sheet.of_kept_out} kept out" if sheet.of_kept_out else ""
        yield f"  {BALANCED}{left}" + ("" if looked is None else f", and {there} holds every encounter as it was sent")
        return
    yield f"  {len(sheet.listed)} do not balance:"
    for note in sheet.listed:
        who = charts_of(patients[note.patient], it.names)
        encounter = f", encounter {note.encounter}" if note.encounter else ""
        yield f"  {note.day}  bill {note.bill}  {who}  {note.standing.value}{encounter}  ({note.code})"
        yield f"    {_reason(note, it)}"
        if command := command_of(note, patients[note.patient], it, arguments):
            yield f"    {command}"


def unread_lines(unread: Sequence[UnreadBill], it: Asked) -> Iterator[str]:
    """What no period can count: bills of which only the id is known."""
    if not unread:
        return
    came = "1 bill" if len(unread) == 1 else f"{len(unread)} bills"
    was = (
        "is in no sum above: it came while its patient was"
        if len(unread) == 1
        else "are in no sum above: they came while their patients were"
    )
    yield f"  {came} {was} kept out, so no more than the id was read (not the day, not whether the note is signed):"
    for one in unread:
        yield f"  bill {one.bill}  {it.names.ehr.prefix}:{one.chart}"


def _reason(note: SignedNote, it: Asked) -> str:
    return it.shown.quoting(note.text, QUOTED) if quotes(note) else note.text


def command_of(note: SignedNote, patient: Patient, it: Asked, arguments: argparse.Namespace) -> str:
    """What resolves the item that waits in the bill's place, as `chartwire waiting` says; "" where nothing waits."""
    slot = slot_of(SlotKind.BILL, note.bill)
    if slot not in patient.waiting or patient.waiting[slot].code != note.code:
        return ""
    command = remedy(it.id, patient, slot, note.code, it.names)
    return advice(command.removeprefix("chartwire "), arguments)


def document(
    sheet: BalanceSheet,
    looked: LookUp | None,
    patients: Mapping[PatientKey, Patient],
    it: Asked,
    arguments: argparse.Namespace,
) -> dict[str, object]:
    """As `lines`, for programs; `notes` are all of them."""
    return {
        "practice": it.id,
        "period": sheet.period.text,
        "first": sheet.period.first,
        "last": sheet.period.last,
        "signed": sheet.signed,
        "counts": {one.value: count for one, count in sheet.counts.items()},
        "looked_up": None if looked is None else looked.encounters,
        "balances": not sheet.listed,
        "notes": [_as_json(one, patients[one.patient], it, arguments) for one in sheet.notes],
    }


def _as_json(note: SignedNote, patient: Patient, it: Asked, arguments: argparse.Namespace) -> dict[str, object]:
    return {
        "bill": note.bill,
        "visit_note": note.visit_note,
        "day": note.day,
        "patient": charts_of(patient, it.names),
        "standing": note.standing.value,
        "encounter": note.encounter,
        "balances": not note.code,
        "code": note.code,
        "reason": _reason(note, it),
        "command": command_of(note, patient, it, arguments),
    }


COLUMNS = ("bill", "visit_note", "day", "patient", "standing", "encounter", "balances", "code", "reason", "command")


def spreadsheet(
    sheet: BalanceSheet, patients: Mapping[PatientKey, Patient], it: Asked, arguments: argparse.Namespace
) -> str:
    """CSV with a header, a line a visit note."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for note in sheet.notes:
        row = _as_json(note, patients[note.patient], it, arguments)
        row["balances"] = "no" if note.code else "yes"
        writer.writerow([cell("" if row[name] is None else str(row[name])) for name in COLUMNS])
    return out.getvalue()
