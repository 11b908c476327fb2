"""The command ``report`` and its arguments. It imports what it needs when it is called."""

from typing import Annotated

from cyclopts import Parameter

from opencarbon.cli.options import Config
from opencarbon.cli.runs import Release, Run


def report(
    run: Run = None,
    *,
    release: Release = None,
    out: Annotated[str, Parameter(help="File to write.")] = "report.html",
    config: Config = None,
) -> int:
    """Make the page of a stored run: one file that opens offline.

    Every night makes its own beside its tables; this is for runs without one, and for elsewhere.
    """
    from opencarbon.cli.runs import run_directory
    from opencarbon.cli.tables import console_for
    from opencarbon.pipeline.files import output_file, write_text
    from opencarbon.publishing.report import report_page

    path, directory = output_file(out), run_directory(config, release, run)
    write_text(path, report_page(directory))
    console_for().print(f"report: {path}", highlight=False, soft_wrap=True)
    return 0
