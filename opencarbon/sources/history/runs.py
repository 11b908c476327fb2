"""Rows of a tool's log as runs in our units, and the rules that the others break."""

from collections.abc import Mapping
from typing import Any, Final

from opencarbon.sources.history.cells import text_of
from opencarbon.sources.history.devices import DeviceNames, Named, named_in
from opencarbon.sources.history.formats import Format
from opencarbon.sources.history.records import Records
from opencarbon.sources.history.row import Row, is_within, moment_in, number_in
from opencarbon.sources.history.rules import MOST_KW_PER_DEVICE, Fault, fault
from opencarbon.tables.columns import all_columns
from opencarbon.units import WATTS_PER_KILOWATT

Run = dict[str, Any]
"""A run by the columns of ``RUN_HISTORY``."""

_WORK: Final = ("training_flop", "parameters", "active_parameters", "training_tokens")
_SUMS: Final = ("wall_hours", "device_hours", "energy_kwh")


def read_runs(records: Records, form: Format, names: DeviceNames, file: str) -> tuple[list[Run], list[Fault]]:
    """Read the runs of a file.

    Parameters
    ----------
    records : Records
    form : Format
    names : DeviceNames
    file : str
        Name to publish.

    Returns
    -------
    runs : list of Run
        Rows that keep every rule, in order; rows of one id summed where the format says that they add up.
    faults : list of Fault
        One for each rule that a row breaks in a column.
    """
    runs: list[Run] = []
    faults = list(records.faults)
    for number, cells in records.rows:
        row = Row(number, _id_of(number, cells, form, file), cells, form)
        if form.parts and form.parts.pattern.search(text_of(cells.get(form.parts.column)) or ""):
            if form.parts.are_rejected:
                row.breaks("part_of_run", form.parts.column, cells[form.parts.column])
                faults += row.faults
            continue
        run = _run_of(row, names) | {"manifest": file}
        faults += row.faults
        if not row.faults:
            runs.append(run)
    if form.adds_up:
        runs = _summed(runs, faults, form)
    return _with_power(runs, faults, form), faults


def _id_of(number: int, cells: Mapping[str, object], form: Format, file: str) -> str:
    given = [text for column in form.id if (text := text_of(cells.get(column))) is not None]
    return f"{form.name}:{'/'.join(given)}" if given else f"{form.name}:{file}#{number}"


def _run_of(row: Row, names: DeviceNames) -> Run:
    """Everything that a row says; what it breaks is noted in the row."""
    _check_state(row)
    run = _device(row, names) | {name: number_in(row, name) for name in _WORK} | _times(row)
    energy, pue = number_in(row, "energy_kwh"), number_in(row, "pue")
    run |= {
        "run": row.run,
        "row": row.number,
        "history_format": row.form.name,
        "project": next((text_of(value) for _, _, value in row.given("project")), None),
        "energy_kwh": energy if energy is None or pue is None else energy / pue,
        "power_boundary": _boundary(row),
    }
    total, active = run["parameters"], run["active_parameters"]
    if total is not None and active is not None and active > total:
        row.breaks("active_above_all", "active_parameters", active, total=total)
    return run


def _check_state(row: Row) -> None:
    for column, _, value in row.given("state"):
        if str(value).strip().casefold() not in row.form.completed:
            row.breaks("not_completed", column, value)
        return
    if "state" in row.form.needed:
        row.breaks("missing", row.first_column("state"), None)


def _device(row: Row, names: DeviceNames) -> Run:
    """Device, count in whole devices, and hours."""
    wall_hours, count, entry = number_in(row, "wall_hours"), None, None
    how_hours = next((reading for _, reading, _ in row.given("wall_hours")), None)
    if how_hours is None:
        row.breaks("missing", row.first_column("wall_hours"), None)
    column, value, named = _named(row)
    if not named.names:
        row.breaks("no_device", column, value)
    elif len(named.names) > 1:
        row.breaks("mixed_devices", column, value)
    else:
        count = _count(row, named)
        entry = names.look_up(named.names[0])
        if entry is None:
            row.breaks("unknown_device", column, named.names[0], hint=names.hint(named.names[0]))
    if entry is None or count is None or wall_hours is None:
        return {}
    device, per_unit = entry
    if how_hours == "device-h":
        wall_hours /= count
    return {
        "device_as_given": named.names[0],
        "device": device,
        "device_count": count * per_unit,
        "wall_hours": wall_hours,
        "device_hours": wall_hours * count * per_unit,
    }


def _named(row: Row) -> tuple[str, object, Named]:
    """First cell that names a device, with the first count of any."""
    count: float | None = None
    column, value = row.first_column("device"), None
    for spelled, reading, cell in row.given("device"):
        named = named_in(str(cell).strip(), reading, row.form)
        count = named.count if count is None else count
        column, value = spelled, cell
        if named.names:
            return column, value, Named(named.names, count)
    return column, value, Named((), count)


def _count(row: Row, named: Named) -> float | None:
    """Devices as given: in a column of their own, else beside their name."""
    if any(True for _ in row.given("device_count")):
        return number_in(row, "device_count")
    if named.count is None:
        row.breaks("missing", row.first_column("device_count"), None)
        return None
    column = row.first_column("device")
    return named.count if is_within(row, "device_count", column, named.count, named.count) else None


def _boundary(row: Row) -> str | None:
    for column, _, value in row.given("power_boundary"):
        if str(value).strip() not in all_columns()["power_boundary"].allowed:
            row.breaks("unknown_boundary", column, value)
        return str(value).strip()
    return row.form.power_boundary


def _times(row: Row) -> Run:
    started, finished = moment_in(row, "started_utc"), moment_in(row, "finished_utc")
    if started is not None and finished is not None and finished <= started:
        column, _, value = next(row.given("finished_utc"))
        row.breaks("finish_before_start", column, value)
    return {"started_utc": started, "finished_utc": finished}


def _summed(runs: list[Run], faults: list[Fault], form: Format) -> list[Run]:
    """Stretches of a run as one, in the place of the first; a run of which a row is at fault is rejected whole."""
    column = form.spelling[form.id[0]]
    kinds: dict[str, set[tuple[str, float]]] = {}
    for run in runs:
        kinds.setdefault(run["run"], set()).add((run["device"], run["device_count"]))
    spoilt = {one.run for one in faults}
    whole: dict[str, Run] = {}
    for run in runs:
        name = run["run"]
        if name in spoilt:
            faults.append(fault("spoilt_run", run["row"], name, column, name))
        elif len(kinds[name]) > 1:
            listed = ", ".join(f"{count:g} x {device}" for device, count in sorted(kinds[name]))
            faults.append(fault("mixed_devices", run["row"], name, column, listed))
        elif name in whole:
            _add(whole[name], run)
        else:
            whole[name] = run
    return list(whole.values())


def _add(whole: Run, more: Run) -> None:
    for name in _SUMS:
        known = whole[name] is not None and more[name] is not None
        whole[name] = whole[name] + more[name] if known else None
    for name in _WORK:
        whole[name] = more[name] if whole[name] is None else whole[name]


def _with_power(runs: list[Run], faults: list[Fault], form: Format) -> list[Run]:
    """Runs with the mean power of a device; one with more than any device draws is rejected."""
    kept = []
    for run in runs:
        energy = run["energy_kwh"]
        if energy is None:
            kept.append(run | {"power_w": None, "power_boundary": None})
            continue
        kilowatts = energy / run["device_hours"]
        if kilowatts <= MOST_KW_PER_DEVICE:
            kept.append(run | {"power_w": kilowatts * WATTS_PER_KILOWATT})
            continue
        column = form.spelling[next(iter(form.columns["energy_kwh"]))]
        given = f"{energy:.6g} kWh"
        faults.append(fault("implausible_power", run["row"], run["run"], column, given, kilowatts=kilowatts))
    return kept
