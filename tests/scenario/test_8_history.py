"""Promise 8: history can be checked by an outsider with standard tools, and shows exactly what was known when."""
import base64
import hashlib
import json
import subprocess

import pytest


@pytest.fixture
def export(house):
    """The export of a small story; the daemon may be gone."""
    for kind in ("panic", "fire"):
        press = house.button().press(kind=kind)
        press.receipt("recorded")
        house.deed(press, "acknowledge")
        house.close_alarm(press)
    house.stop()
    house.restart()
    return house.export()


def verify(house, folder):
    return house.tool("journal", "verify", str(folder), connected=False, check=False)


def test_an_export_verifies(house, export):
    assert verify(house, export).returncode == 0
    exported = [json.loads(line) for line in (export / "journal.ndjson").read_text().splitlines()]
    assert exported and exported == house.journal()[:len(exported)]  # the daemon has gone on since


def change(export, line_number, edit):
    file = export / "journal.ndjson"
    lines = file.read_bytes().splitlines(keepends=True)
    edit(lines, line_number - 1)
    file.write_bytes(b"".join(lines))


def flip(lines, index):
    line = bytearray(lines[index])
    line[len(line) // 2] ^= 1
    lines[index] = bytes(line)


def swap(lines, index):
    lines[index], lines[index + 1] = lines[index + 1], lines[index]


def drop(lines, index):
    del lines[index]


def cut(lines, index):
    del lines[index:]


@pytest.mark.parametrize("edit", [flip, swap, drop, cut])
@pytest.mark.parametrize("line_number", [1, 5])
def test_a_change_is_found_and_the_first_bad_entry_is_named(house, export, edit, line_number):
    change(export, line_number, edit)
    done = verify(house, export)
    assert done.returncode == 1, "a changed journal verifies"
    if edit is not cut:
        assert f"{line_number}" in done.stdout + done.stderr


def test_a_checkpoint_of_somebody_else_is_found(house, export):
    note = (export / "checkpoint.txt").read_text()
    lines = note.splitlines()
    signature = next(index for index, line in enumerate(lines) if line.startswith("— "))
    words = lines[signature].split(" ")
    blob = bytearray(base64.b64decode(words[2]))
    blob[10] ^= 1
    lines[signature] = " ".join(words[:2] + [base64.b64encode(blob).decode()])
    (export / "checkpoint.txt").write_text("\n".join(lines) + "\n")
    assert verify(house, export).returncode == 1


def test_a_key_that_came_with_the_export_says_nothing_of_who_sealed_it(house, export):
    """Whoever makes up a record makes up a key for it, too."""
    own = house.tool("journal", "verify", str(export), "--json", connected=False)
    given = house.tool("journal", "verify", str(export), "--key", str(export / "journal.pub"), "--json", connected=False)
    assert json.loads(own)["signed_by_key"] is False and "who sealed them was not checked" in json.loads(own)["text"]
    assert json.loads(given)["signed_by_key"] is True


def root_of(leaves):
    """RFC 6962 section 2.1, written down as it stands there."""
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return hashlib.sha256(b"\1" + root_of(leaves[:half]) + root_of(leaves[half:])).digest()


def test_an_outsider_can_check_it_without_our_tool(house, export):
    lines = (export / "journal.ndjson").read_bytes().splitlines()
    note = (export / "checkpoint.txt").read_text()
    origin, size, root = note.splitlines()[:3]
    assert (origin, int(size)) == ("tocsin.test", len(lines))
    assert base64.b64decode(root) == root_of(lines)

    # the signature, with plain openssl; the public key is a C2SP vkey: name+id+base64(algorithm, key)
    public = base64.b64decode((export / "journal.pub").read_text().strip().split("+", 2)[2])
    assert public[0] == 1, "not Ed25519"
    der = bytes.fromhex("302a300506032b6570032100") + public[1:]
    (export / "key.der").write_bytes(der)
    (export / "text").write_bytes(note.split("\n\n")[0].encode() + b"\n")
    signature = base64.b64decode(note.split("\n\n")[1].split(" ")[2])
    (export / "signature").write_bytes(signature[4:])
    subprocess.run(["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-keyform", "DER", "-inkey", export / "key.der",
                    "-in", export / "text", "-sigfile", export / "signature"], check=True, capture_output=True)


def test_every_telling_makes_its_endpoint_a_witness(house):
    """The size and root that the police were told are those of the journal as it stands now."""
    room = house.button()
    for _ in range(5):
        room.press().receipt("recorded")
    house.wait_for(lambda: len(house.police.tellings) >= 2, "the police were told")
    lines = (house.export() / "journal.ndjson").read_bytes().splitlines()
    for telling in house.police.tellings:
        witness = telling.body["journal"]
        assert base64.b64decode(witness["root"]) == root_of(lines[:witness["size"]])


def test_inclusion_is_proven(house):
    press = house.button().press()
    press.receipt("recorded")
    seq = house.alarm(press)["opened_seq"]
    proof = house.api("journal/proof", "admin", seq=seq)
    lines = (house.export() / "journal.ndjson").read_bytes().splitlines()
    leaf = hashlib.sha256(b"\0" + lines[seq - 1]).digest()
    assert base64.b64decode(proof["leaf"]) == leaf
    assert path_root(leaf, seq - 1, proof["size"], [base64.b64decode(hash) for hash in proof["path"]]) == \
        root_of(lines[:proof["size"]])


def path_root(hash, index, size, path):
    """RFC 9162 section 2.1.3.2."""
    last = size - 1
    for sibling in path:
        if index & 1 or index == last:
            hash = combine(sibling, hash)
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            hash = combine(hash, sibling)
        index, last = index >> 1, last >> 1
    return hash


def combine(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def test_a_note_can_be_erased_without_breaking_a_proof(house):
    press = house.button().press()
    press.receipt("recorded")
    words = "the caretaker leaned on the button"
    answer = house.deed(press, "notes", text=words)
    assert answer.status_code == 200, answer.text
    assert [note["text"] for note in house.alarm(press)["notes"]] == [words]
    folder = house.export()
    assert words not in (folder / "journal.ndjson").read_text(), "free text stands in the record itself"


def test_times_in_the_record_only_go_forward(house):
    room = house.button()
    for _ in range(20):
        room.press().receipt("recorded")
    clocks = [json.loads(line)["clock"] for line in (house.export() / "journal.ndjson").read_text().splitlines()]
    assert clocks == sorted(clocks)


def test_the_bundle_of_one_alarm_is_checked_offline(house, tmp_path):
    """Its lines are the journal's, and a single changed byte is found; the daemon is not asked."""
    press = house.button().press()
    press.receipt("recorded")
    house.police.told("alarm.opened", press)
    house.deed(press, "acknowledge")
    house.close_alarm(press)
    answer = house.ask("GET", f"/api/v1/alarms/{press.alarm_id}/bundle")
    assert answer.status_code == 200 and press.alarm_id in answer.headers["Content-Disposition"]
    lines = [json.loads(entry["line"]) for entry in answer.json()["entries"]]
    assert lines == [line for line in house.journal() if line.get("alarm") == press.alarm_id][:len(lines)]
    assert {"press_received", "delivery_result", "acknowledged", "closed"} <= {line["type"] for line in lines}
    key = house.export() / "journal.pub"
    house.stop()
    file = tmp_path / "bundle.json"
    file.write_bytes(answer.content)

    def check():
        return house.tool("journal", "verify", str(file), "--key", str(key), "--json", connected=False, check=False)

    done = check()
    assert done.returncode == 0 and json.loads(done.stdout)["signed_by_key"], done.stdout + done.stderr
    file.write_bytes(answer.content.replace(b'\\"role\\":\\"police\\"', b'\\"role\\":\\"bureau\\"', 1))
    done = check()
    assert done.returncode == 1 and "was changed" in json.loads(done.stdout)["text"]


def told(course):
    return [(line["endpoint"], line["step"], line["change"]) for line in course["timeline"] if line["what"] == "told"]


def test_todays_plan_beside_what_happened(make_house):
    """The same plan tells the same endpoints; after a change the past stays as it was, and today's is another."""
    house = make_house(guard=True)
    press = house.button().press()
    press.receipt("recorded")
    for endpoint in (house.police, house.bureau):
        endpoint.told("alarm.opened", press)
    house.deed(press, "acknowledge")
    for endpoint in (house.police, house.bureau):
        endpoint.told("alarm.acknowledged", press)
    house.close_alarm(press)
    for endpoint in (house.police, house.bureau):
        endpoint.told("alarm.closed", press)
    both = house.api(f"alarms/{press.alarm_id}/today")
    assert both["happened"]["state"] == both["today"]["state"] == "closed"
    assert sorted(told(both["happened"])) == sorted(told(both["today"])) and told(both["today"])
    nobody = house.api(f"alarms/{press.alarm_id}/today", answered="no")
    assert ("guard", 2, "opened") in told(nobody["today"]) and "exhausted" in {line["what"] for line in nobody["today"]["timeline"]}
    assert told(nobody["happened"]) == told(both["happened"])
