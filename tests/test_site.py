"""The documentation site: it builds without a network and without warnings, and loads nothing from elsewhere."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from capture.verdict import Limits
from jdrl_baseline.config import Config
from jdrl_baseline.defocusgan_config import DefocusGanConfig
from jdrl_baseline.lbk_config import LbkConfig
from jdrl_baseline.loop_settings import LoopSettings
from jdrl_baseline.networks.deblurring import DeblurringSize

ROOT = Path(__file__).parent.parent
EXTERNAL = re.compile(r"<(?:script|img|iframe|link)[^>]*(?:src|href)=\"(?:https?:)?//[^\"]*\"")
LINK = re.compile(r"\]\(([^)\s#]+)(?:#[^)\s]*)?\)")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site as `make docs` does."""
    pytest.importorskip("mkdocs", reason="MkDocs is not installed; `make docs` installs it")
    out = tmp_path_factory.mktemp("site") / "site"
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", out]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "https_proxy": "http://127.0.0.1:9"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def test_the_site_has_every_page_and_fetches_nothing(site: Path) -> None:
    pages = [path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")]
    made = [Path("reference/files.html"), Path("reference/settings.html"), Path("tutorials/tour.html")]
    assert [page for page in [*pages, *made] if not (site / page).is_file()] == []
    assert (site / "tutorials/tour.ipynb").is_file()
    fetched = {name.name: EXTERNAL.findall(name.read_text(encoding="utf-8")) for name in site.rglob("*.html")}
    assert {name: found for name, found in fetched.items() if found} == {}


def test_pages_are_made_from_the_code(site: Path) -> None:
    commands = (site / "reference/commands.html").read_text(encoding="utf-8")
    assert "--protocol" in commands
    assert 'id="sdd-bench-evaluate"' in commands
    python = (site / "reference/python.html").read_text(encoding="utf-8")
    assert 'id="sdd_bench.api.methods.evaluate"' in python
    assert "Predictions that do not fit the split" in python
    settings = (site / "reference/settings.html").read_text(encoding="utf-8")
    assert "<code>learning_rate</code>" in settings
    formats = (site / "reference/formats.html").read_text(encoding="utf-8")
    assert "<code>runtime_s</code>" in formats
    assert "seconds for an image of <code>size</code>" in formats


def test_tables_in_csv_files_open_on_a_click_and_can_be_downloaded(site: Path) -> None:
    page = (site / "tables/cameras.html").read_text(encoding="utf-8")
    details = re.search(r"<details>\s*<summary>All 64 rows by condition</summary>(.*?)</details>", page, re.DOTALL)
    assert details
    assert details[1].count("<tr>") == 65
    assert "<td>stack, radius to 16 px</td>" in details[1]
    link = re.search(r'<a href="(data/[^"]+\.csv)" download>Download as CSV</a>', details[1])
    assert link
    assert (site / "tables" / link[1]).read_bytes() == (ROOT / "docs/tables" / link[1]).read_bytes()


def test_tables_of_fields_are_those_of_the_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    import list_fields

    page = list_fields.with_tables((ROOT / "docs/reference/formats.md").read_text(encoding="utf-8"))
    assert ":::" not in page
    limits = page[page.index("### Limits") : page.index("## Datasets")]
    listed = re.findall(r"^\| `(\w+)` \|", limits, re.MULTILINE)
    assert listed == [field.name for field in dataclasses.fields(Limits)]
    assert "| `exposure_ratio` | number from 1 | `1.3` | Largest ratio of light between the shots" in limits
    assert "| `selection_on_test` | `'yes'`, `'no'`, `'unknown'` | `'unknown'` | whether test images chose" in page
    settings = re.findall(r"^\| `(\w+)` \|", list_fields.settings_page(), re.MULTILINE)
    models = (LoopSettings, DeblurringSize, Config, LbkConfig, DefocusGanConfig)
    assert settings == [
        key for model in models for key, kind in model.__annotations__.items() if not str(kind).startswith("ClassVar")
    ]


def test_links_of_readme_and_changelog_lead_somewhere() -> None:
    for name in ("README.md", "CHANGELOG.md"):
        targets = LINK.findall((ROOT / name).read_text(encoding="utf-8"))
        here = [target for target in targets if not target.startswith(("http:", "https:", "mailto:"))]
        assert [target for target in here if not (ROOT / target).exists()] == [], name
