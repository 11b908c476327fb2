"""Every method on runs held out: tables as Parquet, figures as SVG, and one page."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pyarrow as pa

from opencarbon.catalog import Catalog
from opencarbon.errors import ConfigError
from opencarbon.estimation.evaluation import (
    DECODER_1B,
    FROZEN_ROWS_SHA256,
    LEVEL,
    Facts,
    Floor,
    Rows,
    evaluation_rows,
    fleet_errors,
    held_out_predictions,
    hours_scores,
    irreducible,
    rows_sha256,
    score_table,
)
from opencarbon.estimation.evaluation.power import power_predictions
from opencarbon.estimation.fitting.training_runs import training_runs
from opencarbon.pipeline.context import settings_catalog
from opencarbon.pipeline.extras import require_page_libraries
from opencarbon.pipeline.files import write_page
from opencarbon.pipeline.night import Progress, silent
from opencarbon.pipeline.reproduce import page_facts, read_models
from opencarbon.publishing.evaluation_page import evaluation_page
from opencarbon.publishing.figures.evaluation import evaluation_figures
from opencarbon.settings import Settings
from opencarbon.tables.evaluation import EVALUATED_TABLES

_LOG: Final = logging.getLogger("opencarbon.pipeline")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What came of an evaluation.

    Parameters
    ----------
    folder : Path
    page : Path
        ``index.html`` in it.
    rows : dict of str to int
        Rows by table.
    rows_sha256 : str
        Hash of the runs that are scored.
    is_frozen : bool
        Whether these are the runs that published scores are of.
    floors : dict of str to Floor
        Subset -> what is left of the error where every device's mean is known.
    scores, fleets : pa.Table
        ``evaluation_score`` and ``evaluation_fleet``.
    """

    folder: Path
    page: Path
    rows: dict[str, int]
    rows_sha256: str
    is_frozen: bool
    floors: dict[str, Floor]
    scores: pa.Table = field(repr=False)
    fleets: pa.Table = field(repr=False)


def evaluate(
    settings: Settings,
    folder: Path,
    *,
    models: str | None = None,
    expected_rows: str | None = None,
    progress: Progress = silent,
) -> Evaluation:
    """Score every method on runs held out, into a folder.

    Parameters
    ----------
    settings : Settings
    folder : Path
    models : str, optional
        Epoch AI's table of models, file or URL: its runs are learnt from and scored too. Without it nothing is asked of
        the network.
    expected_rows : str, optional
        Hash that the runs scored must have.
    progress : callable, optional

    Returns
    -------
    Evaluation

    Raises
    ------
    ConfigError
        Where the runs that would be scored are not those expected; where what the figures or the page need is not
        installed.
    SourceError
        Where ``models`` cannot be used.
    PublishError
        Where the folder cannot be written.
    """
    require_page_libraries()
    catalog = settings_catalog(settings)
    epoch = None if models is None else read_models(models, settings)
    runs = training_runs(epoch, catalog.runs, devices=catalog.devices, device_units=catalog.device_units)
    rows = evaluation_rows(runs, catalog.devices)
    found = rows_sha256(rows)
    if expected_rows is not None and expected_rows != found:
        raise ConfigError(
            f"the {int(rows.is_scored.sum())} runs that would be scored have the hash {found}, not {expected_rows}: scores "
            "of other runs cannot be compared; leave out --expect-rows to score these, or give the table of models "
            "that was scored then"
        )
    facts = Facts(catalog.devices, catalog.paper_devices, LEVEL, catalog.benchmarks)
    tables = _tables(catalog, rows, facts, progress)
    floors = {
        DECODER_1B: irreducible(rows, rows.is_scored & rows.is_decoder_1b),
        "all": irreducible(rows, rows.is_scored),
    }
    figures = evaluation_figures(tables, {subset: floor.known_error() for subset, floor in floors.items()})
    page = evaluation_page(tables, catalog.sources, figures, floors, _facts(runs, rows, found, models))
    written = write_page(folder, EVALUATED_TABLES, tables, figures, page)
    _LOG.info("evaluated: folder=%s rows=%s", folder, found)
    return Evaluation(
        folder,
        folder / "index.html",
        written,
        found,
        found == FROZEN_ROWS_SHA256,
        floors,
        tables["evaluation_score"],
        tables["evaluation_fleet"],
    )


def _tables(catalog: Catalog, rows: Rows, facts: Facts, progress: Progress) -> dict[str, pa.Table]:
    predictions, reasons = held_out_predictions(rows, facts, watch=progress)
    power, power_scores = power_predictions(catalog.runs, catalog.measured_power, facts)
    return {
        "evaluation_score": score_table([*hours_scores(predictions, reasons), *power_scores]),
        "evaluation_prediction": predictions,
        "evaluation_fleet": fleet_errors(rows, facts, watch=progress),
        **power,
    }


def _facts(runs: pa.Table, rows: Rows, found: str, models: str | None) -> Mapping[str, str]:
    told = {
        "runs": f"{int(rows.is_scored.sum())} scored, {len(rows)} learnt from, of {runs.num_rows}",
        "frozen rows": f"{'yes' if found == FROZEN_ROWS_SHA256 else 'no'}, sha256 {found}",
    }
    return page_facts(told, models)
