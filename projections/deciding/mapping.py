"""What people ask of the practice's maps, answered: a row is saved, or given back to the configuration."""

from __future__ import annotations

import re

from events.codes import CommandCode
from events.commands import MapGiveBackRequested, MapRequested
from events.maps import NO_RECORD, MapGivenBack, MapKind, MapSaved, map_key
from projections.deciding.replies import NotDone, Reply
from projections.state.directory import Directory
from projections.state.maps import counterpart
from projections.terms.names import Names
from projections.terms.policy import Policy

_CODE = re.compile("[0-9]{2}", re.ASCII)


def save(directory: Directory, body: MapRequested, policy: Policy) -> Reply:
    """The row leads to what was chosen from now on. Raises NotDone."""
    _check_row(directory, body.kind, body.id, policy.names)
    _check_target(directory, body, policy.names)
    now = counterpart(body.kind, body.id, directory, policy)
    if body.was is not None and body.was != now.to:
        raise NotDone(CommandCode.CHANGED, "somebody has changed this row since it was shown; look at it again")
    saved = directory.mapped.get(map_key(body.kind, body.id))
    if saved is not None and saved.row.to == body.to:
        raise NotDone(CommandCode.NOTHING_IN_IT, f"{saved.row.who} has saved just this row already")
    return Reply(follows=(MapSaved(kind=body.kind, id=body.id, to=body.to, who=body.who, reason=body.reason),))


def give_back(directory: Directory, body: MapGiveBackRequested) -> Reply:
    """The row is the configuration's again. Raises NotDone."""
    if map_key(body.kind, body.id) not in directory.mapped:
        raise NotDone(CommandCode.NOTHING_IN_IT, "nobody has saved this row, or it was given back already")
    return Reply(follows=(MapGivenBack(kind=body.kind, id=body.id, who=body.who, reason=body.reason),))


def _check_row(directory: Directory, kind: MapKind, id_: int, names: Names) -> None:
    """The record that is mapped is one of the system's own."""
    match kind:
        case MapKind.PHYSICIAN:
            known, what = id_ == NO_RECORD, "the default physician is one for all: give no id"
        case MapKind.CALENDAR:
            known = any(one.id == id_ for one in directory.providers)
            what = f"{names.billing.label} has no provider {id_}"
        case MapKind.PROVIDER:
            known = any(one.id == id_ for one in directory.physicians)
            what = f"{names.ehr.label} has no physician {id_}"
        case MapKind.LOCATION | MapKind.PLACE:
            known = any(one.id == id_ for one in directory.ehr_locations)
            what = f"{names.ehr.label} has no service location {id_}"
    if not known:
        raise NotDone(CommandCode.NOT_KNOWN, what)


def _check_target(directory: Directory, body: MapRequested, names: Names) -> None:
    """What it is mapped to is one of the other system's own, and in use there."""
    if body.kind is MapKind.PLACE:
        if not _CODE.fullmatch(body.to):
            raise NotDone(CommandCode.NOT_KNOWN, "a place of service is a code of two digits, such as 11")
        return
    if body.kind is MapKind.LOCATION:
        label, what, there = names.billing.label, "service location", directory.billing_locations
        found = {str(one.id): one.active for one in there}
    elif body.kind is MapKind.PROVIDER:
        label, what = names.billing.label, "provider"
        found = {str(one.id): one.active for one in directory.providers}
    else:
        label, what = names.ehr.label, "physician"
        found = {str(one.id): one.active for one in directory.physicians}
    if body.to not in found:
        raise NotDone(CommandCode.NOT_KNOWN, f"{label} has no {what} {body.to}")
    if not found[body.to]:
        raise NotDone(CommandCode.GONE, f"{label}'s {what} {body.to} is not active there")
