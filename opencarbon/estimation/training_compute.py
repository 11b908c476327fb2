"""Training FLOP of published models, counted from their architectures and set beside the published totals."""

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

import pyarrow as pa

from opencarbon.errors import ConfigError
from opencarbon.physics.architectures import evoformer_flop, swin_flop, transformer_flop, vit_flop
from opencarbon.physics.compute import TRAINING_PER_FORWARD, training_flop
from opencarbon.tables.conform import conform
from opencarbon.tables.reproduction import TRAINING_COMPUTE

_TEXTS: Final = {"model", "architecture", "stages", "published_by", "source_id", "reason", "note"}
"""Columns that hold no number."""

_Row = Mapping[str, Any]
_Counted = tuple[float, str]


def training_compute_table(rows: pa.Table) -> pa.Table:
    """Training FLOP as published and as counted here.

    Parameters
    ----------
    rows : pa.Table
        Catalog file ``training_compute.csv``: a model, its architecture and the figures that the count of this
        architecture takes, null where it takes none; then ``published_flop``, ``source_id`` and ``reason``.

    Returns
    -------
    pa.Table
        ``TRAINING_COMPUTE``, sorted by model.

    Raises
    ------
    ConfigError
        Where an architecture is unknown, or the figures of a row do not make its count.
    """
    counted = [_counted(row) for row in rows.to_pylist()]
    table = pa.Table.from_pylist(counted, schema=TRAINING_COMPUTE.schema())
    return conform(table.sort_by([(name, "ascending") for name in TRAINING_COMPUTE.key]), TRAINING_COMPUTE)


def _counted(row: dict[str, Any]) -> dict[str, Any]:
    """Row of the table."""
    where = f"training compute of {row['model']}"
    if row["architecture"] not in _COUNTS:
        raise ConfigError(
            f"{where}: architecture {row['architecture']!r} cannot be counted; it is one of {', '.join(_COUNTS)}"
        )
    try:
        figures = {name: _number(name, value) for name, value in row.items()}
        flop, text = _COUNTS[row["architecture"]](figures)
    except ValueError as problem:
        raise ConfigError(f"{where}: {problem}") from None
    return {
        **{name: row[name] for name in ("model", "architecture", "published_flop", "reason", "source_id")},
        "counted_from": text,
        "training_flop": flop,
        "ratio": flop / row["published_flop"],
    }


def _number(name: str, value: Any) -> Any:  # noqa: ANN401  # texts pass through
    """A figure as float, NaN for null."""
    if name in _TEXTS:
        return value
    return math.nan if value is None else float(value)


def _by_tokens(row: _Row) -> _Counted:
    """One stack of blocks, dense or a mixture of experts, with attention where its shape is given."""
    names = (
        *("parameters", "active_parameters", "training_tokens", "layers", "width", "context_tokens"),
        *("shared_parameters", "expert_parameters", "experts", "experts_per_token", "epochs"),
    )
    tokens = f"{_figure(row['training_tokens'])} tokens"
    if not math.isnan(row["experts"]):
        working = (
            f"({_figure(row['shared_parameters'])} shared + {_figure(row['expert_parameters'])} in experts x "
            f"{_figure(row['experts_per_token'])} of {_figure(row['experts'])}) parameters"
        )
    elif not math.isnan(row["active_parameters"]):
        working = f"{_figure(row['active_parameters'])} active parameters"
    else:
        working = f"{_figure(row['parameters'])} parameters"
    text = f"6 x {working} x {tokens}"
    if not math.isnan(row["layers"]):
        text += (
            f" + 12 x {_figure(row['layers'])} layers x {_figure(row['width'])} wide x "
            f"{_figure(row['context_tokens'])} tokens of context x {tokens}"
        )
    return _with_epochs(_flop(row, *names), text, row)


def _by_halves(row: _Row) -> _Counted:
    """Encoder and decoder, each on its own tokens."""
    names = ("encoder_parameters", "encoder_tokens", "decoder_parameters", "decoder_tokens", "epochs")
    halves = (
        f"{_figure(row[f'{half}_parameters'])} {half} parameters x {_figure(row[f'{half}_tokens'])} tokens"
        for half in ("encoder", "decoder")
    )
    return _with_epochs(_flop(row, *names), f"6 x ({' + '.join(halves)})", row)


def _by_samples(row: _Row) -> _Counted:
    """A forward pass whose cost is given."""
    return _over_samples(row, row["forward_flop_per_sample"], "")


def _by_patches(row: _Row) -> _Counted:
    """A vision transformer, or a diffusion transformer on latents."""
    return _over_samples(row, _image_flop(row), f" ({_image(row)})")


def _by_windows(row: _Row) -> _Counted:
    """A Swin transformer."""
    if row["stages"] is None:
        raise ValueError("give stages, the blocks of each, such as 2-2-18-2")
    stages = [float(blocks) for blocks in row["stages"].split("-")]
    forward = float(
        swin_flop(
            row["image_size"],
            row["patch_size"],
            row["window"],
            row["width"],
            stages,
            channels=row["channels"],
        )
    )
    shape = (
        f"{_figure(row['image_size'])} px, patches of {_figure(row['patch_size'])}, windows of "
        f"{_figure(row['window'])}, {row['stages']} blocks from {_figure(row['width'])} wide"
    )
    return _over_samples(row, forward, f" ({shape})")


def _by_towers(row: _Row) -> _Counted:
    """An image tower and a text tower; their similarities, below 0.1 %, are left out."""
    image = _image_flop(row)
    text = float(
        transformer_flop(row["text_tokens"], row["text_layers"], row["text_width"], row["text_mlp_width"])
    )
    shape = (
        f"image {_figure(image)}: {_image(row)}; text {_figure(text)}: {_figure(row['text_tokens'])} tokens, "
        f"{_figure(row['text_layers'])} layers {_figure(row['text_width'])} wide"
    )
    return _over_samples(row, image + text, f" ({shape})")


def _by_crops(row: _Row) -> _Counted:
    """AlphaFold 2: initial training on small crops, then fine-tuning on larger ones."""
    (initial, initial_text), (tuning, tuning_text) = _crop_stage(row, ""), _crop_stage(row, "tuning_")
    return initial + tuning, f"{initial_text} + {tuning_text}"


def _crop_stage(row: _Row, stage: str) -> _Counted:
    """One stage; all passes of a sample but the last run forward only."""
    residues, rows, extra = (row[f"{stage}{name}"] for name in ("residues", "msa_rows", "extra_rows"))
    forward, samples = float(evoformer_flop(residues, rows, extra, row["templates"])), row[f"{stage}samples"]
    passes = row["forward_only_passes"]
    if math.isnan(forward * passes * samples):
        raise ValueError(
            f"give {stage}residues, {stage}msa_rows, {stage}extra_rows and {stage}samples, "
            "templates and forward_only_passes"
        )
    flop = training_flop(
        forward_flop_per_sample=forward, frozen_flop_per_sample=passes * forward, samples=samples
    )
    return float(flop), (
        f"({TRAINING_PER_FORWARD:g} + {_figure(passes)}) x {_figure(forward)} FLOP forward ({_figure(residues)} "
        f"residues, {_figure(rows)} rows, {_figure(extra)} extra rows, {_figure(row['templates'])} templates) x "
        f"{_figure(samples)} samples"
    )


_COUNTS: Final[Mapping[str, Callable[[_Row], _Counted]]] = {
    "decoder": _by_tokens,
    "encoder": _by_tokens,
    "mixture of experts": _by_tokens,
    "encoder-decoder": _by_halves,
    "convolutional network": _by_samples,
    "latent diffusion": _by_samples,
    "diffusion transformer": _by_patches,
    "vision transformer": _by_patches,
    "swin transformer": _by_windows,
    "two towers": _by_towers,
    "evoformer": _by_crops,
}
"""Architecture -> how it is counted."""


def _flop(row: _Row, *names: str) -> float:
    """Training FLOP from these columns."""
    return float(training_flop(**{name: row[name] for name in names}))


def _over_samples(row: _Row, forward: float, shape: str) -> _Counted:
    """Training FLOP of a forward pass over all samples."""
    if math.isnan(forward):
        raise ValueError(
            "a figure of its forward pass is missing: fill the columns that its architecture takes"
        )
    given = {name: row[name] for name in ("frozen_flop_per_sample", "samples", "epochs")}
    text = f"3 x {_figure(forward)} FLOP forward{shape}"
    if not math.isnan(row["frozen_flop_per_sample"]):
        text = f"({text} + {_figure(row['frozen_flop_per_sample'])} FLOP frozen)"
    flop = float(training_flop(forward_flop_per_sample=forward, **given))
    return _with_epochs(flop, f"{text} x {_figure(row['samples'])} samples", row)


def _with_epochs(flop: float, text: str, row: _Row) -> _Counted:
    """The same with the passes over the data named."""
    return flop, text if math.isnan(row["epochs"]) else f"{text} x {_figure(row['epochs'])} epochs"


def _image_flop(row: _Row) -> float:
    """Forward cost of a transformer on patches."""
    return float(
        vit_flop(
            row["image_size"],
            row["patch_size"],
            row["layers"],
            row["width"],
            row["mlp_width"],
            channels=row["channels"],
            class_tokens=row["class_tokens"],
        )
    )


def _image(row: _Row) -> str:
    """Shape of a transformer on patches."""
    return (
        f"{_figure(row['image_size'])} px, patches of {_figure(row['patch_size'])}, "
        f"{_figure(row['layers'])} layers {_figure(row['width'])} wide"
    )


def _figure(value: float) -> str:
    """A number for a reader: 174.6e9, 12288, 0.5."""
    if math.isnan(value) or abs(value) < 1e6:
        return f"{value:.6g}"
    exponent = 3 * (math.floor(math.log10(abs(value))) // 3)
    return f"{value / 10.0**exponent:.5g}e{exponent}"
