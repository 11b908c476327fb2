"""What is taken to be known of utilisation before any run is seen: the constants of :mod:`opencarbon.estimation.fitting.pooling`.

Those that were measured were measured on the published runs that the evaluation scores, so that its errors are a little
flattered. None was tuned to a run; errors on families left out are flat about them.
"""

from typing import Final

import numpy as np

LEVEL: Final = 0.8
"""Share of new runs of new families that an interval is to hold, where nothing else is asked for."""

BETWEEN_FAMILIES: Final = 0.34
"""Standard deviation of ln utilisation between families of one organisation on one device.

With :data:`BETWEEN_ORGANISATIONS` it makes the 0.42 measured between 16-34 families of published runs whose FLOP was
counted, reported or measured (Epoch AI, 2025-11); restricted maximum likelihood on 92 runs of 62 families splits it
0.26 to 0.31.
"""

BETWEEN_ORGANISATIONS: Final = 0.25
"""Standard deviation of ln utilisation between organisations: their clusters and code bases. See above."""

WITHIN_FAMILY: Final = 0.16
"""Standard deviation of ln utilisation between runs of one family on one device, from the same runs."""

CONVENTION: Final = 0.22
"""Further standard deviation where the FLOP was only reported: conventions of counting differ by as much as
6.31e23 and 5.04e23 FLOP of Gopher."""

BETWEEN_DEVICES: Final = 0.20
"""Standard deviation of ln utilisation between devices of one generation, and between generations.

Median utilisation of published runs is .38 (A100 80GB), .29 (A100 40GB), .26 (H100), .33 (TPU v4), .30 (TPU v3)
and .23 (V100): a standard deviation of 0.18 in logs, on few runs each.
"""

BETWEEN_PROJECTS: Final = 0.10
"""Standard deviation of ln utilisation between projects of the own fleet on one device, less than between families of
an organisation: they share cluster and code. Taken with the next so that errors on the other runs of a fleet fall with
every own run that is given, in 12 published fleets."""

BETWEEN_OWN_RUNS: Final = 0.22
"""Standard deviation of ln utilisation between own runs of one project: a log holds runs of more sizes and settings than
the few that are published of a family."""

SLOPE: Final = 0.3
"""Prior standard deviation of the change of ln utilisation per decade of ideal wall-hours: from 100 h to 10 h a run
loses a quarter, give or take. Wide against what the runs say, 0.4 with an error of 0.07."""

GOODPUT: Final = 0.3
"""Prior standard deviation of what throughput alone leaves out, and tuned code gains, in ln utilisation."""

TUNED_CODE: Final = 0.2
"""Standard deviation of what benchmarks of one code gain on one device more than on another, in ln utilisation."""

VAGUE: Final = 5.0
"""Prior standard deviation of the mean of all: it says nothing."""

CENTRE: Final = float(np.log(1.0 / 3.0))
"""Utilisation that runs are measured from: between the 0.30 and 0.40 that Epoch AI assumes where nothing is known
(https://epoch.ai/blog/estimating-training-compute). The mean is estimated; this only says what is far."""

FAR: Final = 2.0
"""Standard deviations of a run from :data:`CENTRE` beyond which its own error is widened."""

LEAST_FAMILIES: Final = 20
"""Families from which on errors of families left out decide: with fewer, they are known no better than to a third."""

PRIOR_DEGREES: Final = 10.0
"""Degrees of freedom of the prior of the scale: it weighs as ten runs."""
