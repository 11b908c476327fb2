"""A server that behaves like Electricity Maps, or misbehaves as told, to try nights against.

python -m tests.grid_server --port 8089 --fault throttle:3 --fault slow,endpoint=forecast
"""

import argparse
import math
import sys
import threading
from datetime import datetime
from typing import NamedTuple

from opencarbon.catalog import load_catalog
from tests.grid_server.electricity_maps import ENDPOINTS, TOKEN, ElectricityMapsServer
from tests.grid_server.faults import FAULTS, Misbehaviour
from tests.grid_server.loopback import Answer, Request

PLANS = {
    "free": [f"carbon-intensity/{name}" for name in ("latest", "history")],
    "forecast": [f"carbon-intensity/{name}" for name in ("latest", "history", "forecast")],
    "full": ["*"],
}
"""What plans cover, by the names that this command gives them."""

_ALIASES = {"429": "throttle", "503": "busy", "500": "server_error", "401": "throttle_401", "404": "no_data"}
_OPTIONS = ("zone", "endpoint", "retry_after")


def main(arguments: list[str] | None = None) -> int:
    """Serve until interrupted."""
    asked = _parser().parse_args(arguments)
    zones = asked.zones or sorted(set(load_catalog().zones["zone"].to_pylist()))
    with _Talkative(
        _curve, zones=zones, now_utc=None, token=TOKEN, access=PLANS[asked.plan], port=asked.port
    ) as server:
        for fault in asked.fault:
            server.misbehave(
                *(fault.zone, fault.how),
                endpoint=fault.endpoint,
                times=fault.times,
                retry_after=fault.retry_after,
                afterwards=True,
            )
        server.estimate_factor, server.revised_after = 1.1, asked.revised_after
        print(f"{len(zones)} zones, plan {asked.plan!r}. In the shell of the night:\n")
        print(f"export OPENCARBON_ELECTRICITY_MAPS__BASE_URL={server.base_url}")
        print(f"export OPENCARBON_ELECTRICITY_MAPS__TOKEN={TOKEN}\n\nInterrupt to stop.", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print(f"{len(server.requests)} requests answered")
    return 0


class _Talkative(ElectricityMapsServer):
    """A server that prints what it is asked."""

    def answer(self, request: Request) -> Answer:
        """As the API would; with a line for the request."""
        answer = super().answer(request)
        what = request.path.rpartition("/")[2]
        print(f"{answer.status or 'hangs'} {what} {request.query.get('zone', '')}", flush=True)
        return answer


def _curve(zone: str, hour_start_utc: datetime) -> float:
    """Made-up carbon intensity [gCO2e/kWh] that is lowest at one in the night."""
    mean = 50.0 + sum(zone.encode()) % 450
    return mean * (1 - 0.4 * math.cos((hour_start_utc.hour - 1) * math.tau / 24))


class _Told(NamedTuple):
    """A misbehaviour as told on the command line."""

    zone: str
    how: Misbehaviour
    endpoint: str
    times: int | None
    retry_after: str | None


def _fault(given: str) -> _Told:
    """Read ``NAME[:TIMES][,zone=Z][,endpoint=E][,retry_after=S]``."""
    head, *more = given.split(",")
    name, _, times = head.partition(":")
    how = next((known for known in FAULTS if known == _ALIASES.get(name, name)), None)
    options = dict(part.split("=", 1) for part in more if "=" in part)
    endpoint = options.get("endpoint", "*")
    if how is None or len(options) != len(more) or set(options) - set(_OPTIONS):
        raise ValueError(given)
    if endpoint not in (*ENDPOINTS, "zones", "*"):
        raise ValueError(given)
    count = int(times) if times else None
    return _Told(options.get("zone", "*"), how, endpoint, count, options.get("retry_after"))


def _parser() -> argparse.ArgumentParser:
    listed = "\n".join(f"  {name:16}{what}" for name, what in FAULTS.items())
    parser = argparse.ArgumentParser(
        prog="python -m tests.grid_server",
        description=(__doc__ or "").split("\n", maxsplit=1)[0],
        epilog=f"faults, NAME[:TIMES][,zone=Z][,endpoint=E][,retry_after=S]:\n{listed}\n"
        f"and for short {', '.join(f'{short} = {name}' for short, name in _ALIASES.items())}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, default=8089, help="on 127.0.0.1; 0 is any that is free")
    parser.add_argument("--plan", choices=sorted(PLANS), default="full", help="what the token may ask for")
    parser.add_argument("--zones", nargs="+", metavar="ZONE", help="default: those of the catalog")
    parser.add_argument(
        "--fault",
        type=_fault,
        action="append",
        default=[],
        metavar="FAULT",
        help="may be given again; see below",
    )
    parser.add_argument(
        "--revised-after",
        type=int,
        metavar="N",
        help="an estimated hour changes, and is no longer estimated, once it was given N times",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
