"""The bundled facts, and what the reproduction makes of them."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pytest

from opencarbon.catalog import Catalog, load_catalog
from opencarbon.catalog.paper import PaperFacts, load_paper
from opencarbon.estimation.fitting.training_runs import training_runs as judged
from opencarbon.estimation.reproduction import RefittedHours, paper_cells


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    return load_catalog()


@pytest.fixture(scope="session")
def paper() -> PaperFacts:
    return load_paper()


@pytest.fixture(scope="session")
def training_runs(catalog: Catalog) -> pa.Table:
    return judged(None, catalog.runs, devices=catalog.devices, device_units=catalog.device_units)


@pytest.fixture(scope="session")
def fitted(catalog: Catalog, training_runs: pa.Table) -> RefittedHours:
    return RefittedHours(training_runs, catalog.devices)


@pytest.fixture(scope="session")
def paper_cell(paper: PaperFacts, fitted: RefittedHours) -> pa.Table:
    return paper_cells(paper.table_1, paper.table_2, paper.table_3, fitted)


@pytest.fixture(scope="session")
def cells(paper_cell: pa.Table) -> Mapping[tuple[str, str, str], Mapping[str, Any]]:
    return {(row["paper_table"], row["subject"], row["quantity"]): row for row in paper_cell.to_pylist()}
