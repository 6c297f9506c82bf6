"""Makes TensorFlow Hub modules as Google made them, and notes what they compute.

Run by test_hub.py in a process of its own, because the graph of `bert.modeling` and Keras 2 need
TF_USE_LEGACY_KERAS=1 before TensorFlow is imported.

    TF_USE_LEGACY_KERAS=1 python tests/parity/hub_modules.py folder

The folder holds vocab.txt and case.npz (bert_config, input_ids, input_mask, segment_ids). It gets
tf1, tf1_scoped (google/bert_*/1), tf2 (tensorflow/bert_en_*), and in result.npz what they compute.
"""

import json
import os
import sys

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

from finetune import upstream

v1 = tf.compat.v1


def weights(variables):
    """Assigns random numbers, LayerNorm's among them, so that nothing is the same by chance."""
    random = np.random.default_rng(5)
    return [(0.3 * random.standard_normal(variable.shape) + ("gamma" in variable.name))
            .astype("float32") for variable in variables]


def tf1_graph(config, vocab, scope, training):
    """What hub.create_module_spec makes of BERT's module function: a MetaGraphDef."""
    ids, mask, segments = (v1.placeholder(tf.int32, [None, None], name)
                           for name in ("input_ids", "input_mask", "segment_ids"))
    with v1.variable_scope(scope, use_resource=True):
        model = upstream.modeling().BertModel(
            config, training, ids, mask, segments, scope="bert")
    vocab_file = tf.constant(vocab, name="vocab_file")
    v1.add_to_collection(v1.GraphKeys.ASSET_FILEPATHS, vocab_file)
    build = v1.saved_model.utils.build_tensor_info

    def signature(inputs, outputs):
        return v1.saved_model.signature_def_utils.build_signature_def(
            {key: build(value) for key, value in inputs.items()},
            {key: build(value) for key, value in outputs.items()})

    tokens = signature(
        {"input_ids": ids, "input_mask": mask, "segment_ids": segments},
        {"sequence_output": model.get_sequence_output(),
         "pooled_output": model.get_pooled_output()})
    about = signature({}, {"vocab_file": vocab_file, "do_lower_case": tf.constant(True)})
    graph = v1.train.export_meta_graph(strip_default_attrs=True)
    graph.meta_info_def.tags.extend(["train"] if training else [])
    graph.signature_def["tokens"].CopyFrom(tokens)
    graph.signature_def["tokenization_info"].CopyFrom(about)
    asset = meta_graph_pb2.AssetFileDef(filename="vocab.txt")
    asset.tensor_info.name = "vocab_file:0"
    graph.collection_def[v1.saved_model.ASSETS_KEY].any_list.value.add().Pack(asset)
    for node in graph.graph_def.node:
        if node.name == "vocab_file":
            node.attr["value"].tensor.string_val[0] = b"SAVEDMODEL-ASSET"
    return graph, model.get_pooled_output(), (ids, mask, segments)


def make_tf1(folder, config, vocab, scope, inputs):
    """Writes a TF1 Hub module and returns its pooled output."""
    saved = saved_model_pb2.SavedModel(saved_model_schema_version=1)
    os.makedirs(os.path.join(folder, "assets"))
    for training in (True, False):
        with v1.Graph().as_default(), v1.Session() as session:
            graph, pooled, placeholders = tf1_graph(config, vocab, scope, training)
            saved.meta_graphs.append(graph)
            if not training:
                variables = v1.global_variables()
                for variable, value in zip(variables, weights(variables), strict=True):
                    variable.load(value, session)
                v1.train.Saver(variables).save(
                    session, os.path.join(folder, "variables", "variables"),
                    write_meta_graph=False, write_state=False)
                result = session.run(pooled, dict(zip(placeholders, inputs, strict=True)))
    tf.io.gfile.copy(vocab, os.path.join(folder, "assets", "vocab.txt"))
    with open(os.path.join(folder, "saved_model.pb"), "wb") as file:
        file.write(saved.SerializeToString())
    with open(os.path.join(folder, "tfhub_module.pb"), "wb") as file:
        file.write(b"\x08\x03")  # format: FORMAT_SAVEDMODEL_V2
    return result


class Embedding(tf.keras.layers.Layer):
    """Model Garden's OnDeviceEmbedding and PositionEmbedding: a variable named "embeddings"."""

    def __init__(self, rows, width, positions=False, **kwargs):
        super().__init__(**kwargs)
        self._shape, self._positions = (rows, width), positions

    def build(self, shape):
        self.embeddings = self.add_weight("embeddings", self._shape)
        super().build(shape)

    def call(self, inputs):
        if self._positions:
            return self.embeddings[None, :tf.shape(inputs)[1]] + tf.zeros_like(inputs)
        return tf.gather(self.embeddings, inputs)


class Block(tf.keras.layers.Layer):
    """Model Garden's TransformerEncoderBlock."""

    def __init__(self, config, **kwargs):
        super().__init__(**kwargs)
        self._config = config

    def build(self, shape):
        layers, config = tf.keras.layers, self._config
        self._attention = layers.MultiHeadAttention(
            config.num_attention_heads, config.hidden_size // config.num_attention_heads,
            name="self_attention")
        self._attention_norm = layers.LayerNormalization(
            name="self_attention_layer_norm", epsilon=1e-12)
        self._inner = layers.EinsumDense(
            "abc,cd->abd", (None, config.intermediate_size), bias_axes="d", name="intermediate")
        self._output = layers.EinsumDense(
            "abc,cd->abd", (None, config.hidden_size), bias_axes="d", name="output")
        self._output_norm = layers.LayerNormalization(name="output_layer_norm", epsilon=1e-12)
        super().build(shape)

    def call(self, inputs):
        data, mask = inputs
        data = self._attention_norm(data + self._attention(data, data, attention_mask=mask))
        inner = tf.nn.gelu(self._inner(data), approximate=True)
        return self._output_norm(data + self._output(inner))


def make_tf2(folder, config, vocab, inputs):
    """Writes a TF2 SavedModel by Keras, as export_tfhub_lib.py does; returns its pooled output."""
    layers = tf.keras.layers
    ids, mask, segments = (layers.Input((None,), dtype=tf.int32, name=name) for name in (
        "input_word_ids", "input_mask", "input_type_ids"))
    words = Embedding(config.vocab_size, config.hidden_size, name="word_embeddings")(ids)
    positions = Embedding(config.max_position_embeddings, config.hidden_size, positions=True,
                          name="position_embedding")(words)
    types = Embedding(config.type_vocab_size, config.hidden_size, name="type_embeddings")(segments)
    data = layers.LayerNormalization(name="embeddings/layer_norm", epsilon=1e-12)(
        layers.Add()([words, positions, types]))
    attended = layers.Lambda(lambda each: tf.ones_like(each)[:, :, None] * each[:, None])(mask)
    for index in range(config.num_hidden_layers):
        data = Block(config, name=f"transformer/layer_{index}")([data, attended])
    pooled = layers.Dense(config.hidden_size, "tanh", name="pooler_transform")(data[:, 0])
    model = tf.keras.Model({"input_word_ids": ids, "input_mask": mask, "input_type_ids": segments},
                           {"pooled_output": pooled, "sequence_output": data})
    model.set_weights(weights(model.weights))
    model.vocab_file = tf.saved_model.Asset(vocab)
    model.do_lower_case = tf.Variable(True, trainable=False)
    model.save(folder, include_optimizer=False, save_format="tf")
    loaded = tf.saved_model.load(folder)
    return loaded(dict(zip(("input_word_ids", "input_mask", "input_type_ids"),
                           map(tf.constant, inputs), strict=True)))["pooled_output"].numpy()


def main(folder):
    """Makes the modules."""
    case = np.load(os.path.join(folder, "case.npz"))
    config = upstream.modeling().BertConfig.from_dict(json.loads(str(case["bert_config"])))
    vocab = os.path.join(folder, "vocab.txt")
    inputs = [case[name] for name in ("input_ids", "input_mask", "segment_ids")]
    result = {"tf2": make_tf2(os.path.join(folder, "tf2"), config, vocab, inputs)}
    for name, scope in (("tf1", ""), ("tf1_scoped", "module")):
        result[name] = make_tf1(os.path.join(folder, name), config, vocab, scope, inputs)
    np.savez(os.path.join(folder, "result.npz"), **result)


if __name__ == "__main__":
    main(*sys.argv[1:])
