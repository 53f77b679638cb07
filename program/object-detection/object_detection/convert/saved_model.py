"""A SavedModel of TensorFlow as a graph without variables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from object_detection.backends.tensorflow import SIGNATURE
from object_detection.errors import HarnessError


@dataclass(frozen=True)
class Frozen:
    """A graph.

    Attributes
    ----------
    inputs, outputs
        Names of its tensors by those of the signature.
    """

    definition: tf.compat.v1.GraphDef
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]


def frozen(path: Path) -> Frozen:
    """The graph of the signature ``serving_default``, with the variables as constants.

    Parameters
    ----------
    path
        The file ``saved_model.pb`` in its folder.

    Raises
    ------
    HarnessError
        If the folder is damaged or incomplete, or has no such signature.
    """
    try:
        loaded = tf.saved_model.load(str(path.parent))
    except (OSError, ValueError, RuntimeError, LookupError, tf.errors.OpError) as error:
        why = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise HarnessError(
            f"{path.parent} cannot be loaded as a SavedModel by TensorFlow {tf.__version__}: {why}",
            "copy the whole folder again: saved_model.pb, and variables/ with its files",
        ) from error
    signatures = dict(loaded.signatures)
    if SIGNATURE not in signatures:
        raise HarnessError(
            f"{path.parent} has no signature {SIGNATURE}" + (f", but {', '.join(signatures)}" if signatures else ""),
            f"export it with the signature {SIGNATURE}",
        )
    function = signatures[SIGNATURE]
    graph = convert_variables_to_constants_v2(function)
    given = function.structured_input_signature[1]
    return Frozen(
        graph.graph.as_graph_def(),
        # arguments and results are flattened in the order of their names
        dict(zip(sorted(given), [tensor.name for tensor in graph.inputs], strict=True)),
        dict(zip(sorted(function.structured_outputs), [tensor.name for tensor in graph.outputs], strict=True)),
    )
