"""What was: searched, counted, told on paper, and laid beside what today's plan would do."""
import re
import signal

import pytest
from conftest import PASSWORD
from selenium.webdriver.common.keys import Keys
from test_everybody import untranslated

PAGE_ROWS = 50  # clients/desk/src/api.ts


def closed(house, button, disposition="false", note=None, **fields):
    press = button.press(**fields)
    press.receipt("recorded")
    if note:
        assert house.deed(press, "notes", text=note).status_code == 200
    house.close_alarm(press, disposition)
    return press


def go(officer, path, selector):
    officer.script("location.hash = arguments[0]", path)
    return officer.sees(selector)


def choose(officer, place, value):
    """In the select of that place of the search form."""
    officer.script("const s = document.querySelectorAll('.search select')[arguments[0]]; s.value = arguments[1];"
                   "s.dispatchEvent(new Event('change', {bubbles: true}))", place, value)


def fit_for_everybody(officer, axe, screen, name):
    """For a screen reader, on a phone, in Chinese."""
    screen(officer, name)
    found = officer.violations(axe)
    assert not found, "\n".join(found)
    officer.size("phone")
    assert officer.script("return document.documentElement.scrollWidth") <= 390, "it has to be moved sideways"
    language = "const s = document.querySelector('header select'); s.value = arguments[0];" \
               "s.dispatchEvent(new Event('change', {bubbles: true}))"
    officer.script(language, "zh-CN")
    officer.wait_for(lambda: officer.script("return document.documentElement.lang") == "zh-CN", "it is Chinese")
    screen(officer, name + "-phone-chinese")
    assert not untranslated(officer)
    latin = set(re.findall(r"[A-Za-z]{4,}", officer.text("main h1, main h2, main th[scope=col], main label, main button, main caption")))
    assert latin <= {"school", "default"}, latin  # names are what they are
    officer.script(language, "en")
    officer.size("desk")


def shown(officer):
    return officer.script("return [...document.querySelectorAll('tr[data-alarm]')].map(e => e.dataset.alarm)")


def finds(officer, *presses):
    wanted = [press.alarm_id for press in presses]
    officer.wait_for(lambda: shown(officer) == wanted, f"{wanted} are found")


SITE, KIND, WAS, MODE = 1, 2, 3, 4


def test_the_history_is_searched_and_every_row_leads_to_its_record(make_desk, officer, screen, axe):
    house = make_desk(sites=("school-1", "school-2"))
    ball = closed(house, house.button("school-1/room-101"), note="A ball hit 窗户 <b>100%</b>")
    fire = closed(house, house.button("school-2/room-102"), "real", kind="fire")
    drill = closed(house, house.button("school-1/room-102"), "drill", drill=True)
    officer.open(house.daemon.url)
    officer.sign_in("chief", PASSWORD)
    go(officer, "#/history", ".history table")
    finds(officer, drill, fire, ball)
    fit_for_everybody(officer, axe, screen, "20-history")
    words = officer.sees("input[name=text]")
    for text, found in (("BALL", [ball]), ("窗", [ball]), ("100%", [ball]), ("ro 102", [drill, fire]), ("100_", [])):
        words.send_keys(Keys.CONTROL + "a")
        words.send_keys(text)
        finds(officer, *found)
    words.send_keys(Keys.CONTROL + "a", Keys.BACKSPACE)
    finds(officer, drill, fire, ball)
    for place, value, found in ((SITE, "school-2", [fire]), (KIND, "fire", [fire]), (WAS, "false", [ball]), (MODE, "drill", [drill])):
        choose(officer, place, value)
        finds(officer, *found)
        choose(officer, place, "")
        finds(officer, drill, fire, ball)
    choose(officer, 0, "own")
    officer.sees("input[name=first]")
    for name, day, seen in (("first", "2026-01-01", 3), ("last", "2026-01-02", 0), ("first", "2026-01-03", None)):
        officer.script("const d = document.querySelector(`input[name=${arguments[0]}]`); d.value = arguments[1];"
                       "d.dispatchEvent(new Event('change', {bubbles: true}))", name, day)
        officer.sees(".history [role=status]", f"{seen} closed" if seen is not None else "Could not be read")
    closed(house, house.button("school-2/room-101"))
    officer.sees(".quiet", "No open alarm")  # a new alarm takes whoever may answer it back to the board
    go(officer, "#/history", ".history table")
    officer.sees(f"tr[data-alarm={drill.alarm_id}]", "DRILL")
    officer.wait_for(lambda: len(shown(officer)) == 4, "what was closed just now is there")
    officer.click(f"tr[data-alarm={fire.alarm_id}] td a")
    officer.sees(f".report[data-report={fire.alarm_id}] h1", "FIRE")


def test_the_history_is_read_page_by_page(house, officer):
    button = house.button()
    presses = [closed(house, button) for _ in range(PAGE_ROWS + 2)]
    officer.open(house.daemon.url)
    officer.sign_in("duty-1", PASSWORD)
    go(officer, "#/history", "[data-do=more]")
    finds(officer, *presses[:1:-1])
    officer.click("[data-do=more]")
    finds(officer, *presses[::-1])
    officer.sees_no("[data-do=more]")


def figure(officer, name):
    """The table of a figure: first cell → the others."""
    rows = officer.script("return [...document.querySelectorAll(`[data-figure=${arguments[0]}] tbody tr`)]"
                          ".map(row => [...row.children].map(cell => cell.innerText))", name)
    return {row[0]: row[1:] for row in rows}


def bars(officer, name):
    """Whether something of a bar's colour is on the plot."""
    return officer.script("""
        const canvas = document.querySelector(`[data-figure=${arguments[0]}] canvas`);
        if (!canvas?.width) return false;
        const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        for (let i = 0; i < data.length; i += 4) if (data[i] === 0x3b && data[i + 1] === 0x7d && data[i + 2] === 0xd8) return true;
        return false""", name)


def test_figures_as_plots_and_as_tables_with_drills_apart(make_desk, officer, screen, axe):
    house = make_desk(sites=("school-1", "school-2"))
    one, two = house.button("school-1/room-101"), house.button("school-2/room-101")
    closed(house, one)
    closed(house, one, "real")
    taken = two.press()
    taken.receipt("recorded")
    two.press().receipt("recorded")
    assert house.deed(taken, "acknowledge").status_code == 200 and house.deed(taken, "coming").status_code == 200
    house.close_alarm(taken, "real")
    closed(house, one, "drill", drill=True)
    officer.open(house.daemon.url)
    officer.sign_in("chief", PASSWORD)
    assert not officer.script("return performance.getEntriesByType('resource').some(r => /figures|uplot/i.test(r.name))"), "loaded too soon"
    go(officer, "#/figures", "[data-figure=hours]")
    officer.wait_for(lambda: all(bars(officer, name) for name in ("hours", "sites", "acknowledged", "coming", "false")), "bars are drawn")
    assert sum(int(cells[0]) for cells in figure(officer, "hours").values()) == 4
    assert figure(officer, "sites") == {"实验小学 school-1": ["2", "2"], "实验小学 school-2": ["2", "1"]}
    assert figure(officer, "acknowledged") == {"0–30 s": ["1", "33.3%"], "30–60 s": ["0", "0%"], "60–120 s": ["0", "0%"],
                                               "120–180 s": ["0", "0%"], "> 180 s": ["0", "0%"], "never": ["2", "66.7%"]}
    assert list(figure(officer, "coming")) == ["0–5 min", "5–10 min", "10–15 min", "15–30 min", "> 30 min", "never"]
    assert figure(officer, "feedback")["0–30 min"][0] == "3"
    assert figure(officer, "false") == {"实验小学 school-1": ["50%", "1", "2"], "实验小学 school-2": ["0%", "0", "1"]}
    hour = [int(house.alarm(taken)["opened_at"][11:13]) + 8]  # Asia/Shanghai
    assert int(figure(officer, "hours")[f"{hour[0] % 24}:00"][0]) > 0
    fit_for_everybody(officer, axe, screen, "21-figures")
    choose(officer, 2, "drill")
    officer.sees("h1", "DRILL")
    assert sum(int(cells[0]) for cells in figure(officer, "hours").values()) == 1
    assert not officer.find("[data-figure=false]")


def on_paper(officer, screen, name):
    officer.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert not any(e.is_displayed() for e in officer.find("header, .banner, button, .ways"))
    assert officer.script("return getComputedStyle(document.querySelector('article, figure, section')).backgroundColor") == "rgb(255, 255, 255)"
    screen(officer, name)
    officer.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_the_report_of_an_alarm_says_all_and_is_verified(house, officer, screen, axe):
    press = house.button("school-1/room-101").press()
    press.receipt("delivered")
    house.button("school-1/room-102").press().receipt("recorded")
    assert house.deed(press, "acknowledge").status_code == 200
    assert house.deed(press, "notes", text="Everybody is well.").status_code == 200
    house.close_alarm(press)
    officer.open(house.daemon.url)
    officer.script("localStorage.setItem('journal-key', arguments[0])", (house.folder / "journal.key.pub").read_text())
    officer.sign_in("chief", PASSWORD)
    go(officer, f"#/alarms/{press.alarm_id}", ".report h1")
    officer.sees(".report dl", press.alarm_id, "1 Example Road", "desk-1", "false alarm", "GMT+8")
    officer.sees(".report tr[data-endpoint=police]", "The police desk", "received")
    officer.sees(".report tr[data-endpoint=guard]", "not told")
    officer.sees(".report q", "Everybody is well.")
    story = house.alarm(press)["events"]
    assert [int(row.get_attribute("data-seq")) for row in officer.find(".report tr[data-seq]")] == [event["seq"] for event in story]
    officer.sees(".proofs[data-broken='0'] .good", f"all {len(story)} lines")
    officer.sees(".proofs [data-signed=yes]")
    assert officer.sees("a[download]").get_attribute("href").endswith(f"/api/v1/alarms/{press.alarm_id}/bundle")
    fit_for_everybody(officer, axe, screen, "22-report")
    officer.script("window.printed = 0; window.print = () => window.printed++")
    officer.click("[data-do=print]")
    assert officer.script("return window.printed") == 1
    officer.script("document.querySelector('header input').click()")  # also from a dark room
    on_paper(officer, screen, "22-report-on-paper")


def test_that_the_report_could_not_be_read_is_not_said_any_more_when_it_was(house, officer):
    press = house.button("school-1/room-101").press()
    press.receipt("delivered")
    officer.open(house.daemon.url)
    officer.sign_in("chief", PASSWORD)
    officer.script("const ask = window.fetch; window.dead = true;"
                   " window.fetch = (what, how) => window.dead && /alarms.a/.test(what) ? Promise.reject() : ask(what, how)")
    go(officer, f"#/alarms/{press.alarm_id}", ".report")
    officer.sees(".report > .failure", "NOT LIVE")
    officer.script("window.dead = false")
    assert house.deed(press, "acknowledge").status_code == 200
    officer.sees(".report tr[data-endpoint=police]")
    officer.wait_for(lambda: officer.text(".report > .failure") == "", "nothing is said of a failure")


@pytest.mark.parametrize("lie, broken", [("b.entries[1].line = b.entries[1].line.replace('seq', 'SEQ')", 1), ("b.entries.splice(1, 2)", 2)])
def test_a_record_that_was_changed_or_cut_is_not_verified(house, officer, lie, broken):
    press = closed(house, house.button())
    officer.open(house.daemon.url)
    officer.sign_in("chief", PASSWORD)
    officer.script("const ask = window.fetch; window.fetch = async (what, how) => { const answer = await ask(what, how);"
                   " if (!String(what).endsWith('/bundle')) return answer; const b = await answer.json(); %s;"
                   " return new Response(JSON.stringify(b)); }" % lie)
    go(officer, f"#/alarms/{press.alarm_id}", ".report h1")
    officer.sees(f".proofs[data-broken='{broken}'] .bad", "NOT VERIFIED")


def test_who_may_not_read_the_journal_has_the_report_without_the_record(make_desk, officer):
    house = make_desk(people={"teacher": ["--role", "school", "--site", "school-1"]})
    press = closed(house, house.button())
    officer.open(house.daemon.url)
    officer.sign_in("teacher", PASSWORD)
    go(officer, f"#/alarms/{press.alarm_id}", ".report dl")
    officer.sees(".report tr[data-seq]")
    assert not officer.find(".proofs, a[download], .report a[href*=replay]")


def test_what_happened_is_laid_beside_todays_plan(make_desk, officer, screen, axe):
    def adjust(main):
        if adjust.today:
            main["plans"][0]["steps"][0]["endpoints"] = ["police", "guard"]
            del main["plans"][0]["steps"][1]
    adjust.today = False
    house = make_desk(adjust=adjust)
    press = closed(house, house.button())
    adjust.today = True
    loaded = len(house.journal("conf_loaded"))
    house.write_configuration()
    house.daemon.signal(signal.SIGHUP)
    house.wait_for(lambda: len(house.journal("conf_loaded")) > loaded, "the new plan is taken over")
    officer.open(house.daemon.url)
    officer.sign_in("chief", PASSWORD)
    go(officer, f"#/replay/{press.alarm_id}/today", ".first-told")
    officer.sees("tr[data-endpoint=police] td:nth-child(3)", "+0:00.0")
    officer.sees("tr[data-endpoint=guard]", "not told", "+0:00.0", "(differs)")
    officer.sees("tr[data-endpoint=bureau] td:nth-child(3)", "not told (differs)")
    officer.sees("[data-course=happened] .only-here", "The bureau desk", "only here")
    officer.sees("[data-course=today] .only-here", "The guard desk")
    officer.sees("[data-course=today][data-state=closed]")
    fit_for_everybody(officer, axe, screen, "23-compare")
    officer.click(".compare input[type=checkbox]")
    officer.sees("[data-course=today][data-state=open]")
