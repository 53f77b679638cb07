"""Convert ONNX to OpenVINO's format with OpenVINO's reader; weights stay float32."""

from __future__ import annotations

import openvino as ov

from object_detection.convert.task import Task, main
from object_detection.errors import HarnessError

FILE = "model.xml"


def convert(task: Task) -> None:
    """Write model.xml and model.bin."""
    try:
        network = ov.Core().read_model(str(task.source))
    except RuntimeError as error:
        raise HarnessError(f"{task.source} cannot be read by OpenVINO {ov.__version__}: {error}") from error
    ov.save_model(network, str(task.output / FILE), compress_to_fp16=False)


if __name__ == "__main__":
    main(convert)
