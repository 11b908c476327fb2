"""The report of a run: one page, made from its tables alone."""

from opencarbon.publishing.report.page import report_page

__all__ = ["report_page"]
