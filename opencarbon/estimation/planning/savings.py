"""How sure a saving is: its standard deviation from the place and time left and from those taken."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


class Place(NamedTuple):
    """What running somewhere emits and how well that is known, each of one shape.

    Attributes
    ----------
    operational : ndarray
        Operational emissions, in any unit.
    intensity, intensity_sd : ndarray
        Mean carbon intensity over the run and its standard deviation [gCO2e/kWh].
    pue_sd : ndarray
        Standard deviation of ln PUE.
    """

    operational: Floats
    intensity: Floats
    intensity_sd: Floats
    pue_sd: Floats


def saving_sd(
    left: Place, taken: Place, *, shared_sd: Floats, elsewhere: Flags, transfer: Floats
) -> tuple[Floats, Floats]:
    """Standard deviation of a saving; hours and power are common to both sides and cancel.

    Parameters
    ----------
    left, taken : Place
    shared_sd : ndarray
        Part of the standard deviation of both intensities from hours that both sides run in, in one zone: it cancels
        [gCO2e/kWh].
    elsewhere : ndarray of bool
        The places are different regions: their PUE differ too.
    transfer : ndarray
        Emissions of moving, in the unit of the operational emissions; taken to be known to a factor of two.

    Returns
    -------
    from_left, from_taken : ndarray
        Independent of each other, in the unit of the operational emissions.
    """
    own, other = (_spread(place, shared_sd, elsewhere) for place in (left, taken))
    return own, np.hypot(other, transfer)


def _spread(place: Place, shared_sd: Floats, elsewhere: Flags) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.where(
            place.intensity > 0, (place.intensity_sd - shared_sd) / place.intensity, 0.0 * place.intensity
        )
    return place.operational * np.hypot(relative, np.where(elsewhere, place.pue_sd, 0.0))
