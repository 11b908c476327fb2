"""Metadata of a model card, ``co2_eq_emissions`` in grams, https://huggingface.co/docs/hub/model-cards-co2."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from opencarbon.publishing.interchange.jobs import Exchange, Row

_GRAMS: Final = 1000.0


def huggingface_yaml(job: Row, exchange: Exchange, *, is_named: bool) -> str:
    """A YAML document for the card of a model.

    Parameters
    ----------
    job : dict
    exchange : Exchange
    is_named : bool
        Whether it says which job it is of: among many it has to.

    Returns
    -------
    str
        Operational emissions of one run as they were planned; ``source`` says that they were estimated before it.
    """
    region = exchange.regions.get(job["baseline_region"] or "", {})
    low, high = (_grams(job[f"operational_{end}_kgco2e"], job) for end in ("low", "high"))
    level = "" if exchange.level is None else f"{100 * exchange.level:.3g} % "
    block: dict[str, Any] = {
        "emissions": _grams(job["operational_kgco2e"], job),
        "source": f"opencarbon {exchange.run['version']}, estimated before the run: operational emissions of the final run, "
        f"attributed and location-based, {level}interval {low} to {high} g",
        "geographical_location": ", ".join(
            filter(None, (region.get("location"), region.get("country_code"), job["baseline_region"]))
        ),
        "hardware_used": f"{job['device_count']:g} x {job['device']}",
    }
    head = ["---"] + ([f"job_id: {_quoted(job['job_id'])}"] if is_named else [])
    return "\n".join([*head, "co2_eq_emissions:", *_lines(block), ""])


def _lines(block: Mapping[str, Any]) -> list[str]:
    return [
        f"  {name}: {_quoted(value) if isinstance(value, str) else value}"
        for name, value in block.items()
        if value not in (None, "")
    ]


def _grams(kilograms: float | None, job: Row) -> float | None:
    return None if kilograms is None else float(f"{kilograms * _GRAMS / job['runs']:.6g}")


def _quoted(text: str) -> str:
    """Text as a double-quoted scalar: JSON's is one, but for characters that YAML does not print."""
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(
        character if character.isprintable() else f"\\U{ord(character):08x}" for character in quoted
    )
