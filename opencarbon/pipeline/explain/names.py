"""What a name given on the command line is: a run, a job, a region, a zone; or what it may have been meant to be."""

from __future__ import annotations

import difflib
import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from opencarbon.errors import ConfigError
from opencarbon.pipeline.explain.rows import names_of, row_beside, row_of, rows_where
from opencarbon.publishing.layout import RUN_ID_FORM
from opencarbon.sources.places import Place

Kind = Literal["run", "job", "region", "zone"]
_NEAR = 3
_CUTOFF = 0.6
_SCANNED = 200_000
"""Jobs among which a near name is looked for: each is compared letter by letter."""


@dataclass(frozen=True, slots=True)
class Named:
    """What a name stands for.

    Parameters
    ----------
    kind : {"run", "job", "region", "zone"}
    name : str
    """

    kind: Kind
    name: str


def find_name(run: Place, name: str, kind: Literal["run", "job", "region"] | None) -> Named:
    """Find what a name of a run stands for; a job goes before a region of the same name.

    Parameters
    ----------
    run : Place
        Directory of a run.
    name : str
        ``latest``, a run, a job, a region or a zone.
    kind : {"run", "job", "region"} or None
        What it is to be.

    Returns
    -------
    Named

    Raises
    ------
    ConfigError
        If the run knows no such name, with those that are near.
    """
    if kind in (None, "run") and (name == "latest" or RUN_ID_FORM.fullmatch(name)):
        return Named("run", run.name)
    if kind in (None, "job") and (
        row_beside(run, ["dim_job"], name) or rows_where(run, "rejected_job", "job_id", name)
    ):
        return Named("job", name)
    if kind in (None, "region"):
        if row_of(run, "dim_region", "region", name.casefold()):
            return Named("region", name.casefold())
        if row_of(run, "dim_zone", "zone", name):
            return Named("zone", name)
    what = kind or "job, region or zone"
    near = _near(run, name)
    hint = (
        f"did you mean {' or '.join(map(repr, near))}?"
        if near
        else "rec_job and rec_region list what there is"
    )
    raise ConfigError(f"run {run.name} knows no {what} {name!r}: {hint}")


def _near(run: Place, name: str) -> list[str]:
    def scored() -> Iterator[tuple[float, str]]:
        matcher = difflib.SequenceMatcher(b=name)
        for table, column in (("dim_region", "region"), ("dim_zone", "zone"), ("dim_job", "job_id")):
            for number, other in enumerate(names_of(run, table, column)):
                if number == _SCANNED:
                    break
                matcher.set_seq1(other)
                if matcher.real_quick_ratio() > _CUTOFF and matcher.quick_ratio() > _CUTOFF:
                    yield matcher.ratio(), other

    nearest = heapq.nlargest(_NEAR, scored())
    return [other for score, other in nearest if score > _CUTOFF]
