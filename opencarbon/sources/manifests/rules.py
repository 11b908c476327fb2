"""Every rule that a row of a manifest must keep, and the bounds of its numbers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from opencarbon.sources.manifests.arrow import BoolArray, FloatArray, IntArray

LONGEST_TEXT: Final = 1_000
"""Most characters of a text."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that a row may break.

    Parameters
    ----------
    reason : str
        What is wrong, with ``{column}``, ``{value}`` and the words that the check supplies.
    remedy : str
        What to do, with the same words.
    """

    reason: str
    remedy: str


RULES: Final[dict[str, Rule]] = {
    "unreadable_row": Rule(
        "{problem}", "write the row anew: as many fields as the header has, or one JSON object, in UTF-8"
    ),
    "missing": Rule("{column} is missing", "give every job its {column}"),
    "wrong_type": Rule("{column} {value} is not read as {wanted}", "write {column} as {wanted}"),
    "not_utf8": Rule("{column} holds bytes that are not UTF-8", "write text as UTF-8"),
    "not_whole": Rule("{column} {value} is not a whole number", "give a whole number"),
    "not_finite": Rule("{column} is {value}", "give a finite number, or leave an optional {column} null"),
    "naive_timestamp": Rule(
        "{column} {value} has no offset from UTC",
        "append Z or an offset such as +01:00, or set manifest.naive_timestamps to UTC",
    ),
    "time_out_of_range": Rule(
        "{column} {value} is not between 1970 and 2200", "check the unit of the timestamps of the file"
    ),
    "out_of_range": Rule(
        "{column} {value} is not {bounds}{given_as}", "give {column} {bounds}; check its unit"
    ),
    "too_long": Rule(f"{{column}} has more than {LONGEST_TEXT:,} characters", "shorten it"),
    "control_characters": Rule(
        "{column} holds control characters such as line breaks or tabs", "remove the control characters"
    ),
    "duplicate_job_id": Rule(
        "job_id {value} stands already in {first_manifest}, row {first_row}",
        "give every job its own job_id; the first row is kept",
    ),
    "unknown_device": Rule(
        "device {value} is not in the catalog{hint}",
        "use a name or an alias of the catalog, or add the device in a file that the setting devices names",
    ),
    "no_work": Rule(
        "nothing says how much work the job is",
        "give device_hours, wall_hours, training_flop, parameters with training_tokens, or "
        "forward_flop_per_sample with samples",
    ),
    "incomplete_work": Rule(
        "{other} is given without {column}", "give {column} too, or another measure of work"
    ),
    "work_out_of_range": Rule(
        "{column} with {other} comes to {work:.3g} FLOP, which is not {bounds}",
        "check the units: parameters, tokens and samples are counts, not millions",
    ),
    "active_above_all": Rule(
        "active_parameters {value} is above parameters {total:.15g}",
        "give the parameters that work on one token, or leave active_parameters null for a dense model",
    ),
    "unknown_state": Rule(
        "state {value} is neither queued nor running", "use queued or running; null is queued"
    ),
    "finish_before_start": Rule(
        "finish_by_utc {value} is not after earliest_start_utc", "correct one of the two, or leave one null"
    ),
    "malformed_region": Rule(
        "{column} {item} is not of the form provider:region{hint}",
        "write it as aws:eu-central-1{forms}",
    ),
    "unknown_region": Rule(
        "{column} {item} is not in the catalog{hint}",
        "use a region of the catalog, or add it in a file that the setting regions names",
    ),
    "null_item": Rule("{column} holds a null in its list", "remove the null, or make the whole list null"),
    "incomplete_interval": Rule(
        "{other} is given without {column}", "give both log10_alpha_low and log10_alpha_high, or neither"
    ),
    "interval_upside_down": Rule(
        "log10_alpha_high {value} is below log10_alpha_low", "exchange log10_alpha_low and log10_alpha_high"
    ),
}
"""Code of a rule -> what is said where a row breaks it."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where a number may lie.

    Parameters
    ----------
    least, most : float
        Limits; ``most`` is included.
    excludes_least : bool
        Whether ``least`` itself is out.
    """

    least: float
    most: float
    excludes_least: bool = False

    def broken(self, values: FloatArray) -> BoolArray:
        """Finite values that lie outside.

        Parameters
        ----------
        values : ndarray of float64
            NaN and infinities count as inside.

        Returns
        -------
        ndarray of bool
        """
        below = values <= self.least if self.excludes_least else values < self.least
        return np.isfinite(values) & (below | (values > self.most))

    def __str__(self) -> str:
        """Say the bounds in words."""
        return f"{'above' if self.excludes_least else 'at least'} {self.least:g} and at most {self.most:g}"


TRAINING_FLOP_BOUNDS: Final = Bounds(1e6, 1e32)
"""The largest known training run is near 5e26 FLOP (Epoch AI, 2025); below 1e6 FLOP nothing is trained."""

BOUNDS: Final[dict[str, Bounds]] = {
    "device_count": Bounds(1e-6, 1e9),
    "device_hours": Bounds(1e-9, 1e12),
    "wall_hours": Bounds(1e-9, 1e6),
    "training_flop": TRAINING_FLOP_BOUNDS,
    "parameters": Bounds(1, 1e18),
    "training_tokens": Bounds(1, 1e20),
    "active_parameters": Bounds(1, 1e18),
    "forward_flop_per_sample": Bounds(1, 1e26),
    "samples": Bounds(1, 1e20),
    "repeats": Bounds(1, 1e9),
    "power_w": Bounds(0, 1e5, excludes_least=True),
    "carbon_intensity_gco2e_per_kwh": Bounds(0, 2000),
    "utilisation": Bounds(1e-6, 1),
    "log10_alpha_low": Bounds(-12, 400),
    "log10_alpha_high": Bounds(-12, 400),
    "dataset_gb": Bounds(0, 1e12),
    "carbon_budget_kgco2e": Bounds(0, 1e15, excludes_least=True),
}
"""Bounds of what a job may hold: far outside anything real, inside what the arithmetic carries without overflow.

Counts and powers are those of the canonical device. ``wall_hours`` ends at 114 years. The throughput model is
verified for log10 alpha from -12 to 400.
"""

Words = Mapping[str, str | float]


def _no_words(row: int) -> Words:
    del row
    return {}


@dataclass(frozen=True, slots=True)
class Broken:
    """Rows of a partition that break a rule.

    Parameters
    ----------
    code : str
        One of :data:`RULES`.
    column : str
        Column at fault.
    rows : ndarray of int, shape (broken,)
        Rows, ascending, counted from the start of the partition.
    words : callable
        Row -> the words of the rule's sentences beside column and value.
    """

    code: str
    column: str
    rows: IntArray
    words: Callable[[int], Words] = _no_words
