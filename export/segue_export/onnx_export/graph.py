"""The network as an ONNX graph, built node by node, so that each precision gets its best kernels.

Weights come in under torch's names (`Network.state_dict()`), the graph follows DESIGN's contract:
`tokens` int64 (batch, time), `state` float32 (batch, S) to `logits` float32 (batch, time, V),
`state_out` float32 (batch, S), and where the network hears it `beat` float32 (batch, time, 3).
Inside, time comes first, as ONNX's LSTM wants it.

- fp32: standard operators only.
- fp16: the same graph over half-precision weights, cast at its four doors; for GPUs.
- int8: onnxruntime's DynamicQuantizeLSTM and DynamicQuantizeMatMul, weights symmetric, in seven
  bits, with a scale for each column. Seven, because x86 processors without VNNI add two products in
  16 bits, which eight bits overflow. A scale for each column takes a twentieth of the time and
  saves most of the loss, which a scale for each matrix lets grow with the training (0.5 % at update
  4800 of the shipped network, 0.04 % with columns). One zero point for all is quicker than one for
  each. The last layer stays in fp32: of the second network's loss (0.87 %) rounding it was two
  thirds (0.31 % without), for 13 % of the time. What else there is, with figures: docs/devices.md.

Latches are an RNN that does not learn: a ramp from 0 to 1 that each token moves up or down. CUDA's
RNN has no such ramp, so fp32 and fp16 count without an upper end, and cut what was counted.

The layer for the beat is fp32 in every precision, and computed only where there is a beat: where it
is unknown, logits are to the bit those of the graph without it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, checker, helper, numpy_helper
from segued.tokens.vocabulary import PERFORMANCE

from ..beat import BEATS, PARTS, SHIFTS
from ..corpus.beats import INPUTS, SHIFT
from ..latches import COUNT, effects, latches_of

OPSET, IR_VERSION = 17, 8  # what onnxruntime 1.18 reads, with room to spare
MICROSOFT = "com.microsoft"  # onnxruntime's own operators
INT8_LIMIT = 63
CLEARED = -1000  # more than the tokens of a step


def build(
    weights: Mapping[str, np.ndarray], layers: Sequence[int], precision: str = "fp32"
) -> ModelProto:
    """The model of these weights (float32, torch's names), `layers` the sizes of its LSTMs."""
    graph, latches = _Graph(precision), latches_of(weights)
    dtype = np.dtype(np.float16 if precision == "fp16" else np.float32)
    weights = {name: array.astype(dtype) for name, array in weights.items()}
    zero, one = graph.constant("zero", np.array([0])), graph.constant("one", np.array([1]))
    tokens = graph.node("Transpose", ["tokens"], perm=[1, 0])  # (time, batch)
    x = graph.node("Gather", [graph.constant("embedding", weights["embedding.weight"]), tokens])
    sizes = np.array([*np.repeat(layers, 2), *([latches] if latches else [])])
    state = graph.node("Unsqueeze", [graph.cast("state", dtype), zero])  # (1, batch, S)
    parts = graph.split(state, graph.constant("sizes", sizes), len(sizes))
    after: list[str] = []
    if latches:
        standing, stood = graph.latches(tokens, parts[-1], dtype)
        x = graph.node("Concat", [standing, x], axis=2)
    for i, size in enumerate(layers):
        y, h, c = graph.lstm(f"lstms.{i}", weights, size, x, parts[2 * i], parts[2 * i + 1])
        x = graph.node("Squeeze", [y, one])  # (time, 1, batch, size) to (time, batch, size)
        after += [h, c]
    x = dense = graph.node("Relu", [graph.linear("dense", weights, x)])
    if latches:
        x = graph.node("Concat", [standing, x], axis=2)
        after.append(stood)
    x = graph.linear("output", weights, x, exact=True)
    logits = graph.node("Transpose", [x], perm=[1, 0, 2])
    if dtype != np.float32:
        logits = graph.node("Cast", [logits], to=TensorProto.FLOAT)
    heard = "beat.places.weight" in weights
    if heard:
        logits = graph.beat(weights, dense, logits, dtype)
    state = graph.node("Squeeze", [graph.node("Concat", after, axis=2), zero])
    vocabulary = len(weights["output.bias"])
    return graph.model(logits, state, vocabulary, 2 * sum(layers) + latches, dtype, heard)


def quantize(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Float (in, out) to int8 (in, out), symmetric, seven bits, and float32 scales (out,)."""
    scale = np.maximum(np.abs(weight).max(axis=0), 1e-9) / np.float32(INT8_LIMIT)
    return np.rint(weight / scale).astype(np.int8), scale


def onnx_gates(array: np.ndarray) -> np.ndarray:
    """Torch's gates (input, forget, cell, output) along axis 0 in ONNX's order (i, o, f, c)."""
    i, f, c, o = np.split(array, 4)
    return np.concatenate([i, o, f, c])


class _Graph:
    """A graph under construction. Methods add nodes and return the names of their results."""

    def __init__(self, precision: str) -> None:
        self.int8 = precision == "int8"
        self._nodes: list[NodeProto] = []
        self._count = 0  # of nodes, those of branches too
        self._constants: list[TensorProto] = []

    def constant(self, name: str, array: np.ndarray) -> str:
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def nodes(self, kind: str, inputs: Sequence[str], count: int, **attributes: Any) -> list[str]:
        outputs = [f"{kind}_{self._count}_{i}" for i in range(count)]
        self._count += 1
        self._nodes.append(helper.make_node(kind, inputs, outputs, outputs[0], **attributes))
        return outputs

    def node(self, kind: str, inputs: Sequence[str], **attributes: Any) -> str:
        return self.nodes(kind, inputs, 1, **attributes)[0]

    def cast(self, value: str, dtype: np.dtype) -> str:
        if dtype == np.float32:
            return value
        return self.node("Cast", [value], to=helper.np_dtype_to_tensor_dtype(dtype))

    def split(self, value: str, sizes: str, count: int) -> list[str]:
        return self.nodes("Split", [value, sizes], count, axis=2)

    def lstm(
        self, name: str, weights: Mapping[str, np.ndarray], size: int, x: str, h: str, c: str
    ) -> list[str]:
        """One layer: (time, batch, in) to y (time, 1, batch, size), h and c (1, batch, size)."""
        w, r, wb, rb = (
            onnx_gates(weights[f"{name}.{part}_l0"])
            for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        bias = self.constant(f"{name}.B", np.concatenate([wb, rb])[None])
        if not self.int8:
            inputs = [self.constant(f"{name}.W", w[None]), self.constant(f"{name}.R", r[None])]
            return self.nodes("LSTM", [x, *inputs, bias, "", h, c], 3, hidden_size=size)
        matrices, scales = [], []
        for part, matrix in (("W", w), ("R", r)):
            int8, scale = quantize(matrix.T)  # (in, out), as this operator wants it
            matrices.append(self.constant(f"{name}.{part}", int8[None]))
            scales.append(self.constant(f"{name}.{part}_scale", scale[None]))
            scales.append(self.constant(f"{name}.{part}_zero", np.zeros(1, np.int8)))
        inputs = [x, *matrices, bias, "", h, c, "", *scales]
        return self.nodes("DynamicQuantizeLSTM", inputs, 3, hidden_size=size, domain=MICROSOFT)

    def latches(self, tokens: str, before: str, dtype: np.dtype) -> list[str]:
        """After each token (time, batch, COUNT), and after the last (1, batch, COUNT)."""
        does = effects().astype(dtype)
        if self.int8:
            ramp = {"activations": ["HardSigmoid"], "activation_alpha": [1.0]}
            ramp |= {"activation_beta": [0.0]}
        else:
            ramp = {"activations": ["Relu"]}
            does[does < 0] = CLEARED
        moves = self.node("Gather", [self.constant("effects", does), tokens])
        same = self.constant("same", np.eye(COUNT, dtype=dtype)[None])
        stand = self.nodes("RNN", [moves, same, same, "", "", before], 2, hidden_size=COUNT, **ramp)
        if not self.int8:
            most = self.constant("most", np.ones(1, dtype))
            stand = [self.node("Min", [count, most]) for count in stand]
        return [self.node("Squeeze", [stand[0], "one"]), stand[1]]

    def linear(
        self, name: str, weights: Mapping[str, np.ndarray], x: str, exact: bool = False
    ) -> str:
        """A dense layer; `exact`: never rounded."""
        weight = weights[f"{name}.weight"].T  # (in, out)
        bias = self.constant(f"{name}.bias", weights[f"{name}.bias"])
        if exact or not self.int8:
            product = self.node("MatMul", [x, self.constant(f"{name}.weight", weight)])
            return self.node("Add", [product, bias])
        int8, scale = quantize(weight)
        inputs = [x, self.constant(f"{name}.weight", int8), self.constant(f"{name}.scale", scale)]
        return self.node("DynamicQuantizeMatMul", [*inputs, "", bias], domain=MICROSOFT)

    def beat(
        self, weights: Mapping[str, np.ndarray], dense: str, logits: str, dtype: np.dtype
    ) -> str:
        """Logits (batch, time, V) with what `beat` adds to them, if there is one: `BeatLayer`."""
        rate = self.node("Gather", ["beat", self.constant("rates", np.array(1))], axis=2)
        none = self.constant("none", np.zeros((), np.float32))
        known = self.node("Greater", [self.node("ReduceMax", [rate], keepdims=0), none])
        outer, self._nodes = self._nodes, []
        heard = self._heard(weights, dense, logits, dtype)
        then = self._branch("heard", heard)
        self._nodes = []
        otherwise = self._branch("unheard", self.node("Identity", [logits]))
        self._nodes = outer
        return self.node("If", [known], then_branch=then, else_branch=otherwise)

    def _branch(self, name: str, result: str) -> GraphProto:
        value = helper.make_tensor_value_info(result, TensorProto.FLOAT, None)
        return helper.make_graph(self._nodes, name, [], [value])

    def _heard(
        self, weights: Mapping[str, np.ndarray], dense: str, logits: str, dtype: np.dtype
    ) -> str:
        """The nodes of `BeatLayer.forward`, one by one."""
        node, number = self.node, self._number
        if dtype != np.float32:
            dense = node("Cast", [dense], to=TensorProto.FLOAT)
        places, bias = (weights[f"beat.places.{part}"].astype(np.float32) for part in
                        ("weight", "bias"))  # fmt: skip
        x = node("Transpose", [dense], perm=[1, 0, 2])
        x = node("MatMul", [x, self.constant("beat.places.weight", places.T)])
        x = node("Add", [x, self.constant("beat.places.bias", bias)])
        parts = self.constant("parts", np.array([PARTS, PARTS * BEATS]))
        of_beat, of_bar = self.split(x, parts, 2)
        ones = self.constant("ones", np.ones(3, np.int64))
        place, rate, bar = self.split("beat", ones, 3)
        barred = node("Greater", [bar, "none"])
        of_bar = node("Mul", [of_bar, node("Cast", [barred], to=TensorProto.FLOAT)])
        liked = node("Add", [node("Concat", [of_beat] * BEATS, axis=2), of_bar])
        beats = number("beats", BEATS)
        size = node("Where", [barred, node("Min", [bar, beats]), beats])
        steps = self.constant("steps", np.arange(1, SHIFTS + 1, dtype=np.float32))
        lands = node("Add", [place, node("Mul", [rate, steps])])
        bars = node("Floor", [node("Div", [lands, size])])
        lands = node("Mul", [node("Sub", [lands, node("Mul", [size, bars])]), number("24", PARTS)])
        below = node("Floor", [lands])
        next_ = node("Add", [below, number("1", 1)])
        inside = node("Less", [next_, node("Mul", [size, "24"])])
        above = node("Where", [inside, next_, "none"])
        last = self.constant("last", np.array(PARTS * BEATS - 1))
        low, high = (
            node("GatherElements", [liked, node("Min", [node("Cast", [at], to=TensorProto.INT64),
                                                        last])], axis=2)
            for at in (below, above)
        )  # fmt: skip
        between = node("Mul", [node("Sub", [lands, below]), node("Sub", [high, low])])
        gained = node("Add", [low, between])
        gained = node("Where", [node("Greater", [rate, "none"]), gained, "none"])
        rest = len(PERFORMANCE) - SHIFT.start - SHIFTS
        around = self.constant("around", np.array([0, 0, SHIFT.start, 0, 0, rest]))
        return node("Add", [logits, node("Pad", [gained, around])])

    def _number(self, name: str, value: float) -> str:
        return self.constant(name, np.array(value, np.float32))

    def model(
        self, logits: str, state: str, vocabulary: int, state_size: int, dtype: np.dtype,
        heard: bool = False,
    ) -> ModelProto:  # fmt: skip
        """The whole model, its results renamed to the contract's and checked. Logits are fp32."""
        half = dtype != np.float32
        self._nodes.append(helper.make_node("Identity", [logits], ["logits"], "logits"))
        attributes: dict[str, Any] = {"to": TensorProto.FLOAT} if half else {}
        kind = "Cast" if half else "Identity"
        self._nodes.append(
            helper.make_node(kind, [state], ["state_out"], "state_out", **attributes)
        )
        value = helper.make_tensor_value_info
        beat = [value("beat", TensorProto.FLOAT, ["batch", "time", INPUTS])] if heard else []
        graph = helper.make_graph(
            self._nodes,
            "segue",
            [
                value("tokens", TensorProto.INT64, ["batch", "time"]),
                value("state", TensorProto.FLOAT, ["batch", state_size]),
                *beat,
            ],
            [
                value("logits", TensorProto.FLOAT, ["batch", "time", vocabulary]),
                value("state_out", TensorProto.FLOAT, ["batch", state_size]),
            ],
            self._constants,
        )
        opsets = [helper.make_opsetid("", OPSET)]
        if self.int8:
            opsets.append(helper.make_opsetid(MICROSOFT, 1))
        model = helper.make_model(graph, opset_imports=opsets, producer_name="segue-export")
        model.ir_version = IR_VERSION
        checker.check_model(model)
        return model
