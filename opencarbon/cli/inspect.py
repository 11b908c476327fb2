"""The commands that look without publishing: ``check``, ``fit`` and ``dictionary``."""

import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import pyarrow as pa
from rich.table import Table

from opencarbon.catalog import load_catalog
from opencarbon.cli.fits import changes_json, print_changes
from opencarbon.cli.history import history_report, print_report, report_json
from opencarbon.cli.tables import console_for, print_warnings, printable, write_json
from opencarbon.errors import ConfigError, ManifestError, PublishError, SourceError
from opencarbon.estimation.fitting.training_runs import counts_by_reason
from opencarbon.pipeline.files import output_file, write_single
from opencarbon.pipeline.fit_memory import moment_of_acceptance, newest_stored
from opencarbon.pipeline.history import fleet_history
from opencarbon.pipeline.jobs import manifest_rules
from opencarbon.pipeline.refits import refit_devices
from opencarbon.publishing.dictionary import dictionary_markdown
from opencarbon.settings import Settings, masked
from opencarbon.sources.manifests import (
    check_columns,
    found_manifests,
    partitions,
    read_partitions,
    scan_job_ids,
)
from opencarbon.sources.storage import scheme_of
from opencarbon.sources.store.fits import StoredFits, keep_fits
from opencarbon.tables.contracts import PUBLISHED
from opencarbon.tables.inputs import DEVICE_FITS

_ROWS_SHOWN: Final = 50
_OWN_RUNS: Final = ("own_runs", "device_runs", "paper_table_1")


def show_settings(settings: Settings, *, as_json: bool) -> int:
    """Print the settings in force, secrets masked.

    Parameters
    ----------
    settings : Settings
    as_json : bool

    Returns
    -------
    int
        0.
    """
    values = masked(settings)
    if as_json:
        write_json(values)
        return 0
    console = console_for()
    for section, content in values.items():
        pairs = content.items() if isinstance(content, dict) else [("", content)]
        for name, value in pairs:
            console.print(f"{section}.{name}".rstrip(".") + f" = {'' if value is None else value}")
    return 0


def check_manifests(paths: Sequence[str], settings: Settings, *, as_json: bool) -> int:
    """Check manifests against every rule and list all violations.

    Parameters
    ----------
    paths : sequence of str
    settings : Settings
    as_json : bool

    Returns
    -------
    int
        0 where every row keeps every rule, else 2.

    Raises
    ------
    ManifestError
        A manifest cannot be read, or none holds a row.
    """
    rules = manifest_rules(load_catalog(settings.devices, settings.regions), settings)
    with found_manifests(paths) as files:
        events = check_columns(files, rules)
        parts = partitions(files)
        rows = sum(part.rows for part in parts)
        if not rows:
            raise ManifestError("the manifests hold no row")
        duplicates, kept, violations = scan_job_ids(files, rules), 0, []
        for planned, rejected in read_partitions(parts, rules, duplicates):
            kept += planned.num_rows
            violations.append(rejected)
    found = pa.concat_tables(violations)
    bad = rows - kept
    if as_json:
        notes = [event.detail for event in events]
        write_json({"rows": rows, "rejected": bad, "violations": found.to_pylist(), "notes": notes})
        return 2 if bad else 0
    console = console_for()
    for row in found.slice(0, _ROWS_SHOWN).to_pylist():
        job = "" if row["job_id"] is None else f", job {row['job_id']}"
        console.print(
            printable(f"{row['manifest']}, row {row['row']}{job}: {row['reason']}; {row['remedy']}")
        )
    if found.num_rows > _ROWS_SHOWN:
        console.print(f"and {found.num_rows - _ROWS_SHOWN} more: --json lists all of them")
    for rule in _counted(found):
        console.print(f"{rule['count_all']:8} x {rule['rule_code']}")
    for event in events:
        console.print(printable(event.detail))
    if found.num_rows:
        console.print("rows are counted from 0, the header of a CSV file left out")
    plural = "manifest" if len(files) == 1 else "manifests"
    console.print(f"{rows} rows in {len(files)} {plural}: {kept} can be planned, {bad} break a rule")
    return 2 if bad else 0


def _counted(violations: pa.Table) -> list[dict[str, int | str]]:
    counts = violations.group_by("rule_code").aggregate([([], "count_all")]).to_pylist()
    return sorted(counts, key=lambda rule: (-rule["count_all"], rule["rule_code"]))


def fit_command(
    settings: Settings,
    out: str,
    *,
    models: str | None,
    exclude_model: str | None,
    offline: bool,
    accept: bool,
    now_utc: datetime,
    as_json: bool,
) -> int:
    """Refit the devices, write the fits that a night would use, and print what changes and why runs are left out.

    Parameters
    ----------
    settings : Settings
    out : str
    models : str or None
        Epoch AI's table of models where it is named; that of the settings is done without where it is out of reach.
    exclude_model : str or None
        Models that take no part. The refit then stands alone: earlier fits have seen them, so none is held.
    offline : bool
    accept : bool
        Write the refit with what is beyond the limits, and store it for the nights to compare with.
    now_utc : datetime
        Aware; from when an acceptance counts that has no earlier fits to come after.
    as_json : bool

    Returns
    -------
    int
        0.

    Raises
    ------
    SourceError
        Where ``models`` is named, or is to be accepted, and cannot be used; where no file of ``history.files`` can;
        where the store cannot take what is accepted.
    """
    path = output_file(out)
    catalog = load_catalog(settings.devices, settings.regions)
    source = models or settings.epoch_ai.models_url
    is_refused = offline and scheme_of(source) not in ("", "file")
    if accept and (exclude_model or is_refused):
        lacking = (
            "models are left out"
            if exclude_model
            else "Epoch AI's table is on the network, and --offline is given"
        )
        raise ConfigError(
            f"what nights compare with must be a whole refit, but {lacking}: accept without that, or give --models FILE"
        )
    history, unread = fleet_history(settings, catalog, offline=offline)
    logged = None if history is None else history.runs
    previous, unstored = (None, []) if exclude_model else newest_stored(settings)
    refit = refit_devices(
        catalog,
        settings,
        None if is_refused else source,
        previous,
        exclude_model=exclude_model,
        history=logged,
        accept=accept,
    )
    if (models or accept) and refit.models_refused:
        raise SourceError(f"{refit.models_refused.detail.rpartition('; ')[0]}: nothing was written")
    fits, runs, events = refit.fits, refit.runs, [*unstored, *refit.events]
    alone = fits if refit.refit is None else refit.refit
    own = (
        None if history is None else history_report(history, runs, alone, catalog, settings.estimate.profile)
    )
    write_single(path, DEVICE_FITS, [fits])
    if accept:
        moment = moment_of_acceptance(previous, now_utc)
        accepted = StoredFits(fits, moment, refit.models, refit.legible_models, "accepted")
        keep_fits(settings.store.root, accepted, profile=settings.estimate.profile)
    used, reasons = runs.filter(runs["used"]).num_rows, counts_by_reason(runs)
    if as_json:
        notes = [event.detail for event in (*events, *unread)]
        content = {"file": str(path), "used": used, "left_out": reasons, "notes": notes}
        compared = None if previous is None else previous.moment_utc.isoformat()
        content |= {"compared_with": compared, "accepted": accept, "changes": changes_json(refit.changes)}
        write_json(content | ({"history": report_json(own)} if own else {}))
        return 0
    print_warnings(events)
    console = console_for()
    console.print(_fits_table(fits))
    console.print(f"{used} of {runs.num_rows} runs used; left out:")
    for reason, count in reasons.items():
        console.print(f"{count:6} x {printable(reason)}")
    for event in unread:
        console.print(printable(event.detail))
    if own:
        print_report(console, own)
    if previous is not None and refit.changes:
        print_changes(console, refit.changes)
    kept = "; accepted for the nights to come" if accept else ""
    console.print(f"fits of {fits.num_rows} devices in {path}{kept}")
    return 0


def _fits_table(fits: pa.Table) -> Table:
    table = Table("device", "runs", "TFLOP/s", "of peak", "log10 alpha", "from")
    table.columns[0].no_wrap = True
    for row in fits.to_pylist():
        if row["training_runs"] and row["fit_source"] in _OWN_RUNS:
            ends = f"({row['log10_alpha_low']:.1f} to {row['log10_alpha_high']:.1f})"
            share = f"{100 * row['utilisation']:.0f} %"
            cells = (row["device"], str(row["training_runs"]), f"{row['tflop_per_s']:.1f}", share)
            table.add_row(*cells, f"{row['log10_alpha']:.1f} {ends}", row["fit_source"])
    return table


def dictionary_command(out: str | None) -> int:
    """Write what every column of every published table means.

    Parameters
    ----------
    out : str or None
        Markdown file; standard output if None.

    Returns
    -------
    int
        0.

    Raises
    ------
    PublishError
        Where the file cannot be written.
    """
    text = dictionary_markdown(PUBLISHED)
    if out is None:
        sys.stdout.write(text)
        return 0
    path = output_file(out)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as problem:
        raise PublishError(f"{path} cannot be written: {problem.strerror}") from None
    return 0
