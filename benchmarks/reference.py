"""The reference implementation of round v1.0 (mlcommons/inference, tag v1.0.1), run from a copy of its source."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from ck_repo.contract.logs import DETAIL, Detail, parse_detail

# what has to change for a current NumPy and LoadGen: in a file, a text and its replacement
_EDITS = (
    ("coco.py", "np.array(self.label_list)", "np.array(self.label_list, dtype=object)"),
    ("main.py", "(issue_queries, flush_queries, process_latencies)", "(issue_queries, flush_queries)"),
)
_FEWEST = 64  # queries


class Reference:
    """Runs the reference, one process for each run.

    Parameters
    ----------
    source
        A checkout of its folder vision/classification_and_detection.
    folder
        Where the copy and its outputs are put.
    python
        Of a venv with ONNX Runtime, OpenCV, pycocotools and LoadGen.
    model, images
        The ONNX file, and the folder of a COCO data set.
    """

    def __init__(self, source: Path, folder: Path, python: Path, model: Path, images: Path) -> None:
        self._folder, self._python, self._model, self._images = folder, python, model, images
        shutil.copytree(source / "python", folder / "python")
        for name, old, new in _EDITS:
            file = folder / "python" / name
            text = file.read_text()
            if text.count(old) != 1:
                raise SystemExit(f"{source} is not the reference of v1.0.1: {name} has {text.count(old)} times {old!r}")
            file.write_text(text.replace(old, new))
        (folder / "mlperf.conf").write_text("")  # no rules of a round: both have the same settings

    def run(self, scenario: str, seconds: int, rate: float, bound_ms: float | None = None) -> Detail:
        """A performance run in batches of one image; the figures of LoadGen's log.

        Parameters
        ----------
        rate
            Samples/s that are expected, or the target of Server.
        bound_ms
            The latency bound of Server.
        """
        output = self._folder / "output"
        shutil.rmtree(output, ignore_errors=True)
        conf = [f"*.*.min_query_count = {_FEWEST}", f"*.Offline.target_qps = {rate:.3f}", f"*.Server.target_qps = {rate:.3f}"]
        conf += [f"*.Server.target_latency = {bound_ms:g}"] if bound_ms else []
        (self._folder / "user.conf").write_text("\n".join([*conf, ""]))
        command = [
            str(self._python), "main.py", "--profile", "ssd-mobilenet-onnxruntime", "--scenario", scenario,
            "--model", str(self._model), "--dataset-path", str(self._images), "--max-batchsize", "1", "--time", str(seconds),
            "--mlperf_conf", str(self._folder / "mlperf.conf"), "--user_conf", str(self._folder / "user.conf"),
            "--output", str(output),
        ]  # fmt: skip
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        done = subprocess.run(command, cwd=self._folder / "python", env=environment, capture_output=True, text=True)
        # without the third callback its own table, after the run, fails for want of latencies; LoadGen's log has the figures
        found = parse_detail((output / DETAIL).read_text()) if (output / DETAIL).exists() else Detail()
        if "result_validity" not in found.values:
            raise SystemExit(f"the reference ended with {done.returncode}: {done.stderr[-2000:]}")
        return found
