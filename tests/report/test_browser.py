"""The page as a reader has it: in a browser, from disk, with keyboard, on a narrow screen, in light and dark."""

import shutil
import time

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from egonorm.report.page.model import Choice, Facts, Grid, GridCell, Note, Page, Player, Section, Tab
from egonorm.report.page.write import write_page

CHROMIUM, DRIVER = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="needs chromium and chromedriver"),
]


@pytest.fixture(scope="session")
def browser():
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(executable_path=DRIVER))
    yield driver
    driver.quit()


@pytest.fixture(scope="session")
def address(page, tmp_path_factory):
    """The file alone, without what lies beside it."""
    path = write_page(page, tmp_path_factory.mktemp("browser") / "report")
    return shutil.copy(path, tmp_path_factory.mktemp("mailed") / "page.html").as_uri()


@pytest.fixture
def opened(browser, address):
    """Opens the page at a place; afterwards nothing may have been complained of, and no label may have run."""

    def opened(place="", width=1280, **media):
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        wanted = {"prefers_reduced_motion": "reduce"} | media
        features = [{"name": name.replace("_", "-"), "value": value} for name, value in wanted.items()]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features, "media": ""})
        browser.get("about:blank")
        browser.get(f"{address}{place}")
        return browser

    yield opened
    assert browser.title.startswith("A report <img") and not browser.find_elements(By.CSS_SELECTOR, "img[onerror]")
    assert browser.get_log("browser") == []
    browser.execute_script("localStorage.clear()")


def find(browser, selector):
    return browser.find_element(By.CSS_SELECTOR, selector)


def shown(browser, selector):
    return [element for element in browser.find_elements(By.CSS_SELECTOR, selector) if element.is_displayed()]


def column(browser, table, number):
    cells = browser.find_elements(By.CSS_SELECTOR, f"#{table}_table tbody tr > :nth-child({number}) > :first-child")
    return [cell.text for cell in cells]


def background(browser):
    return browser.execute_script("return getComputedStyle(document.body).backgroundColor")


def test_everything_can_be_seen_after_selecting_it(opened):
    browser, seen = opened(), set()
    for tab in browser.find_elements(By.CSS_SELECTOR, "[role=tab]"):
        tab.click()
        assert len(shown(browser, ".panel")) == 1
        for select in [None, *reversed(shown(browser, ".chooser select"))]:  # inner ones first
            for place in range(len(Select(select).options) if select else 1):
                if select:
                    Select(select).select_by_index(place)
                seen |= {one.get_attribute("id") for one in shown(browser, "figure, .table, .player, .choice")}
    everything = browser.find_elements(By.CSS_SELECTOR, "figure, .table, .player, .choice")
    assert seen == {one.get_attribute("id") for one in everything} and len(seen) == 12
    for figure in browser.find_elements(By.CSS_SELECTOR, ".drawing"):
        assert browser.execute_script(
            "return arguments[0].querySelector('svg, img') || arguments[0].naturalWidth", figure
        )


def test_tabs_by_keyboard(opened):
    browser = opened()
    tabs = browser.find_elements(By.CSS_SELECTOR, "[role=tab]")
    tabs[0].send_keys(Keys.ARROW_RIGHT)
    assert [tab.get_attribute("aria-selected") for tab in tabs] == ["false", "true"]
    assert browser.switch_to.active_element == tabs[1] and find(browser, "#dgn").is_displayed()
    assert [tab.get_attribute("tabindex") for tab in tabs] == ["-1", "0"]
    for key, place in ((Keys.ARROW_RIGHT, 0), (Keys.ARROW_LEFT, 1), (Keys.HOME, 0), (Keys.END, 1)):
        browser.switch_to.active_element.send_keys(key)
        assert browser.switch_to.active_element == tabs[place] and tabs[place].get_attribute("aria-selected") == "true"
    assert browser.current_url.endswith("#dgn")
    assert find(browser, "#dgn").get_attribute("role") == "tabpanel" and not find(browser, "#dg1").is_displayed()


def test_a_link_opens_what_hides_its_place(opened):
    assert shown(opened("#dgn"), ".panel")[0].get_attribute("id") == "dgn"
    browser = opened("#inner")
    assert find(browser, "#inner").is_displayed()
    assert Select(find(browser, "#stream_select")).first_selected_option.text == "second"
    browser.execute_script("location.hash = '#figure-2'")
    wait(lambda: find(browser, "#figure-2").is_displayed())
    assert not find(browser, "#inner").is_displayed()
    find(browser, "a[href='#dgn']:not([role])").click()
    wait(lambda: find(browser, "#confusion").is_displayed())


def wait(condition, seconds=5.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def test_the_skip_link_comes_first(opened):
    browser = opened()
    find(browser, "body").send_keys(Keys.TAB)
    link = browser.switch_to.active_element
    assert link.text == "Skip to the content" and link.rect["x"] >= 0
    link.send_keys(Keys.ENTER)
    assert browser.switch_to.active_element.get_attribute("id") == "_main"


def test_numbers_and_words_are_sorted_with_nothing_last(opened):
    browser = opened()
    number, word = (find(browser, f"#results_table th:nth-child({k}) button") for k in (2, 3))
    number.click()
    assert column(browser, "results", 2) == ["-3.0", "9.5", "12.0", "47.0", "54.2", ""]
    number.send_keys(Keys.ENTER)
    assert column(browser, "results", 2) == ["54.2", "47.0", "12.0", "9.5", "-3.0", ""]
    assert find(browser, "#results_table th:nth-child(2)").get_attribute("aria-sort") == "descending"
    word.click()
    assert column(browser, "results", 3) == ["9 kiwis", "10 kiwis", "apple", "mango", "zebra", ""]
    word.click()
    assert column(browser, "results", 3) == ["zebra", "mango", "apple", "10 kiwis", "9 kiwis", ""]
    sorted_by = browser.find_elements(By.CSS_SELECTOR, "#results_table th[aria-sort]")
    assert [head.text.split("\u00a0")[0] for head in sorted_by] == ["fruit"]


def test_rows_are_filtered_and_counted(opened):
    browser = opened()
    box, told = find(browser, "#results_filter"), find(browser, "#results output")
    assert told.text == "6 of 6 rows" and told.get_attribute("aria-live") == "polite"
    box.send_keys("KIWI")
    assert told.text == "2 of 6 rows" and len(shown(browser, "#results_table tbody tr")) == 2
    box.clear()
    box.send_keys("<img")
    assert told.text == "1 of 6 rows"
    assert find(browser, "label[for=results_filter]").text == "Show rows with"


def test_marks_are_more_than_colour(opened):
    browser = opened()
    assert [(mark.text, mark.get_attribute("title")) for mark in shown(browser, "#results .mark")] == [
        ("★", "best"),
        ("☆", "not told from the best"),
    ]
    assert find(browser, "#results .legend").text == "bold ★ best of the column; bold ☆ not told from the best"


def test_a_clip_plays_with_sound(opened):
    browser = opened("#dgn")
    video = find(browser, "#clip video")
    browser.execute_script("arguments[0].muted = true; arguments[0].play()", video)
    wait(lambda: browser.execute_script("return arguments[0].currentTime", video) > 0.2)
    state = "const v = arguments[0]; return [v.duration, v.videoWidth, v.webkitAudioDecodedByteCount]"
    duration, width, heard = browser.execute_script(state, video)
    assert duration == pytest.approx(1, abs=0.2) and width == 96 and heard > 0
    assert "the run saved no clip" in find(browser, "#silent").text
    browser.execute_script("arguments[0].loop = true; arguments[0].play()", video)
    find(browser, "[role=tab]").click()
    assert browser.execute_script("return arguments[0].paused", video)


@pytest.mark.parametrize("place", ["#dg1", "#dgn", "#inner"])
def test_a_narrow_screen_does_not_scroll_sideways(opened, place):
    browser = opened(place, width=400)
    wide, inside = browser.execute_script("return [document.scrollingElement.scrollWidth, innerWidth]")
    assert inside == 400 and wide <= inside
    for box in shown(browser, ".scroll:has(table)"):
        assert box.rect["x"] >= 0 and box.rect["x"] + box.rect["width"] <= 400
        first = box.find_element(By.CSS_SELECTOR, "tbody th")
        browser.execute_script("arguments[0].scrollLeft = 60", box)
        assert abs(first.rect["x"] - box.rect["x"]) < 3


def test_colours_follow_the_system_and_the_reader(opened):
    light = background(opened(prefers_color_scheme="light"))
    browser = opened(prefers_color_scheme="dark")
    dark, button = background(browser), find(browser, "#_theme")
    assert button.text == "Colours: auto" and dark != light
    button.click()
    assert button.text == "Colours: light" and background(browser) == light
    browser = opened(prefers_color_scheme="dark")
    assert background(browser) == light
    find(browser, "#_theme").click()
    assert background(browser) == dark and find(browser, "#_theme").text == "Colours: dark"


CONTRAST = """
const number = (colour) => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d");
  canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
  return [...canvas.getImageData(0, 0, 1, 1).data];
};
const light = ([r, g, b]) => [r, g, b].map((x) => x / 255).map((x) => (x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4))
  .reduce((sum, x, k) => sum + x * [0.2126, 0.7152, 0.0722][k], 0);
const behind = (element) => {
  const colour = number(getComputedStyle(element).backgroundColor);
  return colour[3] === 255 || !element.parentElement ? colour : behind(element.parentElement);
};
const all = [...document.querySelectorAll("body :not(svg *, svg, script, video, option)")];
const texts = all.filter((e) => e.checkVisibility() && [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()));
return texts.map((e) => {
  const [a, b] = [light(number(getComputedStyle(e).color)), light(behind(e))];
  return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), e.className + " " + e.textContent.slice(0, 30)];
});
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read(opened, scheme):
    for place in ("#dg1", "#dgn"):
        found = opened(place, prefers_color_scheme=scheme).execute_script(CONTRAST)
        assert len(found) > 60 and min(found)[0] >= 4.5, min(found)


def test_a_figure_is_saved_as_what_is_shown(opened):
    browser = opened("#figure-2")
    link = find(browser, "#figure-2 a.svg")
    browser.execute_script("arguments[0].addEventListener('click', (event) => event.preventDefault())", link)
    link.click()
    address = link.get_attribute("href")
    assert address.startswith("data:image/svg+xml") and "%3Csvg" in address and "xmlns" in address


def test_a_figure_is_told_to_who_does_not_see_it(opened):
    browser = opened("#figure-2")
    figure = find(browser, "#figure-2 .drawing")
    assert figure.get_attribute("role") == "img" and figure.accessible_name == "Norms"
    text = find(browser, f"#{figure.get_attribute('aria-describedby')}")
    assert not text.is_displayed()
    find(browser, "#figure-2 summary").click()
    assert text.text == "Two lines; the first falls from 3 to 1."


def test_all_tabs_are_printed_without_controls(opened):
    browser = opened()
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert len(shown(browser, ".panel")) == 2 and len(shown(browser, ".panel > h2")) == 2
    assert not shown(browser, "button#_theme, .tab-list, .filter, .chooser, .links, nav")


def test_without_script_everything_is_there(opened):
    browser = opened()
    try:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
        browser.refresh()
        hidden = browser.find_elements(By.CSS_SELECTOR, "figure, .table, .player, .choice, .option, .panel")
        assert len(hidden) > 15 and all(one.is_displayed() for one in hidden)
        assert not shown(browser, "#_theme, .filter, .chooser, thead button")
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
        browser.get_log("browser")


def test_all_parts_of_a_tab_show_the_same_shift_and_links_lead_to_what_is_hidden(browser, tmp_path):
    def clip(name):
        return Player(name, name, "uid", Facts(()), missing="not saved")

    def choice(name):
        return Choice(name, "Shift", {"D1 → D2": (Note(f"{name} one"),), "D1 → D3": (clip(f"{name}-clip"),)}, "D1 → D3")

    table = Grid("changed", "Clips", ("clip",), ((GridCell("uid", link="looks-clip"),),))
    tab = Tab("dg1", "DG", (Section("all", "All", (choice("looks"), choice("fails"), table)),))
    lead = Note("Changed.", links=(("a <b>clip</b>", "fails-clip"),))
    browser.get(write_page(Page("Shifts", (lead,), (tab,)), tmp_path / "page").as_uri())
    assert [select.first_selected_option.text for select in map(Select, shown(browser, "select"))] == ["D1 → D3"] * 2
    Select(find(browser, "#looks_select")).select_by_visible_text("D1 → D2")
    assert [note.text for note in shown(browser, ".option > p:not(.option-name)")] == ["looks one", "fails one"]
    link = find(browser, ".summary a")
    assert link.text == "a <b>clip</b>" and not shown(browser, ".player")
    link.click()
    assert [player.get_attribute("id") for player in shown(browser, ".player")] == ["fails-clip"]
    find(browser, "#changed_table a").click()
    assert {player.get_attribute("id") for player in shown(browser, ".player")} == {"fails-clip", "looks-clip"}
    assert browser.get_log("browser") == []
