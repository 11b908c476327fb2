"""Who trained a model, under one name for each organisation."""

from collections.abc import Mapping
from functools import cache
from typing import Final

from opencarbon.catalog.files import packaged, read_csv
from opencarbon.catalog.names import squeeze

_BETWEEN_NAMES: Final = ", "


@cache
def organisation_aliases() -> Mapping[str, str]:
    """Other names of organisations, as the sources of training runs write them.

    Returns
    -------
    mapping of str to str
        Squeezed alias -> the name. A name that is not in it stands for itself.
    """
    rows = read_csv(packaged("organisations.csv")).to_pylist()
    return {squeeze(row["alias"]): str(row["organisation"]) for row in rows}


def canonical_organisation(text: str | None) -> str | None:
    """Give every organisation of a list its one name.

    Parameters
    ----------
    text : str or None
        Names, separated by commas.

    Returns
    -------
    str or None
        Names in their order, each once, separated by a comma and a space; None where there is none.
    """
    aliases = organisation_aliases()
    names = [name.strip() for name in (text or "").split(",") if name.strip()]
    return _BETWEEN_NAMES.join(dict.fromkeys(aliases.get(squeeze(name), name) for name in names)) or None
