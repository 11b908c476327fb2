"""A command is called, its errors become words, and both an exit status."""

import logging
import os
import sys
from io import TextIOWrapper
from typing import Final

from cyclopts import App, CycloptsError
from rich.console import Console

from opencarbon.errors import ConfigError, ManifestError, OpenCarbonError

USAGE: Final = 2
FAILED: Final = 1

_UNHEARD: Final = logging.NullHandler()


def call(commands: App, tokens: list[str]) -> int:
    """Run a command, and turn errors into one readable block and an exit status.

    Parameters
    ----------
    commands : App
    tokens : list of str
        The command line; ``--debug`` anywhere in it lets errors through with their traceback.

    Returns
    -------
    int
        Exit status: 0 published; 3 published, but strict; 4 published, over budget; 2 nothing published for bad usage,
        configuration or manifests; 1 anything else.
    """
    debug = "--debug" in tokens
    words = [word for word in tokens if word != "--debug"]
    _prepare(debug=debug)
    errors = Console(stderr=True)
    try:
        status = commands(words, exit_on_error=False, print_error=True, error_console=errors)
        sys.stdout.flush()
    except CycloptsError:
        return USAGE
    except KeyboardInterrupt:
        _say(errors, "stopped")
        return FAILED
    except BrokenPipeError:  # its reader has seen enough; Python is not to try again on its way out
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except OpenCarbonError as problem:
        if debug:
            raise
        _say(errors, f"error: {problem}")
        return USAGE if isinstance(problem, ConfigError | ManifestError) else FAILED
    except Exception as problem:
        if debug:
            raise
        _say(errors, f"error: unexpected {type(problem).__name__}: {problem} (--debug shows where)")
        return FAILED
    return int(status or 0)


def _prepare(*, debug: bool) -> None:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # names of jobs may hold what the terminal's encoding lacks
            stream.reconfigure(errors="backslashreplace")
    if not debug:  # what the log tells with tracebacks, the commands tell in a line
        logging.getLogger("opencarbon").addHandler(_UNHEARD)


def _say(errors: Console, words: str) -> None:
    errors.print(words, style="red", markup=False, highlight=False, soft_wrap=True)
