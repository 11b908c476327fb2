"""A table of models as Epoch AI writes it, of runs on two devices, and ways to damage it."""

import csv
import io
from collections.abc import Callable, Iterable

MI300X, H100 = "AMD Instinct MI300X", "NVIDIA H100 SXM5 80GB"
PEAKS_TFLOP_PER_S = {MI300X: 1307.4, H100: 989.4}
Row = dict[str, str]


def rows(*, mi300x: float = 0.4, h100: float = 0.4) -> list[Row]:
    """Runs as Epoch AI writes them: five and seven of as many laboratories, at about these utilisations."""
    runs = [(MI300X, mi300x * (0.9 + 0.05 * at), at) for at in range(5)]
    runs += [(H100, h100 * (0.91 + 0.03 * at), at + 5) for at in range(7)]
    return [_row(device, utilisation, number) for device, utilisation, number in runs]


def _row(device: str, utilisation: float, number: int) -> Row:
    tokens = (2 + number) * 1e12
    flop = 6 * 7e9 * tokens
    hours = flop / (utilisation * PEAKS_TFLOP_PER_S[device] * 1e12 * 3600 * 1024)
    return {
        "Model": f"Model-{number}-7B",
        "Organization": f"Laboratory {number}",
        "Publication date": "2025-02-01",
        "Parameters": "7e9",
        "Training compute (FLOP)": f"{flop:.5g}",
        "Training compute notes": f"6 * 7e9 parameters * {tokens:.3g} tokens = {flop:.5g} FLOP",
        "Training time (hours)": f"{hours:.6g}",
        "Training time notes": "",
        "Training hardware": device,
        "Hardware quantity": "1024",
        "Base model": "",
        "Finetune compute (FLOP)": "",
    }


def with_cells(found: Iterable[Row], device: str = "", **cells: Callable[[Row], str]) -> list[Row]:
    """Rows, those of a device with other cells; words of a column are joined by underscores."""
    named = {name.replace("_", " "): cell for name, cell in cells.items()}
    columns = {known: named[plain] for known in rows()[0] if (plain := known.partition(" (")[0]) in named}
    return [
        row | {name: cell(row) for name, cell in columns.items()}
        if row["Training hardware"].startswith(device)
        else row
        for row in found
    ]


def as_csv(found: list[Row]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows()[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(found)
    return text.getvalue().encode()
