"""The console in a real Chromium: every page in both languages, narrow and wide, light and dark, by the keyboard alone.

With SIPWARDEN_SCREENSHOTS=FOLDER a picture of each page in each form is left in the folder, to be looked at.
"""

import base64
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
import uvicorn
from selenium import webdriver
from selenium.webdriver.common.keys import Keys

from collector.config import Config, Service
from collector.console.app import console_app
from collector.pseudonyms import Numbers
from collector.store.findings import Filter
from collector.store.store import Store
from tests.collectors import free_port
from tests.consoles import HOSTILE, PASSWORD, dead_delivery, filled
from tests.waiting import PATIENCE_S, until

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="needs chromium and chromedriver")
SWITCHES = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
NARROW, WIDE = 360, 1920
SCHEMES = ("light", "dark")
SCREENSHOTS = os.environ.get("SIPWARDEN_SCREENSHOTS")
TALLEST = 2000  # of a picture, in pixels
# Texts whose colour is too near to what is behind it (WCAG 2.2, 1.4.3: 4.5, and 3 for large ones).
FAINT = """
const channel = v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
const parse = c => (c.match(/[\\d.]+/g) || [0, 0, 0, 0]).map(Number);
const light = c => 0.2126 * channel(c[0]) + 0.7152 * channel(c[1]) + 0.0722 * channel(c[2]);
const behind = e => { for (; e; e = e.parentElement) {
  const c = parse(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] > 0) return c; }
  return [255, 255, 255]; };
const faint = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const node = walker.currentNode, e = node.parentElement;
  if (!node.data.trim() || !e.getClientRects().length) continue;
  const style = getComputedStyle(e), size = parseFloat(style.fontSize), svg = e instanceof SVGElement;
  const [a, b] = [light(parse(svg ? style.fill : style.color)), light(behind(e))];
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
  if (ratio < (large ? 3 : 4.5)) faint.push(node.data.trim() + ' ' + ratio.toFixed(2));
}
return faint;
"""
# What a screen reader would find nothing to say about, and what is no good outline of a page.
MUTE = """
const mute = [];
for (const e of document.querySelectorAll('input:not([type=hidden]), select, button, a, summary'))
  if (!(e.labels && e.labels.length && e.labels[0].textContent.trim()) && !e.textContent.trim()
      && !e.getAttribute('aria-label')) mute.push(e.outerHTML);
for (const e of document.querySelectorAll('svg[role=img]')) if (!e.getAttribute('aria-label')) mute.push('svg');
if (document.querySelectorAll('h1').length != 1) mute.push('h1');
if (document.querySelectorAll('main').length != 1) mute.push('main');
const ids = [...document.querySelectorAll('[id]')].map(e => e.id);
if (new Set(ids).size != ids.length) mute.push('ids');
return mute;
"""
MOST_STOPS = 400  # of the focus on one page


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    made = filled(tmp_path_factory.mktemp("chromium") / "store.sqlite")
    made.findings.label(made.findings.find().items[3].id, "honest", "ann", "a hospital that calls back")
    yield made
    made.close()


@pytest.fixture(scope="module")
def address(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The console on a port of its own."""
    config = Config(service=Service(state_dir=str(tmp_path_factory.mktemp("state"))))
    app = console_app(config, store, Numbers("plain"))
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until(lambda: server.started)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(PATIENCE_S)


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM or ""
    for switch in (*SWITCHES, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    driver.set_page_load_timeout(PATIENCE_S)
    yield driver
    driver.quit()


def resize(chromium: webdriver.Chrome, width: int) -> None:
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def press(chromium: webdriver.Chrome, *keys: str) -> None:
    webdriver.ActionChains(chromium).send_keys(*keys).perform()


def focused(chromium: webdriver.Chrome) -> dict[str, str]:
    """The element with the focus: its text, name, and how its focus is drawn."""
    script = (
        "const e = document.activeElement, s = getComputedStyle(e);"
        "return {tag: e.tagName, text: e.textContent.trim(), name: e.name || '', outline: s.outlineStyle}"
    )
    return chromium.execute_script(script)


def tab_to(chromium: webdriver.Chrome, **wanted: str) -> None:
    """Presses Tab until the focus is where it should be; it must be seen on all of the way."""
    for _ in range(60):
        press(chromium, Keys.TAB)
        found = focused(chromium)
        assert found["tag"] == "BODY" or found["outline"] != "none", found
        if all(found[name] == value for name, value in wanted.items()):
            return
    raise AssertionError(f"no Tab leads to {wanted}")


def paths(store: Store) -> dict[str, str]:
    """Every page that an administrator sees: name -> path."""
    hostile = store.findings.find(Filter(caller=HOSTILE["caller"])).items[0].id
    ordinary = store.findings.find().items[-1].id
    return {
        "findings": "/findings",
        "filtered": "/findings?fraud_type=wangiri&since=2020-01-01T00:00",
        "nothing": "/findings?number=none",
        "hostile": f"/findings/{hostile}",
        "finding": f"/findings/{ordinary}",
        "party": "/party?kind=caller&value=%2B4930123400001",
        "labels": "/labels",
        "fleet": "/fleet",
        "fleet-silent": "/fleet?state=silent",
        "box": "/boxes/edge-1",
        "silent": "/boxes/edge-2",
        "trends": "/trends",
        "events": "/events",
        "webhooks": "/webhooks",
        "webhook": "/webhooks/siem",
        "webhook-waiting": "/webhooks/siem?state=waiting",
        "audit": "/audit",
        "accounts": "/accounts",
        "password": "/password",
        "missing": "/findings/1",
    }


def show(chromium: webdriver.Chrome, scheme: str) -> None:
    """Light or dark, as the system of who looks has it."""
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def picture(chromium: webdriver.Chrome, name: str, width: int) -> None:
    """A picture of a page from its top, where pictures are asked for."""
    if not SCREENSHOTS:
        return
    high = min(TALLEST, chromium.execute_script("return document.documentElement.scrollHeight"))
    clip = {"x": 0, "y": 0, "width": width, "height": high, "scale": 1}
    taken = chromium.execute_cdp_cmd("Page.captureScreenshot", {"clip": clip, "captureBeyondViewport": True})
    folder = Path(SCREENSHOTS)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.png").write_bytes(base64.b64decode(taken["data"]))


def fonts(chromium: webdriver.Chrome, selector: str) -> set[str]:
    """The families of the fonts that an element is drawn with."""
    for domain in ("DOM", "CSS"):
        chromium.execute_cdp_cmd(f"{domain}.enable", {})
    root = chromium.execute_cdp_cmd("DOM.getDocument", {})["root"]["nodeId"]
    node = chromium.execute_cdp_cmd("DOM.querySelector", {"nodeId": root, "selector": selector})["nodeId"]
    used = chromium.execute_cdp_cmd("CSS.getPlatformFontsForNode", {"nodeId": node})["fonts"]
    return {font["familyName"] for font in used}


def arrive(chromium: webdriver.Chrome, url: str) -> None:
    """Waits until the page is there that the last key leads to."""
    loaded = "return document.readyState == 'complete'"
    until(lambda: chromium.current_url == url and chromium.execute_script(loaded))


def login(chromium: webdriver.Chrome, address: str, name: str) -> None:
    chromium.delete_all_cookies()
    chromium.get(f"{address}/login")
    until(lambda: focused(chromium)["name"] == "name")  # it begins where one types
    press(chromium, name, Keys.TAB, PASSWORD, Keys.ENTER)
    arrive(chromium, f"{address}/findings")


def test_every_page_can_be_read_narrow_and_wide_light_and_dark_in_both_languages(
    chromium: webdriver.Chrome, address: str, store: Store
) -> None:
    login(chromium, address, "administrator")
    for language in ("en", "zh"):
        store.accounts.set_language("administrator", language, "test")
        for name, path in paths(store).items():
            chromium.get(address + path)
            assert chromium.execute_script("return document.documentElement.lang").startswith(language)
            assert chromium.execute_script(MUTE) == [], path
            for width in (NARROW, WIDE):
                resize(chromium, width)
                broad = chromium.execute_script("return document.documentElement.scrollWidth")
                assert broad <= width, (path, language, width, broad)
                for scheme in SCHEMES if width == WIDE or SCREENSHOTS else ():
                    show(chromium, scheme)
                    assert chromium.execute_script(FAINT) == [], (path, language, width, scheme)
                    picture(chromium, f"{name}-{language}-{width}-{scheme}", width)
    store.accounts.set_language("administrator", None, "test")
    complaints = [entry["message"] for entry in chromium.get_log("browser") if "404" not in entry["message"]]
    assert not complaints, complaints  # a violated content security policy would be here


def test_chinese_is_drawn_with_the_characters_of_a_chinese_font(
    chromium: webdriver.Chrome, address: str, store: Store
) -> None:
    listed = subprocess.run(["fc-list", ":lang=zh-cn", "family"], capture_output=True, text=True, check=True).stdout
    chinese = {family.strip() for line in listed.splitlines() for family in line.split(",")}
    assert chinese, "no Chinese font: `make test` installs one, or run `tools/system-packages test`"
    login(chromium, address, "administrator")
    store.accounts.set_language("administrator", "zh", "test")
    for path in ("/findings", "/fleet", "/accounts"):
        chromium.get(address + path)
        assert fonts(chromium, "h1") <= chinese, path
    store.accounts.set_language("administrator", None, "test")


def test_the_keyboard_gets_through_every_page_and_sees_where_it_is(
    chromium: webdriver.Chrome, address: str, store: Store
) -> None:
    resize(chromium, WIDE)
    login(chromium, address, "administrator")
    one = urlencode({"number": store.findings.find().items[-1].caller, "since": "2020-01-01T00:00"})
    few = {**paths(store), "findings": f"/findings?{one}"}
    del few["filtered"]
    for path in few.values():
        chromium.get(address + path)
        press(chromium, Keys.TAB)
        assert focused(chromium)["text"] == "Skip to the content", path
        press(chromium, Keys.ENTER, Keys.TAB)
        inside = "return document.activeElement == document.body || !!document.activeElement.closest('main')"
        assert chromium.execute_script(inside), path
        chromium.get(address + path)
        stops = 0
        while stops < MOST_STOPS:
            press(chromium, Keys.TAB)
            found = focused(chromium)
            if found["tag"] == "BODY":  # behind the last one is the browser itself
                break
            assert found["outline"] != "none", (path, found)
            stops += 1
        assert 5 < stops < MOST_STOPS, f"the focus does not leave {path}, or reaches nothing"


def test_an_analyst_labels_a_finding_with_the_keyboard_alone(
    chromium: webdriver.Chrome, address: str, store: Store
) -> None:
    resize(chromium, WIDE)
    login(chromium, address, "analyst")
    press(chromium, Keys.TAB)
    assert focused(chromium)["text"] == "Skip to the content"
    press(chromium, Keys.ENTER)
    newest = store.findings.find().items[0]
    for _ in range(60):
        press(chromium, Keys.TAB)
        if focused(chromium)["tag"] == "A" and "Z" in focused(chromium)["text"]:
            break
    press(chromium, Keys.ENTER)
    arrive(chromium, f"{address}/findings/{newest.id}")
    tab_to(chromium, tag="INPUT", name="label")
    press(chromium, Keys.SPACE)
    tab_to(chromium, tag="INPUT", name="comment")
    press(chromium, "heard it", Keys.ENTER)
    until(lambda: store.findings.get(newest.id).label)
    assert store.findings.get(newest.id).label == "fraud"
    assert store.findings.labels(newest.id).items[0].comment == "heard it"


def test_an_administrator_makes_a_webhook_and_delivers_again_with_the_keyboard_alone(
    chromium: webdriver.Chrome, address: str, store: Store
) -> None:
    resize(chromium, WIDE)
    login(chromium, address, "administrator")
    chromium.get(f"{address}/webhooks")
    tab_to(chromium, tag="INPUT", name="name")
    press(chromium, "pager", Keys.TAB, "https://pager.example/in")
    tab_to(chromium, tag="INPUT", name="fraud_type")
    press(chromium, Keys.SPACE, Keys.ENTER)
    text = "return document.body.innerText"
    until(lambda: "whsec_" in chromium.execute_script(text))
    assert (made := store.webhooks.webhook("pager")).fraud_types == ["goip_gateway"]
    shown = chromium.execute_script(text)
    assert made.url not in shown, "the list shows where it leads, not all of its address"
    store.webhooks.remove("pager", "test")
    dead = dead_delivery(store)
    chromium.get(f"{address}/webhooks/siem?state=dead")
    tab_to(chromium, tag="BUTTON", text="Deliver again")
    press(chromium, Keys.ENTER)
    until(lambda: store.webhooks.delivery(dead).state == "waiting")
    arrive(chromium, f"{address}/webhooks/siem?state=dead")


def test_a_hostile_call_runs_nothing_and_turns_nothing_round(
    chromium: webdriver.Chrome, address: str, store: Store
) -> None:
    login(chromium, address, "reader")
    hostile = store.findings.find(Filter(caller=HOSTILE["caller"])).items[0].id
    for path in (
        "/findings",
        f"/findings/{hostile}",
        f"/party?{urlencode({'kind': 'caller', 'value': HOSTILE['caller']})}",
    ):
        chromium.get(address + path)
        assert chromium.execute_script("return document.scripts.length + document.images.length") == 0
        text = chromium.execute_script("return document.body.innerText")
        assert HOSTILE["caller"] in text
        assert "<U+202E>0049" in text
    assert {cookie["name"] for cookie in chromium.get_cookies()} == {"sipwarden_session", "sipwarden_csrf"}
