"""A sample of three faults; OPENCARBON_FAULTS=100 meets a hundred of all kinds, and OPENCARBON_FAULTS_SEED draws others.

OPENCARBON_FAULTS_REPORT names a JSON file for what came of every fault.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.campaign import Told, copy_of, first_night, meet, report, write_report
from tests.faults.kinds import CLOCK, FULL, KINDS, UNAVAILABLE, faketime_library, mount_tmpfs, unmount
from tests.faults.prefect_site import PrefectSite
from tests.faults.world import World, on_objects, sources, world
from tests.s3_server import s3_server

COUNT = int(os.environ.get("OPENCARBON_FAULTS", "3"))
SEED = int(os.environ.get("OPENCARBON_FAULTS_SEED", "1"))
REPORT = os.environ.get("OPENCARBON_FAULTS_REPORT")
SHARES = {kind: (COUNT + number) // len(KINDS) for number, kind in enumerate(KINDS)}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120 + 120 * COUNT)]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectSite]:
    with PrefectSite(tmp_path_factory.mktemp("prefect")) as made:
        yield made


@pytest.fixture(scope="module")
def seen(pytestconfig: pytest.Config) -> Iterator[list[Told]]:
    """Every fault that was met, told at the end."""
    faults: list[Told] = []
    yield faults
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print(f"\n{report(faults)}")


@pytest.fixture(scope="module")
def first(site: PrefectSite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A release with one run."""
    with sources() as urls:
        made = world(tmp_path_factory.mktemp("first"), urls)
        first_night(site, made)
        yield made


@pytest.fixture
def place(kind: str, first: World, site: PrefectSite, tmp_path: Path) -> Iterator[World]:
    """The site that a kind of fault is met at."""
    if kind == FULL:
        mount = tmp_path / "small"
        if not mount_tmpfs(mount):
            pytest.skip(f"{FULL}: needs Linux and root, to mount a small file system")
        try:
            yield copy_of(first, tmp_path / "world", mount / "out")
        finally:
            unmount(mount)
    elif kind == CLOCK and faketime_library() is None:
        pytest.skip(f"{CLOCK}: needs libfaketime, on Linux")
    elif kind == UNAVAILABLE:
        with s3_server(failing=1 / 3, seed=SEED) as server:
            made = on_objects(first, tmp_path / "world", server)
            first_night(site, made, attempts=5)
            yield made
    else:
        yield copy_of(first, tmp_path / "world")


@pytest.mark.parametrize("kind", [kind for kind, share in SHARES.items() if share])
def test_nothing_published_is_lost_or_mixed_and_the_next_night_repairs_all(
    kind: str, place: World, site: PrefectSite, seen: list[Told]
) -> None:
    draw = random.Random(f"{SEED} {kind}")
    wrong, published = [], place.readers.look()
    for _ in range(SHARES[kind]):
        told, published = meet(site, place, kind, draw, published)
        print(f"{told.seconds:5.1f} s {told.line}", flush=True)
        seen.append(told)
        if REPORT:
            write_report(Path(REPORT), seen)
        wrong += [told.line] if told.problems or told.unrepaired else []
    assert wrong == []
