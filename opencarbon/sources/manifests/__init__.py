"""Manifests: Parquet, CSV or JSON lines of planned jobs, in partitions that fit in memory.

::

    with found_manifests(["queue/"]) as files:
        events = check_columns(files, rules)        # ManifestError where columns cannot be used
        duplicates = scan_job_ids(files, rules)
        for planned, rejected in read_partitions(partitions(files), rules, duplicates):
            ...

Rows are counted from 0 in their file. Device counts, device-hours and powers that are given for parts of a device
(TPU cores, GCDs) come out for whole devices: 8 cores at 60 W are 4 chips at 120 W. ``wall_hours`` stay as they are.
"""

from opencarbon.sources.manifests.columns import INPUT_COLUMNS, REQUIRED_COLUMNS, Rules, check_columns
from opencarbon.sources.manifests.duplicates import DuplicateRows, scan_job_ids
from opencarbon.sources.manifests.files import ManifestFile, find_manifests, found_manifests
from opencarbon.sources.manifests.partitions import ROWS_PER_PARTITION, Partition, partitions
from opencarbon.sources.manifests.reading import read_partition, read_partitions
from opencarbon.sources.manifests.rules import BOUNDS, RULES, Bounds, Rule

__all__ = [
    "BOUNDS",
    "INPUT_COLUMNS",
    "REQUIRED_COLUMNS",
    "ROWS_PER_PARTITION",
    "RULES",
    "Bounds",
    "DuplicateRows",
    "ManifestFile",
    "Partition",
    "Rule",
    "Rules",
    "check_columns",
    "find_manifests",
    "found_manifests",
    "partitions",
    "read_partition",
    "read_partitions",
    "scan_job_ids",
]
