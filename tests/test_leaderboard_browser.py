"""The leaderboard's page in headless Chromium: sorting, filtering, comparing, by mouse and by keyboard."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from known_board import EVIL, FORMULA, known_page, known_pictures
from known_browser import needs_browser

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed: no browser to test with")

from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import Select  # noqa: E402

pytestmark = [pytest.mark.long, needs_browser]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("page")
    pictures = known_pictures(folder, images=folder / "a folder")
    return known_page(folder, pictures).as_uri()


@pytest.fixture
def page(browser: webdriver.Chrome, address: str) -> Iterator[webdriver.Chrome]:
    """The page, opened anew; the console must stay empty."""
    browser.get(address)
    yield browser
    assert browser.get_log("browser") == []


def shown(page: webdriver.Chrome) -> list[str]:
    rows = page.find_elements(By.CSS_SELECTOR, "#board tbody tr")
    return [row.get_attribute("data-name") for row in rows if row.is_displayed()]


def head(page: webdriver.Chrome, text: str) -> webdriver.remote.webelement.WebElement:
    return page.find_element(By.XPATH, f"//table[@id='board']//th[button[starts-with(normalize-space(), '{text}')]]")


def run(page: webdriver.Chrome, script: str) -> object:
    return page.execute_script(f"return {script}")


def test_headings_sort_both_ways_and_gaps_stay_last(page: webdriver.Chrome) -> None:
    assert shown(page) == ["Twin", EVIL, FORMULA, "Bent", "Part"]
    psnr = head(page, "PSNR (dB)")
    psnr.find_element(By.TAG_NAME, "button").click()
    assert (shown(page)[0], psnr.get_attribute("aria-sort")) == ("Part", "descending")
    psnr.find_element(By.TAG_NAME, "button").click()
    assert (shown(page)[0], psnr.get_attribute("aria-sort")) == ("Bent", "ascending")
    rank = head(page, "rank").find_element(By.TAG_NAME, "button")
    for _ in range(2):
        rank.click()
        assert shown(page)[-1] == "Part"
    assert shown(page)[0] == "Bent"
    assert len(page.find_elements(By.CSS_SELECTOR, "#board th[aria-sort]")) == 1


def test_the_keyboard_sorts(page: webdriver.Chrome) -> None:
    page.find_element(By.ID, "filter").send_keys(Keys.TAB, Keys.TAB, Keys.TAB)
    button = page.switch_to.active_element
    assert button.text == "method"
    button.send_keys(Keys.ENTER)
    assert shown(page) == sorted(shown(page), key=str.lower)


def test_the_filter_takes_names_as_text(page: webdriver.Chrome) -> None:
    box = page.find_element(By.ID, "filter")
    box.send_keys("<SCRIPT>")
    assert shown(page) == [EVIL]
    assert page.find_element(By.ID, "count").text == "1 of 5 methods"
    assert [s.get_attribute("data-name") for s in page.find_elements(By.CLASS_NAME, "method") if s.is_displayed()] == [
        EVIL
    ]
    box.clear()
    box.send_keys("=hyper")
    assert shown(page) == [FORMULA]


def test_the_status_filters(page: webdriver.Chrome) -> None:
    page.find_element(By.ID, "only-flagged").click()
    assert shown(page) == ["Bent"]
    assert page.find_element(By.ID, "count").text == "1 of 5 methods"
    page.find_element(By.ID, "only-all").click()
    assert len(shown(page)) == 5


def test_any_two_methods_are_compared_on_the_same_crop(page: webdriver.Chrome) -> None:
    sides = [Select(page.find_element(By.ID, side)) for side in ("left", "right")]
    labels = [option.text for option in sides[0].options]
    assert labels == ["Twin", EVIL, FORMULA, "Bent", "Truth", "Blur image"]
    pictures = "[...document.querySelectorAll('.stage .picture')].map(p => getComputedStyle(p).backgroundImage)"
    seen = set()
    for label in labels:
        sides[0].select_by_visible_text(label)
        sides[1].select_by_visible_text("Truth")
        left, right = run(page, pictures)  # type: ignore[misc]
        assert left.startswith('url("data:image/jpeg;base64,')
        assert (left == right) == (label == "Truth")
        seen.add(left)
    assert len(seen) == len(labels)
    sides[0].select_by_visible_text(EVIL)
    sides[1].select_by_visible_text(FORMULA)
    assert page.find_element(By.ID, "difference").text.startswith(f"{EVIL} less {FORMULA} over all images: +1 in")
    Select(page.find_element(By.ID, "image")).select_by_index(2)
    assert "image 2" in page.find_element(By.CSS_SELECTOR, ".stage .over").get_attribute("aria-label")


def test_the_slider_wipes_by_keyboard_and_by_dragging(page: webdriver.Chrome) -> None:
    slider = page.find_element(By.ID, "cut")
    slider.send_keys(Keys.HOME)
    clip = "getComputedStyle(document.querySelector('.stage .over')).clipPath"
    assert run(page, clip) == "inset(0px 0px 0px 0%)"
    slider.send_keys(Keys.ARROW_RIGHT)
    assert run(page, clip) == "inset(0px 0px 0px 1%)"
    stage = page.find_element(By.CLASS_NAME, "stage")
    webdriver.ActionChains(page).move_to_element(stage).click_and_hold().move_by_offset(20, 0).release().perform()
    assert float(slider.get_attribute("value")) > 50


def test_whole_frames_come_from_their_folder(page: webdriver.Chrome) -> None:
    page.find_element(By.ID, "whole").click()
    assert "a%20folder/image-0-" in page.find_element(By.CSS_SELECTOR, ".stage .under").get_attribute("style")
    stage = "document.querySelector('.stage')"
    assert run(page, f"{stage}.offsetWidth") == 96
    assert (
        run(
            page,
            "new Promise((done, fail) => { const i = new Image(); i.onload = () => done(i.naturalWidth); "
            "i.onerror = fail; i.src = document.querySelector('.under').style.backgroundImage.slice(5, -2); })",
        )
        == 96
    )


@pytest.mark.parametrize("calm", [False, True])
def test_blinking_waits_for_a_press_where_less_motion_is_wanted(
    browser: webdriver.Chrome, address: str, calm: bool
) -> None:
    feature = {"name": "prefers-reduced-motion", "value": "reduce" if calm else "no-preference"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    browser.get(address)
    button = browser.find_element(By.ID, "blink")
    assert button.text == ("Switch" if calm else "Blink")
    button.click()
    stage = browser.find_element(By.CLASS_NAME, "stage")
    assert stage.get_attribute("class") == "stage blinking"
    time.sleep(1.1)
    assert stage.get_attribute("class") == ("stage blinking" if calm else "stage blinking other")
    button.click()
    assert stage.get_attribute("class") == ("stage blinking other" if calm else "stage other")
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert browser.get_log("browser") == []


@pytest.mark.parametrize(("scheme", "colour"), [("light", "rgb(0, 0, 0)"), ("dark", "rgb(255, 255, 255)")])
def test_a_phone_shows_it_in_light_and_dark(browser: webdriver.Chrome, address: str, scheme: str, colour: str) -> None:
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    phone = {"width": 400, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    browser.get(address)
    assert run(browser, "document.documentElement.scrollWidth") == 400
    assert run(browser, "getComputedStyle(document.body).color") == colour
    assert run(browser, "document.querySelector('#board tbody td:nth-child(3)').getBoundingClientRect().right") <= 400
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
