"""A person in front of a real chromium: presses keys, reads the screen. Waits for what appears, never for time.

    officer.sign_in("desk-1")
    officer.sees(".alarm h1", "HELP CALL")
    officer.keys(Keys.ENTER)
    officer.sees(".alarm[data-state=acknowledged]")
"""
import json
import shutil
import tempfile
import time
from pathlib import Path

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

PATIENCE_S = 20
FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--disable-extensions", "--force-color-profile=srgb",
         "--disable-dev-shm-usage", "--hide-scrollbars"]
SIZES = {"desk": (1366, 768), "phone": (390, 844)}


class Officer:
    """One browser with cookies of its own."""

    def __init__(self, language="en"):
        self.profile = tempfile.mkdtemp(prefix="tocsin-desk-")
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for flag in [*FLAGS, f"--user-data-dir={self.profile}", f"--lang={language}"]:
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
        self.url = None

    def end(self):
        self.driver.quit()
        shutil.rmtree(self.profile, ignore_errors=True)

    # ---- beginning
    def open(self, url, size="desk", language="en", before=""):
        """The page as somebody sees it who comes for the first time, in that language. `before`: a script that runs before its own."""
        self.url = url
        self.size(size)
        self.driver.execute_cdp_cmd("Network.clearBrowserCookies", {})
        self.driver.get(url + "/")
        self.script("localStorage.clear(); localStorage.setItem('language', arguments[0])", language)
        self.driver.get("about:blank")
        self.driver.get_log("browser")
        script = self.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": before})["identifier"]
        self.driver.get(url + "/")
        self.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", {"identifier": script})
        self.sees(".sign-in form")

    def size(self, name):
        width, height = SIZES[name]
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                                    {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})

    def sign_in(self, account, password):
        """By keyboard, as everything."""
        self.focused("input[name=account]")
        self.keys(account, Keys.TAB, password, Keys.ENTER)
        self.sees(".live:not(.not)")

    # ---- doing
    def keys(self, *keys):
        """To whatever has the focus."""
        self.driver.switch_to.active_element.send_keys(*keys)

    def click(self, selector):
        """When it can be: what has just appeared takes no click yet."""
        self.wait_for(lambda: self.sees(selector).is_enabled(), f"{selector} can be clicked")
        self.sees(selector).click()

    def script(self, text, *arguments):
        return self.driver.execute_script(text, *arguments)

    # ---- seeing
    def find(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector="body"):
        return self.script("return [...document.querySelectorAll(arguments[0])].map(e => e.innerText).join('\\n')", selector)

    def wait_for(self, holds, what, timeout_s=PATIENCE_S):
        end = time.monotonic() + timeout_s
        while True:
            try:
                value = holds()
            except StaleElementReferenceException:
                value = None
            if value:
                return value
            if time.monotonic() > end:
                raise AssertionError(f"waited {timeout_s} s in vain until {what}; the page says:\n{self.text()[:3000]}\n"
                                     f"{self.console()}")
            time.sleep(0.02)

    def sees(self, selector, *words, timeout_s=PATIENCE_S):
        """Waits until the selected things are shown and hold the words; the first of them."""
        def there():
            shown = [element for element in self.find(selector) if element.is_displayed()]
            text = "\n".join(element.text for element in shown)
            return shown and all(word in text for word in words) and shown[0]
        return self.wait_for(there, f"{selector} shows {words or 'something'}", timeout_s)

    def sees_no(self, selector, timeout_s=PATIENCE_S):
        self.wait_for(lambda: not any(element.is_displayed() for element in self.find(selector)), f"{selector} is gone", timeout_s)

    def focused(self, selector):
        return self.wait_for(lambda: self.script("return document.activeElement?.matches(arguments[0])", selector),
                             f"the focus is on {selector}")

    def boxes(self, selector):
        return self.script("return [...document.querySelectorAll(arguments[0])].map(e => { const b = e.getBoundingClientRect();"
                           " return [b.left, b.top, b.right, b.bottom] })", selector)

    def console(self):
        """What the browser complained about: refused scripts and styles above all."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]

    def screenshot(self, name, folder):
        Path(folder).mkdir(parents=True, exist_ok=True)
        self.driver.save_screenshot(str(Path(folder) / f"{name}.png"))

    # ---- judging
    def violations(self, axe_source):
        """What axe-core finds of WCAG 2.2 AA that is serious or critical, as readable lines. Run in an isolated world, because
        the page's own policy lets no other script in."""
        tree = self.driver.execute_cdp_cmd("Page.getFrameTree", {})["frameTree"]["frame"]["id"]
        world = self.driver.execute_cdp_cmd("Page.createIsolatedWorld", {"frameId": tree, "worldName": "axe"})["executionContextId"]
        self._evaluate(world, axe_source + "\n;0")
        tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
        found = json.loads(self._evaluate(world, "axe.run(document, {runOnly: {type: 'tag', values: %s}, resultTypes: ['violations']})"
                                          ".then(r => JSON.stringify(r.violations))" % json.dumps(tags)))
        return [f"{violation['id']}: {node['target']} {node['failureSummary']}" for violation in found
                if violation["impact"] in ("serious", "critical") for node in violation["nodes"]]

    def _evaluate(self, world, expression):
        answer = self.driver.execute_cdp_cmd("Runtime.evaluate", {"contextId": world, "expression": expression,
                                                                 "awaitPromise": True, "returnByValue": True})
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")
