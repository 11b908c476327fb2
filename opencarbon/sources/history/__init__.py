"""Run histories: completed runs of a user's own fleet, from the logs that its tools left.

::

    runs, rejected = read_history(["logs/", "s3://fleet/sacct/*.txt"], device_units=catalog.device_units)

CodeCarbon, Slurm, Eco2AI, carbontracker, experiment-impact-tracker, Cumulator and files under our own column names are
read; ``history_formats.toml`` says how each column is, and what each tool's energy includes. The columns of the work
(``training_flop``, or ``parameters``, ``active_parameters`` and ``training_tokens``) may stand beside those of any tool.
"""

from opencarbon.sources.history.formats import Format, formats
from opencarbon.sources.history.reading import parse, read_history
from opencarbon.sources.history.rules import MOST_KW_PER_DEVICE, RULES

__all__ = ["MOST_KW_PER_DEVICE", "RULES", "Format", "formats", "parse", "read_history"]
