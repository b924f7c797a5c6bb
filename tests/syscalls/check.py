"""What must hold after a run, seen from outside: what buttons, people and endpoints were promised, and the record."""
import base64
import hashlib
import json
import shutil
import subprocess

from lane import Violation, house

SITE = "school-1"


def check(lane, alarm):
    lines, leaves = read_record(lane)
    for test in (no_gap, receipts_kept, one_press_one_entry, deeds_kept, deadline_kept, told_all, told_one_thing,
                 told_not_again, witnesses_agree):
        test(lane, alarm, lines, leaves)


def broken_promise(lane):
    """Of a run that did not come to its end: what was promised and is not in the journal, if that is so."""
    try:
        lines, leaves = read_record(lane)
        for button in (lane.room, lane.gate):
            for receipt in lane.receipts(button):
                receipts_kept(lane, receipt["alarm"], lines, leaves)
        deeds_recorded(lane, lines)
    except Violation as broken:
        return str(broken)
    except (AssertionError, OSError):
        return None  # there is no journal to be read


def demand(holds, text):
    if not holds:
        raise Violation(text)


def read_record(lane):
    """The journal as an outsider gets it: exported and verified by the tool; lines and leaves."""
    folder = lane.folder / "export"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        lane.export(folder)
        verified = lane.tool("journal", "verify", str(folder), connected=False, check=False)
    except subprocess.TimeoutExpired:  # everything stood still for a minute
        return read_record(lane)
    demand(verified.returncode == 0, f"the journal does not verify: {verified.stdout}{verified.stderr}")
    lines = [json.loads(line) for line in (folder / "journal.ndjson").read_text().splitlines()]
    return lines, [bytes.fromhex(leaf) for leaf in (folder / "leaves.txt").read_text().split()]


def no_gap(lane, alarm, lines, leaves):
    demand([line["seq"] for line in lines] == list(range(1, len(lines) + 1)), "the journal has a gap")


def of_type(lines, *types):
    return [line for line in lines if line["type"] in types]


def identity(line):
    return line["device"], line["epoch"], line["n"]


def receipts_kept(lane, alarm, lines, leaves):
    recorded = {identity(line) for line in of_type(lines, "press_received")}
    for button in (lane.room, lane.gate):
        for receipt in lane.receipts(button):
            promised = (button.device, receipt["epoch"], receipt["n"])
            demand(promised in recorded, f"{promised} was answered {receipt['stage']} and is not in the journal")
            demand(receipt["alarm"] == alarm, f"{promised} was answered with another alarm: {receipt}")
    demand(not lane.run.garbage, f"a button heard what is no JSON: {lane.run.garbage}")


def one_press_one_entry(lane, alarm, lines, leaves):
    presses = of_type(lines, "press_received")
    wanted = {(button.device, button.epoch, 1) for button in (lane.room, lane.gate)}
    demand(sorted(map(identity, presses)) == sorted(wanted), f"these presses are recorded: {list(map(identity, presses))}")
    demand(not of_type(lines, "press_refused", "journal_gap"), "a press was refused, or the record lost something")
    opened = {line["alarm"] for line in lines if line.get("alarm")}
    demand(opened == {alarm}, f"there are other alarms in the journal: {opened}")


DEEDS = {"notes": "note_added", "acknowledge": "acknowledged", "coming": "coming", "close": "closed"}


def deeds_recorded(lane, lines):
    for name, seq in lane.run.deeds:
        line = lines[seq - 1] if seq <= len(lines) else {}
        demand((line.get("type"), line.get("by")) == (DEEDS[name], "desk-1"),
               f"\"{name}\" was answered 200 as entry {seq}, where there is {line}")


def deeds_kept(lane, alarm, lines, leaves):
    deeds_recorded(lane, lines)
    for name, type in DEEDS.items():
        demand(of_type(lines, type), f"\"{name}\" was done and is not in the journal")


def deadline_kept(lane, alarm, lines, leaves):
    """Never early, also over restarts; that it was not forgotten the scenario has seen."""
    first = of_type(lines, "press_received")[0]
    passed = [line for line in of_type(lines, "deadline_passed") if line["deadline"] == "answer" and line["step"] == 0]
    demand(len(passed) == 1, f"the first step's time passed {len(passed)} times")
    demand(passed[0]["clock"] - first["clock"] >= 1000, f"the next step was told too early: {first}, {passed[0]}")
    clocks = [line["clock"] for line in lines]
    demand(clocks == sorted(clocks), "the daemon's clock went back")


def told_all(lane, alarm, lines, leaves):
    presses = {identity(line) for line in of_type(lines, "press_received")}
    for endpoint in lane.endpoints:
        tellings = lane.tellings(endpoint)
        for telling in tellings:
            demand(telling.problem is None, f"{endpoint.name} cannot trust it: {telling.problem}")
            demand(telling.alarm.get("id", alarm) == alarm, f"{endpoint.name} was told of another alarm: {telling.body}")
        told = {(press["device"], press["epoch"], press["n"]) for telling in tellings for press in telling.presses}
        demand(told == presses, f"{endpoint.name} was told of {told}, recorded are {presses}")


def told_one_thing(lane, alarm, lines, leaves):
    """One id, one thing; one thing, one id. What was told before it was on the disk may be stamped anew after a kill."""
    for endpoint in lane.endpoints:
        things, ids = {}, {}
        for telling in lane.tellings(endpoint):
            if telling.data.get("recorded") is False:
                continue
            thing = json.dumps(house.same_after_a_restart(telling), sort_keys=True)
            demand(things.setdefault(telling.id, thing) == thing,
                   f"{endpoint.name}: {telling.id} told two things:\n{things[telling.id]}\n{thing}")
            demand(ids.setdefault(thing, telling.id) == telling.id,
                   f"{endpoint.name}: told twice, as {ids[thing]} and as {telling.id}: {thing}")


def told_not_again(lane, alarm, lines, leaves):
    """A telling made when the journal had its receipt already owes nobody anything."""
    for endpoint in lane.endpoints:
        received = {(line["version"], line["presses"]): line["seq"] for line in of_type(lines, "delivery_result")
                    if line["endpoint"] == endpoint.name and line["outcome"] == "received"}
        told = {}
        for telling in lane.tellings(endpoint):
            if "version" not in telling.data:
                continue
            told.setdefault(telling.id, []).append(telling)
        for again in told.values():
            for telling in again[1:]:
                seqs = [seq for (version, _), seq in received.items() if version >= telling.data["version"]]
                demand(not seqs or telling.body["journal"]["size"] < min(seqs),
                       f"{endpoint.name} was told {telling.id} again, although entry {min(seqs or [0])} says it has it")


def root_of(leaves):
    """RFC 6962, 2.1."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + root_of(leaves[:k]) + root_of(leaves[k:])).digest()


def witnesses_agree(lane, alarm, lines, leaves):
    """Whatever head of the journal an endpoint was told is still a part of it."""
    for endpoint in lane.endpoints:
        for telling in lane.tellings(endpoint):
            size, root = telling.body["journal"]["size"], telling.body["journal"]["root"]
            demand(size <= len(leaves) and base64.b64encode(root_of(leaves[:size])).decode() == root,
                   f"{endpoint.name} was told a head of {size} entries, which the journal of {len(leaves)} does not have")
