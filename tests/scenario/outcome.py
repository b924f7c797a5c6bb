"""Whether a test failed, for fixtures that end after it. A conftest imports both names: pytest finds the hook there."""
import pytest

FAILED = pytest.StashKey()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if call.when == "call":
        item.stash[FAILED] = outcome.get_result().failed


def has_failed(request):
    return request.node.stash.get(FAILED, False)
