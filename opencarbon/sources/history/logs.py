"""The log that carbontracker writes beside a training, read line by line as the tool's own parser does.

::

    2025-11-18 15:53:54 - carbontracker version 2.4.7
    2025-11-18 15:53:54 - The following components were found: GPU with device(s) NVIDIA A40. CPU with device(s) cpu:0.
    2025-11-18 15:53:54 - Monitoring thread started.
    2025-11-18 15:54:28 - Epoch 1:
    2025-11-18 15:54:28 - Duration: 0:00:33.57
    2025-11-18 15:54:28 - Average power usage (W) for gpu: 212.5
    2025-11-18 15:54:28 - Monitoring thread ended.

Release 1 writes the power of each device, ``[212.5 210.1]``; release 2 takes the mean over samples and devices alike
before it writes one number, which its own energies then count once. Here that number counts for each device.

References
----------
carbontracker 1.2.5 and 2.4.7: ``tracker.py``, ``components/component.py``, ``parser.py``.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping
from typing import Final

from opencarbon.errors import SourceShapeError
from opencarbon.units import SECONDS_PER_HOUR

_STAMP: Final = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:,\d+)? - "
_IS_LOG: Final = re.compile(rf"\s*{_STAMP}")
_IS_OUTPUT: Final = re.compile(rf"\s*{_STAMP}CarbonTracker: ")
_COMPONENTS: Final = re.compile(r"The following components were found:(.*)")
_DEVICES: Final = re.compile(r"(\w+) with device\(s\) (.*?)\.(?=\s+\w+ with device\(s\)|\s*$)")
_EPOCH: Final = re.compile(rf"{_STAMP}Epoch \d+:")
_DURATION: Final = re.compile(r"Duration: (\d+):(\d\d):(\d\d(?:\.\d+)?)")
_POWER: Final = re.compile(r"Average power usage \(W\) for (\w+): (\[[^\]]*\]|\S+)")
_SECONDS_PER_MINUTE: Final = 60.0
_STATES: Final = (
    ("Training was interrupted", "interrupted"),
    ("Session ended by user", "ended by its user"),
    ("Monitoring thread ended.", "completed"),
)
"""Words of the log -> what they say of the run; the first found wins. A log without any was cut, or its run died."""


def is_log(text: str) -> bool:
    """Whether a text is a log of carbontracker, whole or in part.

    Parameters
    ----------
    text : str

    Returns
    -------
    bool
    """
    return _IS_LOG.match(text) is not None and "carbontracker" in text.casefold()


def read_log(text: str, shown: str) -> Mapping[str, object]:
    """Read the run of a log.

    Parameters
    ----------
    text : str
        Content of a file ``..._carbontracker.log``.
    shown : str
        Name of the file, for messages.

    Returns
    -------
    mapping of str to object
        ``Duration``: time of the epochs [s]. ``Average power usage``: energy of all components over them, before any PUE
        [J]; None where an epoch of a component has no power. ``GPU with device(s)``: such as ``4 x NVIDIA A40``.
        ``components``: board for devices alone, server with the processors. ``monitoring``: completed, or why not.

    Raises
    ------
    SourceShapeError
        It is the output log, which states neither power nor the PUE that it multiplies by.
    """
    if _IS_OUTPUT.match(text):
        raise SourceShapeError(
            f"{shown} is carbontracker's output log, whose energies a PUE that it does not name multiplies: "
            "give the file ..._carbontracker.log that stands beside it"
        )
    found = _COMPONENTS.search(text)
    devices = {
        name.lower(): [device.strip() for device in listed.split(",")]
        for name, listed in (_DEVICES.findall(found.group(1).strip()) if found else ())
    }
    epochs = [_epoch(part, devices) for part in _EPOCH.split(text)[1:]]
    joules = [joule for _, joule in epochs if joule is not None]
    counts = Counter(devices.get("gpu", ()))
    return {
        "Duration": sum(seconds for seconds, _ in epochs),
        "Average power usage": sum(joules) if len(joules) == len(epochs) else None,
        "GPU with device(s)": ", ".join(f"{count} x {name}" for name, count in counts.items()),
        "components": "server" if "cpu" in devices else "board",
        "monitoring": next((state for words, state in _STATES if words in text), "cut off"),
    }


def _epoch(text: str, devices: Mapping[str, list[str]]) -> tuple[float, float | None]:
    """Seconds and joules of an epoch; no joules where a component's power is not there."""
    took = _DURATION.search(text)
    if not took:
        return 0.0, None
    hours, minutes, seconds = map(float, took.groups())
    lasted = hours * SECONDS_PER_HOUR + minutes * _SECONDS_PER_MINUTE + seconds
    power = dict(_POWER.findall(text))
    given = (_watts(power.get(name, ""), len(listed)) for name, listed in devices.items())
    watts = [watt for watt in given if watt is not None]
    return lasted, lasted * sum(watts) if watts and len(watts) == len(devices) else None


def _watts(text: str, devices: int) -> float | None:
    """Power of all devices of a component; None where the log does not tell it."""
    try:
        numbers = [float(word) for word in text.strip("[]").split()]
    except ValueError:
        return None
    if not numbers or not all(map(math.isfinite, numbers)):
        return None
    if text.startswith("["):
        return sum(numbers) if len(numbers) == devices else None
    return numbers[0] * devices
