"""Walks the page of `chatvault serve` in a real browser, from nothing to a checked download.

Usage: web.py PROGRAM FAKE_GRAPH AXE FOLDER [SHOTS]. Needs chromium and chromium-driver; AXE is axe-core's axe.min.js.
Connects to a fake service, activates, backs up, reads, searches, downloads, checks, restarts; then with the
keyboard alone, narrow, dark, and without scripts. axe-core looks at every view. With SHOTS it keeps pictures.
"""

import base64
import json
import pathlib
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request

PROGRAM, FAKE, AXE = (pathlib.Path(name).resolve() for name in sys.argv[1:4])
FILM = pathlib.Path(__file__).parent.parent / "tests/integration/web/film.mp4"
FOLDER = pathlib.Path(sys.argv[4]).resolve()
SHOTS = pathlib.Path(sys.argv[5]).resolve() if len(sys.argv) > 5 else None
DRIVER = 9517
WIDE, NARROW = (1280, 900), (390, 844)
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
VIOLATIONS = []
KEYS = {"tab": "\ue004", "enter": "\ue007", "escape": "\ue00c"}


class Browser:
    """A session of chromedriver."""

    def __init__(self, scripts=True):
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1280,900"]
        options = {"args": arguments}
        if not scripts:
            options["prefs"] = {"profile.managed_default_content_settings.javascript": 2}
        wanted = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        self.session = ""
        self.session = self.call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]

    def call(self, method, path, body=None):
        path = f"/session/{self.session}{path}" if self.session else path
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{DRIVER}{path}", data, method=method)
        try:
            return json.load(urllib.request.urlopen(request))["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(json.load(error)["value"]["message"]) from error

    def open(self, url):
        self.call("POST", "/url", {"url": url})

    def script(self, text, *arguments):
        return self.call("POST", "/execute/sync", {"script": text, "args": list(arguments)})

    def find(self, css):
        return self.call("POST", "/element", {"using": "css selector", "value": css})[ELEMENT]

    def link(self, text):
        how = {"using": "link text", "value": text}
        return self.call("POST", "/element", how)[ELEMENT]

    def button(self, text):
        path = f"//button[normalize-space()='{text}']"
        return self.call("POST", "/element", {"using": "xpath", "value": path})[ELEMENT]

    def click(self, element):
        self.call("POST", f"/element/{element}/click", {})

    def type(self, css, text):
        element = self.find(css)
        self.call("POST", f"/element/{element}/clear", {})
        self.call("POST", f"/element/{element}/value", {"text": text})

    def press(self, *keys):
        for key in keys:
            steps = [{"type": kind, "value": KEYS.get(key, key)} for kind in ("keyDown", "keyUp")]
            self.call("POST", "/actions", {"actions": [{"type": "key", "id": "k", "actions": steps}]})

    def text(self):
        return self.call("GET", f"/element/{self.find('body')}/text")

    def url(self):
        return self.call("GET", "/url")

    def until(self, words, seconds=120):
        for _ in range(seconds * 5):
            try:
                if words in self.text():
                    return
            except AssertionError:
                pass  # The page was just reloading itself.
            time.sleep(0.2)
        raise AssertionError(f"{self.url()} never says {words!r}: {self.text()}")

    def size(self, width, height):
        mobile = width < 600
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile}
        self.cdp("Emulation.setDeviceMetricsOverride", metrics)

    def dark(self, dark):
        feature = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.cdp("Emulation.setEmulatedMedia", {"features": [feature]})

    def cdp(self, command, parameters):
        self.call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def shoot(self, name):
        if SHOTS:
            SHOTS.mkdir(parents=True, exist_ok=True)
            (SHOTS / f"{name}.png").write_bytes(base64.b64decode(self.call("GET", "/screenshot")))

    def axe(self, name):
        """What is wrong, in light and dark, is told at the end."""
        for dark in (False, True):
            self.dark(dark)
            self.script(AXE.read_text())
            how = "const done = arguments[0]; axe.run().then(r => done(r.violations))"
            found = self.call("POST", "/execute/async", {"script": how, "args": []})
            told = [(one["id"], node["target"], node["failureSummary"]) for one in found for node in one["nodes"]]
            VIOLATIONS.extend(f"{name}, {'dark' if dark else 'light'}: {one}" for one in told)
        self.dark(False)

    def complaints(self):
        entries = self.call("POST", "/se/log", {"type": "browser"})
        return [entry["message"] for entry in entries if entry["level"] == "SEVERE"]

    def close(self):
        self.call("DELETE", "")


class Server:
    """`chatvault serve`, whose first line is where it is."""

    def __init__(self, place):
        command = [PROGRAM, "serve", place, "--port", "0", "--downloads", FOLDER / "downloads"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.link = self.process.stdout.readline().strip()
        self.base = self.link.split("/?")[0]

    def stop(self):
        self.process.terminate()
        self.process.wait(30)


def fake():
    command = [FAKE, "--users", "8", "--days", "6", "--messages-per-day", "12", "--secret-file", FOLDER / "secret"]
    command += ["--film", FILM]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    lines = []
    while "--tenant" not in "".join(lines) or "--client-secret" not in "".join(lines):
        line = process.stdout.readline()
        assert line, f"the fake service says {lines}"
        lines.append(line)
    told = " ".join(lines)
    field = lambda name: re.search(rf"{name}[ =](\S+)", told).group(1)
    return process, {
        "tenant": field("--tenant"),
        "client_id": field("--client-id"),
        "login_url": field("--login-url"),
        "graph_url": field("--graph-url"),
    }, told


def back_up(browser, org, service):
    """Connect, test, save; list; choose; back up, watched."""
    browser.open(f"{org}/accounts")
    browser.axe("accounts, nothing yet")
    browser.click(browser.link("Connection"))
    browser.script("document.querySelector('details').open = true")
    for name, value in service.items():
        browser.type(f"#{name}", value)
    browser.script("document.getElementById('cloud').value = 'custom'")
    browser.click(browser.button("Test"))
    browser.until("The connection is good")
    browser.axe("connection")
    browser.shoot("connection")
    browser.click(browser.button("Test and save"))
    browser.until("Back up now")
    browser.click(browser.button("Back up now"))
    browser.until("Choose some now")
    browser.click(browser.link("Go on"))
    browser.click(browser.find("input[name=everyone]"))
    browser.click(browser.button("Activate"))
    browser.until("From the next backup on")
    browser.axe("confirmation")
    browser.click(browser.button("Activate"))
    browser.until("now active")
    browser.click(browser.button("Back up now"))
    browser.until("Go on", 300)
    browser.axe("a finished backup")
    browser.open(f"{org}/accounts")
    browser.axe("accounts")
    browser.shoot("accounts")


def read(browser, org):
    browser.open(f"{org}/chats")
    browser.until("Last message")
    while "being read" in browser.text():
        time.sleep(0.2)
    browser.axe("chats")
    browser.shoot("chats")
    browser.click(browser.find(".rows tbody th a"))
    browser.until("Go to day")
    browser.axe("a chat")
    browser.shoot("chat")
    browser.click(browser.find(".sheet a.t"))
    browser.until("Versions")
    browser.axe("a message")
    browser.shoot("message")
    for place in ("search", "meetings", "copilot", "runs", "", "quarantine", "downloads", "downloads/new"):
        browser.open(f"{org}/{place}".rstrip("/"))
        browser.axe(place or "archive")
        browser.shoot(place.replace("/", "-") or "archive")
    browser.open(f"{org}/search?q=a*")
    browser.until("The latest first")
    browser.axe("hits")
    browser.shoot("hits")
    browser.click(browser.link("count by person, chat and month"))
    browser.until("Months")
    browser.axe("counts")


def watch(browser, org, archive):
    """A film that plays, and leads to where a line of its transcript was said."""
    feeds = ["--feeds", "recordings,transcripts", "--no-limits"]
    ran = subprocess.run([PROGRAM, "sync", archive, *feeds], stdout=subprocess.DEVNULL)
    assert ran.returncode in (0, 3), "3: a transcript that the service does not have"
    browser.open(f"{org}/meetings")
    browser.axe("meetings with entries")
    lines = "return document.querySelectorAll('[data-seek]').length"
    for _ in range(100):
        # The server may not have looked yet for what the sync committed last.
        browser.open(f"{org}/meetings")
        browser.click(browser.find(".rows tbody th a"))
        browser.click(browser.find(".sheet a.t"))
        time.sleep(0.3)
        if browser.script(lines) > 1:
            break
    browser.until("Transcript")
    film = "const film = document.getElementById('film') ?? {};"
    state = film + "return [film.duration, film.currentTime, film.videoWidth]"
    for _ in range(100):
        if browser.script(state)[0]:
            break
        time.sleep(0.1)
    length, _, width = browser.script(state)
    assert (round(length), width) == (8, 16), f"the film is {length} seconds, {width} wide"
    line = "const line = document.querySelectorAll('[data-seek]')[1]; line.click(); return Number(line.dataset.seek)"
    second = browser.script(line)
    time.sleep(0.5)
    now = browser.script(state)[1]
    assert min(second, length) <= now + 0.1, f"the film is at {now}, the line at {second}"
    browser.script("document.getElementById('film').pause()")
    browser.axe("a film and its transcript")
    browser.shoot("film")


def download(browser, org, name):
    browser.open(f"{org}/downloads/new")
    browser.script("document.getElementById('format').value = arguments[0]", name)
    browser.click(browser.button("Show the plan"))
    browser.until("Generate download")
    browser.click(browser.button("Generate download"))
    browser.until("SHA-256")
    browser.click(browser.button("Check"))
    browser.until("every byte is what the archive gives")
    browser.axe(f"a download as {name}")
    browser.shoot(f"download-{name}")
    return browser.url()


def with_keys(browser, org):
    """The sheet, search, a section and a row, by the keyboard alone."""
    browser.open(f"{org}/chats")
    browser.press("?")
    assert browser.script("return document.getElementById('sheet').open"), "the sheet opens"
    browser.axe("the sheet of keys")
    browser.press("escape", "g", "d")
    browser.until("New download")
    browser.press("g", "c")
    browser.until("conversations")
    browser.press("j", "j", "k", "enter")
    browser.until("Go to day")
    browser.press("/")
    assert browser.script("return document.activeElement.type") == "search", "a slash searches"


def without_scripts(server, org):
    browser = Browser(scripts=False)
    browser.open(server.link)
    browser.open(f"{org}/chats")
    browser.until("Last message")
    browser.click(browser.find(".rows tbody th a"))
    browser.click(browser.find(".sheet a.t"))
    assert "Versions" in browser.text()
    browser.close()


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    archive = FOLDER / "team.cvault"
    subprocess.run([PROGRAM, "init", archive], check=True, stdout=subprocess.DEVNULL)
    graph, service, told = fake()
    service["secret"] = re.search(r"--client-secret-file[ =](\S+)", told).group(1)
    driver = subprocess.Popen(["chromedriver", f"--port={DRIVER}"], stdout=subprocess.DEVNULL)
    time.sleep(2)
    server = Server(archive)
    try:
        browser = Browser()
        browser.open(server.link)
        org = f"{server.base}/a/team.cvault"
        back_up(browser, org, service)
        read(browser, org)
        watch(browser, org, archive)
        pages = [download(browser, org, name) for name in ("html", "pdf", "csv")]
        with_keys(browser, org)
        browser.size(*NARROW)
        for place in ("chats", "accounts", "downloads", "search?q=a*"):
            browser.open(f"{org}/{place}")
            wide = browser.script("return document.documentElement.scrollWidth - innerWidth")
            assert wide <= 0, f"{place} is wider than a narrow window"
            browser.axe(f"{place}, narrow")
            browser.dark(True)
            browser.shoot(f"narrow-{place.split('?')[0]}")
            browser.dark(False)
        browser.size(*WIDE)
        assert not browser.complaints(), browser.complaints()
        server.stop()
        server = Server(archive)
        browser.open(server.link)
        org = f"{server.base}/a/team.cvault"
        path = pages[0].split("/a/team.cvault")[1]
        browser.open(f"{org}{path}")
        assert "Finished" in browser.text(), "a download outlives the server"
        browser.close()
        without_scripts(server, org)
        assert not VIOLATIONS, "\n".join(VIOLATIONS)
        print("the page: walked in a browser, nothing found by axe-core")
    finally:
        server.stop()
        driver.terminate()
        graph.terminate()


main()
