"""The command ``export`` and its arguments. It imports what it needs when it is called."""

from typing import Annotated, Literal

from cyclopts import Parameter

from opencarbon.cli.options import Config
from opencarbon.cli.runs import Release, Run

Form = Literal["sci", "codecarbon", "huggingface"]


def export(
    *,
    form: Annotated[
        Form,
        Parameter(
            name="--format", help="SCI (ISO/IEC 21031), CodeCarbon's emissions.csv, or YAML of model cards."
        ),
    ],
    out: Annotated[
        str | None,
        Parameter(help="File to write: .csv, for sci also .parquet, .yaml; standard output if not given."),
    ] = None,
    job: Annotated[
        tuple[str, ...],
        Parameter(consume_multiple=True, negative=(), show_default=False, help="Only these jobs."),
    ] = (),
    release: Release = None,
    run: Run = None,
    config: Config = None,
) -> int:
    """Write the jobs of a published run in the form of others."""
    from opencarbon.cli.export import export_run
    from opencarbon.cli.runs import run_directory

    return export_run(run_directory(config, release, run), form, out, frozenset(job))
