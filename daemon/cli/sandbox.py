"""`chartwire sandbox`: both vendors' stand-ins by themselves, to rehearse a configuration against."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from daemon.cli.parsers import Commands
from daemon.cli.printing import say
from daemon.sandbox.clinic import Clinic
from projections.terms.names import NAMES


def register(commands: Commands) -> None:
    parser = commands.add_parser("sandbox", help="run the sandboxes of both systems")
    parser.add_argument(f"--{NAMES.ehr.prefix}-port", dest="ehr_port", metavar="PORT", type=int, default=0)
    parser.add_argument(f"--{NAMES.billing.prefix}-port", dest="billing_port", metavar="PORT", type=int, default=0)
    parser.add_argument("--limits-scale", type=float, default=1.0, help="multiplies the published intervals between calls")
    parser.add_argument("--write-config", type=Path, help="write a configuration for `chartwire run` into this folder")
    parser.add_argument("--dsn", default="postgresql://chartwire@127.0.0.1/chartwire", help="goes into the configuration")
    parser.add_argument("--kafka", default="127.0.0.1:9092", help="goes into the configuration")
    parser.set_defaults(handler=sandbox)


def sandbox(arguments: argparse.Namespace) -> int:
    """Runs until Ctrl-C. People act through `POST /admin/<verb>`; `GET /admin/dump` shows everything."""

    async def work() -> int:
        clinic = Clinic(limits_scale=arguments.limits_scale, seconds=5.0)
        await clinic.ehr.start(port=arguments.ehr_port)
        await clinic.billing.start(port=arguments.billing_port)
        try:
            shown = {
                NAMES.ehr.label: clinic.ehr.url,
                NAMES.billing.label: clinic.billing.url,
                "WSDL": clinic.billing.wsdl_url,
            }
            say(*(f"{name + ':':<8} {url}" for name, url in shown.items()))
            ehr, billing = NAMES.ehr.label, NAMES.billing.label
            for office in clinic.offices:
                say(f"practice {office.id}: {ehr} {office.ehr}, {billing} {office.billing} ({office.name})")
            if arguments.write_config is not None:
                file = clinic.write_config(
                    arguments.write_config,
                    dsn=arguments.dsn,
                    bootstrap_servers=arguments.kafka,
                    listen="127.0.0.1:8440",
                )
                say(f"configuration: {file}", flush=True)
            await asyncio.Event().wait()
        finally:
            await clinic.stop()
        return 0

    return asyncio.run(work())
