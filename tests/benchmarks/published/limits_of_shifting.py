"""The experiment of Sukprasert et al., "On the Limitations of Carbon-Aware Temporal and Spatial Workload Shifting",
EuroSys'24 (github.com/umassos/decarbonization-potential, sim_temporal/experiment_vary_job_slack.py).

A job of J whole hours may be put off by at most S hours. It is submitted at every hour of the year in turn: at every
hour before the last J, or, where S is the whole year, at every hour that leaves room for it. Windows end with the year.
Results are means over those hours of submission of the intensity summed over the hours that the job runs.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from opencarbon.physics.shifting import lowest_mean

Floats = npt.NDArray[np.float64]

_BLOCK = 48  # submissions that are searched together where the job may pause


@dataclass(frozen=True)
class Submissions:
    """A job submitted at every hour of the year [h]."""

    job_hours: int
    submitted_h: Floats
    finish_by_h: Floats

    def baseline(self, curves: Floats) -> Floats:
        """Mean sum in each zone if it runs at once [gCO2e/kWh h]."""
        finish = self.submitted_h + self.job_hours
        return self._mean_sums(lowest_mean(curves, self.job_hours, self.submitted_h, finish))

    def deferred(self, curves: Floats) -> Floats:
        """Mean sum in each zone if it runs without a pause when that is lowest [gCO2e/kWh h]."""
        return self._mean_sums(lowest_mean(curves, self.job_hours, self.submitted_h, self.finish_by_h))

    def interrupted(self, curves: Floats) -> Floats:
        """Mean sum in each zone if it runs in the lowest hours [gCO2e/kWh h].

        Of the hours that all windows of two days' submissions share, only the lowest J can ever be run. The
        others are left out, so that windows of a month or a year are not searched hour by hour; nothing changes.
        """
        blocks = range(0, self.submitted_h.size, _BLOCK)
        return self._mean_sums(np.concatenate([self._interrupted(curves, begin) for begin in blocks]))

    def _interrupted(self, curves: Floats, begin: int) -> Floats:
        submitted, finish = (times[begin : begin + _BLOCK] for times in (self.submitted_h, self.finish_by_h))
        first, shared = int(submitted[0]), int(submitted[-1])
        end = max(shared, int(finish[0]))
        lowest = np.sort(curves[:, shared:end], axis=1)[:, : self.job_hours]
        left_out = end - shared - lowest.shape[1]
        shorter = np.hstack([curves[:, first:shared], lowest, curves[:, end : int(finish[-1])]])
        windows = (submitted - first, finish - first - left_out)
        return lowest_mean(shorter, self.job_hours, *windows, interruptible=True)

    def _mean_sums(self, means: Floats) -> Floats:
        return np.asarray(means.mean(axis=0) * self.job_hours)


def submissions(year_hours: int, job_hours: int, slack_hours: int) -> Submissions:
    """Submit the job at every hour of the year."""
    whole_year = slack_hours >= year_hours
    submitted = np.arange(float(year_hours - job_hours + whole_year))
    return Submissions(
        job_hours, submitted, np.minimum(submitted + slack_hours + job_hours, float(year_hours))
    )


def saved_by_deferral(curves: Floats, job_hours: int, slack_hours: int) -> Floats:
    """Mean saving in each zone per hour that the job runs [gCO2e/kWh]."""
    job = submissions(curves.shape[1], job_hours, slack_hours)
    return (job.baseline(curves) - job.deferred(curves)) / job_hours


def saved_by_one_migration(curves: Floats) -> float:
    """Mean over zones of the saving if everything runs in the zone with the lowest mean [gCO2e/kWh]."""
    means = submissions(curves.shape[1], 1, curves.shape[1]).baseline(curves)
    return float(means.mean() - means.min())


def saved_by_perfect_migration(curves: Floats) -> float:
    """Mean over zones of the saving if every hour runs in the zone that is lowest then [gCO2e/kWh]."""
    everywhere = submissions(curves.shape[1], 1, curves.shape[1])
    lowest = everywhere.baseline(curves.min(axis=0, keepdims=True))
    return float(everywhere.baseline(curves).mean() - lowest[0])
