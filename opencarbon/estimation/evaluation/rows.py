"""Training runs as arrays: what a method may be told of a run, and what it took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from opencarbon.estimation.fitting.paper_fits import device_group
from opencarbon.physics.throughput import FLOP_PER_TFLOP_HOUR

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

LEAST_PARAMETERS: Final = 1e9
"""Parameters from which a decoder language model is large."""
DECODER: Final = "decoder_language_model"
_BILLED: Final = "billed"


@dataclass(frozen=True, slots=True)
class Work:
    """What is known of runs before they start, each array of shape (runs,): all that a prediction is made from.

    Parameters
    ----------
    device, generation, device_group : ndarray of int
        Codes of names: equal where the names are.
    device_name : ndarray of object
        Canonical names.
    peak_tflop_per_s, memory_gb : ndarray
        Of the device [TFLOP/s], [GB]; memory is NaN where it is not known.
    training_flop : ndarray
        [FLOP].
    device_count : ndarray
        Devices at work together; NaN where not known.
    parameters : ndarray
        Parameters that work on one token; NaN where not known.
    """

    device: Integers
    generation: Integers
    device_group: Integers
    device_name: npt.NDArray[np.object_]
    peak_tflop_per_s: Floats
    memory_gb: Floats
    training_flop: Floats
    device_count: Floats
    parameters: Floats

    def __len__(self) -> int:
        """Number of runs."""
        return len(self.device)

    def take(self, index: Integers | Flags) -> Work:
        """Some of the runs.

        Parameters
        ----------
        index : ndarray of int or bool

        Returns
        -------
        Work
        """
        return Work(*(getattr(self, field.name)[index] for field in fields(self)))

    def ln_ideal_hours(self) -> Floats:
        """Logarithm of the device-hours at the dense peak.

        Returns
        -------
        ndarray of shape (runs,)
            ln of [h].
        """
        return np.asarray(np.log(self.training_flop / (self.peak_tflop_per_s * FLOP_PER_TFLOP_HOUR)))


@dataclass(frozen=True, slots=True)
class Rows:
    """Runs with what they took, each array of shape (runs,).

    Parameters
    ----------
    table : pa.Table
        ``training_runs``, the used rows on known devices, sorted by run.
    index : ndarray of int
        Where in ``table`` each run stands.
    family, organisation : ndarray of int
        Codes of names; a run without organisation stands in one of its own family alone.
    work : Work
    device_hours : ndarray
        What the runs took [h].
    is_scored : ndarray of bool
        Whether the hours are those billed: only such runs are scored.
    is_decoder_1b : ndarray of bool
        Whether the model is a decoder language model of at least :data:`LEAST_PARAMETERS`.
    """

    table: pa.Table
    index: Integers
    family: Integers
    organisation: Integers
    work: Work
    device_hours: Floats
    is_scored: Flags
    is_decoder_1b: Flags

    def __len__(self) -> int:
        """Number of runs."""
        return len(self.index)

    def take(self, index: Integers | Flags) -> Rows:
        """Some of the runs; the table stays whole, and is not looked at.

        Parameters
        ----------
        index : ndarray of int or bool

        Returns
        -------
        Rows
        """
        named = ("index", "family", "organisation", "device_hours", "is_scored", "is_decoder_1b")
        return replace(
            self, work=self.work.take(index), **{name: getattr(self, name)[index] for name in named}
        )

    def runs(self) -> pa.Table:
        """The runs as a table.

        Returns
        -------
        pa.Table
            ``training_runs``.
        """
        return self.table.take(self.index)

    def ln_utilisation(self) -> Floats:
        """Logarithm of mean throughput over dense peak.

        Returns
        -------
        ndarray of shape (runs,)
        """
        return np.asarray(self.work.ln_ideal_hours() - np.log(self.device_hours))


def evaluation_rows(runs: pa.Table, devices: pa.Table) -> Rows:
    """Read the runs that may be used into arrays.

    Parameters
    ----------
    runs : pa.Table
        ``training_runs``; rows that are not used, or whose device is not in `devices`, are left out.
    devices : pa.Table
        ``dim_device``.

    Returns
    -------
    Rows
        Sorted by run, whatever the order of the rows given.
    """
    facts = {row["device"]: row for row in devices.to_pylist()}
    keep = [
        bool(used) and device in facts
        for used, device in zip(runs["used"].to_pylist(), runs["device"].to_pylist(), strict=True)
    ]
    table = runs.filter(pa.array(keep, pa.bool_())).sort_by("run")
    rows: list[dict[str, Any]] = table.to_pylist()
    named = [facts[row["device"]] for row in rows]
    device_name = np.array([row["device"] for row in rows], dtype=object)
    families = [family_of(row) for row in rows]
    parameters = _numbers([row["parameters"] for row in rows])
    decoder = np.array([row["model_kind"] == DECODER for row in rows], dtype=np.bool_)
    return Rows(
        table=table,
        index=np.arange(len(rows)),
        family=_codes(families),
        organisation=_codes([row["organisation"] or f"\0{family_of(row)}" for row in rows]),
        work=Work(
            device=_codes([row["device"] for row in rows]),
            generation=_codes([row["generation"] or row["device"] for row in named]),
            device_group=_codes([device_group(row["device"]) for row in rows]),
            device_name=device_name,
            peak_tflop_per_s=_numbers([row["peak_dense_tflop_per_s"] for row in named]),
            memory_gb=_numbers([row["memory_gb"] for row in named]),
            training_flop=_numbers([row["training_flop"] for row in rows]),
            device_count=_numbers([row["devices"] for row in rows]),
            parameters=_numbers([row["active_parameters"] or row["parameters"] for row in rows]),
        ),
        device_hours=_numbers([row["device_hours"] for row in rows]),
        is_scored=np.array([row["hours_scope"] == _BILLED for row in rows], dtype=np.bool_),
        is_decoder_1b=decoder & (np.nan_to_num(parameters) >= LEAST_PARAMETERS),
    )


def family_of(row: dict[str, Any]) -> str:
    """Family of a run, as the fits tell them apart.

    Parameters
    ----------
    row : dict
        A row of ``training_runs``.

    Returns
    -------
    str
    """
    return str(row["family"] or row["model"] or row["run"])


def _numbers(values: Sequence[float | None]) -> Floats:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _codes(names: Sequence[str]) -> Integers:
    """A number for each name, in alphabetical order."""
    number = {name: at for at, name in enumerate(sorted(set(names)))}
    return np.array([number[name] for name in names], dtype=np.int64)
