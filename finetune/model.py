"""A classifier as a whole: its variables under TF1 names, and its logits.

    state = model.create(config, num_labels=3, seed=42, values=restored, training=True)
    logits = model.logits(state.weights, config, batch)                                # [B, L]
"""

import dataclasses
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from finetune import bert_config, encoder, heads, layers
from finetune.batches import Batch
from finetune.bert_config import BertConfig
from finetune.layers import Weights
from finetune.layout import PackedLayout, PaddedLayout
from finetune.task_kind import TaskKind
from finetune.training import loss_scale, optimizer

GLOBAL_STEP, LOSS_SCALE = "global_step", "loss_scale"


@dataclasses.dataclass(frozen=True)
class State:
    """Everything a checkpoint holds.

    Attributes:
        weights: the trainable variables by TF1 name, encoder first.
        slots: adam_m and adam_v of each, as `<name>/adam_m`; empty outside training.
        step: int64[], updates made so far.
        loss_scale: float32[2] in float16 training, see training/loss_scale.py; else None.
        decaying: variables of another state that a step of this one decays, by name
            (training/used_words.py).
        kind: what the head answers with.
    """

    weights: dict[str, tf.Variable]
    slots: dict[str, tf.Variable]
    step: tf.Variable
    loss_scale: tf.Variable | None = None
    decaying: Mapping[str, tf.Variable] = dataclasses.field(default_factory=dict)
    kind: TaskKind = TaskKind.CLASSIFICATION

    def variables(self) -> dict[str, tf.Variable]:
        """Returns all variables under the names they have in a checkpoint."""
        scale = {} if self.loss_scale is None else {LOSS_SCALE: self.loss_scale}
        return {**self.weights, **self.slots, GLOBAL_STEP: self.step, **scale}


def variable_shapes(config: BertConfig, num_labels: int) -> dict[str, tuple[int, ...]]:
    """Returns the shape of every weight under its TF1 name."""
    return {**bert_config.variable_shapes(config),
            **heads.variable_shapes(num_labels, config.hidden_size)}


def slot_shapes(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """Returns the shapes of the optimizer's slots for weights of these shapes."""
    return {f"{name}/{slot}": shape for name, shape in shapes.items() for slot in optimizer.SLOTS}


def create(config: BertConfig, num_labels: int, seed: int, values: Mapping[str, np.ndarray],
           training: bool, loss_scaling: bool = False, kind: TaskKind | None = None) -> State:
    """Creates the variables; call it inside a strategy's scope.

    Args:
        seed: decides the weights that `values` lacks.
        values: arrays by variable name, from a checkpoint; others start as the original's do.
        training: also create the optimizer's slots.
        loss_scaling: also create the scale of the loss, which float16 needs.
        kind: what the head answers with; None: a regression if it has one row, else one label.
    """
    shapes = variable_shapes(config, num_labels)
    weights = {}
    for name, shape in shapes.items():
        value = values.get(name)
        if value is None:
            deviation = (heads.HEAD_DEVIATION if name == "output_weights"
                         else config.initializer_range)
            value = encoder.initial_value(name, shape, deviation, seed)
        weights[name] = tf.Variable(value, name=name, dtype=tf.float32)
    slots = {}
    for name, shape in (slot_shapes(shapes) if training else {}).items():
        value = values.get(name)
        slots[name] = tf.Variable(np.zeros(shape, np.float32) if value is None else value,
                                  trainable=False, name=name)
    step = tf.Variable(np.int64(values.get(GLOBAL_STEP, 0)), trainable=False, name=GLOBAL_STEP)
    scale = (tf.Variable(values.get(LOSS_SCALE, loss_scale.FIRST), trainable=False,
                         dtype=tf.float32, name=LOSS_SCALE) if loss_scaling else None)
    return State(weights, slots, step, scale, kind=kind or TaskKind.of_rows(num_labels))


def logits(weights: Weights, config: BertConfig, batch: Batch,
           dropout_seed: tf.Tensor | None = None, groups: int = 1,
           precision: str = "float32", fused: bool = False) -> tf.Tensor:
    """Runs encoder and head on a packed or a padded batch.

    Args:
        batch: see batches.Batch; a padded one has input_ids of rank 2.
        dropout_seed: int32[2] in training; None: no dropout.
        groups: of a packed batch in attention, see PackedLayout.
        precision: the type in which the encoder's layers compute; variables, embeddings, pooler
            and head stay float32.
        fused: whether LayerNorm has the form that suits a CPU where no gradient is asked for.

    Returns:
        float32[B, L].
    """
    input_ids, segment_ids = batch.input_ids, batch.segment_ids
    if input_ids.shape.rank == 2:
        layout = PaddedLayout(batch.lengths, input_ids.shape[1])
        input_ids, segment_ids = tf.reshape(input_ids, [-1]), tf.reshape(segment_ids, [-1])
    else:
        layout = PackedLayout(batch.lengths, groups)
    dropout = layers.Dropout(dropout_seed)
    cls = encoder.encode_cls(in_precision(weights, precision), config, layout, input_ids,
                             segment_ids, dropout, fused)                              # [B, H]
    pooled = encoder.pool(weights, tf.cast(cls, tf.float32))
    return heads.classify(weights, pooled, dropout)


def in_precision(weights: Weights, precision: str) -> Weights:
    """Returns the weights with those of the encoder's dense layers cast, as a copy of the dict."""
    if precision == "float32":
        return weights
    return {name: tf.cast(weight, precision)
            if name.startswith("bert/encoder/") and "LayerNorm" not in name else weight
            for name, weight in weights.items()}
