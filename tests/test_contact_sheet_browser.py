"""The contact sheet in headless Chromium: it saves files that ingest accepts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from known_browser import needs_browser
from known_card import EVIL, write_card

from capture.contact_sheet import SHEET
from capture.session import Session, read_session
from sdd_bench.cli import root

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed: no browser to test with")

from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import Select  # noqa: E402

pytestmark = [pytest.mark.long, needs_browser]


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_card(tmp_path_factory.mktemp("sheet") / "a card")
    result = CliRunner().invoke(root, ["ingest", "--init", str(folder), "--jobs", "1"])
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture
def page(browser: webdriver.Chrome, card: Path, tmp_path: Path) -> Iterator[webdriver.Chrome]:
    """The sheet, opened anew, with downloads in the test's folder; the console stays empty."""
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    browser.get("about:blank")
    browser.get((card / SHEET).as_uri())
    yield browser
    assert browser.get_log("browser") == []
    browser.execute_script("changed = false")  # so that the browser does not ask whether to leave the page


def shot(page: webdriver.Chrome, file: str) -> webdriver.remote.webelement.WebElement:
    return next(card for card in page.find_elements(By.CLASS_NAME, "shot") if file in card.text)


def scene(page: webdriver.Chrome, name: str) -> webdriver.remote.webelement.WebElement:
    return page.find_element(By.CSS_SELECTOR, f'[data-scene="{name}"]')


def give(page: webdriver.Chrome, file: str, role: str) -> None:
    radio = shot(page, file).find_element(By.CSS_SELECTOR, f"[value={role}]")
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", radio)  # moved out from under the bar
    radio.click()


def write(field: webdriver.remote.webelement.WebElement, text: str) -> None:
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys(text, Keys.TAB)


def move(page: webdriver.Chrome, file: str, name: str) -> None:
    write(shot(page, file).find_element(By.CLASS_NAME, "to"), name)


def faults(page: webdriver.Chrome) -> dict[str, str]:
    found = {s.get_attribute("data-scene"): s for s in page.find_elements(By.CLASS_NAME, "scene")}
    words = {name: s.find_element(By.CSS_SELECTOR, "h2 .fault").text for name, s in found.items()}
    return {name: text for name, text in words.items() if text}


def saved(page: webdriver.Chrome, folder: Path) -> str:
    """Save, and return the downloaded text."""
    page.find_element(By.ID, "save").click()
    file = folder / "session.toml"
    for _ in range(100):
        if file.is_file() and not list(folder.glob("*.crdownload")):
            break
        time.sleep(0.05)
    assert page.find_element(By.ID, "saved").is_displayed()
    return file.read_bytes().decode()


def read(card: Path, text: str) -> Session:
    """Return the session read from the saved text in place of the first description, which is then restored."""
    path = card / "session.toml"
    before = path.read_bytes()
    try:
        path.write_text(text, encoding="utf-8", newline="")
        return read_session(card)
    finally:
        path.write_bytes(before)


def roles(session: Session) -> dict[str, tuple[str, str]]:
    return {shot.file: (shot.scene, shot.role) for shot in session.shots}


def test_what_is_saved_unchanged_is_the_first_description(page: webdriver.Chrome, card: Path, tmp_path: Path) -> None:
    assert page.find_element(By.ID, "counts").text == "13 shots, 4 scenes, 5 pairs, 4 left alone"
    assert saved(page, tmp_path).encode() == (card / "session.toml").read_bytes()


def test_roles_are_ticked_and_a_scene_keeps_one_sharp_shot(page: webdriver.Chrome, card: Path, tmp_path: Path) -> None:
    first = roles(read_session(card))
    give(page, "= far.jpg", "gt")
    give(page, "b1.jpg", "extra")
    Select(scene(page, "scene002").find_element(By.CLASS_NAME, "place")).select_by_visible_text("indoor")
    session = read(card, saved(page, tmp_path))
    assert roles(session) == first | {
        EVIL: ("scene001", "blur"), "= far.jpg": ("scene001", "gt"), "b1.jpg": ("scene003", "extra"),
    }  # fmt: skip
    assert {shot.file for shot in session.shots if shot.place == "indoor"} == {"A 1.jpg", "A 2.jpg"}


def test_scenes_are_renamed_merged_and_parted(page: webdriver.Chrome, card: Path, tmp_path: Path) -> None:
    write(scene(page, "scene001").find_element(By.CLASS_NAME, "name"), "Brücke_1.b")
    write(scene(page, "scene002").find_element(By.CLASS_NAME, "name"), "scene003")
    give(page, "b0.jpg", "gt")
    for file in ("b1.jpg", "b2.jpg"):
        move(page, file, "wall")
    assert faults(page) == {"wall": "no sharp shot"}
    give(page, "b1.jpg", "gt")
    assert faults(page) == {}
    found = roles(read(card, saved(page, tmp_path)))
    assert found[EVIL] == ("Brücke_1.b", "gt")
    assert [found[f"A {n}.jpg"] for n in (1, 2)] == [("scene003", "blur"), ("scene003", "blur")]
    assert [found[f"b{n}.jpg"] for n in range(3)] == [("scene003", "gt"), ("wall", "gt"), ("wall", "blur")]
    assert not page.find_elements(By.CSS_SELECTOR, '[data-scene="scene002"]')


def test_the_second_file_of_an_exposure_follows_the_first(page: webdriver.Chrome, card: Path, tmp_path: Path) -> None:
    write(scene(page, "scene005").find_element(By.CLASS_NAME, "name"), "raw")
    found = roles(read(card, saved(page, tmp_path)))
    assert {found[file] for file in ("R1.JPG", "R2.JPG")} == {("raw", "extra")}


def test_what_ingest_would_refuse_is_named_and_not_saved(page: webdriver.Chrome) -> None:
    save = page.find_element(By.ID, "save")
    give(page, EVIL, "extra")
    move(page, "A 2.jpg", "SCENE003-1")
    give(page, "A 1.jpg", "extra")
    give(page, "c alone.jpg", "gt")
    move(page, "c alone.jpg", "SCENE003-1")
    write(scene(page, "scene005").find_element(By.CLASS_NAME, "name"), "no/way")
    assert faults(page) == {
        "scene001": "no sharp shot",
        "scene003": "its pair scene003-1 is called as one of SCENE003-1",
        "no/way": "expected a name of letters, digits, '.', '-' and '_'",
    }
    assert page.find_element(By.ID, "faults").text == "3 scenes to correct"
    assert not save.is_enabled()
    give(page, EVIL, "gt")
    write(scene(page, "no/way").find_element(By.CLASS_NAME, "name"), "fine")
    move(page, "A 2.jpg", "tower")
    move(page, "c alone.jpg", "tower")
    assert faults(page) == {}
    assert save.is_enabled()


def test_only_what_is_to_be_checked_can_be_shown(page: webdriver.Chrome) -> None:
    def shown() -> list[str]:
        return [s.get_attribute("data-scene") for s in page.find_elements(By.CLASS_NAME, "scene") if s.is_displayed()]

    everything = shown()
    page.find_element(By.ID, "uncertain").click()
    assert shown() == ["scene003", "scene004"]
    page.find_element(By.ID, "uncertain").click()
    assert shown() == everything


@pytest.mark.parametrize(("scheme", "colour"), [("light", "rgb(0, 0, 0)"), ("dark", "rgb(255, 255, 255)")])
def test_a_phone_shows_it_in_light_and_dark(page: webdriver.Chrome, card: Path, scheme: str, colour: str) -> None:
    feature = {"name": "prefers-color-scheme", "value": scheme}
    phone = {"width": 420, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    page.get((card / SHEET).as_uri())
    assert page.execute_script("return document.documentElement.scrollWidth") == 420
    assert page.execute_script("return getComputedStyle(document.body).color") == colour
    page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
