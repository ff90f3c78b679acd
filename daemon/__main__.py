"""`chartwire`: the command line. Each command lives in `daemon/cli/`, one file each. `projections/entrance.py` is what is installed."""

from __future__ import annotations

import argparse
import gc
import os
import sys

from daemon.cli.advice import pasteable
from daemon.cli.commands import parser_of
from daemon.cli.ended import Ended
from daemon.cli.printing import warn

COMPLETING = "_ARGCOMPLETE"
"""Set while a shell asks what could come next (`pip install chartwire[completion]`)."""


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns its exit code (0 done, 1 found something wrong, 2 used wrongly, 3 a server is away)."""
    if COMPLETING in os.environ:
        from daemon.cli.completing import complete, typed

        return complete(parser_of(typed()))
    arguments = _read(argv)
    try:
        return int(arguments.handler(arguments))
    except Ended as ended:
        if text := str(ended):
            warn(pasteable(text, arguments))
        return ended.code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever read the output has seen enough
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - nothing is left to say, not even at the interpreter's end
        return 0
    except Exception as error:
        from daemon.cli.failures import TRACEBACK, failure

        if os.environ.get(TRACEBACK):
            raise
        failed = failure(error, arguments)
        warn(failed.text)
        return failed.code


def _read(argv: list[str] | None) -> argparse.Namespace:
    """What was typed. What a process loads for it stays to its end: garbage is looked for neither meanwhile nor later among it, which
    would take a tenth of a short command's time."""
    if argv is not None:
        return parser_of(argv).parse_args(argv)
    gc.disable()
    arguments = parser_of(sys.argv[1:]).parse_args()
    gc.freeze()
    gc.enable()
    return arguments


if __name__ == "__main__":
    sys.exit(main())
