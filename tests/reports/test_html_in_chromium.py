"""matrix.html as people use it, in a real browser; skipped, with the reason, where there is none."""

import base64
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from lab import matrix
from lab.journal import Journal
from lab.reports import html
from tests import orderings

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SWITCHES = (
    "--headless",
    "--no-sandbox",  # root has none, as in CI
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1400,1000",
)
pytestmark = [pytest.mark.browser, pytest.mark.timeout(300, func_only=True)]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    whole = orderings.matrix()
    written = Journal(folder)
    for result in whole.cells:
        evidence = folder / result.evidence / "evidence"
        evidence.mkdir(parents=True)
        (evidence / "facts.json").write_text(json.dumps({"context": {"vip": orderings.VIP, "nodes": []}, "facts": []}))
        for line in orderings.lines(result.id):
            written.write(line)
    written.close()
    matrix.write(whole, folder)
    return html.write(whole, folder)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    driver = shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip(f"needs {' or '.join(BROWSERS)}, and chromedriver: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for switch in (*SWITCHES, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with webdriver.Chrome(options=options, service=webdriver.ChromeService(driver)) as made:
        yield made


@pytest.fixture
def shown(browser: webdriver.Chrome, report: Path) -> Iterator[webdriver.Chrome]:
    """The page, freshly loaded; afterwards nothing may have been complained of or loaded, whatever the test did."""
    browser.get("about:blank")
    browser.get_log("performance")
    browser.get(report.as_uri())
    yield browser
    assert browser.get_log("browser") == []
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [one["params"]["request"]["url"] for one in messages if one["method"] == "Network.requestWillBeSent"]
    assert {url.partition("#")[0] for url in asked} == {report.as_uri()}


def press(browser: webdriver.Chrome, *keys: str) -> None:
    for key in keys:
        browser.switch_to.active_element.send_keys(key)


def focused(browser: webdriver.Chrome) -> WebElement:
    return browser.switch_to.active_element


def panel(browser: webdriver.Chrome) -> WebElement:
    return browser.find_element(By.ID, "panel")


def cell(browser: webdriver.Chrome, name: str) -> WebElement:
    return browser.find_element(By.CSS_SELECTOR, f'#grid a[data-cell="{name}"]')


RED = "replica-v2.25.1:k8s-v1.29.5:1cp:kube-vip+metallb:vip:containers"
FIRST = "replica-v2.25.0:k8s-v1.29.5:1cp:base:node:containers"


def test_a_click_opens_all_that_is_known_of_a_cell(shown: webdriver.Chrome) -> None:
    cell(shown, RED).click()
    for summary in panel(shown).find_elements(By.TAG_NAME, "summary"):
        summary.click()
    said = panel(shown).text
    for part in (
        "two controllers quarrel over one Service",
        "From symptom to cause: two-controllers-for-one-service, F-31",
        "kube-vip.io/vipHost: cp1",
        "leave kube_vip_services_enabled off",
        "Predicted beside seen",
        "What it is not",
        "kubelet restarts again and again",
        "1013 MiB at most",
        "All nodes share the host's kernel.",
        "no v0.8 version could be had",
        "VIP from the client",
        "etcd : Start: 3.1 s",
        "kubeadm init on cp1: attempt 1 (rc=124) from 12 s to 42 s",
    ):
        assert part in said


def test_links_lead_to_the_evidence_beside_the_page(shown: webdriver.Chrome, report: Path) -> None:
    cell(shown, RED).click()
    links = {one.text: one.get_attribute("href") or "" for one in panel(shown).find_elements(By.TAG_NAME, "a")}
    assert links["cp1/kube-vip-log"].startswith(report.parent.as_uri() + "/cells/replica-v2.25.1")
    assert links["cp1/kube-vip-log"].endswith("/evidence/cp1/kube-vip-log.txt")
    assert links["kubespray#11271"].endswith("/kubespray/issues/11271")
    (drawn,) = (href for text, href in links.items() if text.endswith("timeline.svg"))
    shown.get(drawn)
    assert shown.find_element(By.TAG_NAME, "title").get_attribute("textContent") == f"Timeline of {RED}"
    shown.get_log("performance")
    shown.get(report.as_uri())


def test_markup_in_evidence_is_shown_and_not_obeyed(shown: webdriver.Chrome) -> None:
    cell(shown, RED).click()
    assert "</script><script>alert(1)</script><img src=x" in panel(shown).text
    assert shown.execute_script("return document.images.length + document.querySelectorAll('#panel script').length") == 0


def test_the_keyboard_goes_through_filters_into_the_grid_opens_and_closes(shown: webdriver.Chrome) -> None:
    stops = []
    for _ in range(20):
        press(shown, Keys.TAB)
        stops.append(focused(shown).get_attribute("name") or focused(shown).get_attribute("data-cell"))
        if stops[-1] == FIRST:
            break
    assert stops == ["outcome"] * 5 + ["ref", "text", FIRST]
    press(shown, Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ARROW_RIGHT)
    second = "replica-v2.25.1:k8s-v1.29.5:1cp:kube-vip:vip:containers"
    assert focused(shown).get_attribute("data-cell") == second
    press(shown, Keys.ENTER)
    assert panel(shown).is_displayed()
    assert focused(shown).get_attribute("id") == "panel-title"
    press(shown, Keys.ESCAPE)
    assert not panel(shown).is_displayed()
    assert focused(shown).get_attribute("data-cell") == second
    press(shown, Keys.HOME, Keys.ARROW_UP, Keys.ARROW_UP, Keys.ARROW_UP)
    assert focused(shown).get_attribute("data-cell") == FIRST
    press(shown, Keys.TAB)
    assert focused(shown).find_elements(By.XPATH, "ancestor::table[@id='list']")  # one stop for the whole grid


def test_focus_stays_in_an_open_panel(shown: webdriver.Chrome) -> None:
    cell(shown, FIRST).click()
    for _ in range(30):
        press(shown, Keys.TAB)
        outside = "const at = document.activeElement; return at !== document.body && !document.getElementById('panel').contains(at)"
        assert not shown.execute_script(outside)


def test_next_and_previous_walk_through_the_cells_that_are_shown(shown: webdriver.Chrome) -> None:
    cell(shown, FIRST).click()
    assert not shown.find_element(By.ID, "before").is_enabled()
    shown.find_element(By.ID, "next").click()
    assert "replica-v2.25.1:k8s-v1.29.5:1cp:base:node:containers" in panel(shown).text
    shown.find_element(By.ID, "before").click()
    assert FIRST in panel(shown).text
    shown.find_element(By.ID, "close").click()
    assert not panel(shown).is_displayed()


def test_filters_leave_what_was_asked_for(shown: webdriver.Chrome) -> None:
    def rows() -> list[str]:
        return [one.get_attribute("data-outcome") or "" for one in shown.find_elements(By.CSS_SELECTOR, "#list tbody tr:not([hidden])")]

    assert len(rows()) == 52
    for box in shown.find_elements(By.NAME, "outcome"):
        if box.get_attribute("value") != "FAIL":
            box.click()
    assert set(rows()) == {"FAIL"}
    failing = len(rows())
    assert shown.find_element(By.NAME, "shown").text == f"{failing} of 52 cells"
    assert not cell(shown, FIRST).is_displayed()
    shown.find_element(By.NAME, "text").send_keys("QUARREL service")
    assert [one.get_attribute("data-cell") for one in shown.find_elements(By.CSS_SELECTOR, "#list tbody tr:not([hidden])")] == [RED]
    shown.find_element(By.NAME, "text").clear()
    shown.find_element(By.NAME, "ref").send_keys("replica of v2.25.0")
    assert len(rows()) == failing - 1
    assert [one.text for one in shown.find_elements(By.CSS_SELECTOR, "#grid thead th") if one.is_displayed()] == [
        "ordering",
        "replica of v2.25.0",
    ]
    assert "base" not in [one.text for one in shown.find_elements(By.CSS_SELECTOR, "#grid tbody th") if one.is_displayed()]


def test_an_address_with_a_cell_opens_it(shown: webdriver.Chrome, report: Path) -> None:
    cell(shown, RED).click()
    address = shown.current_url
    assert address.startswith(f"{report.as_uri()}#cell-replica-v2.25.1")
    shown.get("about:blank")
    shown.get(address)
    assert RED in panel(shown).text


def test_a_cell_judged_elsewhere_leads_there(shown: webdriver.Chrome) -> None:
    cell(shown, "replica-v2.25.1:k8s-v1.29.5:1cp:kube-vip:vip:containers").click()
    there = "replica-v2.25.1:k8s-v1.29.5:1cp:kube-vip..metallb:vip:containers"
    assert panel(shown).find_element(By.TAG_NAME, "svg").is_displayed()
    panel(shown).find_element(By.LINK_TEXT, there).click()
    assert shown.find_element(By.ID, "panel-title").text.endswith(there)


def test_print_has_the_details_of_every_cell_that_is_shown(shown: webdriver.Chrome) -> None:
    for box in shown.find_elements(By.NAME, "outcome"):
        if box.get_attribute("value") not in ("ERROR", "UNKNOWN"):
            box.click()
    cells = len(shown.find_elements(By.CSS_SELECTOR, "#list tbody tr:not([hidden])"))
    pdf = base64.b64decode(shown.execute_cdp_cmd("Page.printToPDF", {})["data"])
    pages = len(re.findall(rb"/Type\s*/Page\b(?!s)", pdf))
    assert pages > cells  # each begins a page, after the grid
    assert shown.find_elements(By.CSS_SELECTOR, "#printed article") == []
    shown.execute_script("window.dispatchEvent(new Event('beforeprint'))")
    shown.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        assert len([one for one in shown.find_elements(By.CSS_SELECTOR, "#printed article") if one.is_displayed()]) == cells
        assert not shown.find_element(By.ID, "filters").is_displayed()
    finally:
        shown.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_both_schemes(shown: webdriver.Chrome, scheme: str) -> None:
    shown.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
    try:
        cell(shown, RED).click()
        for selector in (
            ".badge",
            "#grid a.FAIL .said",
            "#grid a.PASS .said",
            "#grid a.UNKNOWN .said",
            ".tag",
            ".note",
            ".where",
            ".details dt",
        ):
            assert contrast(shown, selector) >= 4.5, selector
    finally:
        shown.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


@pytest.mark.parametrize("width", [360, 800])
def test_a_narrow_window_scrolls_nothing_but_the_grid_sideways(shown: webdriver.Chrome, width: int) -> None:
    shown.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False})
    try:
        assert shown.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")
        shown.find_element(By.CSS_SELECTOR, "#list a").click()
        edges = "const edges = document.getElementById('panel').getBoundingClientRect(); return [edges.left, edges.right]"
        left, right = shown.execute_script(edges)
        assert left >= 0
        assert right <= width
    finally:
        shown.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def contrast(browser: webdriver.Chrome, selector: str) -> float:
    """Between the first such element's text and what is behind it, as WCAG counts it."""
    script = """
      const found = document.querySelector(arguments[0]);
      let behind = found;
      while (/rgba\\(.*, 0\\)/.test(getComputedStyle(behind).backgroundColor)) behind = behind.parentElement;
      return [getComputedStyle(found).color, getComputedStyle(behind).backgroundColor];
    """
    lights = sorted(_light(colour) for colour in browser.execute_script(script, selector))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def _light(colour: str) -> float:
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
