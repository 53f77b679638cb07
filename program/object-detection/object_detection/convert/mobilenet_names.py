"""SSD-MobileNet's layers by their names in TensorFlow's graphs and in models derived from them."""

from __future__ import annotations

import re

from object_detection.errors import HarnessError

BACKBONE = "FeatureExtractor/MobilenetV1/MobilenetV1/"
EXTRAS = "FeatureExtractor/MobilenetV1/Conv2d_13_pointwise_"
_FIRST_EXTRA = 2  # TensorFlow counts the extra layers from here
_HEADS = {"ClassPredictor": "classification", "BoxEncodingPredictor": "regression"}
_LAYER = re.compile(
    r"(?:^|/)(?:"
    r"Conv2d_13_pointwise_(?P<part>[12])_Conv2d_(?P<extra>\d+)_[^/]*|"
    r"Conv2d_(?P<block>\d+)_(?P<kind>depthwise|pointwise)|"
    r"(?P<first>Conv2d_0)|"
    r"BoxPredictor_(?P<predictor>\d+)/(?P<head>ClassPredictor|BoxEncodingPredictor)"
    r")(?:/|$)"
)


def layer_of(name: str) -> str | None:
    """Our name for the convolution of a node; None if it belongs to none.

    >>> layer_of("FeatureExtractor/MobilenetV1/MobilenetV1/Conv2d_3_pointwise/Conv2D")
    'backbone.3.pointwise'
    >>> layer_of("FeatureExtractor/MobilenetV1/Conv2d_13_pointwise_2_Conv2d_4_3x3_s2_256/Relu6")
    'extras.2.2'
    >>> layer_of("BoxPredictor_1/ClassPredictor/BiasAdd")
    'predictors.1.classification'
    """
    found = _LAYER.search(name)
    if found is None:
        return None
    if found["first"]:
        return "backbone.0.0"
    if found["block"]:
        return f"backbone.{found['block']}.{found['kind']}"
    if found["extra"]:
        return f"extras.{int(found['extra']) - _FIRST_EXTRA}.{'0' if found['part'] == '1' else '2'}"
    return f"predictors.{found['predictor']}.{_HEADS[found['head']]}"


def all_layers() -> list[str]:
    """The convolutions of the network."""
    names = ["backbone.0.0"]
    names += [f"backbone.{block}.{kind}" for block in range(1, 14) for kind in ("depthwise", "pointwise")]
    names += [f"extras.{extra}.{part}" for extra in range(4) for part in (0, 2)]
    return names + [f"predictors.{number}.{head}" for number in range(6) for head in _HEADS.values()]


def check_complete(found: set[str], source: object) -> None:
    """Refuse a graph that lacks layers of the network.

    Parameters
    ----------
    found
        Names of layers, as in `all_layers`.
    source
        The graph, for messages.

    Raises
    ------
    HarnessError
        If a layer is missing; the message has the number of missing ones, and the first.
    """
    missing = [name for name in all_layers() if name not in found]
    if missing:
        raise HarnessError(
            f"{source} is not a supported SSD-MobileNet v1: it lacks {len(missing)} of its {len(all_layers())} "
            f"convolutions, the first is {missing[0]}",
            "convert a graph of ssd_mobilenet_v1 whose nodes have TensorFlow's names",
        )


def bias_name(layer: str) -> str:
    """The parameter that is added after a convolution.

    >>> bias_name("backbone.3.pointwise"), bias_name("extras.0.2")
    ('backbone.3.pointwise/BatchNorm.bias', 'extras.0.2.bias')
    """
    return f"{layer}/BatchNorm.bias" if layer.startswith("backbone") else f"{layer}.bias"


def range_name(layer: str) -> str:
    """The range to which the convolution's activations are quantized."""
    return "backbone.0.rounding.range" if layer == "backbone.0.0" else f"{layer}/rounding.range"
