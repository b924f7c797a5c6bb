import pytest

from house import BUILD, House


def pytest_configure(config):
    config.addinivalue_line("markers", "asan: runs with the sanitized build, too")
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
