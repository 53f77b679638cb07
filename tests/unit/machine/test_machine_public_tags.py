"""We have a package for every tag that CK's public pages use for object detection, its frameworks and its tools."""

from __future__ import annotations

import pytest

from ck_repo.errors import CKError
from ck_repo.machine.survey import survey
from ck_repo.resolve.context import Context
from ck_repo.resolve.plan import NewPackage, PythonPackage, variant_of
from ck_repo.resolve.resolver import Resolver
from ck_repo.session import Session


@pytest.fixture(scope="module")
def have() -> Context:
    return survey(Session())


@pytest.fixture
def resolver(have: Context) -> Resolver:
    return Resolver(have)  # without cached results, as in a new command


@pytest.mark.parametrize(
    ("tags", "alias"),
    [
        ("ml-model,object-detection,mlperf,onnx,ssd-mobilenet,opset-8", "model-ssd-mobilenet-onnx"),
        ("ml-model,object-detection,mlperf,onnx,ssd-mobilenet,opset-11", "model-ssd-mobilenet-onnx"),
        ("model,object-detection,onnx", "model-demo-ssd"),
        ("tf,model,object-detection", "model-ssd-mobilenet-tf"),
        ("lib,python-package,absl", "lib-absl"),
        ("lib,python-package,cython", "lib-cython"),
        ("lib,python-package,matplotlib", "lib-matplotlib"),
        ("lib,python-package,scipy", "lib-scipy"),
        ("lib,python-package,cv2", "lib-opencv"),
        ("tool,cmake", "tool-cmake"),
        ("tool,coco", "tool-coco-api"),
        ("mlperf,inference,src", "mlperf-inference-source"),
        ("mlperf,inference,source,r1.0", "mlperf-inference-source"),
        ("object-detection,dataset,coco,2017,val,original", "dataset-coco-2017-val"),
        ("dataset,preprocessed,using-opencv,coco.2017,full,side.300", "dataset-coco-2017-val-preprocessed"),
        # those that named less before these packages existed
        ("lib,python-package", "lib-numpy"),
        ("tool", "tool-coco-api"),
        ("mlperf,r1.0", "lib-loadgen-source"),
        ("lib,python-package,mlperf,loadgen", "lib-loadgen"),
    ],
)
def test_public_tags_match(resolver: Resolver, tags: str, alias: str) -> None:
    variant = variant_of(resolver.resolve(tags))
    assert variant is not None
    assert variant.component.entry.alias == alias


@pytest.mark.parametrize("tags", ["mlperf,inference,src,r1.1", "ml-model,language,bert-large-squad", "tool,cmake,src"])
def test_unsupported_tags_get_alternatives(resolver: Resolver, tags: str) -> None:
    with pytest.raises(CKError) as caught:
        resolver.resolve(tags)
    assert "`ck search package --tags=…` lists the packages" in caught.value.hint
    assert "r1.0" in caught.value.hint or "model" in caught.value.hint or "tool-cmake" in caught.value.hint


def test_loadgen_of_the_round_is_built_with_absl(resolver: Resolver) -> None:
    choice = resolver.resolve("lib,python-package,mlperf,loadgen,r1.0")
    assert isinstance(choice, NewPackage)
    absl = choice.deps["absl"]
    assert isinstance(absl, PythonPackage)
    assert absl.requirement.startswith("absl-py")
