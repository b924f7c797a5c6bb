"""The contracts of proto/ agree with themselves: schemas, examples, texts and openapi.yaml.

What the daemon makes of the same examples is checked in C (tests/unit/codec_examples.c, codec_alarm.c).
"""
import base64
import hmac
import json
import re
import subprocess
import time
from pathlib import Path

import jsonschema
import pytest
import requests
import yaml

PROTO = Path(__file__).resolve().parents[2] / "proto"
SUBJECTS = ["press", "heartbeat", "receipt", "state", "webhook", "answer"]
AGREED = [path for subject in SUBJECTS for path in sorted((PROTO / "examples" / subject).glob("*.json"))]
ODD = sorted((PROTO / "examples/press/odd").glob("*.json"))


def named(path):
    return str(path.relative_to(PROTO / "examples"))


def schema(subject):
    return json.loads((PROTO / f"{subject}.schema.json").read_text())


def checker(subject):
    formats = jsonschema.FormatChecker(formats=())

    @formats.checks("date-time")
    def is_moment(text):
        return not isinstance(text, str) or re.fullmatch(
            r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", text) is not None

    return jsonschema.Draft202012Validator(schema(subject), format_checker=formats)


def without_duplicates(pairs):
    keys = [key for key, _ in pairs]
    if len(set(keys)) != len(keys):
        raise ValueError("a key stands there twice")
    return dict(pairs)


def read(path):
    return json.loads(path.read_bytes().decode("utf-8"), object_pairs_hook=without_duplicates)


@pytest.mark.parametrize("subject", SUBJECTS)
def test_schema_is_one(subject):
    jsonschema.Draft202012Validator.check_schema(schema(subject))
    assert list((PROTO / "examples" / subject).glob("*.json")), "a contract without an example"


@pytest.mark.parametrize("path", AGREED, ids=named)
def test_example_is_as_agreed(path):
    checker(path.relative_to(PROTO / "examples").parts[0]).validate(read(path))


@pytest.mark.parametrize("path", ODD, ids=named)
def test_odd_example_is_not(path):
    oddities = path.name.split(".")[0].split("+")
    if len(path.read_bytes()) > 2048 or oddities == ["no_identity"]:  # sizes and absence are not the schema's to forbid
        return
    try:
        value = read(path)
    except (ValueError, RecursionError):
        return
    assert not checker("press").is_valid(value)


def test_every_oddity_of_a_payload_has_an_example():
    seen = {oddity for path in ODD for oddity in path.name.split(".")[0].split("+")}
    assert seen == {"not_json", "empty", "too_long", "unknown_kind", "no_identity", "bad_field", "extra_field", "duplicate_key"}


def test_every_type_of_telling_has_an_example():
    told = {read(path)["type"] for path in AGREED if path.parent.name == "webhook"}
    assert set(schema("webhook")["properties"]["type"]["enum"]) == told


def test_presses_begin_with_their_identity():
    for path in AGREED:
        if path.parent.name == "webhook" and read(path)["data"].get("presses"):
            assert re.search(r'\{"device":"[^"]+","epoch":"[^"]+","n":\d+,', path.read_text())


def test_the_texts_show_what_the_schemas_allow():
    """The one-line JSON of mqtt.md, completed where it says "…"."""
    text = (PROTO / "mqtt.md").read_text()
    moment = "2026-11-23T08:00:00.210Z"
    for subject, pattern in [("press", r'^    (\{"epoch".*"sig".*\})$'), ("receipt", r'^    (\{"epoch".*"stage".*\})$'),
                             ("state", r'^    (\{"site".*\})$'), ("heartbeat", r'`(\{"battery":87\})`')]:
        found = re.search(pattern, text, re.MULTILINE)
        assert found, subject
        line = found[1].replace('"a3k5…"', '"a' + "3" * 20 + '"').replace('"sig":"…"', '"sig":"' + "A" * 43 + '="')
        checker(subject).validate(json.loads(line.replace('"…"', f'"{moment}"')))


def test_the_sample_endpoint_reads_a_secret_file_as_the_daemon_does(tmp_path):
    key = bytes(range(32))
    (tmp_path / "secret").write_text(f"# of this term\nwhsec_{base64.b64encode(key).decode()}\n\n  # the next comes in May\n")
    sample = subprocess.Popen([PROTO.parent / "deploy" / "sample-endpoint", "--secret-file", tmp_path / "secret"], stdout=subprocess.PIPE,
                              text=True)
    try:
        url = sample.stdout.readline().split()[-1]
        body, now = b'{"type":"probe","data":{}}', str(int(time.time()))
        for signer, status in (key, 200), (b"another" * 5, 401):
            signature = base64.b64encode(hmac.digest(signer, f"m-1.{now}.".encode() + body, "sha256")).decode()
            answer = requests.post(url, body, timeout=20, headers={
                "webhook-id": "m-1", "webhook-timestamp": now, "webhook-signature": f"v1,{signature}"})
            assert answer.status_code == status
    finally:
        sample.terminate()
        sample.communicate(timeout=20)
    (tmp_path / "secret").write_text("# none yet\n")
    without = subprocess.run([PROTO.parent / "deploy" / "sample-endpoint", "--secret-file", tmp_path / "secret"], capture_output=True,
                             text=True, timeout=20)
    assert without.returncode == 2 and "holds no secret" in without.stderr, "it would believe everybody"


def test_the_api_shows_alarms_in_the_same_shape():
    components = yaml.safe_load((PROTO / "openapi.yaml").read_text())["components"]
    shape = {"$schema": "https://json-schema.org/draft/2020-12/schema", "components": components,
             "$ref": "#/components/schemas/Alarm"}
    for path in AGREED:
        if path.parent.name == "webhook" and "alarm" in read(path)["data"]:
            alarm = read(path)["data"]["alarm"]
            jsonschema.Draft202012Validator(shape).validate(alarm)
            assert set(alarm) <= set(components["schemas"]["Alarm"]["properties"])
            assert not {"acks", "reached"} & set(alarm), "which roles have answered is said by the API alone"


def test_the_api_says_which_roles_have_answered(make_house):
    """What the daemon answers is what openapi.yaml says, wherever it shows an alarm."""
    def both(configuration):
        configuration["plans"][0]["acks_needed"] = ["bureau", "police"]
    components = yaml.safe_load((PROTO / "openapi.yaml").read_text())["components"]
    shape = jsonschema.Draft202012Validator({"$schema": "https://json-schema.org/draft/2020-12/schema", "components": components,
                                             "$ref": "#/components/schemas/Alarm"})
    house = make_house(adjust=both)

    def shown(press):
        story = house.alarm(press)
        listed = next(alarm for alarm in house.all_alarms() if alarm["id"] == story["id"])
        past = house.api("replay", "admin", seq=story["events"][-1]["seq"], alarm=story["id"])["alarms"][0]
        for alarm in (story, listed, past):
            shape.validate(alarm)
            assert set(alarm) <= set(components["schemas"]["Alarm"]["properties"]) | {"presses", "events", "events_cut", "notes", "guide"}
        assert story["acks"] == listed["acks"] == past["acks"] and story["reached"] == listed["reached"] == past["reached"]
        return story["state"], story["acks"]
    press = house.button().press()
    press.receipt("recorded")
    assert shown(press) == ("open", [{"role": "police", "by": None}, {"role": "bureau", "by": None}])
    answer = house.deed(press, "acknowledge", "desk-1").json()
    assert answer["alarm"]["acks"] == [{"role": "police", "by": "desk-1"}, {"role": "bureau", "by": None}]
    assert shown(press) == ("open", answer["alarm"]["acks"])
    house.bureau.behaviour = house.bureau.acknowledging
    press.receipt("acknowledged")
    assert shown(press) == ("acknowledged", [{"role": "police", "by": "desk-1"}, {"role": "bureau", "by": "bureau-desk"}])


def unnamed(components, schema, value, at=""):
    """The members of an answer that its schema does not name. Journal lines are proto/journal.md's."""
    while "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        if name == "Event":
            return
        schema = {**components["schemas"][name], **{key: other for key, other in schema.items() if key != "$ref"}}
    parts = schema.get("allOf")
    if parts:
        found = [set(unnamed(components, part, value, at)) for part in [*parts, {key: other for key, other in schema.items() if key != "allOf"}]]
        members = {name: set() for name in value}
        for name in members:  # a member is named when one of the parts names it, with all that is in it
            here = [{path for path in part if path == f"{at}.{name}" or path.startswith((f"{at}.{name}.", f"{at}.{name}["))} for part in found]
            yield from min(here, key=lambda paths: (f"{at}.{name}" in paths, len(paths)))
    elif isinstance(value, dict):
        for name, member in value.items():
            if name in schema.get("properties", {}):
                yield from unnamed(components, schema["properties"][name], member, f"{at}.{name}")
            else:
                yield f"{at}.{name}"
    elif isinstance(value, list):
        for member in value:
            yield from unnamed(components, schema.get("items", {}), member, f"{at}[]")


def test_every_member_of_an_answer_is_in_the_contract(make_house):
    """What openapi.yaml does not name nobody can rely on; what it names is as it says."""
    house = make_house()
    spec = yaml.safe_load((PROTO / "openapi.yaml").read_text())
    house.button().press(kind="cancel").receipt("refused")
    past, press = house.button("school-1/room-102").press(kind="fire"), house.button().press(battery=300)
    for one in (past, press):
        house.alarm_when(one, lambda alarm: alarm["deliveries"][0]["state"] == "received", "it is told")
    assert house.deed(past, "notes", text="It was a toaster.").status_code == 200
    house.close_alarm(past)
    last = house.alarm(press)["events"][-1]["seq"]
    house.wait_for(lambda: house.api("history", "admin")["alarms"], "the index has it")
    questions = [("/api/v1/alarms", {"state": "all"}), ("/api/v1/history", {}), ("/api/v1/replay", {"seq": last}),
                 ("/api/v1/replay", {"seq": last, "alarm": press.alarm_id}), ("/api/v1/journal/proof", {"seq": 1}),
                 ("/api/v1/journal/consistency", {"old": 1})]
    questions += [(path, {}) for path in ("me", "session", "devices", "endpoints", "troubles", "refused", "sites", "sites/{id}", "figures",
                                          "alarms/{id}", "alarms/{id}/today", "alarms/{id}/bundle")]
    found = set()

    def compare(path, operation, answer):
        shape = spec["paths"][path][operation]["responses"]["200"]["content"]["application/json"]["schema"]
        jsonschema.Draft202012Validator({"components": spec["components"], **shape}).validate(answer)
        found.update(f"{path} {member}" for member in unnamed(spec["components"], shape, answer))
    for path, query in questions:
        path = path if path.startswith("/") else "/api/v1/" + path
        for name in {press.alarm_id, past.alarm_id} if "alarms/{id}" in path else {"school-1"}:
            compare(path, "get", house.api(path.removeprefix("/api/v1/").replace("{id}", name), "admin", **query))
    compare("/api/v1/alarms/{id}/acknowledge", "post", house.deed(press, "acknowledge").json())
    compare("/healthz", "get", house.ask("GET", "/healthz").json())
    compare("/readyz", "get", house.ask("GET", "/readyz").json())
    assert not found, "\n".join(sorted(found))
