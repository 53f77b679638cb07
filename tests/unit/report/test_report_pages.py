"""Pages in a browser, opened from disk: charts with the right numbers, working filters, and no external content."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from report_experiments import MALICIOUS, as_results, coco_eval, columns, detections
from report_visits import Visit

from ck_repo.report.comparison import write_comparison
from ck_repo.report.single import write_report
from ck_repo.report.site import write_site
from ck_repo.report.subject import subject_of
from ck_repo.session import Session
from ck_repo.store.entry import Entry

pytestmark = pytest.mark.slow
Make = Callable[..., Entry]
Open = Callable[..., Visit]
WIDTHS = (1280, 390)


def report(tmp_path: Path, *entries: Entry) -> Path:
    path = tmp_path / "pages" / ("report.html" if len(entries) == 1 else "comparison.html")
    subjects = [subject_of(entry) for entry in entries]
    if len(entries) == 1:
        return write_report(Session(), subjects[0], path, overwrite=True).path
    return write_comparison(Session(), subjects, path, overwrite=True).path


def content_of(entry: Entry) -> dict[str, Any]:
    return dict(json.loads(Path(entry.meta()["spec"]["dataset"]["annotations"]).read_text()))


def faults(visit: Visit) -> list[str]:
    """axe's serious findings."""
    from axe_playwright_python.sync_playwright import Axe

    # `preload` would fetch the style sheet, which pages opened from disk may not do
    found = Axe().run(visit.page, options={"preload": False}).response["violations"]
    return [f"{row['id']}: {row['nodes'][0]['html'][:200]}" for row in found if row["impact"] in ("serious", "critical")]


def sound(visit: Visit) -> None:
    """No console messages, only requests for local files, no serious accessibility findings, no horizontal scrolling."""
    assert visit.complaints == []
    assert [address for address in visit.requests if not address.startswith(("file:", "data:"))] == []
    assert faults(visit) == []
    assert visit.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_report_page_is_valid(experiment: Make, visit: Open, tmp_path: Path, width: int, scheme: str) -> None:
    sound(visit(report(tmp_path, experiment(scenario="singlestream")), width, scheme))


def test_charts_have_pycocotools_figures(experiment: Make, visit: Open, tmp_path: Path) -> None:
    entry = experiment()
    content = content_of(entry)
    judge = coco_eval(content, as_results(content, detections(content, 1)))
    expected = {}
    for number, category in enumerate(judge.params.catIds):
        part = judge.eval["precision"][:, :, number, 0, -1]
        if (part > -1).any():
            expected[f"kind {category}"] = float(part[part > -1].mean())
    seen = visit(report(tmp_path, entry))
    drawn = {row["class"]: row["ap"] for row in seen.values("ap-class")}
    assert drawn == pytest.approx(expected, abs=1e-9)
    assert seen.marks("ap-class", "rect") == len(expected)
    assert {row["size"]: row["ap"] for row in seen.values("ap-size")}["all"] == pytest.approx(judge.stats[0], abs=1e-9)


def test_charts_have_loadgen_percentiles(experiment: Make, visit: Open, tmp_path: Path) -> None:
    entry = experiment(scenario="singlestream")
    logged = entry.meta()["results"]["performance"]["latency_ms"]
    seen = visit(report(tmp_path, entry))
    drawn = {row["name"].replace(".", "_"): row["ms"] for row in seen.values("latency-curve", "percentiles")}
    assert drawn == pytest.approx(logged, abs=1e-9)
    bars = seen.values("latency-histogram")
    assert sum(row["count"] for row in bars) == len(columns("singlestream", 400, 1)["query"])
    assert seen.page.locator("[data-chart=latency-histogram] .mark-rect path").count() >= sum(row["count"] > 0 for row in bars)


def test_every_chart_is_drawn_and_labelled(experiment: Make, visit: Open, tmp_path: Path) -> None:
    page = visit(report(tmp_path, experiment(scenario="server", figures={"scheduled_queries_per_second": 50.0}))).page
    keys = page.evaluate("[...document.querySelectorAll('.chart')].map((each) => each.dataset.chart)")
    assert {"queue", "confusion", "calibration", "scores", "machine-celsius", "precision-recall", "rate-time"} <= set(keys)
    assert page.locator(".chart svg").count() == len(keys)
    assert page.locator(".chart [aria-label]").count() >= len(keys)


def test_slider_changes_threshold(experiment: Make, visit: Open, tmp_path: Path) -> None:
    entry = experiment()
    content = content_of(entry)
    found = [row[4] for rows in detections(content, 1).values() for row in rows]
    page = visit(report(tmp_path, entry)).page

    def shown(score: float) -> list[int]:
        page.locator("#gallery-score").fill(str(score))
        text = page.locator("#gallery-count").inner_text()
        assert text.startswith("12 of 12 images: ")
        return [int(part.split()[0]) for part in text.split(": ")[1].split(", ")]

    for score in (0.05, 0.5, 0.9):
        right, missed, wrong = shown(score)
        assert right + wrong == sum(value >= score for value in found)
        assert right + missed == len(content["annotations"])
    page.locator("#gallery-score").fill("0.9")
    boxes = page.locator("#gallery rect.found, #gallery rect.false").count()
    assert boxes == sum(value >= 0.9 for value in found)


def test_filters_select_images(experiment: Make, visit: Open, tmp_path: Path) -> None:
    entry = experiment()
    content = content_of(entry)
    page = visit(report(tmp_path, entry)).page
    category = content["annotations"][0]["category_id"]
    page.locator("#gallery-score").fill("0")
    page.locator("#gallery-class").select_option(label=f"kind {category}")
    with_objects = {row["image_id"] for row in content["annotations"] if row["category_id"] == category}
    with_boxes = {
        content["images"][at]["id"]
        for at, rows in detections(content, 1).items()
        if any(int(row[5]) == category and row[4] >= 0.05 for row in rows)
    }
    assert page.locator("#gallery > li").count() == len(with_objects | with_boxes)
    page.locator("#gallery-class").select_option("")
    page.locator("#gallery-show").select_option("missed")
    page.locator("#gallery-score").fill("1")
    assert page.locator("#gallery > li").count() == len({row["image_id"] for row in content["annotations"]})
    page.locator("#gallery-name").fill("no such name")
    assert page.locator("#gallery > li").count() == 0


def test_image_opens_by_keyboard_with_labels(experiment: Make, visit: Open, tmp_path: Path) -> None:
    page = visit(report(tmp_path, experiment())).page
    page.locator("#gallery button").first.focus()
    page.keyboard.press("Enter")
    assert page.locator("dialog[open] rect").count() > 0
    assert page.locator("dialog[open] li").count() > 0
    assert page.locator("dialog[open] img").evaluate("(image) => image.complete && image.naturalWidth") == 64
    page.keyboard.press("Escape")
    assert page.locator("dialog[open]").count() == 0


def test_malicious_name_runs_nothing(experiment: Make, visit: Open, tmp_path: Path) -> None:
    from coco_sets import CATEGORIES

    one = experiment(
        label=MALICIOUS, categories=dict.fromkeys(CATEGORIES, MALICIOUS), file_names={0: "<img src=x onerror=hacked=1>.jpg"},
        valid=False,
    )  # fmt: skip
    other = experiment(name="other", label=MALICIOUS)
    site = write_site(Session(), tmp_path / "site").index
    for path in (report(tmp_path, one), report(tmp_path, one, other), site, site.parent / f"experiments/{one.uid}.html"):
        seen = visit(path)
        if seen.page.locator("#gallery button").count():
            seen.page.locator("#gallery button").first.click()
            assert MALICIOUS in seen.page.locator("dialog").inner_text()
        assert seen.complaints == []
        assert seen.page.evaluate("window.hacked") is None
        assert "49" not in seen.page.locator("h1").inner_text()
        assert seen.page.locator("main img[src=x]").count() == 0
        assert MALICIOUS in seen.page.locator("main").inner_text()


def test_injected_script_does_not_run(experiment: Make, visit: Open, tmp_path: Path) -> None:
    path = report(tmp_path, experiment())
    path.write_text(path.read_text().replace("<main", "<script>window.hacked = 1</script><main"))
    seen = visit(path)
    assert seen.page.evaluate("window.hacked") is None
    assert any("Content Security Policy" in text for text in seen.complaints)


@pytest.mark.parametrize("width", WIDTHS)
def test_comparison_page_is_valid(experiment: Make, visit: Open, tmp_path: Path, width: int) -> None:
    sound(visit(report(tmp_path, experiment(), experiment(name="other", seed=2)), width))


def test_comparison_shows_differences(experiment: Make, visit: Open, tmp_path: Path) -> None:
    one, other = experiment(), experiment(name="other", seed=2, figures={"samples_per_second": 75.0}, label="other model")
    seen = visit(report(tmp_path, one, other))
    content = content_of(one)
    parts = []
    for seed in (1, 2):
        judge = coco_eval(content, as_results(content, detections(content, seed)))
        parts.append(judge.eval["precision"][:, :, :, 0, -1])
    names = [category["name"] for category in content["categories"]]
    expected = {
        name: float(parts[1][:, :, at].mean() - parts[0][:, :, at].mean())
        for at, name in enumerate(names)
        if (parts[0][:, :, at] > -1).any()
    }
    drawn = {row["class"]: row["difference"] for row in seen.values("ap-difference-1")}
    assert drawn == pytest.approx(expected, abs=1e-9)
    assert {row["run"]: row["value"] for row in seen.values("figure-0")} == {"made": 50.0, "other": 75.0}
    assert all(row["low"] < row["high"] for row in seen.values("figure-0", "intervals"))
    first = seen.page.locator("#settings table").first
    assert "other model" in first.inner_text()
    assert "1.500 times as fast" in seen.page.locator("main").inner_text()
    before = seen.page.locator("#gallery-count").inner_text()
    seen.page.locator("#gallery-run").select_option("1")
    assert seen.page.locator("#gallery-count").inner_text() != before
    seen.page.locator("#gallery-show").select_option("differ")
    assert 0 < seen.page.locator("#gallery > li").count() <= 12


@pytest.mark.parametrize("width", WIDTHS)
def test_site_is_valid(experiment: Make, visit: Open, tmp_path: Path, width: int) -> None:
    entry = experiment(scenario="singlestream")
    for number in range(4):
        experiment(name=f"more-{number}", traced=False, recorded=f"2026-01-0{number + 1}T00:00:00Z")
    index = write_site(Session(), tmp_path / "site").index
    for name in ("index.html", "trends.html", "published.html", f"experiments/{entry.uid}.html"):
        sound(visit(index.parent / name, width))


def test_site_tables_sort_and_filter(experiment: Make, visit: Open, tmp_path: Path) -> None:
    for number, rate in enumerate((30.0, 9.0, 200.0)):
        experiment(
            name=f"run-{number}", figures={"samples_per_second": rate}, label=f"model {number % 2}", traced=False,
            recorded=f"2026-01-0{number + 1}T00:00:00Z",
        )  # fmt: skip
    page = visit(write_site(Session(), tmp_path / "site").index).page

    def names() -> list[str]:
        return list(page.locator("#experiments tbody tr:visible th").all_inner_texts())

    assert names() == ["run-2", "run-1", "run-0"]
    figure = page.get_by_role("button", name="Figure")
    figure.click()
    assert names() == ["run-1", "run-0", "run-2"]
    figure.press("Enter")
    assert names() == ["run-2", "run-0", "run-1"]
    assert page.locator("#experiments thead th[aria-sort=descending]").inner_text() == "Figure"
    page.locator("[data-column=model]").select_option("model 0")
    assert names() == ["run-2", "run-0"]
    page.get_by_role("searchbox").fill("run-0")
    assert names() == ["run-0"]
    assert page.locator("#experiment-filters-count").inner_text() == "1 of 3"
    page.get_by_role("link", name="run-0").click()
    assert page.locator("h1").inner_text() == "run-0"


def test_site_marks_pareto_front_and_regression(experiment: Make, visit: Open, tmp_path: Path) -> None:
    for number, rate in enumerate((50.0, 50.2, 49.9, 50.1, 70.0, 70.2, 69.9)):
        experiment(
            name=f"run-{number}", figures={"samples_per_second": rate}, traced=False, commit=f"{number}" * 40,
            recorded=f"2026-01-0{number + 1}T00:00:00Z",
        )  # fmt: skip
    index = write_site(Session(), tmp_path / "site").index
    seen = visit(index)
    assert [row["name"] for row in seen.values("pareto-0") if row["front"]] == ["run-5"]
    trends = visit(index.parent / "trends.html")
    assert [row["commit"] for row in trends.values("trend-0", "changes")] == ["4" * 10]
    assert len(trends.values("trend-0")) == 7


def test_theme_button_works_and_print_is_white(experiment: Make, visit: Open, tmp_path: Path) -> None:
    page = visit(report(tmp_path, experiment())).page
    background = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(background) == "rgb(255, 255, 255)"
    page.get_by_role("button", name="Dark").click()
    assert page.evaluate(background) != "rgb(255, 255, 255)"
    page.emulate_media(media="print")
    assert page.evaluate(background) == "rgb(255, 255, 255)"
