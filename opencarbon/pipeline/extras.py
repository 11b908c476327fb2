"""Libraries that only some commands need: asked for before the work begins, not after it."""

from importlib.util import find_spec
from typing import Final

from opencarbon.errors import ConfigError

_EXTRA_OF: Final = {"sklearn": "baselines", "matplotlib": "report", "jinja2": "report"}
"""Module -> the extra of this package that brings it, see ``pyproject.toml``."""


def require_page_libraries() -> None:
    """Refuse to begin a page whose figures, text or regressions could not be made.

    Raises
    ------
    ConfigError
        Naming what is missing and the extras that bring it.
    """
    missing = [module for module in _EXTRA_OF if find_spec(module) is None]
    if missing:
        extras = ",".join(sorted({_EXTRA_OF[module] for module in missing}))
        raise ConfigError(
            f"the page needs {', '.join(missing)}, not installed: pip install 'opencarbon[{extras}]'"
        )
