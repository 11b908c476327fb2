"""Rows of training runs in one form, as Epoch AI's table and the catalog state them, not yet judged."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import pyarrow as pa

from opencarbon.catalog.names import squeeze
from opencarbon.catalog.organisations import canonical_organisation
from opencarbon.estimation.fitting.model_facts import model_kind_of, precision_of
from opencarbon.estimation.fitting.provenance import counted_part, counts_cores, flop_basis, hours_scope
from opencarbon.estimation.fitting.run_families import Families
from opencarbon.units import FLOP_PER_TFLOP, SECONDS_PER_HOUR

EPOCH_SOURCE_ID: Final = "epoch-ai-models"

NO_DEVICE: Final = "No device is named."
SEVERAL_DEVICES: Final = "Devices of several kinds ran, so the hours are of none of them."
UNKNOWN_DEVICE: Final = "The device is not in the catalog."
FINE_TUNE: Final = "A fine-tune whose FLOP may include those of its base model."
CORES: Final = "The notes count cores, and the number of devices is that of the cores."
SAME_FLOP: Final = math.log(1.35)
"""Conventions of counting differ by a third: Gopher's 5.04e23 and 6.31e23, 8 N D with recomputation."""

UNREADABLE: Final = "Text stands where a number is needed: "
"""Begins a reason; the names of the columns follow."""


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
    precision: str | None = None
    publication_date: date | None = None
    model_kind: str | None = None
    device_as_given: str | None = None

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
    """Read a row of the catalog's published runs; dates are those of Epoch AI or the model's card."""
    count, wall_hours = row.get("devices"), row.get("wall_hours")
    hours = row["device_hours"] or (count * wall_hours if count and wall_hours else None)
    device, units, reason = _device(row["device"], known)
    generation, peak = known.facts.get(device or "", (None, None))
    return RunRow(
        run=row["run"],
        model=row["model"],
        family=row["family"],
        organisation=canonical_organisation(row.get("organisation")),
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
        precision=precision_of(row.get("precision")),
        publication_date=row.get("publication_date"),
        model_kind=row.get("model_kind"),
        device_as_given=row["device"],
    )


def from_epoch(row: Mapping[str, Any], known: DeviceNames, families: Families) -> RunRow:
    """Read a raw row of Epoch AI's table; `families` are those the catalog gives to its own runs."""
    device, units, reason = _device(row["hardware"], known)
    generation, peak = known.facts.get(device or "", (None, None))
    count, hours = row["hardware_quantity"], row["training_hours"]
    words = {name: row[name] or "" for name in ("compute_notes", "time_notes", "utilisation_notes")}
    device_hours = _positive(row["chip_hours"] or (count * hours if count and hours else None), units)
    scope = hours_scope(words["time_notes"], words["compute_notes"]) if device_hours else None
    flop, basis = _epoch_flop(row, words, scope)
    return RunRow(
        run=f"{EPOCH_SOURCE_ID}/{_slug(row['model'] or '') or 'unnamed'}",
        model=row["model"],
        family=families.family(row["organisation"], row["model"]),
        organisation=canonical_organisation(row["organisation"]),
        device=device,
        generation=generation,
        peak_tflop_per_s=peak,
        devices=_positive(count, units),
        device_hours=device_hours,
        training_flop=flop,
        flop_basis=basis,
        hours_scope=scope,
        source_id=EPOCH_SOURCE_ID,
        reason=reason or _unread(row) or _epoch_reason(row, device or "", "\n".join(words.values())),
        parameters=_positive(row["parameters"]),
        precision=precision_of(row["numerical_format"]),
        publication_date=row["publication_date"],
        model_kind=model_kind_of(row["domain"], row["model"], words["compute_notes"], row["abstract"]),
        device_as_given=row["hardware"],
    )


def _epoch_flop(
    row: Mapping[str, Any], words: Mapping[str, str], scope: str | None
) -> tuple[float | None, str | None]:
    """FLOP and how they are known: of a geometric mean, or beside a report of the same, what was counted."""
    flop = _positive(row["training_flop"])
    if flop is None:
        return None, None
    basis = flop_basis(
        flop,
        words["compute_notes"],
        method=row["estimation_method"] or "",
        more_notes=words["utilisation_notes"] + "\n" + words["time_notes"],
    )
    counted = counted_part(words["compute_notes"])
    # Hours that were reckoned from the reported FLOP belong to no other figure.
    same_work = counted and scope != "throughput" and abs(math.log(counted / flop)) < SAME_FLOP
    if counted and (basis == "geometric_mean" or (basis == "reported" and same_work)):
        return counted, "counted"
    return flop, basis


def _unread(row: Mapping[str, Any]) -> str | None:
    """Which of the columns that hours and FLOP come from holds text."""
    of_hours = (
        () if row["chip_hours"] else ("Training time (hours)", "Hardware quantity", "Training chip-hours")
    )
    unread = (row["unread_columns"] or "").split(";")
    named = [name for name in ("Training compute (FLOP)", *of_hours) if name in unread]
    return f"{UNREADABLE}{', '.join(named)}." if named else None


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


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.casefold()).strip("-")
