"""Elation's REST API 2.0 in memory: what a practice rehearses on, and what the tests judge the daemon by.

It knows nothing of `events`, `projections` or `daemon.vendors`: it is written from the vendor's facts alone, so that
an error of the daemon cannot hide behind the same error here. What the vendor does not document is an `ElationSwitches`.
"""

from daemon.sandbox.elation.calls import Call
from daemon.sandbox.elation.fields import Record, Refusal
from daemon.sandbox.elation.server import ElationSandbox
from daemon.sandbox.elation.switches import ElationSwitches

__all__ = ["Call", "ElationSandbox", "ElationSwitches", "Record", "Refusal"]
