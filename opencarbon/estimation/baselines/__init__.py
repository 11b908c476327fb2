"""Every method of the field on the same jobs: the paper's, ours, regressions, and hours times power.

A method turns jobs into device-hours, power, PUE and embodied emissions, or says why it cannot
(:mod:`~opencarbon.estimation.baselines.method`); intensity, energy and carbon then follow in one place
(:mod:`~opencarbon.estimation.baselines.estimates`). To add one, add an entry to
:mod:`~opencarbon.estimation.baselines.registry`.
"""

from opencarbon.estimation.baselines.estimates import estimate_by_method
from opencarbon.estimation.baselines.method import Method, MethodContext
from opencarbon.estimation.baselines.registry import METHODS, method_named, method_table

__all__ = ["METHODS", "Method", "MethodContext", "estimate_by_method", "method_named", "method_table"]
