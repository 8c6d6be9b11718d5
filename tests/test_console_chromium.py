"""The console in a real Chromium: every page in both languages, narrow and wide, and by the keyboard alone."""

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from selenium import webdriver
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from collector.config import Config, Service
from collector.console.app import console_app
from collector.pseudonyms import Numbers
from collector.store.findings import Filter
from collector.store.store import Store
from tests.collectors import free_port
from tests.consoles import HOSTILE, PASSWORD, filled

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
WAIT_S = 10


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    made = filled(tmp_path_factory.mktemp("chromium") / "store.sqlite")
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
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(10)


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM or ""
    for switch in (*SWITCHES, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    driver.set_page_load_timeout(20)
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


def arrive(chromium: webdriver.Chrome, url: str) -> None:
    """Waits until the page is there that the last key leads to."""
    loaded = "return document.readyState == 'complete'"
    WebDriverWait(chromium, WAIT_S).until(lambda _: chromium.current_url == url and chromium.execute_script(loaded))


def login(chromium: webdriver.Chrome, address: str, name: str) -> None:
    chromium.delete_all_cookies()
    chromium.get(f"{address}/login")
    assert focused(chromium)["name"] == "name"
    press(chromium, name, Keys.TAB, PASSWORD, Keys.ENTER)
    arrive(chromium, f"{address}/findings")


def test_every_page_fits_narrow_and_wide_in_both_languages(
    chromium: webdriver.Chrome, address: str, store: Store, tmp_path: Path
) -> None:
    login(chromium, address, "administrator")
    hostile = store.findings.find(Filter(caller=HOSTILE["caller"])).items[0].id
    ordinary = store.findings.find().items[-1].id
    paths = ["/findings", f"/findings/{hostile}", f"/findings/{ordinary}", "/party?kind=caller&value=%2B4930123400001"]
    paths += ["/fleet", "/trends", "/events", "/audit", "/password", "/findings/1"]
    for language in ("en", "zh"):
        store.accounts.set_language("administrator", language, "test")
        for path in paths:
            chromium.get(address + path)
            assert chromium.execute_script("return document.documentElement.lang").startswith(language)
            for width in (NARROW, WIDE):
                resize(chromium, width)
                broad = chromium.execute_script("return document.documentElement.scrollWidth")
                assert broad <= width, (path, language, width, broad)
                name = path.strip("/").partition("?")[0].replace("/", "-")
                chromium.save_screenshot(str(tmp_path / f"{language}-{width}-{name}.png"))
    store.accounts.set_language("administrator", None, "test")
    complaints = [entry["message"] for entry in chromium.get_log("browser") if "404" not in entry["message"]]
    assert not complaints, complaints  # a violated content security policy would be here


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
    WebDriverWait(chromium, WAIT_S).until(lambda _: store.findings.get(newest.id).label)
    assert store.findings.get(newest.id).label == "fraud"
    assert store.findings.labels(newest.id).items[0].comment == "heard it"


def test_a_hostile_call_runs_nothing_and_turns_nothing_round(
    chromium: webdriver.Chrome, address: str, store: Store
) -> None:
    login(chromium, address, "reader")
    for path in ("/findings", f"/findings/{store.findings.find(Filter(caller=HOSTILE['caller'])).items[0].id}"):
        chromium.get(address + path)
        assert chromium.execute_script("return document.scripts.length + document.images.length") == 0
        text = chromium.execute_script("return document.body.innerText")
        assert HOSTILE["caller"] in text
        assert "<U+202E>0049" in text
    assert {cookie["name"] for cookie in chromium.get_cookies()} == {"sipwarden_session", "sipwarden_csrf"}
