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
            assert set(alarm) <= set(components["schemas"]["Alarm"]["properties"]) | {"by"}
            assert "acks" not in alarm, "which roles have answered is said by the API alone"


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
            assert set(alarm) <= set(components["schemas"]["Alarm"]["properties"]) | {"by", "presses", "events", "events_cut", "notes", "guide"}
        assert story["acks"] == listed["acks"] == past["acks"]
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
