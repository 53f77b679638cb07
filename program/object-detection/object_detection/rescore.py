"""``python -m object_detection.rescore spec.json BASELINE TESTED FOLDER``: score two accuracy logs on their common samples.

TEST01 uses it if the answers of the test are not bitwise equal to those of the accuracy run: both must be equally accurate.
"""

from __future__ import annotations

import sys
from pathlib import Path

from object_detection.errors import HarnessError, errors_as_command

BASELINE, TESTED = "baseline_accuracy.txt", "compliance_accuracy.txt"  # file names of the rules


def rescore(spec_file: Path, baseline: Path, tested: Path, folder: Path) -> None:
    """Score both logs over the samples that the tested one has, and write what the rules want into `folder`.

    Parameters
    ----------
    baseline, tested
        Accuracy logs of the reference run and of the compliance test.

    Raises
    ------
    HarnessError
        If the tested log has no sample, or one that the baseline lacks.
    """
    from object_detection import scorer
    from object_detection.accuracy import as_coco, judged
    from object_detection.annotations import read_images
    from object_detection.logs import read_answers
    from object_detection.spec import read_spec

    spec = read_spec(spec_file)
    images = read_images(spec.dataset, spec.count)
    before, after = read_answers(baseline), read_answers(tested)
    using = scorer.chosen(spec.scorer, spec.official)
    unknown = sorted(set(after) - set(before))
    if unknown or not after:
        raise HarnessError(f"{tested} has {f'sample {unknown[0]}, which {baseline} has not' if unknown else 'no sample'}")
    for name, found in ((BASELINE, {index: before[index] for index in after}), (TESTED, after)):
        results = as_coco(found, images, spec.model.classes_are)
        (folder / name).write_text(judged(images, found, results, using)[1], encoding="utf-8")


if __name__ == "__main__":
    with errors_as_command():
        rescore(*(Path(word).resolve() for word in sys.argv[1:]))
