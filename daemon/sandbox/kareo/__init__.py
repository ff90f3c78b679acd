"""A stand-in for the Kareo 2.1 SOAP service: `KareoSandbox`, with `KareoSwitches` for what nobody documents."""

from daemon.sandbox.kareo.server import KareoCall, KareoSandbox
from daemon.sandbox.kareo.switches import KareoSwitches

__all__ = ["KareoCall", "KareoSandbox", "KareoSwitches"]
