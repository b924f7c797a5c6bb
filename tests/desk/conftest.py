import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scenario"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "hell"))

from house import BUILD, House, ROOT  # noqa: E402
from officer import Officer  # noqa: E402
from outcome import has_failed, pytest_runtest_makereport  # noqa: E402, F401

PAGE = BUILD / "clients" / "desk" / "page"
AXE = BUILD / "clients" / "desk" / "work" / "node_modules" / "axe-core" / "axe.min.js"
SCREENS = ROOT / "build" / "results" / "screens"
PASSWORD = "correct horse battery staple"
PEOPLE = {"duty-1": ["--role", "duty"], "duty-2": ["--role", "duty"], "chief": ["--role", "admin"]}


def pytest_configure(config):
    for file in (BUILD / "daemon" / "tocsind", PAGE / "index.html", Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")):
        if not file.exists():
            pytest.exit(f"{file} is not there: build with -Ddesk=enabled, and deploy/install-packages test", 4)


class DeskHouse(House):
    """A house with the built page, and people who sign in with a password."""

    def __init__(self, folder, people=PEOPLE, adjust=None, **options):
        def adjusted(main):
            main["daemon"]["http_desk_folder"] = str(PAGE)
            for site in main["sites"]:
                site["time_zone"] = "Asia/Shanghai"
            if adjust:
                adjust(main)
        super().__init__(folder, adjust=adjusted, start=False, **options)
        self.broker.start()
        self.write_configuration()
        for name, words in people.items():
            self.add_person(name, words)
        self.start()

    def add_person(self, name, words):
        file = self.private(f"{name}.typed", PASSWORD + "\n")
        self.tool("account", "add", name, *words, "--password-file", str(file), "--config", str(self.folder / "tocsin.yaml"),
                  connected=False)


@pytest.fixture
def make_desk(request, tmp_path):
    """Makes houses with a desk; each is checked for what must always hold, and ended."""
    houses = []

    def make(**options):
        houses.append(DeskHouse(tmp_path / f"house-{len(houses)}", **options))
        return houses[-1]

    yield make
    try:
        for house in houses:
            house.check()
    finally:
        for house in houses:
            house.close()
        if not has_failed(request):
            shutil.rmtree(tmp_path, ignore_errors=True)


@pytest.fixture
def house(make_desk):
    return make_desk()


@pytest.fixture(scope="session")
def browsers():
    """Browsers are kept from test to test: starting one takes as long as a test."""
    made = []
    yield made
    for browser in made:
        browser.end()


@pytest.fixture
def officers(browsers, request):
    """Gives one officer after the other, each with a browser of its own. What the page's policy refused fails the test."""
    used = []

    def officer():
        if len(used) == len(browsers):
            browsers.append(Officer())
        used.append(browsers[len(used)])
        return used[-1]

    yield officer
    for number, browser in enumerate(used):
        if has_failed(request):
            browser.screenshot(f"failed-{request.node.name}-{number}", SCREENS)
        complaints = [line for line in browser.console() if "Content Security Policy" in line or "Uncaught" in line]
        browser.driver.get("about:blank")
        assert not complaints, complaints


@pytest.fixture
def officer(officers):
    return officers()


@pytest.fixture
def screen():
    """Keeps a picture of what somebody saw, to be looked at by people."""
    return lambda browser, name: browser.screenshot(name, SCREENS)


@pytest.fixture(scope="session")
def axe():
    return AXE.read_text()
