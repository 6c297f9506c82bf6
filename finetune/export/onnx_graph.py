"""model.onnx: the classifier written down as an ONNX graph, node by node.

    session = onnxruntime.InferenceSession("output/run/export/model.onnx")
    session.run(None, {"input_ids": ..., "input_mask": ..., "segment_ids": ...})

BERT is small enough to be written out, which needs no converter. Operators of opset 17 alone
(LayerNormalization came with it), batch and length are dynamic.

Letters: B batch, S length, F tokens that ask, H hidden, N heads, D head width, L labels.
"""

import json
import math
import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from finetune.errors import UserError
from finetune.export.classifier import INPUTS, LABEL_IDS, LOGITS, PROBABILITIES, SCORES, Classifier
from finetune.export.formats import FORMATS
from finetune.layers import LAYER_NORM_EPSILON
from finetune.long_texts import described
from finetune.task_kind import TaskKind

OPSET, IR_VERSION = 17, 8  # of ONNX 1.12 (2022)
_LIMIT = 2 ** 31  # bytes of a protocol buffer


class Graph:
    """Nodes in the making: each method adds one and returns the name of its output."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self._known: set[str] = set()

    def tensor(self, name: str, value: Any, dtype: type = np.float32) -> str:
        """Adds a constant, once for each name."""
        from onnx import numpy_helper

        if name not in self._known:
            self._known.add(name)
            self.initializers.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def number(self, value: float) -> str:
        """Adds a float32 constant."""
        return self.tensor(f"number {value!r}", value)

    def integers(self, *values: int) -> str:
        """Adds int64[n], for shapes and axes."""
        return self.tensor(f"integers {values}", values, np.int64)

    def node(self, operator: str, *inputs: str, name: str | None = None, **attributes: Any) -> str:
        """Adds a node.

        Args:
            name: of its output; None: one of its own.
        """
        from onnx import helper

        output = name or f"{operator}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [output], output, **attributes))
        return output


class Bert:
    """Writes encoder, pooler and head into a graph; the mathematics of encoder.py and heads.py.

    Args:
        classifier: whose weights become constants.
    """

    def __init__(self, classifier: Classifier):
        self._config, self._weights = classifier.bert_config, classifier.weights
        self.graph = Graph()

    def logits(self) -> str:
        """float32[B, L]."""
        hidden, mask = self._embed(), self._mask()
        last = self._config.num_hidden_layers - 1
        for index in range(last + 1):
            hidden = self._layer(f"bert/encoder/layer_{index}", hidden, mask, index == last)
        cls = self.graph.node("Squeeze", hidden, self.graph.integers(1))               # [B, H]
        pooled = self.graph.node("Tanh", self._dense("bert/pooler/dense", cls))
        return self.graph.node("Gemm", pooled, self._weight("output_weights"),
                               self._weight("output_bias"), transB=1, name=LOGITS)

    def _weight(self, name: str) -> str:
        return self.graph.tensor(name, self._weights[name])

    def _embed(self) -> str:
        """float32[B, S, H]."""
        node, scope = self.graph.node, "bert/embeddings"
        words = node("Gather", self._weight(f"{scope}/word_embeddings"), "input_ids")
        segments = node("Gather", self._weight(f"{scope}/token_type_embeddings"), "segment_ids")
        length = node("Shape", "input_ids", start=1, end=2)                            # [1]
        positions = node("Slice", self._weight(f"{scope}/position_embeddings"),
                         self.graph.integers(0), length, self.graph.integers(0))       # [S, H]
        return self._layer_norm(scope, node("Add", node("Add", words, segments), positions))

    def _mask(self) -> str:
        """float32[B, 1, 1, S]: 0, and -10000 for padding."""
        node = self.graph.node
        real = node("Cast", node("Cast", "input_mask", to=9), to=1)                    # bool, float
        padding = node("Mul", node("Sub", self.graph.number(1.0), real),
                       self.graph.number(-10000.0))                                    # [B, S]
        return node("Unsqueeze", padding, self.graph.integers(1, 2))

    def _layer(self, scope: str, hidden: str, mask: str, cls_only: bool) -> str:
        """float32[B, S, H] -> the same; with cls_only [B, 1, H], for the first token alone."""
        node, integers = self.graph.node, self.graph.integers
        asking = (node("Slice", hidden, integers(0), integers(1), integers(1)) if cls_only
                  else hidden)                                                         # [B, F, H]
        context = self._attention(f"{scope}/attention/self", asking, hidden, mask)
        attended = self._layer_norm(f"{scope}/attention/output", node(
            "Add", self._dense(f"{scope}/attention/output/dense", context), asking))
        inner = self._activation(self._dense(f"{scope}/intermediate/dense", attended))
        return self._layer_norm(f"{scope}/output", node(
            "Add", self._dense(f"{scope}/output/dense", inner), attended))

    def _attention(self, scope: str, asking: str, hidden: str, mask: str) -> str:
        """float32[B, F, H], [B, S, H] -> [B, F, H]."""
        node, heads = self.graph.node, self._config.num_attention_heads
        width = self._config.hidden_size // heads

        def split(part: str, of: str, *order: int) -> str:
            parts = node("Reshape", self._dense(f"{scope}/{part}", of),
                         self.graph.integers(0, 0, heads, width))                   # [B, S, N, D]
            return node("Transpose", parts, perm=order)

        query = node("Mul", split("query", asking, 0, 2, 1, 3),
                     self.graph.number(1.0 / math.sqrt(width)))                     # [B, N, F, D]
        scores = node("MatMul", query, split("key", hidden, 0, 2, 3, 1))            # [B, N, F, S]
        shares = node("Softmax", node("Add", scores, mask), axis=-1)
        context = node("MatMul", shares, split("value", hidden, 0, 2, 1, 3))        # [B, N, F, D]
        return node("Reshape", node("Transpose", context, perm=(0, 2, 1, 3)),
                    self.graph.integers(0, 0, heads * width))

    def _dense(self, scope: str, x: str) -> str:
        product = self.graph.node("MatMul", x, self._weight(f"{scope}/kernel"))
        return self.graph.node("Add", product, self._weight(f"{scope}/bias"))

    def _layer_norm(self, scope: str, x: str) -> str:
        return self.graph.node("LayerNormalization", x, self._weight(f"{scope}/LayerNorm/gamma"),
                               self._weight(f"{scope}/LayerNorm/beta"), axis=-1,
                               epsilon=LAYER_NORM_EPSILON)

    def _activation(self, x: str) -> str:
        node, number, kind = self.graph.node, self.graph.number, self._config.hidden_act
        if kind == "linear":
            return x
        if kind in ("relu", "tanh"):
            return node(kind.capitalize(), x)
        if kind == "gelu_erf":  # x Phi(x)
            bent = node("Erf", node("Mul", x, number(math.sqrt(0.5))))
        else:  # tanh(sqrt(2 / pi) (x + 0.044715 x^3)), the original's
            cube = node("Mul", node("Mul", x, x), x)
            inner = node("Add", x, node("Mul", cube, number(0.044715)))
            bent = node("Tanh", node("Mul", inner, number(math.sqrt(2.0 / math.pi))))
        return node("Mul", node("Mul", x, number(0.5)), node("Add", bent, number(1.0)))


def build(classifier: Classifier) -> Any:
    """Returns the onnx.ModelProto: int32[B, S] inputs, the outputs of serving.Serving."""
    from onnx import TensorProto, helper

    bert = Bert(classifier)
    logits, node = bert.logits(), bert.graph.node
    many = classifier.kind is TaskKind.MULTILABEL
    if classifier.is_regression:
        node("Squeeze", logits, bert.graph.integers(1), name=SCORES)
        given = [(SCORES, TensorProto.FLOAT, ["batch"])]
    else:
        if many:
            node("Sigmoid", logits, name=PROBABILITIES)
        else:
            node("Softmax", logits, axis=-1, name=PROBABILITIES)
            node("Cast", node("ArgMax", logits, axis=-1, keepdims=0), to=TensorProto.INT32,
                 name=LABEL_IDS)
        given = [(name, TensorProto.FLOAT, ["batch", len(classifier.labels)])
                 for name in (PROBABILITIES, LOGITS)]
        given += [] if many else [(LABEL_IDS, TensorProto.INT32, ["batch"])]
    taken = [(name, TensorProto.INT32, ["batch", "length"]) for name in INPUTS]
    graph = helper.make_graph(
        bert.graph.nodes, "classifier", *([helper.make_tensor_value_info(*one) for one in some]
                                          for some in (taken, given)), bert.graph.initializers)
    made = helper.make_model(graph, producer_name="run_classifier_custom", ir_version=IR_VERSION,
                             opset_imports=[helper.make_opsetid("", OPSET)])
    helper.set_model_props(made, {
        "labels": json.dumps(classifier.labels, ensure_ascii=False),
        "do_lower_case": json.dumps(classifier.do_lower_case),
        "max_seq_length": str(classifier.max_seq_length),
        **{name: str(value) for name, value in described(classifier.long_texts).items()}})
    return made


def write(classifier: Classifier, folder: str) -> None:
    """Writes model.onnx into a folder.

    Raises:
        UserError: the model is too large for the format.
    """
    import onnx

    if sum(value.nbytes for value in classifier.weights.values()) >= _LIMIT:
        raise UserError("--export_formats: an onnx file ends at 2 GiB, and the model is larger; "
                        "leave onnx out")
    made = build(classifier)
    onnx.checker.check_model(made)
    with open(os.path.join(folder, FORMATS["onnx"]), "wb") as file:
        file.write(made.SerializeToString(deterministic=True))


def answers(classifier: Classifier, folder: str,
            batches: Sequence[dict[str, np.ndarray]]) -> Iterator[np.ndarray]:
    """Yields what onnxruntime makes of the file, for each batch of inputs."""
    import onnxruntime

    session = onnxruntime.InferenceSession(os.path.join(folder, FORMATS["onnx"]),
                                           providers=["CPUExecutionProvider"])
    for batch in batches:
        yield session.run([classifier.answer], batch)[0]
