"""Every endpoint of tests/hell at once, each told of an alarm of a school of its own, together with one good endpoint: the
good one is told in time, and of each bad one the desk sees what it is."""
import sys

import pytest

from house import IS_SANITIZED, ROOT

sys.path.insert(0, str(ROOT / "tests" / "hell"))
from endpoints import BEHAVIOURS, Hell  # noqa: E402

RECEIVED, UNCONFIRMED, REFUSED, FAILING = "received", "unconfirmed", "refused", "failing"
STATES = {
    RECEIVED: ["ack", "chunked", "close-when-idle", "continue-never", "cookie", "echo", "fail-first", "hints-first", "http10", "late", "late-first", "reset-on-reuse"],
    UNCONFIRMED: ["accepted", "created", "deep-json", "empty", "garbage", "html", "no-content", "ok", "wrong-id"],
    REFUSED: ["control-characters", "refuse"],
    FAILING: ["bad-chunk", "bad-length", "bad-status", "bad-version", "close-after-request", "endless-continue",
              "endless-headers", "header-bomb", "long-header", "not-http", "probes-only", "redirect", "redirect-loop", "reset-after-request",
              "reset-in-body", "reset-in-head", "short-body", "silent", "silent-but", "slow-body", "slow-loris", "stall-in-body", "stall-in-head", "status",
              "upgrade"],
}
# What comes of these is a matter of taste; that it has a name is not.
OTHERS = ["conflicting", "duplicate-keys", "flapping", "gzip", "half-close", "huge-body", "two-answers", "two-answers-apart", "two-lengths",
          "two-lengths-apart", "two-ends"]
EXPECTED = {behaviour: state for state, behaviours in STATES.items() for behaviour in behaviours}
GATES = ["black-hole", "refused", "closing", "resetting"]


def test_every_behaviour_is_expected():
    assert sorted(BEHAVIOURS) == sorted([*EXPECTED, *OTHERS]), "tests/hell knows behaviours that this file does not"


@pytest.mark.asan
@pytest.mark.long
def test_all_of_hell_at_once(make_house):
    names = [*EXPECTED, *OTHERS, *GATES]
    with Hell() as hell:
        def adjust(configuration):
            for site, name in zip(configuration["sites"], names):
                url = hell.url(door=name) if name in GATES else hell.url(name)
                configuration["endpoints"].append({"id": name, "name": name, "role": "police", "urls": [url], "confirm": "echo",
                                                   "probe_s": 15})
                configuration["plans"].append({"id": name, "acks_needed": ["bureau"], "steps": [
                    {"endpoints": [name, "bureau"], "answer_timeout_s": 3600}]})
                site["plan"] = name
        house = make_house(sites=[f"school-{number}" for number in range(len(names))], devices=["gate"], adjust=adjust)
        presses = {name: house.button(f"school-{number}/gate").press() for number, name in enumerate(names)}
        for press in presses.values():
            assert house.bureau.told("alarm.opened", press).at_ms - press.at_ms < 2000, "one endpoint delays another"

        for name, press in presses.items():
            wanted = EXPECTED.get(name, FAILING if name in GATES else None)
            house.wait_for(lambda: is_in(house, press, name, wanted), f"{name} is {wanted}", 40)
        assert house.ask("GET", "/healthz", None).elapsed.total_seconds() < 0.5
        assert IS_SANITIZED or resident_mb(house.daemon.pid) < 150


def test_as_many_as_may_be_configured(make_house):
    """What every desk asks for when it opens is answered at once: meanwhile nobody hears a press."""
    def fill(configuration):
        configuration["endpoints"] += [{"id": f"gate-{number}", "name": "Gate", "role": "guard", "urls": ["http://127.0.0.1:9/"], "probe_s": 15}
                                       for number in range(4096 - len(configuration["endpoints"]))]
    house = make_house(adjust=fill)
    assert len(house.api("endpoints")["endpoints"]) == 4096
    press = house.button().press()
    press.receipt("recorded")
    house.police.told("alarm.opened", press)


def is_in(house, press, endpoint, wanted):
    state = next(one for one in house.alarm(press)["deliveries"] if one["endpoint"] == endpoint)["state"]
    return state == wanted if wanted else state in (RECEIVED, UNCONFIRMED, REFUSED, FAILING)


def resident_mb(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024
