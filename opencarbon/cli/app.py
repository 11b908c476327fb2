"""Commands and their arguments. Every command imports what it needs when it is called."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from opencarbon.cli.backfill_app import backfill
from opencarbon.cli.calls import call
from opencarbon.cli.export_app import export
from opencarbon.cli.init_app import init
from opencarbon.cli.options import (
    AsOf,
    Config,
    Histories,
    Json,
    Manifests,
    MethodNames,
    Offline,
    ProfileName,
    RunOptions,
    moment,
    settings_of,
)
from opencarbon.cli.pull_app import pull
from opencarbon.cli.release_app import release
from opencarbon.cli.report_app import report
from opencarbon.cli.show_app import show
from opencarbon.cli.store import store
from opencarbon.errors import ConfigError

app = App(
    name="opencarbon",
    help="What planned training jobs will emit, and where and when to run them instead.",
    help_epilogue="Every command takes --debug: errors come with their traceback.",
    version_flags=["--version"],
    result_action="return_value",
    suppress_keyboard_interrupt=False,
)
app.command(init)
app.command(show)
app.command(backfill)
app.command(pull)
app.command(store)
app.command(release)
app.command(report)
app.command(export)


@app.command
def run(options: RunOptions) -> int:
    """Estimate a queue, plan where and when its jobs should run, and publish the advice."""
    from opencarbon.cli.night import run_command

    return run_command(options)


@app.command
def check(
    *manifest: Annotated[str, Parameter(help="Manifests to check against every rule.")],
    config: Config = None,
    json: Json = False,
) -> int:
    """Check manifests row by row, or print the settings in force with secrets masked."""
    from opencarbon.cli.inspect import check_manifests, show_settings

    settings = settings_of(config, None)
    if not manifest:
        return show_settings(settings, as_json=json)
    return check_manifests(manifest, settings, as_json=json)


@app.command
def fit(
    *,
    models: Annotated[str | None, Parameter(help="Epoch AI's table of models, CSV file or URL.")] = None,
    history: Histories = (),
    out: Annotated[str, Parameter(help="Parquet file for the device fits.")],
    config: Config = None,
    profile: ProfileName = None,
    exclude_model: Annotated[str | None, Parameter(help="Regular expression of models to leave out.")] = None,
    accept: Annotated[
        bool,
        Parameter(negative=(), help="Take what the nights hold: later nights compare with this refit."),
    ] = False,
    offline: Offline = False,
    json: Json = False,
) -> int:
    """Refit the throughput of every device, and say what changes against the earlier fits."""
    from opencarbon.cli.inspect import fit_command

    settings = settings_of(config, profile, history=history)
    return fit_command(
        settings,
        out,
        models=models,
        exclude_model=exclude_model,
        offline=offline,
        accept=accept,
        now_utc=datetime.now(UTC),
        as_json=json,
    )


@app.command
def estimate(
    manifest: Manifests,
    *,
    out: Annotated[str, Parameter(help="Parquet file for the estimates.")],
    fits: Annotated[Path | None, Parameter(help="Device fits from `opencarbon fit`.")] = None,
    method: MethodNames = (),
    config: Config = None,
    as_of: AsOf = None,
    profile: ProfileName = None,
    offline: Offline = False,
    json: Json = False,
) -> int:
    """Estimate the emissions of planned jobs at their baselines, without advice."""
    if method:
        from opencarbon.cli.methods import MethodRequest, estimate_command

        if profile:
            raise ConfigError("give --method or --profile, not both: a profile is a method")
        asked = MethodRequest(manifest, method, out, moment(as_of), fits, offline, json)
        return estimate_command(asked, settings_of(config, None))
    from opencarbon.cli.night import TableRequest, table_command

    request = TableRequest("fact_job_estimate", manifest, out, moment(as_of), fits, offline, json)
    return table_command(request, settings_of(config, profile))


@app.command
def plan(
    manifest: Manifests,
    *,
    out: Annotated[str, Parameter(help="Parquet file for the advice per job.")],
    fits: Annotated[Path | None, Parameter(help="Device fits from `opencarbon fit`.")] = None,
    config: Config = None,
    as_of: AsOf = None,
    profile: ProfileName = None,
    offline: Offline = False,
    json: Json = False,
) -> int:
    """Plan where and when jobs should run, and write the advice per job."""
    from opencarbon.cli.night import TableRequest, table_command

    request = TableRequest("rec_job", manifest, out, moment(as_of), fits, offline, json)
    return table_command(request, settings_of(config, profile))


@app.command
def methods(*, json: Json = False) -> int:
    """List every method: what it needs, its formula, its limits."""
    from opencarbon.cli.methods import methods_command

    return methods_command(as_json=json)


@app.command
def compare(
    *job: Annotated[str, Parameter(help="Published runs such as bloom-176b; with --manifest, its job_ids.")],
    manifest: Annotated[
        list[str] | None,
        Parameter(name=["--manifest", "-m"], consume_multiple=True, negative=(), help="Planned jobs."),
    ] = None,
    method: MethodNames = (),
    region: Annotated[str | None, Parameter(help="Put published runs here, provider:region.")] = None,
    out: Annotated[str | None, Parameter(help="Folder for the table and a plot of each job.")] = None,
    config: Config = None,
    as_of: AsOf = None,
    offline: Offline = False,
    json: Json = False,
) -> int:
    """Put jobs or published runs through every method, side by side."""
    from opencarbon.cli.methods import CompareRequest, compare_command

    asked = CompareRequest(job, manifest or (), method, region, out, moment(as_of), offline, json)
    return compare_command(asked, settings_of(config, None))


@app.command
def reproduce(
    *,
    out: Annotated[str, Parameter(help="Folder for the tables, the figures and the page.")],
    models: Annotated[
        str | None, Parameter(help="Epoch AI's table of models, CSV file or URL: refit on it.")
    ] = None,
    config: Config = None,
    json: Json = False,
) -> int:
    """Reproduce the tables and figures of OpenCarbonEval, and say where they do not reproduce."""
    from opencarbon.cli.reproduce import reproduce_command

    return reproduce_command(settings_of(config, None), out, models=models, as_json=json)


@app.command
def evaluate(
    *,
    out: Annotated[str, Parameter(help="Folder for the tables, the figures and the page.")],
    models: Annotated[
        str | None,
        Parameter(help="Epoch AI's table of models, CSV file or URL: learn from it, and score its runs."),
    ] = None,
    expect_rows: Annotated[
        str | None, Parameter(help="Refuse to score runs of another hash than this one.")
    ] = None,
    config: Config = None,
    json: Json = False,
) -> int:
    """Score every method on runs whose family, or organisation, it has not seen."""
    from opencarbon.cli.evaluate import evaluate_command

    return evaluate_command(
        settings_of(config, None), out, models=models, expected_rows=expect_rows, as_json=json
    )


@app.command
def backtest(
    *,
    start: Annotated[
        str | None,
        Parameter(
            name="--from", help="First moment, an ISO 8601 date or time; default: 10 days before --to."
        ),
    ] = None,
    end: Annotated[
        str | None, Parameter(name="--to", help="End, not counted in; default: the running hour.")
    ] = None,
    intensities: Annotated[
        tuple[str, ...],
        Parameter(
            show_default=False,
            consume_multiple=True,
            negative=(),
            help="Files of carbon intensities instead of the store.",
        ),
    ] = (),
    every: Annotated[int, Parameter(help="Hours from one moment to the next.")] = 24,
    job_hours: Annotated[
        str, Parameter(help="Durations of the jobs in hours, with commas between.")
    ] = "6,48",
    slack_hours: Annotated[float, Parameter(help="Hours that jobs may be put off at most.")] = 24.0,
    regions: Annotated[
        tuple[str, ...],
        Parameter(
            show_default=False,
            consume_multiple=True,
            negative=(),
            help="Default: one of every zone with measured hours.",
        ),
    ] = (),
    published_after: Annotated[
        float | None,
        Parameter(
            help="Hours from the end of an hour to its measurement being known; default: 1 for files, and for the store "
            "the moment of its fetch."
        ),
    ] = None,
    out: Annotated[str | None, Parameter(help="Folder for the tables and a figure.")] = None,
    config: Config = None,
    json: Json = False,
) -> int:
    """Plan jobs at moments of the past with what was known then, and hold the advice against what came true."""
    from opencarbon.cli.backtest import BacktestOptions, backtest_command, question_of

    given = BacktestOptions(start, end, every, job_hours, slack_hours, regions, intensities, published_after)
    question = question_of(given, now_utc=datetime.now(UTC))
    return backtest_command(settings_of(config, None), question, out=out, as_json=json)


@app.command
def dictionary(
    *, out: Annotated[str | None, Parameter(help="Markdown file; standard output if not given.")] = None
) -> int:
    """Print what every column of every published table means."""
    from opencarbon.cli.inspect import dictionary_command

    return dictionary_command(out)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command of ``opencarbon``.

    Parameters
    ----------
    arguments : sequence of str, optional
        The command line; that of the process if not given.

    Returns
    -------
    int
        Exit status, see :func:`opencarbon.cli.calls.call`.
    """
    return call(app, list(sys.argv[1:] if arguments is None else arguments))
