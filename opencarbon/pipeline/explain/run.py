"""A run explained: what it found, what it read, what it rests on, and how long it took."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from opencarbon.pipeline.summary import Summary, summary_of_run
from opencarbon.publishing.layout import RECORD
from opencarbon.publishing.parquet import read_table
from opencarbon.sources.places import Place


@dataclass(frozen=True, slots=True)
class RunExplanation:
    """What is known of a run.

    Parameters
    ----------
    about : mapping
        Row of ``dim_run``.
    summary : Summary
    totals : sequence of mapping
        Rows of ``fact_total``.
    events : sequence of mapping
        Rows of ``run_event``.
    record : mapping
        Its record: rows, bytes and SHA-256 of every file, durations and counts.
    """

    about: Mapping[str, Any]
    summary: Summary
    totals: Sequence[Mapping[str, Any]]
    events: Sequence[Mapping[str, Any]]
    record: Mapping[str, Any]


def explain_run(run: Place) -> RunExplanation:
    """Explain a run.

    Parameters
    ----------
    run : Place
        Its directory.

    Returns
    -------
    RunExplanation
    """
    (about,) = read_table(run, "dim_run").to_pylist()
    return RunExplanation(
        about=about,
        summary=summary_of_run(run),
        totals=read_table(run, "fact_total").to_pylist(),
        events=read_table(run, "run_event").to_pylist(),
        record=json.loads((run / RECORD).read_bytes()),
    )
