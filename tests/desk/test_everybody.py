"""The page for everybody: in both languages, on a phone, in a dark room, with a screen reader, and with names from hell."""
import json
import re

from conftest import PASSWORD
from house import ROOT, loopback
from supervised import USER, apart, let, receipts_apart
from test_alarm import PLAN

KEYS = set(json.loads((ROOT / "clients" / "desk" / "src" / "texts" / "en.json").read_text()))
HOSTILE = {"script": "<script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">",
           "emoji": "🏫👩‍👩‍👧‍👦 小学", "long": "长" * 60 + "W" * 15}


def untranslated(officer):
    return [word for word in re.findall(r"\b[a-z]+\.[a-z_]+\b", officer.text()) if word in KEYS]


def test_chinese_is_complete(house, officer, screen):
    officer.open(house.daemon.url, language="zh-CN")
    officer.sees(".sign-in", "登录值班台")
    officer.sign_in("chief", PASSWORD)
    officer.sees(".quiet", "没有未结警情")
    assert not untranslated(officer)
    house.button().press(kind="fire")
    officer.sees(".alarm h1", "火警", "重大")
    officer.sees(".told", "已收到")
    screen(officer, "10-chinese")
    latin = re.findall(r"[A-Za-z]{4,}", officer.text(".band, .buttons, h2"))
    assert set(latin) <= {"school", "Room", "Enter", "guard", "desk"}, latin
    for path in ("sites", "sites/school-1", "history"):
        officer.script("location.hash = '#/' + arguments[0]", path)
        officer.sees("main h1")
        assert not untranslated(officer)
    officer.script("const s = document.querySelector('select'); s.value = 'en'; s.dispatchEvent(new Event('change', {bubbles: true}))")
    officer.sees("header nav", "Alarms")
    assert officer.script("return document.documentElement.lang") == "en"


def test_on_a_phone(house, officer, screen):
    officer.open(house.daemon.url, size="phone")
    officer.sign_in("duty-1", PASSWORD)
    house.button().press()
    officer.sees(".alarm h1", "HELP CALL")
    screen(officer, "11-phone")
    assert officer.script("return document.documentElement.scrollWidth") <= 390, "it has to be moved sideways"
    left, top, right, bottom = officer.boxes("[data-do=take]")[0]
    assert bottom - top >= 44 and right - left >= 150 and bottom <= 844, "the button is not under the thumb"
    officer.script("location.hash = '#/sites/school-1'")
    officer.sees("[data-device=room-101]")
    screen(officer, "12-phone-school")
    assert officer.script("return document.documentElement.scrollWidth") <= 390
    officer.size("desk")


def test_a_schools_staff_sees_its_own_school_only(make_desk, officer, screen):
    house = make_desk(sites=("school-1", "school-2"), people={"teacher": ["--role", "school", "--site", "school-2"]})
    house.button("school-1/room-101").press().receipt("recorded")
    house.button("school-2/room-102").heartbeat(battery=12)
    officer.open(house.daemon.url)
    officer.sign_in("teacher", PASSWORD)
    officer.sees(".quiet", "No open alarm")
    officer.script("location.hash = '#/sites'")
    officer.sees("[data-device=room-102]", "12 %", "in order", "GMT+8")
    officer.sees("[data-device=room-101]", "not heard since the start")
    officer.sees("[data-trouble=battery]", "A battery is low", "实验小学 school-2 · room-102")
    screen(officer, "13-school")
    assert "school-1" not in officer.text()
    press = house.button("school-2/room-101").press()
    officer.sees(".alarm .where", "school-2")
    assert "school-1" not in officer.text()
    officer.script("location.hash = '#/sites'")
    officer.sees(".rows a", "HELP CALL")
    assert "school-1" not in officer.text()
    house.close_alarm(press)
    house.close_alarm(house.api("alarms", site="school-1")["alarms"][0])
    officer.script("location.hash = '#/history'")
    officer.sees(f"tr[data-alarm={press.alarm_id}]", "school-2")
    officer.sees(".history [role=status]", "1 closed")
    assert "school-1" not in officer.text("main")


def test_the_bureau_sees_its_schools_and_answers(make_desk, officer):
    house = make_desk(sites=("school-1", "school-2", "school-3"), people={"bureau-23": ["--role", "bureau", "--site", "school-2,school-3"]})
    house.button("school-1/room-101").press().receipt("recorded")
    press = house.button("school-3/room-101").press()
    officer.open(house.daemon.url)
    officer.sign_in("bureau-23", PASSWORD)
    officer.sees(".alarm .where", "school-3")
    officer.click("[data-do=coming]")
    officer.sees(".alarm .when", "on the way: bureau-23")
    assert next(line for line in house.journal("coming"))["role"] == "bureau" and house.alarm(press)["coming_by"] == "bureau-23"
    officer.script("location.hash = '#/sites'")
    officer.sees(".rows", "school-2", "school-3", "1 open")
    assert "school-1" not in officer.text() and not officer.find("header nav a[href*=replay]"), "the whole journal is not its own"


def test_troubles_are_said_in_the_readers_language(house, officer, screen):
    house.button("school-1/room-102").heartbeat(battery=3)
    house.police.down()
    house.trouble("battery")
    house.trouble("endpoint", "police")
    officer.open(house.daemon.url)
    officer.sign_in("chief", PASSWORD)
    officer.sees("[data-trouble=battery]", "A battery is low", "实验小学 school-1 · room-102", "Change it today")
    officer.sees("[data-trouble=endpoint]", "The police desk", "Call them by telephone")
    officer.script("const s = document.querySelector('header select'); s.value = 'zh-CN'; s.dispatchEvent(new Event('change', {bubbles: true}))")
    officer.sees("[data-trouble=battery]", "电池电量低", "请今天更换电池", "技术细节（英文）")
    officer.sees("[data-trouble=endpoint]", "通知对象无法送达", "请电话联系对方")
    screen(officer, "19-troubles-chinese")
    names = "实验小学 school-1 · room-102", "The police desk"
    text = officer.script("const t = document.querySelector('.troubles').cloneNode(true); t.querySelectorAll('[lang=en]').forEach(e => e.remove());"
                          "return t.textContent")
    for name in names:
        text = text.replace(name, "")
    assert not re.findall(r"[A-Za-z]{4,}", text), text


def test_a_disturbed_connection_of_heartbeats_is_no_disturbed_broker(make_desk, officer):
    """It has the same code as the broker's trouble, and another meaning: presses come through."""
    house = make_desk(adjust=apart)
    let(house, USER, "another")
    house.trouble("broker", "supervision")
    officer.open(house.daemon.url)
    officer.sign_in("chief", PASSWORD)
    officer.sees("[data-trouble=broker]", "The connection of heartbeats is disturbed", "Presses do not need it")
    officer.script("const s = document.querySelector('header select'); s.value = 'zh-CN'; s.dispatchEvent(new Event('change', {bubbles: true}))")
    officer.sees("[data-trouble=broker]", "心跳连接异常", "按压走另一条连接")


def test_a_disturbed_connection_of_receipts_is_no_disturbed_broker(make_desk, officer):
    house = make_desk(adjust=receipts_apart)
    let(house, loopback.RECEIPTS_USER, "another")
    house.broker.kill()
    house.broker.start()
    house.trouble("broker", "receipts")
    officer.open(house.daemon.url)
    officer.sign_in("chief", PASSWORD)
    officer.sees("[data-trouble=broker]", "The connection of receipts is disturbed", "over the connection of the presses")


def test_nothing_but_the_daemon_is_asked(make_desk, officer, tmp_path):
    (tmp_path / "ground.svg").write_text(PLAN)

    def adjust(main):
        main["sites"][0]["maps"] = [{"id": "ground", "name": "Ground floor", "image_file": str(tmp_path / "ground.svg")}]
        main["sites"][0]["zones"][0] |= {"map": "ground", "x": 25, "y": 30}
    house = make_desk(adjust=adjust)
    press = house.button("school-1/room-101").press()
    officer.open(house.daemon.url)
    officer.sign_in("chief", PASSWORD)
    officer.sees(".map img")
    house.close_alarm(press)
    for path, selector in (("sites/school-1", ".map img"), ("history", "tr[data-alarm]"), ("figures", "canvas"),
                           (f"alarms/{press.alarm_id}", ".proofs ol"), (f"replay/{press.alarm_id}", ".record [data-sealed=true]"),
                           (f"replay/{press.alarm_id}/today", ".first-told")):
        officer.script("location.hash = '#/' + arguments[0]", path)
        officer.sees(selector)
    asked = officer.script("return performance.getEntriesByType('resource').map(entry => entry.name)")
    assert len(asked) > 20 and all(name.startswith(house.daemon.url + "/") for name in asked), asked


def test_names_from_hell_are_only_text(make_desk, officer, screen):
    def adjust(main):
        for site, name in zip(main["sites"], HOSTILE.values()):
            site["name"] = name
            site["address"] = name[:80]
            site["zones"][0]["name"] = name
            site["contacts"][0]["name"] = name[:60]
        main["endpoints"][0]["name"] = HOSTILE["script"]
    house = make_desk(sites=tuple(HOSTILE), adjust=adjust)
    officer.open(house.daemon.url)
    officer.sign_in("duty-1", PASSWORD)
    scripts = officer.script("return document.scripts.length")
    for site in HOSTILE:
        house.button(f"{site}/room-101").send(b'{"epoch":"<b>x</b>","n":1,"kind":"<script>alert(1)</script>"}')
    officer.wait_for(lambda: len(officer.find(".tile")) == len(HOSTILE), "all are shown")
    for site in HOSTILE:
        officer.click(f".tile[data-alarm='{house.api('alarms', site=site)['alarms'][0]['id']}']")
        officer.sees(".alarm .way")
        assert officer.script("return document.scripts.length") == scripts
        assert not officer.find("main img, main iframe, main object")
        assert officer.script("return document.documentElement.scrollWidth <= innerWidth"), f"{site} breaks the screen"
        assert officer.script("return getComputedStyle(document.querySelector('.where bdi')).unicodeBidi") == "isolate"
        screen(officer, f"14-hell-{site}")
    officer.click(f".tile[data-alarm='{house.api('alarms', site='script')['alarms'][0]['id']}']")
    officer.sees(".alarm .where", "<script>document.title='taken'</script>")
    assert "taken" not in officer.script("return document.title")
    officer.keys("w")
    officer.focused("textarea")
    officer.keys("<script>1</script>")
    officer.script("document.querySelector('.actions form').requestSubmit()")
    officer.sees(".story q", "<script>1</script>")
    # what turns the direction of writing comes from people only: the configuration refuses it
    alarm = house.api("alarms", site="script")["alarms"][0]
    assert house.deed(alarm, "notes", text="before \u202egnitirw sdrawkcab").status_code == 200
    officer.sees(".story q", "gnitirw sdrawkcab")
    assert officer.script("return [...document.querySelectorAll('.story q bdi')].every(e => getComputedStyle(e).unicodeBidi == 'isolate')")


def places_of_text(main):
    """Everything in a configuration that is shown to somebody as it is: whose member it is, and which."""
    site = main["sites"][0]
    return [(main["endpoints"][0], "name"), (main["accounts"][0], "name"), (site, "name"), (site, "address"), (site, "access"),
            (site["zones"][0], "name"), (site["contacts"][0], "name"), (site["contacts"][0], "phone")]


def test_names_of_ten_thousand_characters_are_refused_with_a_sentence(make_desk):
    place, letter = 0, None

    def adjust(main):
        if letter:
            thing, member = places_of_text(main)[place]
            thing[member] = letter * 10_000
    house = make_desk(adjust=adjust)
    for letter in ("W", "长", "🏫", "\u202e"):
        for place in range(8):
            house.write_configuration()
            told = house.tool("check-config", str(house.folder / "tocsin.yaml"), connected=False, check=False)
            assert told.returncode != 0 and re.search(r"\.yaml:\d+.*(name|address|access|phone)", told.stderr), (letter, place, told.stderr)
    letter = None
    house.write_configuration()
    house.tool("check-config", str(house.folder / "tocsin.yaml"), connected=False)


def test_ten_thousand_characters_typed_are_refused_with_a_sentence(house, officer):
    officer.open(house.daemon.url)
    officer.script("document.querySelector('input[name=account]').value = 'W'.repeat(10000);"
                   "document.querySelector('input[name=password]').value = 'x'; document.querySelector('form').requestSubmit()")
    officer.sees(".sign-in .failure", "account")
    officer.script("document.querySelector('input[name=account]').value = ''; document.querySelector('input[name=password]').value = ''")
    officer.sign_in("duty-1", PASSWORD)
    press = house.button().press()
    officer.sees(".alarm .where", "Room 101")
    officer.keys("w")
    officer.focused("textarea")
    write = "const t = document.querySelector('.actions textarea'); t.removeAttribute('maxlength'); t.value = arguments[0].repeat(arguments[1]);" \
            "t.dispatchEvent(new Event('input', {bubbles: true})); t.form.requestSubmit()"
    officer.script(write, "长", 10_000)
    officer.sees(".actions .failure", "NOT recorded", "2000 bytes")
    assert not house.alarm(press)["notes"]
    officer.script(write, "W", 2000)  # as long as it may be, without a blank
    officer.sees(".story q", "W" * 2000)
    assert officer.script("return document.documentElement.scrollWidth <= innerWidth"), "a long word breaks the screen"
    officer.script("location.hash = '#/history'")
    officer.sees("input[name=text]")
    officer.script("const t = document.querySelector('input[name=text]'); t.value = 'W'.repeat(10000);"
                   "t.dispatchEvent(new Event('input', {bubbles: true}))")
    officer.sees(".history .failure", "200 bytes")


def test_axe_finds_nothing_serious(house, officer, axe):
    def judge(what):
        found = officer.violations(axe)
        assert not found, f"{what}:\n" + "\n".join(found)
    officer.open(house.daemon.url)
    judge("signing in")
    officer.sign_in("chief", PASSWORD)
    officer.sees(".quiet")
    judge("nothing open")
    house.button("school-1/room-101").press()
    house.button("school-1/room-102").press(drill=True)
    officer.wait_for(lambda: len(officer.find(".tile")) == 2, "both are there")
    officer.sees(".told", "received")
    judge("an alarm and a drill")
    officer.keys("x")
    officer.sees(".actions form")
    judge("closing")
    officer.script("document.querySelector('header input').click()")
    officer.sees("html[data-theme=dark-room] .alarm")
    judge("in a dark room")
    for path in ("sites/school-1", "history"):
        officer.script("location.hash = '#/' + arguments[0]", path)
        officer.sees("main h1")
        judge(path)
    officer.script("document.querySelector('header input').click()")
    officer.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark"}]})
    officer.script("location.hash = '#/'")
    officer.sees(".alarm")
    judge("by night")
    officer.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_every_word_of_the_daemon_has_a_text():
    core = (ROOT / "daemon" / "core" / "event.c").read_text()
    tables = {"EVENT": "event", "TROUBLE": "trouble", "REFUSAL": "refusal", "OUTCOME": "outcome", "DISPOSITION": "disposition"}
    words = {f"{prefix}.{word}" for name, prefix in tables.items() for word in re.findall(rf'\[{name}_\w+\] = "(\w+)"', core)}
    assert len(words) > 40
    assert not words - KEYS
