"""A software bill of materials (CycloneDX 1.6, JSON) of the environment that runs this: chartwire and all that is installed for it.

It depends on what is installed and on SOURCE_DATE_EPOCH, and on nothing else.
"""

from __future__ import annotations

import json
import os
import re
import sys
import uuid
from datetime import UTC, datetime
from importlib.metadata import Distribution, distributions
from typing import Any

OURS = "chartwire"
SPACE = uuid.UUID("6f1f6d0e-6f3b-5d5e-9a54-0f2d4c1b7a11")
REQUIREMENT = re.compile(r"[\w.-]+")
SPDX = re.compile(r"[A-Za-z0-9.+-]+(?: (?:AND|OR|WITH) [A-Za-z0-9.+-]+)*")


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def component(one: Distribution, kind: str) -> dict[str, Any]:
    name = canonical(one.metadata["Name"])
    address = f"pkg:pypi/{name}@{one.version}"
    found: dict[str, Any] = {"type": kind, "bom-ref": address, "name": name, "version": one.version, "purl": address}
    if summary := one.metadata.get("Summary"):
        found["description"] = summary
    if licenses := licenses_of(one):
        found["licenses"] = licenses
    return found


def licenses_of(one: Distribution) -> list[dict[str, Any]]:
    """As the distribution declares: an SPDX expression where it gives one, else the names it uses."""
    expression = one.metadata.get("License-Expression")
    if expression and SPDX.fullmatch(expression):
        return [{"expression": expression}]
    named = [
        each.rpartition(" :: ")[2] for each in one.metadata.get_all("Classifier") or [] if each.startswith("License ::")
    ]
    named = named or [text for text in [expression or one.metadata.get("License") or ""] if 0 < len(text) < 100]
    return [{"license": {"name": each}} for each in sorted(set(named))]


def asked_for(one: Distribution, present: set[str]) -> list[str]:
    """The distributions that it names as needed, in an extra or without one, and that are here."""
    names = {canonical(found[0]) for each in one.requires or [] if (found := REQUIREMENT.match(each))}
    return sorted(names & present - {canonical(one.metadata["Name"])})


def bill(here: list[Distribution], seconds: int) -> dict[str, Any]:
    here = sorted(here, key=lambda one: canonical(one.metadata["Name"]))
    refs = {canonical(one.metadata["Name"]): f"pkg:pypi/{canonical(one.metadata['Name'])}@{one.version}" for one in here}
    ours = next(one for one in here if canonical(one.metadata["Name"]) == OURS)
    content = {
        "components": [component(one, "library") for one in here if one is not ours],
        "dependencies": [
            {"ref": refs[canonical(one.metadata["Name"])], "dependsOn": [refs[each] for each in asked_for(one, set(refs))]}
            for one in here
        ],
    }
    serial = uuid.uuid5(SPACE, f"{seconds} {ours.version} {json.dumps(content, sort_keys=True)}")
    made = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {"timestamp": made, "component": component(ours, "application")},
        **content,
    }


if __name__ == "__main__":
    json.dump(bill(list(distributions()), int(os.environ["SOURCE_DATE_EPOCH"])), sys.stdout, indent=1, sort_keys=True)
    sys.stdout.write("\n")
