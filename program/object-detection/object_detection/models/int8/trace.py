"""The graph of a network's heads, as operations between convolutions."""

from __future__ import annotations

from threading import Lock

from torch import fx, nn

from object_detection.errors import HarnessError
from object_detection.models.detector import Detector
from object_detection.models.ssd_mobilenet import Rounding, SameConv

CONVOLUTIONS = (nn.Conv2d, SameConv)  # exactly these: a subclass may compute something else
_LEAVES = (nn.Conv2d, Rounding)
_tracing = Lock()  # torch.fx changes modules for the whole process while it traces
_HINT = "use --backend.precision=f32 or bf16"


class _HeadsTracer(fx.Tracer):
    """Traces `Detector.heads`; a convolution is one operation, whatever its `forward` does."""

    traced_func_name = "heads"

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        """Whether a module is one operation of the graph."""
        return isinstance(module, _LEAVES) or super().is_leaf_module(module, name)


def trace(network: Detector) -> fx.GraphModule:
    """The heads of a network as a graph without operations that do nothing.

    Raises
    ------
    HarnessError
        If the network rounds its values to 8 bits already, has no convolution, or its heads depend on values in a way that
        cannot be traced.
    """
    kind = type(network).__name__
    if any(isinstance(layer, Rounding) and layer.range is not None for layer in network.modules()):
        raise HarnessError(
            "--backend.precision=int8 quantizes models of 32-bit floats, and this one is quantized already",
            "use the model that is not quantized, or --backend.precision=f32",
        )
    try:
        with _tracing:
            graph = _HeadsTracer().trace(network)
    except Exception as error:  # the heads run with stand-ins for tensors, and may fail with anything
        raise HarnessError(
            f"--backend.precision=int8 cannot follow the heads of {kind}: {type(error).__name__}: {error}", _HINT
        ) from error
    module = fx.GraphModule(network, graph)
    for node in graph.nodes:
        if node.op == "call_module" and isinstance(module.get_submodule(str(node.target)), nn.Identity | Rounding):
            node.replace_all_uses_with(node.args[0])
    graph.eliminate_dead_code()
    module.recompile()
    if not any(is_convolution(module, node) for node in graph.nodes):
        raise HarnessError(f"--backend.precision=int8 needs two-dimensional convolutions, and {kind} has none", _HINT)
    return module


def is_convolution(module: fx.GraphModule, node: fx.Node) -> bool:
    """Whether a node is a convolution that has an 8-bit form."""
    if node.op != "call_module":
        return False
    layer = module.get_submodule(str(node.target))
    return (
        type(layer) in CONVOLUTIONS
        and isinstance(layer, nn.Conv2d)
        and layer.padding_mode == "zeros"
        and not isinstance(layer.padding, str)
    )
