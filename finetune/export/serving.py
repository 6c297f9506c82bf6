"""The classifier as a function of padded tokens, for other programs to call.

    Serving(classifier).serve(input_ids, input_mask, segment_ids)["probabilities"]
"""

import tensorflow as tf

from finetune import encoder, heads
from finetune.export.classifier import INPUTS, LABEL_IDS, LOGITS, PROBABILITIES, SCORES, Classifier
from finetune.layers import Dropout
from finetune.layout import PaddedLayout
from finetune.task_kind import TaskKind


class MaskedLayout(PaddedLayout):
    """Rows padded as the caller likes: its mask says what is real, batch and length are dynamic.

    Args:
        mask: bool[B, S].
    """

    def __init__(self, mask: tf.Tensor):
        shape = tf.shape(mask)
        self.batch, self.length, self.mask, self.groups = shape[0], shape[1], mask, [self]


class Serving(tf.Module):
    """Weights and the function that answers with them.

    `serve` takes int32[B, S] each: input_ids; input_mask, 0 for padding; segment_ids, 0 or 1. It
    returns probabilities and logits float32[B, L] and label_ids int32[B], the position of the
    highest, which a multi-label classifier has no use for; of a regression scores float32[B].
    """

    def __init__(self, classifier: Classifier):
        super().__init__()
        with tf.device("CPU:0"):
            self.weights = {name: tf.Variable(value, name=name, trainable=False)
                            for name, value in classifier.weights.items()}
        config, regression = classifier.bert_config, classifier.is_regression
        signature = [tf.TensorSpec([None, None], tf.int32, name=name) for name in INPUTS]

        @tf.function(input_signature=signature)
        def serve(input_ids: tf.Tensor, input_mask: tf.Tensor, segment_ids: tf.Tensor
                  ) -> dict[str, tf.Tensor]:
            limit = config.max_position_embeddings
            fits = tf.debugging.assert_less_equal(
                tf.shape(input_ids)[1], limit, f"the model has positions for {limit} tokens")
            with tf.control_dependencies([fits]):      # Before a lookup fails in words of its own.
                input_mask = tf.identity(input_mask)   # Every other length comes from the mask.
            weights, dropout = self.weights, Dropout(None)
            layout = MaskedLayout(tf.not_equal(input_mask, 0))
            cls = encoder.encode_cls(weights, config, layout, tf.reshape(input_ids, [-1]),
                                     tf.reshape(segment_ids, [-1]), dropout)           # [B, H]
            logits = heads.classify(weights, encoder.pool(weights, cls), dropout)      # [B, L]
            if regression:
                return {SCORES: tf.squeeze(logits, -1)}
            answers = {PROBABILITIES: heads.answers(logits, classifier.kind), LOGITS: logits}
            if classifier.kind is TaskKind.MULTILABEL:
                return answers
            return {**answers, LABEL_IDS: tf.argmax(logits, -1, tf.int32)}
        self.serve = serve
