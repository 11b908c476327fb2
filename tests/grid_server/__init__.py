"""Real HTTP servers on loopback: Electricity Maps v4, a server of files, and one that plays a list of answers.

``python -m tests.grid_server --help`` starts the first of them to try a night against.
"""

from tests.grid_server.electricity_maps import TOKEN, ElectricityMapsServer
from tests.grid_server.faults import FAULTS, Misbehaviour
from tests.grid_server.loopback import (
    HANG,
    Answer,
    FileServer,
    LoopbackServer,
    Request,
    ScriptedServer,
    json_answer,
)
from tests.grid_server.rows import HOUR

__all__ = [
    "FAULTS",
    "HANG",
    "HOUR",
    "TOKEN",
    "Answer",
    "ElectricityMapsServer",
    "FileServer",
    "LoopbackServer",
    "Misbehaviour",
    "Request",
    "ScriptedServer",
    "json_answer",
]
