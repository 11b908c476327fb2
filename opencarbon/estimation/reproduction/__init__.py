"""OpenCarbonEval reproduced: its tables cell by cell, its figures as tables, and what does not reproduce.

Nothing is adjusted: a cell stands as published, as it follows from the inputs printed beside it, and as a fit to today's
runs has it.
"""

from opencarbon.estimation.reproduction.errors import test_run_errors, without_test_runs
from opencarbon.estimation.reproduction.figures import figure_tables
from opencarbon.estimation.reproduction.findings import Finding, findings
from opencarbon.estimation.reproduction.predictions import RefittedHours
from opencarbon.estimation.reproduction.tables import paper_cells

__all__ = [
    "Finding",
    "RefittedHours",
    "figure_tables",
    "findings",
    "paper_cells",
    "test_run_errors",
    "without_test_runs",
]
