"""Every error that opencarbon raises on purpose.

::

    OpenCarbonError
    |-- ConfigError            settings, arguments, catalog overrides
    |-- SourceError            something outside did not give what was asked
    |   |-- SourceAuthError          the token is missing or refused
    |   |-- SourcePlanError          the token is good, the plan does not cover this
    |   |-- SourceRateLimitError     throttled, and still throttled after the retries
    |   |-- SourceBudgetError        the requests of the run are spent
    |   |-- SourceUnavailableError   no answer, or a server error after the retries
    |   `-- SourceShapeError         an answer that is not what the documentation promises
    |-- ManifestError          a manifest cannot be read, or nothing in it can be used
    |-- FitError               a device fit is impossible
    |-- ContractError          a table breaks its contract: lists every violation
    `-- PublishError           a release cannot be staged, verified or swapped in
        `-- PublishConflictError     another publisher holds the release lock

Messages say what was expected, what was found, where, and what to do.
No message ever holds a token, a header or the query of a URL.
"""

from collections.abc import Sequence


class OpenCarbonError(Exception):
    """Base of every error that opencarbon raises on purpose."""


class ConfigError(OpenCarbonError):
    """A setting, an argument or a catalog override is unusable."""


class SourceError(OpenCarbonError):
    """A source of data outside did not give what was asked of it."""

    code = "source_error"


class SourceAuthError(SourceError):
    """The token is missing or was refused."""

    code = "auth"


class SourcePlanError(SourceError):
    """The token is good, but its plan does not cover this zone or endpoint."""

    code = "plan"


class SourceRateLimitError(SourceError):
    """The source throttles, and still did after the retries."""

    code = "rate_limit"


class SourceBudgetError(SourceError):
    """The requests that the run may make are spent: nothing was asked."""

    code = "budget"


class SourceUnavailableError(SourceError):
    """The source gave no answer, or a server error, after the retries."""

    code = "unavailable"


class SourceShapeError(SourceError):
    """The source answered with something other than its documentation promises."""

    code = "shape"


class ManifestError(OpenCarbonError):
    """A manifest cannot be read, or holds nothing that can be used."""


class FitError(OpenCarbonError):
    """A device fit is impossible with the runs at hand."""


class ContractError(OpenCarbonError):
    """A table breaks its contract.

    Parameters
    ----------
    table : str
        Name of the contract.
    violations : sequence of str
        Every violation found, one sentence each.
    """

    def __init__(self, table: str, violations: Sequence[str]) -> None:
        self.table = table
        self.violations = tuple(violations)
        listed = "\n".join(f"  - {violation}" for violation in self.violations)
        super().__init__(f"table {table} breaks its contract:\n{listed}")


class PublishError(OpenCarbonError):
    """A release cannot be staged, verified or swapped in."""


class PublishConflictError(PublishError):
    """Another publisher holds the release lock."""
