"""What the sandbox notes of each request, for tests and rehearsals to look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass
class Call:
    """One request to the API. `path` is the template below the base (`/patients/{id}/`), or "" if there is no such path.

    `status` is None where no whole answer was sent; `body` is the JSON sent, never that of a token request; `fault` the
    kind of the planned failure that was used; `slash` whether the path came with its trailing slash; `port` the one it came to.
    """

    time: datetime
    application: str | None
    method: str
    path: str
    query: dict[str, str]
    body: object = None
    status: int | None = None
    fault: str | None = None
    slash: bool = True
    ids: Mapping[str, int] | None = None
    port: int = 0
