"""The list of runs that are scored, told by a hash: a score stands only beside the rows it is of."""

from __future__ import annotations

import hashlib
import json
from typing import Final

import numpy as np

from opencarbon.estimation.evaluation.rows import Rows

FROZEN_ROWS_SHA256: Final = "86f5d64048044c70e285001e40b0e404c9fcd8c985d3766f52542ceaa5379eb0"
"""Hash of the catalog's rows that README's scores are of: :func:`rows_sha256` of the bundled runs."""

_FACTS: Final = (
    *("run", "device", "devices", "device_hours", "training_flop", "family", "organisation"),
    *("hours_scope", "model_kind", "parameters"),
)


def rows_sha256(rows: Rows) -> str:
    """Hash of the runs that are scored: of all their facts that a score depends on.

    Parameters
    ----------
    rows : Rows

    Returns
    -------
    str
        64 hexadecimal digits, the same for any order of the runs. Runs that are learnt from but not scored have no
        part in it.
    """
    scored = rows.take(np.flatnonzero(rows.is_scored)).runs().to_pylist()
    lines = sorted(json.dumps([row[name] for name in _FACTS], ensure_ascii=False) for row in scored)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
