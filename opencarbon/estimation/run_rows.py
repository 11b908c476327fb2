"""Rows of training runs in one form, as Epoch AI's table and the catalog state them, not yet judged."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import pyarrow as pa

from opencarbon.catalog.names import squeeze
from opencarbon.estimation.provenance import counts_cores, flop_basis, hours_scope
from opencarbon.units import FLOP_PER_TFLOP, SECONDS_PER_HOUR

EPOCH_SOURCE_ID: Final = "epoch-ai-models"

NO_DEVICE: Final = "No device is named."
SEVERAL_DEVICES: Final = "Devices of several kinds ran, so the hours are of none of them."
UNKNOWN_DEVICE: Final = "The device is not in the catalog."
FINE_TUNE: Final = "A fine-tune whose FLOP may include those of its base model."
CORES: Final = "The notes count cores, and the number of devices is that of the cores."

_TEXT_OF_FAMILY: Final = re.compile(r"([A-Za-z]{2,})[\d.]*")


@dataclass(frozen=True, slots=True)
class RunRow:
    """A row of either source before it is judged."""

    run: str
    model: str | None
    family: str | None
    organisation: str | None
    device: str | None
    generation: str | None
    peak_tflop_per_s: float | None
    devices: float | None
    device_hours: float | None
    training_flop: float | None
    flop_basis: str | None
    hours_scope: str | None
    source_id: str
    reason: str | None
    parameters: float | None = None
    active_parameters: float | None = None

    def utilisation(self) -> float:
        """Mean throughput over dense peak; NaN where anything is missing."""
        if self.device_hours and self.training_flop and self.peak_tflop_per_s:
            seconds = self.device_hours * SECONDS_PER_HOUR
            return self.training_flop / FLOP_PER_TFLOP / seconds / self.peak_tflop_per_s
        return math.nan


@dataclass(frozen=True, slots=True)
class DeviceNames:
    """What the catalog knows of devices: spellings; by canonical name, the generation and the dense peak."""

    units: Mapping[str, tuple[str, float]]
    facts: Mapping[str, tuple[str | None, float | None]]

    @classmethod
    def of(cls, devices: pa.Table, units: Mapping[str, tuple[str, float]]) -> "DeviceNames":
        """Take the facts from a table of devices."""
        columns = ["device", "generation", "peak_dense_tflop_per_s"]
        rows = devices.select(columns).to_pylist()
        return cls(units, {str(row[columns[0]]): (row[columns[1]], row[columns[2]]) for row in rows})


def epoch_order(row: Mapping[str, Any]) -> tuple[str, str, str]:
    """Order that does not depend on that of the file."""
    day = row["publication_date"] or date.max
    return (squeeze(row["model"] or ""), day.isoformat(), repr(sorted(row.items())))


def from_catalog(row: Mapping[str, Any], known: DeviceNames) -> RunRow:
    """Read a row of the catalog's published runs."""
    count, wall_hours = row.get("devices"), row.get("wall_hours")
    hours = row["device_hours"] or (count * wall_hours if count and wall_hours else None)
    device, units, reason = _device(row["device"], known)
    generation, peak = known.facts.get(device or "", (None, None))
    return RunRow(
        run=row["run"],
        model=row["model"],
        family=row["family"],
        organisation=row.get("organisation"),
        device=device,
        generation=generation,
        peak_tflop_per_s=peak,
        devices=_positive(count, units),
        device_hours=_positive(hours, units),
        training_flop=_positive(row["training_flop"]),
        flop_basis=row["flop_basis"],
        hours_scope=row["hours_scope"],
        source_id=row["source_id"],
        reason=reason,
        parameters=_positive(row.get("parameters")),
        active_parameters=_positive(row.get("active_parameters")),
    )


def from_epoch(row: Mapping[str, Any], known: DeviceNames, families: Mapping[str, str | None]) -> RunRow:
    """Read a raw row of Epoch AI's table; `families` are those the catalog gives to its own runs."""
    device, units, reason = _device(row["hardware"], known)
    generation, peak = known.facts.get(device or "", (None, None))
    count, hours = row["hardware_quantity"], row["training_hours"]
    flop = _positive(row["training_flop"])
    words = {name: row[name] or "" for name in ("compute_notes", "time_notes", "utilisation_notes")}
    key = family_key(row["organisation"], row["model"])
    return RunRow(
        run=f"{EPOCH_SOURCE_ID}/{_slug(row['model'] or '') or 'unnamed'}",
        model=row["model"],
        family=families.get(key) or _family(row["organisation"], row["model"]),
        organisation=row["organisation"],
        device=device,
        generation=generation,
        peak_tflop_per_s=peak,
        devices=_positive(count, units),
        device_hours=_positive(row["chip_hours"] or (count * hours if count and hours else None), units),
        training_flop=flop,
        flop_basis=None
        if flop is None
        else flop_basis(
            flop,
            words["compute_notes"],
            method=row["estimation_method"] or "",
            more_notes=words["utilisation_notes"] + "\n" + words["time_notes"],
        ),
        hours_scope=hours_scope(words["time_notes"], words["compute_notes"]),
        source_id=EPOCH_SOURCE_ID,
        reason=reason or _epoch_reason(row, device or "", "\n".join(words.values())),
        parameters=_positive(row["parameters"]),
    )


def _device(text: str | None, known: DeviceNames) -> tuple[str | None, float, str | None]:
    """Canonical device, devices per unit, and what is wrong with the text."""
    if not text:
        return None, 1.0, NO_DEVICE
    # A name may hold a comma itself, so the whole is tried before its parts.
    found = [known.units.get(squeeze(name)) for name in (text, *text.split(","))]
    if found[0] is not None:
        return (*found[0], None)
    return None, 1.0, SEVERAL_DEVICES if len(found) > 2 else UNKNOWN_DEVICE


def _epoch_reason(row: Mapping[str, Any], device: str, notes: str) -> str | None:
    total, own = row["training_flop"], row["finetune_flop"]
    if row["base_model"] and not (total and own and abs(own / total - 1.0) < 0.01):
        return FINE_TUNE
    if "TPU" in device and row["hardware_quantity"] and counts_cores(row["hardware_quantity"], notes):
        return CORES
    return None


def _positive(value: float | None, units: float = 1.0) -> float | None:
    return value * units if value is not None and math.isfinite(value) and value > 0.0 else None


def family_key(organisation: str | None, model: str | None) -> str:
    """Spelling under which families of both sources meet."""
    return squeeze(_family(organisation, model) or "")


def _family(organisation: str | None, model: str | None) -> str | None:
    """Organisation and first word of the model: "Meta AI Llama" for "Llama 2-70B"."""
    if not model:
        return None
    first = re.split(r"[\s\-_(:/]", model.strip(), maxsplit=1)[0] or model
    word = _TEXT_OF_FAMILY.fullmatch(first)
    owner = (organisation or "").split(",")[0].strip()
    return f"{owner} {word.group(1) if word else first}".strip()


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.casefold()).strip("-")
