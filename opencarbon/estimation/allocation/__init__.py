"""An allocation of the whole queue: every job a place that its capacity really holds.

**Objective.** First the number of jobs placed, of the highest priority, then of the next, and so on. Then what the queue
emits in operation and by moving data, a job without a place counting at its baseline. A priority says who gets in, not
who gets the cleanest hours.

**Capacity** is what is free for this queue: jobs that run already, and those that cannot be planned, take nothing of it. A
job takes ``device_count`` in every clock hour that it touches, so that no moment holds more than is free.

**Doubt.** A place is held to the same rules as advice without capacities: on poorer data or behind the horizon it must
save with enough probability, and a move must save whatever the PUE and the zone of its ends where they are in doubt.
Other places may emit more than the baseline, which is no choice where it has no room: such a saving is negative.

**Places.** Straight runs: for every run of clock hours that a job may touch, the start with the lowest emissions; behind
the horizon, where the curve is flat, starts up to :data:`~opencarbon.estimation.allocation.queue.BEHIND_H` after the
first. Jobs that may pause also run in the cheapest free whole hours before the horizon, the part of an hour that is left
over in the first or the last of them.

**Method.** Prices of devices by region and hour, from the Lagrangian dual, give a lower bound; a greedy placement in
order of priority at these prices is improved job by job; and where the queue is small, HiGHS solves it over the places
that the bound leaves open, with pauses over the schedules seen on the way. At the end no job is left out of a place that
would be free without jobs of lower priority. Budgets are counts, so that equal inputs give
equal allocations; only the last resort of HiGHS is a time.
"""
