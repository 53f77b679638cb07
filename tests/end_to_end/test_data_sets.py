"""One data set in three formats scores the same, here and on a machine that has none of the files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from demo_variants import Variant
from end_to_end.installed import Ck

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("shared_ck")]
IMAGES = 8
DEMO = Path(__file__).resolve().parents[2] / "package/model-demo-ssd/demo_ssd.onnx"


@pytest.fixture
def content(shared_ck: Ck, tmp_path: Path) -> dict[str, Any]:
    """The annotations of the first demo images, which are copied to `tmp_path / "pictures"`."""
    found = shared_ck.good("show", "dataset", "--tags=demo")
    content: dict[str, Any] = json.loads(Path(found["annotations"]).read_text())
    content["images"] = content["images"][:IMAGES]
    ids = {row["id"] for row in content["images"]}
    content["annotations"] = [row for row in content["annotations"] if row["image_id"] in ids]
    (tmp_path / "pictures").mkdir()
    for row in content["images"]:
        shutil.copy(Path(found["images"]) / row["file_name"], tmp_path / "pictures")
    return content


def mAP(ck: Ck, name: str, *words: str) -> float:
    answer = ck.good("run", "program:object-detection", f"--dataset={name}", "--mode=accuracy", *words)
    return float(answer["results"]["accuracy"]["mAP"])


def write_coco(content: dict[str, Any], folder: Path) -> tuple[str, ...]:
    """Absolute names, ids as text, no iscrowd, UTF-16: deviations from COCO's format."""
    for row in content["images"]:
        row["file_name"], row["id"] = str(folder / "pictures" / row["file_name"]), f"frame_{row['id']}"
    for row in content["annotations"]:
        row["image_id"], row["id"] = f"frame_{row['image_id']}", 0
        del row["iscrowd"]
    file = folder / "tool.json"
    file.write_bytes(json.dumps(content).encode("utf-16"))
    (folder / "empty").mkdir()
    return ("soft:dataset.coco", f"--full_path={folder / 'empty'}", f"--annotations={file}")


def write_yolo(content: dict[str, Any], folder: Path) -> tuple[str, ...]:
    names = [row["name"] for row in content["categories"]]
    (folder / "pictures/classes.txt").write_text("".join(f"{name}\n" for name in names))
    ids = [row["id"] for row in content["categories"]]
    for image in content["images"]:
        lines = []
        for row in content["annotations"]:
            if row["image_id"] == image["id"]:
                (x, y, w, h), width, height = row["bbox"], image["width"], image["height"]
                centre = ((x + w / 2) / width, (y + h / 2) / height, w / width, h / height)
                lines.append(" ".join(map(str, (ids.index(row["category_id"]), *centre))))
        (folder / "pictures" / image["file_name"]).with_suffix(".txt").write_text("\n".join(lines))
    return ("soft:dataset.yolo", f"--full_path={folder / 'pictures'}")


def write_voc(content: dict[str, Any], folder: Path) -> tuple[str, ...]:
    names = {row["id"]: row["name"] for row in content["categories"]}
    (folder / "pictures/labels.txt").write_text("".join(f"{name}\n" for name in names.values()))
    for image in content["images"]:
        text = f"<filename>{image['file_name']}</filename>"
        for row in content["annotations"]:
            if row["image_id"] == image["id"]:
                x, y, w, h = row["bbox"]
                box = f"<xmin>{x + 1}</xmin><ymin>{y + 1}</ymin><xmax>{x + w}</xmax><ymax>{y + h}</ymax>"
                text += f"<object><name>{names[row['category_id']]}</name><bndbox>{box}</bndbox></object>"
        path = (folder / "pictures" / image["file_name"]).with_suffix(".xml")
        path.write_text(f"<annotation>{text}</annotation>")
    return ("soft:dataset.voc", f"--full_path={folder / 'pictures'}")


def detect_beside(ck: Ck, folder: Path) -> tuple[str, ...]:
    """Register the demo model with its weights in an external file, and try it; return the option that selects it."""
    folder.mkdir()
    model = Variant(DEMO).save(folder / "beside.onnx", save_as_external_data=True, location="beside.bin", size_threshold=64)
    tried = ck.good("detect", "soft:model.onnx", f"--full_path={model}", "--extra_tags=beside", "--dataset=demo", "--try")
    assert tried["env"]["parts"] == ["beside.bin"]
    assert tried["detections"] > IMAGES
    picture = Path(tried["picture"])
    assert (picture.parent, picture.name) == (ck.home, "beside-try.png")
    assert picture.read_bytes().startswith(b"\x89PNG")
    return ("--model=beside",)


@pytest.mark.parametrize(("write", "beside"), [(write_coco, True), (write_yolo, False), (write_voc, False)])
def test_every_format_scores_the_same_on_both_machines(
    shared_ck: Ck, content: dict[str, Any], write: Any, beside: bool, tmp_path: Path
) -> None:
    """With ``beside``, the model's weights are in an external file, which is packed, too."""
    plain, name = tmp_path / "plain.json", write.__name__.replace("_", "-")
    plain.write_text(json.dumps(content))
    images = f"--full_path={tmp_path / 'pictures'}"
    shared_ck.good("detect", "soft:dataset.coco", images, f"--annotations={plain}", f"--name=plain-{name}")
    right = mAP(shared_ck, f"plain-{name}")
    assert right > 0.5
    shared_ck.good("detect", *write(content, tmp_path), f"--name={name}")
    model = detect_beside(shared_ck, tmp_path / "model") if beside else ()
    assert mAP(shared_ck, name, f"--record={name}", *model) == pytest.approx(right, abs=1e-6)
    shared_ck.good("zip", f"experiment:{name}", "--artifacts=all", f"--archive_name={tmp_path / 'run.zip'}")
    shutil.rmtree(tmp_path / "pictures")
    shutil.rmtree(tmp_path / "model", ignore_errors=True)
    (tmp_path / "elsewhere").mkdir()
    other_machine = Ck(shared_ck.program, tmp_path / "elsewhere")
    other_machine.good("unzip", "experiment", f"--zip={tmp_path / 'run.zip'}")
    done = other_machine.good("replay", f"experiment:{name}")
    assert done["reproduced"] is True
    assert done["verdict"]["mAP"][1] == pytest.approx(right, abs=1e-6)
