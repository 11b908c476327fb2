"""The page of a night, written beside its tables before they are published."""

import logging
from pathlib import Path
from typing import Final

from opencarbon.errors import ConfigError
from opencarbon.pipeline.files import write_text
from opencarbon.publishing.layout import REPORT

_LOG: Final = logging.getLogger("opencarbon.pipeline")


def write_report(staged: Path) -> str | None:
    """Write the page of a run that is staged.

    Parameters
    ----------
    staged : Path
        With every table of the run.

    Returns
    -------
    str or None
        Why there is none: a night does not fail for want of its page, which ``opencarbon report`` makes later.
    """
    from opencarbon.publishing.report import report_page

    try:
        write_text(staged / REPORT, report_page(staged))
    except ConfigError as problem:  # a library is not there
        _LOG.info("no report: %s", problem)
        return str(problem)
    except Exception as problem:  # noqa: BLE001  # whatever is wrong with a page, the tables are right
        _LOG.exception("no report")
        return f"{type(problem).__name__}: {problem}; the tables are published without it"
    return None
