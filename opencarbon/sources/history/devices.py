"""Devices of run histories: what a log says becomes one device of the catalog and how many of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from opencarbon.catalog.names import squeeze
from opencarbon.sources.history.formats import Format
from opencarbon.sources.manifests.names import nearest


@dataclass(frozen=True, slots=True)
class Named:
    """What a cell says about devices.

    Parameters
    ----------
    names : tuple of str
        Distinct devices, as spelled; more than one where they are mixed.
    count : float or None
        Devices, where the cell counts them.
    """

    names: tuple[str, ...]
    count: float | None


def named_in(text: str, reading: str, form: Format) -> Named:
    """Take the text of a cell apart.

    Parameters
    ----------
    text : str
        Such as ``8 x NVIDIA A100-SXM4-80GB``, ``cpu=64,gres/gpu:a100=8,gres/gpu=8,node=1`` or ``A100``.
    reading : str
        How the column is read: text, devices or resources.
    form : Format

    Returns
    -------
    Named
        A count without a name (``gres/gpu=8``) counts only where no device is named beside it.
    """
    found = list(_matches(text, form)) if reading != "text" else []
    if not found and reading != "resources":
        return Named((text,), None)
    distinct: dict[str, str] = {}
    for name, _ in found:
        if name:
            distinct.setdefault(squeeze(name), name)
    counts = [count for name, count in found if name] or [count for _, count in found]
    return Named(tuple(distinct.values()), sum(counts) if counts else None)


def _matches(text: str, form: Format) -> Iterator[tuple[str | None, float]]:
    if form.device_pattern is not None:
        for match in form.device_pattern.finditer(text):
            yield (match["device"] or "").strip() or None, float(match["count"])


@dataclass(frozen=True, slots=True)
class DeviceNames:
    """Spellings of the catalog.

    Parameters
    ----------
    units : mapping of str to (str, float)
        Squeezed spelling -> canonical name, devices per unit.
    """

    units: Mapping[str, tuple[str, float]]
    _hints: dict[str, str] = field(default_factory=dict)

    def look_up(self, name: str) -> tuple[str, float] | None:
        """Canonical name and devices per unit of a spelling.

        Parameters
        ----------
        name : str

        Returns
        -------
        (str, float) or None
            None where no device is spelled so.
        """
        return self.units.get(squeeze(name))

    def hint(self, name: str) -> str:
        """Say what an unknown name may have been meant to be, each name sought once.

        Parameters
        ----------
        name : str

        Returns
        -------
        str
            As :func:`~opencarbon.sources.manifests.names.nearest` says it.
        """
        if name not in self._hints:
            known = {spelling: device for spelling, (device, _) in self.units.items()}
            self._hints[name] = nearest(squeeze(name), known)
        return self._hints[name]
