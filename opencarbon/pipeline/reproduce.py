"""OpenCarbonEval reproduced: tables as Parquet, figures as SVG, and one page."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

import pyarrow as pa

from opencarbon.catalog import Catalog
from opencarbon.catalog.catalog import PAPER_SOURCE
from opencarbon.catalog.paper import PaperFacts, load_paper
from opencarbon.errors import SourceShapeError
from opencarbon.estimation.baselines import METHODS, method_table
from opencarbon.estimation.embodied_spread import embodied_spread
from opencarbon.estimation.fitting.training_runs import training_runs
from opencarbon.estimation.reproduction import (
    Finding,
    RefittedHours,
    figure_tables,
    findings,
    paper_cells,
    test_run_errors,
    without_test_runs,
)
from opencarbon.estimation.training_compute import training_compute_table
from opencarbon.pipeline.compare import compare_runs
from opencarbon.pipeline.context import settings_catalog
from opencarbon.pipeline.extras import require_page_libraries
from opencarbon.pipeline.files import write_page
from opencarbon.pipeline.grid import http_limits
from opencarbon.pipeline.night import Progress, silent
from opencarbon.publishing.figures import Actual, EmbodiedFigure, reproduction_figures
from opencarbon.publishing.page import reproduction_page
from opencarbon.settings import Settings
from opencarbon.sources.epoch_ai import parse_models
from opencarbon.sources.fetching import fetch_bytes
from opencarbon.tables.contracts import PUBLISHED
from opencarbon.tables.reproduction import METHOD_ESTIMATE, REPRODUCED

_LOG: Final = logging.getLogger("opencarbon.pipeline")
_EMBODIED: Final = "dim_device_embodied"
_COMPARED: Final = "bloom-176b"
"""Published run that the page puts through every method: of all, the one whose owners count most parts."""
_AS_OF: Final = datetime(2026, 11, 16, tzinfo=UTC)
"""Any moment does: the run brings its own carbon intensity."""
_LEAST_SOURCES: Final = 3
_KINDS: Final = {
    "bottom_up": "bottom-up",
    "die_only": "die only",
    "flat_rate": "flat rate",
    "lca": "life-cycle assessment",
    "vendor_footprint": "vendor's footprint",
}
"""Words for the values of ``embodied_method``."""
_STEPS: Final = ("fit", "tables", "figures", "page")


@dataclass(frozen=True, slots=True)
class Reproduction:
    """What came of a reproduction.

    Parameters
    ----------
    folder : Path
    page : Path
        ``index.html`` in it.
    rows : dict of str to int
        Rows by table.
    figures : tuple of str
        Names of the figures drawn.
    findings : tuple of Finding
    cells : pa.Table
        ``PAPER_CELL``.
    """

    folder: Path
    page: Path
    rows: dict[str, int]
    figures: tuple[str, ...]
    findings: tuple[Finding, ...]
    cells: pa.Table = field(repr=False)


def reproduce(
    settings: Settings, folder: Path, *, models: str | None = None, progress: Progress = silent
) -> Reproduction:
    """Reproduce the paper's tables and figures into a folder.

    Parameters
    ----------
    settings : Settings
    folder : Path
    models : str, optional
        Epoch AI's table of models, file or URL: Table 1 is refitted on it, and the figures stand on its rows. Without it
        nothing is asked of the network.
    progress : callable, optional

    Returns
    -------
    Reproduction

    Raises
    ------
    SourceError
        Where ``models`` cannot be used; nothing is written then.
    ConfigError
        Where what the figures, the page or the regressions need is not installed.
    PublishError
        Where the folder cannot be written.
    """
    require_page_libraries()
    catalog, paper = settings_catalog(settings), load_paper()
    epoch = None if models is None else read_models(models, settings)
    progress("reproduce", 0, len(_STEPS))
    runs = training_runs(epoch, catalog.runs, devices=catalog.devices, device_units=catalog.device_units)
    progress("reproduce", 1, len(_STEPS))
    tables, found = _tables(catalog, paper, runs, epoch)
    progress("reproduce", 2, len(_STEPS))
    compared = compare_runs([_COMPARED], tuple(METHODS.values()), settings, as_of_utc=_AS_OF)
    run = compared.jobs.to_pylist()[0]
    tables |= {METHOD_ESTIMATE.name: compared.estimates, _EMBODIED: catalog.embodied}
    figures = reproduction_figures(
        tables,
        _of_several_sources(catalog.embodied),
        Actual(run["device_hours"], compared.actual_kgco2e[run["job_id"]]),
    )
    progress("reproduce", 3, len(_STEPS))
    page = reproduction_page(tables, catalog.sources, figures, found, _facts(runs, models))
    written = _write(folder, tables, figures, page)
    progress("reproduce", 4, len(_STEPS))
    _LOG.info("reproduced: folder=%s tables=%d figures=%d", folder, len(written), len(figures))
    return Reproduction(
        folder, folder / "index.html", written, tuple(figures), found, cells=tables["paper_cell"]
    )


def read_models(models: str, settings: Settings) -> pa.Table:
    """Epoch AI's table of models, which must hold something.

    Parameters
    ----------
    models : str
        File or URL.
    settings : Settings

    Returns
    -------
    pa.Table

    Raises
    ------
    SourceError
        Where it cannot be had, or is no such table.
    """
    epoch = parse_models(fetch_bytes(models, limits=http_limits(settings)))
    if not epoch.num_rows:
        raise SourceShapeError("Epoch AI's table of models has a header and no row: nothing was written")
    return epoch


def _tables(
    catalog: Catalog, paper: PaperFacts, runs: pa.Table, epoch: pa.Table | None
) -> tuple[dict[str, pa.Table], tuple[Finding, ...]]:
    devices = catalog.devices
    fitted, left_out = (RefittedHours(kept, devices) for kept in (runs, without_test_runs(runs)))
    refitted = fitted.intervals()
    as_published = figure_tables(paper, runs, devices, refitted)
    tables = {
        "paper_cell": paper_cells(paper.table_1, paper.table_2, paper.table_3, fitted),
        "test_run_error": test_run_errors(paper.table_1, paper.table_2, fitted, left_out),
        "training_compute": training_compute_table(catalog.training_compute),
        "dim_method": method_table(),
        **(as_published if epoch is None else figure_tables(paper, runs, devices, refitted, models=epoch)),
    }
    found = findings(
        paper,
        tables["paper_cell"],
        tables["test_run_error"],
        runs,
        as_published["figure_1"],
        embodied_spread(catalog.embodied),
    )
    return tables, found


def _of_several_sources(embodied: pa.Table) -> list[EmbodiedFigure]:
    """Figures of the devices that at least three sources have, so that a spread can be seen."""
    spread = embodied_spread(embodied).to_pylist()
    shown = {row["device"] for row in spread if row["sources"] >= _LEAST_SOURCES}
    return [
        EmbodiedFigure(row["device"], _KINDS[row["embodied_method"]], row["device_embodied_kgco2e"])
        for row in embodied.to_pylist()
        if row["device"] in shown
    ]


def page_facts(told: Mapping[str, str], models: str | None) -> dict[str, str]:
    """What a page was made from.

    Parameters
    ----------
    told : mapping of str to str
        What this page says besides: label -> words.
    models : str or None
        Epoch AI's table of models, where one was given.

    Returns
    -------
    dict of str to str
    """
    data = (
        "bundled with the package" if models is None else "bundled, and Epoch AI's table of models as given"
    )
    return {"made with": f"opencarbon {version('opencarbon')}", **told, "data": data}


def _facts(runs: pa.Table, models: str | None) -> dict[str, str]:
    used = runs.filter(runs["used"]).num_rows
    told = {"device fits": f"{used} of {runs.num_rows} training runs"}
    return page_facts(told, models) | {"paper": PAPER_SOURCE}


def _write(
    folder: Path, tables: Mapping[str, pa.Table], figures: Mapping[str, tuple[str, str]], page: str
) -> dict[str, int]:
    contracts = REPRODUCED | {_EMBODIED: PUBLISHED[_EMBODIED], METHOD_ESTIMATE.name: METHOD_ESTIMATE}
    return write_page(folder, contracts, tables, figures, page)
