"""Pages in headless Chromium at three widths: nothing is clipped or covered, and marks differ by more than colour."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from known_board import EVIL, known_entries, known_page, known_pictures
from known_browser import needs_browser
from known_cli import call
from known_results import write_results
from numpy.typing import NDArray

from leaderboard.page.write import write_page
from leaderboard.table import build_board
from sdd_bench.datasets.manifest import Pair
from sdd_bench.io.images import to_pixels, write_png
from sdd_bench.registration.similarity import Similarity
from sdd_bench.report.demo_page import TITLES, explain
from sdd_bench.report.demo_page import write_page as write_demo
from sdd_bench.report.maps import displacement_map, residual_map
from sdd_bench.report.svg import STYLE

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed: no browser to test with")

from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.support.ui import Select  # noqa: E402

pytestmark = [pytest.mark.long, needs_browser]

WIDTHS = (1400, 800, 420)
LONG = "A network with quite a long name that nobody would print (journal version)"
OUTSIDE = """
const width = document.documentElement.clientWidth, found = [];
for (const part of document.querySelectorAll("body *")) {
  const box = part.getBoundingClientRect();
  if (!box.width || part.closest(".scroll, svg, [hidden], details:not([open])")) continue;
  if (box.right > width + 1 || box.left < -1) found.push(`${part.tagName} ${part.className}`);
}
return found;
"""
"""Parts of a page that extend beyond its sides; parts with their own scroll bar are left out."""


@pytest.fixture
def shown(browser: webdriver.Chrome) -> Iterator[Callable[..., webdriver.Chrome]]:
    """Function that opens a page at a width, light or dark; the console must stay empty."""

    def show(page: Path, width: int = 1400, scheme: str = "light") -> webdriver.Chrome:
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        browser.get(page.as_uri())
        return browser

    yield show
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert browser.get_log("browser") == []


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("board")
    return known_page(folder, known_pictures(folder))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    for dataset in ("sdd", "dpdd"):
        for place, name in enumerate(("Restormer", LONG)):
            scores = [26.0 - place + 0.3 * image for image in range(8)]
            (folder / dataset).mkdir(exist_ok=True)
            write_results(folder / dataset, name, scores, protocol="direct/1", dataset=dataset, images=dataset)
    files = sorted(folder.rglob("*.json"))
    found = call("leaderboard", *files, "--out", folder / "b.csv", "--site", folder / "site")
    assert found.exit_code == 0, found.output
    return folder / "site"


@pytest.fixture(scope="module")
def demo(photo: NDArray[np.float32], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's page of two methods, one of which is the other moved by 2 px."""
    folder = tmp_path_factory.mktemp("demo")
    crop = np.ascontiguousarray(photo[:160, :160])
    predictions = {"Truth": folder / "truth", "Truth, moved 2 px": folder / "moved"}
    for method, moved in zip(predictions, (crop, np.roll(crop, 2, 1)), strict=True):
        write_png(predictions[method] / "one.png", to_pixels(moved))
    write_png(folder / "sharp.png", to_pixels(crop))
    tables = {protocol: folder / f"{protocol.replace('/', '-')}.csv" for protocol in TITLES}
    numbers = {"psnr_db": 30.0, "ssim": 0.9, "lpips": 0.1, "mae": 0.02, "gdi_px": 0.1, "ceiling_db": 45.0}
    for path in tables.values():
        rows = [
            {"rank": place, "tie": "", "method": name, **numbers, "psnr_db": 31 - place, "status": "measured"}
            for place, name in enumerate([*predictions, "Blur image"], 1)
        ]
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    words = explain(tables, *predictions, "Blur image", ["Truth"])
    pair = Pair("one", "test", folder / "sharp.png", folder / "sharp.png")
    return write_demo(folder / "report.html", tables, words, [pair], predictions, "Truth")


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_reaches_over_the_sides(
    shown: Callable[..., webdriver.Chrome], board: Path, site: Path, demo: Path, width: int
) -> None:
    pages = [board, demo, site / "index.html", *sorted((site / "methods").iterdir()), *site.glob("tables/*/index.html")]
    assert len(pages) == 7
    for page in pages:
        found = shown(page, width)
        assert found.execute_script("return document.documentElement.scrollWidth") <= width, page
        assert found.execute_script(OUTSIDE) == [], page


def test_a_wide_window_shows_the_status_without_scrolling(
    shown: Callable[..., webdriver.Chrome], board: Path, demo: Path
) -> None:
    for page in (board, demo):
        found = shown(page)
        hidden = "return [...document.querySelectorAll('.scroll')].filter(p => p.querySelector('table') && "
        hidden += "!p.closest('details') && p.scrollWidth > p.clientWidth + 1).length"
        assert found.execute_script(hidden) == 0, page
        status = found.find_element(By.XPATH, "//table//th[contains(., 'status')]")
        assert status.rect["x"] + status.rect["width"] < 1400


def test_a_wide_window_is_filled(shown: Callable[..., webdriver.Chrome], board: Path) -> None:
    page = shown(board)
    for part in (".plots", ".stage", ".differs", ".shot"):
        assert page.find_element(By.CSS_SELECTOR, part).rect["width"] > 0.4 * 1400, part
    right = page.find_element(By.CSS_SELECTOR, ".differs").rect
    assert right["x"] + right["width"] > 0.9 * 1400


@pytest.mark.parametrize("width", WIDTHS)
def test_links_lead_to_headings_that_the_bar_does_not_cover(
    shown: Callable[..., webdriver.Chrome], board: Path, width: int
) -> None:
    page = shown(board, width)
    names = [a.get_dom_attribute("href") for a in page.find_elements(By.CSS_SELECTOR, "a[href^='#']")]
    assert len(set(names)) > 8
    for name in dict.fromkeys(names):
        page.execute_script("scrollTo(0, 0); history.replaceState(null, '', ' '); location.hash = arguments[0];", name)
        top, covers, height = page.execute_async_script(
            "const done = arguments[1]; setTimeout(() => {"
            "const bar = document.querySelector('.bar'), box = document.querySelector(arguments[0]);"
            "const part = box.matches('h1, h2, h3') ? box : box.querySelector('h2, h3');"
            "const [over, under] = [bar, part].map(p => p.getBoundingClientRect());"
            "done([under.top, over.top < under.bottom && over.bottom > under.top, innerHeight]);"
            "}, 150)",
            name,
        )
        assert not covers, name
        assert -1 < top < height, name


def test_first_and_second_rank_are_marked_by_more_than_colour(
    shown: Callable[..., webdriver.Chrome], board: Path, site: Path
) -> None:
    for page, first, second in ((board, "26.50", "25.50"), (site / "index.html", "27.05", "26.05")):
        found = shown(page)
        strong, under = (found.find_element(By.CSS_SELECTOR, f"tbody td {tag}") for tag in ("strong", "u"))
        assert (strong.text, under.text) == (first, second)
        assert int(strong.value_of_css_property("font-weight")) >= 600
        assert "underline" in under.value_of_css_property("text-decoration-line")


def picture_of(element: webdriver.remote.webelement.WebElement) -> NDArray[np.uint8]:
    found = cv2.imdecode(np.frombuffer(element.screenshot_as_png, np.uint8), cv2.IMREAD_COLOR)
    assert found is not None
    return np.asarray(found, np.uint8)


def test_blinking_shows_two_different_pictures(shown: Callable[..., webdriver.Chrome], board: Path) -> None:
    page = shown(board)
    Select(page.find_element(By.ID, "left")).select_by_visible_text("Truth")
    Select(page.find_element(By.ID, "right")).select_by_visible_text("Blur image")
    stage = page.find_element(By.CLASS_NAME, "stage")
    pictures = []
    for other in (False, True):
        page.execute_script("arguments[0].classList.add('blinking')", stage)
        page.execute_script("arguments[0].classList.toggle('other', arguments[1])", stage, other)
        pictures.append(picture_of(stage).astype(float))
    assert np.abs(pictures[0] - pictures[1]).mean() > 10
    assert pictures[0].std() > 1.5 * pictures[1].std()  # the blur image has half the contrast


def test_the_difference_is_black_where_pictures_agree(shown: Callable[..., webdriver.Chrome], board: Path) -> None:
    page = shown(board)
    left, right = (Select(page.find_element(By.ID, side)) for side in ("left", "right"))
    differs = page.find_element(By.CLASS_NAME, "differs")
    left.select_by_visible_text("Truth")
    right.select_by_visible_text("Truth")
    assert picture_of(differs).max() <= 1
    right.select_by_visible_text(EVIL)
    assert picture_of(differs).mean() > 20
    assert differs.get_attribute("aria-label") == f"Absolute difference of Truth and {EVIL}: image 0"


def test_the_demo_shows_a_shift_of_2_px(shown: Callable[..., webdriver.Chrome], demo: Path) -> None:
    page = shown(demo)
    same, moved = page.find_elements(By.CSS_SELECTOR, "img[alt^='Difference of Truth']")
    inside = slice(8, -8)  # corners are rounded
    assert picture_of(same)[inside, inside].max() <= 1
    assert picture_of(moved)[inside, inside].mean() > 10


@pytest.mark.parametrize(("scheme", "low", "high"), [("dark", 0, 90), ("light", 150, 255)])
def test_maps_have_the_background_of_the_page(
    shown: Callable[..., webdriver.Chrome], tmp_path: Path, scheme: str, low: int, high: int
) -> None:
    residual = np.full((15, 24), np.nan)  # without values, only the background is drawn
    maps = (
        residual_map("residual", "Residual", residual, 384, 240, 4.0),
        displacement_map("moved", "Displacement", Similarity(shift_x_px=0.0), 384, 240),
    )
    page = tmp_path / "maps.html"
    head = (
        f'<!doctype html><meta charset="utf-8"><title>maps</title><style>:root {{ color-scheme: light dark; }} {STYLE}'
    )
    page.write_text(f"{head}</style><body style='width: 480px'>{''.join(plot.svg for plot in maps)}")
    found = shown(page, 800, scheme)
    for plot in found.find_elements(By.CLASS_NAME, "plot"):
        pixels = picture_of(plot)
        middle = np.median(pixels[pixels.shape[0] // 4 : -pixels.shape[0] // 4, 60:240])
        assert low <= middle <= high


def test_long_names_are_not_cut_in_the_plots(shown: Callable[..., webdriver.Chrome], tmp_path: Path) -> None:
    entries = known_entries()
    page = shown(write_page(tmp_path / "page.html", build_board(entries), None, None, entries))
    texts = [part.text for part in page.find_elements(By.CSS_SELECTOR, ".plots .name")]
    assert {"<script>alert", "(1)</script>"} <= set(texts)
    assert not any("…" in text for text in texts)
