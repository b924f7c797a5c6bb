import pytest

from house import BUILD, House


def pytest_configure(config):
    config.addinivalue_line("markers", "asan: runs with the sanitized build, too")
    if not (BUILD / "daemon" / "tocsind").exists():
        pytest.exit(f"there is no tocsind in {BUILD}: build it, or name the build folder in TOCSIN_BUILD", 4)


@pytest.fixture
def make_house(tmp_path):
    """Makes houses; each is checked for what must always hold, unless `unchecked=True`, and ended."""
    houses = []

    def make(unchecked=False, **options):
        house = House(tmp_path / f"house-{len(houses)}", **options)
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
