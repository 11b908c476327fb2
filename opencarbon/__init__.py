"""What planned machine-learning training jobs will emit, and where and when to run them instead.

>>> import opencarbon as oc
>>> round(oc.device_hours(1e23, log10_alpha=60.0))
176451

Everything public stands in ``__all__``; it is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opencarbon.physics.compute import inference_flop, training_flop
    from opencarbon.physics.shifting import best_start
    from opencarbon.physics.throughput import device_hours, log10_alpha
    from opencarbon.pipeline.api import estimate

    __version__: str

__all__ = [
    "__version__",
    "best_start",
    "device_hours",
    "estimate",
    "inference_flop",
    "log10_alpha",
    "training_flop",
]

_HOMES = {
    "best_start": "opencarbon.physics.shifting",
    "device_hours": "opencarbon.physics.throughput",
    "estimate": "opencarbon.pipeline.api",
    "inference_flop": "opencarbon.physics.compute",
    "log10_alpha": "opencarbon.physics.throughput",
    "training_flop": "opencarbon.physics.compute",
}

if not TYPE_CHECKING:  # for a type checker, a name that is not declared above is an error

    def __getattr__(name: str) -> object:
        """Import a public name on its first use."""
        if name == "__version__":
            from importlib.metadata import version

            value = version("opencarbon")
        elif name in _HOMES:
            value = getattr(import_module(_HOMES[name]), name)
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        """Public names, and what a module has anyway."""
        return sorted({*globals(), *__all__})
