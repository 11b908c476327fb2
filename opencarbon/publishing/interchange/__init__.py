"""A release in the forms of others: SCI, CodeCarbon's columns, metadata of Hugging Face.

Rows come from :func:`jobs_to_exchange`, job by job in the order of the manifests; a job without a figure is counted and
left out.
"""

from opencarbon.publishing.interchange.codecarbon import CODECARBON_COLUMNS, codecarbon_row
from opencarbon.publishing.interchange.huggingface import huggingface_yaml
from opencarbon.publishing.interchange.jobs import Exchange, jobs_to_exchange
from opencarbon.publishing.interchange.sci import SCI_COLUMNS, sci_rows

__all__ = [
    "CODECARBON_COLUMNS",
    "SCI_COLUMNS",
    "Exchange",
    "codecarbon_row",
    "huggingface_yaml",
    "jobs_to_exchange",
    "sci_rows",
]
