import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from house import BUILD, House
from outcome import has_failed, pytest_runtest_makereport  # noqa: F401


def pytest_configure(config):
    config.addinivalue_line("markers", "asan: runs with the sanitized build, too")
    config.addinivalue_line("markers", "disk: is about the disk; its houses stand on the one with the build, wherever TMPDIR is")
    config.addinivalue_line("markers", "long: takes longer than the others, and so begins first")
    if not (BUILD / "daemon" / "tocsind").exists():
        pytest.exit(f"there is no tocsind in {BUILD}: build it, or name the build folder in TOCSIN_BUILD", 4)


@pytest.hookimpl(trylast=True)  # after -m and -k
def pytest_collection_modifyitems(items):
    """The long ones are spread over the first quarter: it is dealt to the workers in even parts, so each begins with one."""
    long = [item for item in items if item.get_closest_marker("long")]
    rest = [item for item in items if item not in long]
    step = len(items) // (4 * max(1, len(long)))
    for number, item in enumerate(long):
        rest.insert(number * step, item)
    items[:] = rest


@pytest.fixture
def ground(request, tmp_path):
    """Where houses stand: with all temporary files, or on the disk when the test is about it. What failed is left there."""
    on_disk = request.node.get_closest_marker("disk") is not None
    folder = Path(tempfile.mkdtemp(prefix="house-", dir=BUILD)) if on_disk else tmp_path
    yield folder
    if not has_failed(request):
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def make_house(ground):
    """Makes houses; each is checked for what must always hold, unless `unchecked=True`, and ended."""
    houses = []

    def make(unchecked=False, **options):
        house = House(ground / f"house-{len(houses)}", **options)
        houses.append((house, unchecked))
        return house

    yield make
    problems = []
    for house, unchecked in houses:
        try:
            if not unchecked and house.daemon.alive():
                house.check()
        except Exception as error:
            problems.append(error)
        finally:
            try:
                house.close()
            except Exception as error:
                problems.append(error)
    if problems:
        raise problems[0]


@pytest.fixture
def house(make_house):
    return make_house()


@pytest.fixture
def small_disk(tmp_path):
    """A real file system of 64 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(disk)], capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"no mount here: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)
