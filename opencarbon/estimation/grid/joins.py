"""How the usual is joined to what is known: by the anomaly of the last known day, which fades."""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from opencarbon.estimation.grid.climatology import DAYS_OF_LEVEL

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

FADE_H: Final = 24.0
"""Hours in which the part of an anomaly against the climatology that is weather falls to 1/e [h]."""

LASTING: Final = 0.4
"""Share of an anomaly that is not weather and fades only as a level is learnt, in :data:`DAYS_OF_LEVEL`.

Both were chosen on hourly intensities of 2022 of the zones that :mod:`opencarbon.estimation.grid.climatology` was fitted on, at
81 moments: of an anomaly 0.82, 0.62, 0.43, 0.33 and 0.24 were left 0-12, 12-24, 36-48, 72-84 and 132-144 h after the last
known hour; these say 0.85, 0.65, 0.44, 0.31 and 0.23, one exponential of 72 h 0.91, 0.77, 0.55, 0.34 and 0.15, which
promises that a dirty day passes within a week. For jobs of 48 h that may wait five days that claimed 1.14 times what was
realised, this 1.06 times (other zones: 1.09 and 1.01). Root mean square errors are alike: 12.6, 14.5, 16.7 and
18.2 % of the mean at 1-6, 7-24, 25-48 and 49-72 h.
"""

FADE_TO_ANNUAL_H: Final = 168.0
"""Hours in which an anomaly against an annual mean, whose error stays, falls to 1/e [h].

Errors at 1-24, 25-72 and 73-168 h: 30.5, 30.1 and 30.3 % of the mean without an anomaly, 19.1, 24.4 and 28.8 % for
48 h, 18.6, 21.6 and 24.7 % for 144 h, 18.6, 21.3 and 23.5 % for 240 h.
"""

SURE_AT_FIRST: Final = 0.54
"""Share of the variance of an hour about the climatology that the anomaly explains in the hour after the last known
one. Median over the same zones: the error at 1-6 h is 0.70 of that beyond three days, at 13-24 h 0.83."""

SURE_H: Final = 36.0
"""Hours in which that share falls to 1/e [h]: from the same two errors."""

_DAY_H: Final = 24


class Anomaly(NamedTuple):
    """Departure from the usual in the hours of a curve, each of shape (zones, hours).

    Attributes
    ----------
    of_last_day : ndarray
        Mean departure of the 24 hours up to the last known one before an hour; an hour of them that is not known counts
        as none, so that few known hours say little [gCO2e/kWh].
    age_h : ndarray
        Hours since that last known hour; infinite where none was known before, 0 where the hour itself is known [h].
    """

    of_last_day: Floats
    age_h: Floats

    def faded(self, is_climate: Flags) -> Floats:
        """Departure that is left in each hour, shape (zones, hours).

        Parameters
        ----------
        is_climate : ndarray of bool of shape (zones,)
            Whether the usual is a climatology; else it is an annual mean.

        Returns
        -------
        ndarray
            [gCO2e/kWh]
        """
        to_annual = np.exp(-self.age_h / FADE_TO_ANNUAL_H)
        return self.of_last_day * np.where(is_climate[:, None], share_left(self.age_h), to_annual)

    def sd_factor(self) -> Floats:
        """Standard deviation that is left of that of an hour about the climatology, shape (zones, hours).

        Returns
        -------
        ndarray
            Between 0 and 1.
        """
        return np.sqrt(1.0 - SURE_AT_FIRST * np.exp(-self.age_h / SURE_H))


def share_left(age_h: Floats) -> Floats:
    """Share of an anomaly against the climatology that is left hours after the last known one.

    Parameters
    ----------
    age_h : ndarray
        [h]

    Returns
    -------
    ndarray
        Between 0 and 1.
    """
    weather, lasting = np.exp(-age_h / FADE_H), np.exp(-age_h / (DAYS_OF_LEVEL * _DAY_H))
    return np.asarray((1.0 - LASTING) * weather + LASTING * lasting)


def anomaly(known: Floats, usual: Floats) -> Anomaly:
    """Departures of what is known from the usual, looking back from every hour.

    Parameters
    ----------
    known, usual : ndarray of shape (zones, hours)
        NaN where not known [gCO2e/kWh].

    Returns
    -------
    Anomaly
    """
    is_known = np.isfinite(known) & np.isfinite(usual)
    departure = np.where(is_known, known - usual, 0.0)
    sums = np.cumsum(np.pad(departure, ((0, 0), (_DAY_H, 0))), axis=1)
    means = (sums[:, _DAY_H:] - sums[:, :-_DAY_H]) / _DAY_H
    hours = np.arange(known.shape[1])
    last = np.maximum.accumulate(np.where(is_known, hours, -1), axis=1)
    found = last >= 0
    at = np.maximum(last, 0)
    return Anomaly(
        of_last_day=np.where(found, np.take_along_axis(means, at, axis=1), 0.0),
        age_h=np.where(found, hours - at, np.inf).astype(np.float64),
    )
