"""One attempt to carry out a write, and what to do after it failed. Pure: the sink acts on it.

Throttled                     pause, as long as the vendor asks; shown once it has asked a few times in a row
Unauthorized                  pause; shown as credentials to correct, or as the practice's name
Unreachable                   pause; shown as unreachable
Troubled                      pause, then look, then again: for hours, shown meanwhile; after that refused
OutcomeUnknown, Malformed     look whether it was done; where nothing can have been done, pause: the answers are unusable
ChangedMeanwhile              superseded: it is decided again
Refused (all), NotAsWritten   refused: a person decides
NotForAccount                 stopped: nothing like it is created in the practice before a person says so
anything else                 look whether it was done, then again; the third time refused: a defect of ours, a person reports it
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from daemon.vendors.ports.errors import (
    ChangedMeanwhile,
    Malformed,
    NotAsWritten,
    NotForAccount,
    OutcomeUnknown,
    PracticeHidden,
    Refused,
    Throttled,
    Troubled,
    Unauthorized,
    Unreachable,
)
from events.codes import WaitCode
from events.ids import Charts, PatientKey, charts_of
from events.insurance import EhrPoliciesObserved
from events.schema import BillingChartObserved, BillObserved, EhrChartObserved, IntentRefused, IntentSuperseded
from events.writes import changes_nothing
from projections.state.open_intents import OpenIntent

VISIBLE_AFTER = 3
"""Failures in a row after which people are told."""

DEFECT_AFTER = 3
"""Attempts after which an error that nobody thought of is a defect: out of memory, or a library's, it may pass."""
TROUBLED_TRIES = 80
"""About five hours with the usual pauses (`Backoff`: up to five minutes)."""


@dataclass(frozen=True)
class Attempt:
    """The try with this `number` to carry out the open intent of `slot`, of the patient of this key."""

    slot: str
    job: OpenIntent
    number: int
    key: PatientKey

    @property
    def charts(self) -> Charts:
        """The chart that the patient's key names."""
        return charts_of(self.key)


@dataclass(frozen=True)
class Trouble:
    """What is wrong with a system as a whole; `text` goes on after the system's name."""

    code: WaitCode
    text: str


THROTTLED = Trouble(WaitCode.THROTTLED, "asks for patience again and again; writes wait until it takes them")
CREDENTIALS = Trouble(WaitCode.CREDENTIALS, "does not accept the credentials; correct them")
HIDDEN = Trouble(
    WaitCode.CREDENTIALS, "shows its user no practice of exactly the configured name; correct the name, or the user's rights"
)
UNREACHABLE = Trouble(WaitCode.UNREACHABLE, "cannot be reached; writes wait until it can")
TROUBLED = Trouble(
    WaitCode.TROUBLED, "has trouble of its own with some writes; each is tried again for hours, then waits for a person"
)
UNUSABLE = Trouble(WaitCode.UNUSABLE, "gives answers that cannot be used; writes wait until it gives others")

UNREADABLE = Trouble(
    WaitCode.UNUSABLE,
    "answers about some records in a form that cannot be used; look at them there and save them. Each write is tried again "
    "by itself until its record can be read",
)


@dataclass(frozen=True)
class Pause:
    """Nothing was done: the same attempt goes on after a pause, of at least `seconds` where the vendor named them.

    `look`: that is likely and not certain, so look first.
    """

    trouble: Trouble | None
    seconds: float | None = None
    look: bool = False


@dataclass(frozen=True)
class Look:
    """It may have been done: look before repeating."""


@dataclass(frozen=True)
class Refuse:
    """It was not done and will not be: a person decides. `answered` says that the system works all the same."""

    body: IntentRefused
    answered: bool = True


@dataclass(frozen=True)
class Stopped:
    """It was not done, nor would be any other: creations wait in a hold, and this one with them, decided again."""

    body: IntentSuperseded


@dataclass(frozen=True)
class Superseded:
    """Somebody was faster: the record as it is now is recorded, then it is decided again."""

    body: IntentSuperseded
    seen: BillObserved | EhrChartObserved | EhrPoliciesObserved | BillingChartObserved
    modified: datetime | None
    read_at: datetime


def after(error: Exception, attempt: Attempt, failures: int, label: str) -> Pause | Look | Refuse | Superseded | Stopped:
    """What follows from the error of a call, the `failures`-th of its kind in a row. `label` is what people call the system."""
    match error:
        case OutcomeUnknown() | Malformed() if not changes_nothing(attempt.job.write):
            return Look()
        case ChangedMeanwhile():
            reason = "the record was changed meanwhile"
            body = IntentSuperseded(intent=attempt.job.intent, slot=attempt.slot, reason=reason)
            return Superseded(body, error.seen, error.modified, error.read_at)
        case NotAsWritten():
            fields = ", ".join(error.fields).replace("_", " ")
            return Refuse(_refusal(attempt, "not-kept", f"{label} took the write but shows another value in: {fields}"))
        case NotForAccount():
            reason = f"{label} creates none with this account as it is set up"
            return Stopped(IntentSuperseded(intent=attempt.job.intent, slot=attempt.slot, reason=reason))
        case Refused() | Throttled() | Unauthorized() | Unreachable() | Troubled():
            return after_lookup(error, attempt, failures)
    if attempt.number < DEFECT_AFTER and not changes_nothing(attempt.job.write):
        return Look()
    return after_lookup(error, attempt, max(failures, attempt.number))


def trouble_of(error: Exception, failures: int) -> Trouble | None:
    """What an error says about the system as a whole, the `failures`-th in a row; None for an answer like any other."""
    match error:
        case Throttled():
            return THROTTLED if failures >= VISIBLE_AFTER else None
        case PracticeHidden():
            return HIDDEN
        case Unauthorized():
            return CREDENTIALS
        case Unreachable():
            return UNREACHABLE
        case OutcomeUnknown() | Malformed():
            return UNUSABLE
    return None


def after_lookup(error: Exception, attempt: Attempt, failures: int) -> Pause | Refuse:
    """What follows from the error of a look-up, or of any call that changes nothing."""
    match error:
        case Throttled():
            return Pause(trouble_of(error, failures), error.retry_after)
        case Troubled() if failures <= TROUBLED_TRIES:
            return Pause(TROUBLED, look=not changes_nothing(attempt.job.write))
        case Troubled():
            text = "it had trouble of its own again and again, for hours; try again later, or ask its support"
            return Refuse(_refusal(attempt, TROUBLED.code.value, text, error.vendor_text))
        case Unauthorized() | Unreachable() | OutcomeUnknown() | Malformed():
            return Pause(trouble_of(error, failures))
        case Refused():
            said = [" ".join(part for part in problem if part) for problem in error.problems]
            text = "; ".join(said) or error.vendor_text[:200] or f"HTTP {error.status or ''}".strip()
            return Refuse(_refusal(attempt, type(error).__name__.casefold(), text, error.vendor_text))
    if failures < DEFECT_AFTER:
        return Pause(None)
    text = f"chartwire could not carry this out ({type(error).__name__}); report it"
    return Refuse(_refusal(attempt, "defect", text), answered=False)


def _refusal(attempt: Attempt, code: str, text: str, vendor_text: str = "") -> IntentRefused:
    """The refusal as an event: words for people, the vendor's own kept beside them (encrypted like every body)."""
    return IntentRefused(
        intent=attempt.job.intent, slot=attempt.slot, attempt=attempt.number, code=code, text=text, raw=vendor_text
    )
