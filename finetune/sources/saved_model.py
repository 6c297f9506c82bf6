"""BERT encoders in SavedModels as TensorFlow Hub distributes them, read without running anything.

    from finetune.sources import saved_model
    module = saved_model.read("downloaded/bert_en_uncased_L-12_H-768_A-12")
    module.config.num_hidden_layers, module.vocab_file, module.do_lower_case

Two formats: the TF1 Hub module of google/bert_*/1 (variables by the original's names, a signature
"tokenization_info") and the TF2 SavedModel of tensorflow/bert_* (an object graph; variables by the
names of TF Model Garden). Only the protocol buffers and the table of variables are read: no graph
is built, no function of the module is called.
"""

import dataclasses
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from finetune.bert_config import BertConfig, variable_shapes
from finetune.checkpoints import checkpoint
from finetune.errors import UserError

FILE = "saved_model.pb"
# The end of a variable's name in a module -> its name in a checkpoint of the original. One
# pattern serves several generations of TF Model Garden: bert_en_*/1 has bert_model/
# embedding_postprocessor/... and self_attention_output, /2 to /4 have the others.
_RENAMED = tuple((re.compile(rf"(?:^|/){pattern}$"), ours) for pattern, ours in (
    (r"bert/((?:embeddings|encoder|pooler)/.*)", r"bert/\1"),
    (r"word_embeddings/embeddings", "bert/embeddings/word_embeddings"),
    (r"(?:type_embeddings/embeddings|embedding_postprocessor/type_embeddings)",
     "bert/embeddings/token_type_embeddings"),
    (r"(?:position_embeddings?/embeddings|embedding_postprocessor/position_embeddings)",
     "bert/embeddings/position_embeddings"),
    (r"(?:embeddings|embedding_postprocessor)/layer_norm/(gamma|beta)",
     r"bert/embeddings/LayerNorm/\1"),
    (r"layer_(\d+)/self_attention/(query|key|value)/(kernel|bias)",
     r"bert/encoder/layer_\1/attention/self/\2/\3"),
    (r"layer_(\d+)/self_attention(?:/attention)?_output/(kernel|bias)",
     r"bert/encoder/layer_\1/attention/output/dense/\2"),
    (r"layer_(\d+)/self_attention_layer_norm/(gamma|beta)",
     r"bert/encoder/layer_\1/attention/output/LayerNorm/\2"),
    (r"layer_(\d+)/intermediate/(kernel|bias)", r"bert/encoder/layer_\1/intermediate/dense/\2"),
    (r"layer_(\d+)/output/(kernel|bias)", r"bert/encoder/layer_\1/output/dense/\2"),
    (r"layer_(\d+)/output_layer_norm/(gamma|beta)",
     r"bert/encoder/layer_\1/output/LayerNorm/\2"),
    (r"pooler_transform/(kernel|bias)", r"bert/pooler/dense/\1")))
_OPTIMIZER = re.compile(r"(?:^|/)(?:adam\w*|lamb|_?optimizer\w*)/|/(?:adam_)?[mv]$", re.IGNORECASE)
_LAYER = re.compile(r"bert/encoder/layer_(\d+)/")
_SCALE = re.compile(r"layer_0/(?:attention/self|self_attention)/mul(?:_\d+)?/y$", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Module:
    """What a module's folder holds.

    Attributes:
        folder: of the module.
        kind: its format, for people.
        config: of the encoder, inferred from shapes and graph.
        names: TF1 variable name -> its key in variables/variables.
        vocab_file: path of the vocabulary; None if the module has none.
        do_lower_case: whether it is an uncased model; None if the module does not say.
        inferred: how the number of heads is known, a sentence.
    """

    folder: str
    kind: str
    config: BertConfig
    names: dict[str, str]
    vocab_file: str | None
    do_lower_case: bool | None
    inferred: str

    def tensors(self) -> dict[str, np.ndarray]:
        """Reads the encoder: TF1 variable name -> float32 array of the original's shape.

        Model Garden keeps attention's matrices as [hidden, heads, width] and [heads, width,
        hidden], the original as [hidden, hidden]: the same numbers in the same order.

        Raises:
            UserError: a variable is damaged.
        """
        values = checkpoint.read(variables_of(self.folder), list(self.names.values()))
        shapes = variable_shapes(self.config)
        return {name: np.asarray(values[key], np.float32).reshape(shapes[name])
                for name, key in self.names.items()}


def variables_of(folder: str) -> str:
    """Returns the prefix of a module's variables."""
    return os.path.join(folder, "variables", "variables")


def read(folder: str) -> Module:
    """Reads what a module's folder says of its encoder; no weights yet.

    Raises:
        UserError: it is no module, a damaged one, or one of another model.
    """
    graph = _meta_graph(folder)
    try:
        return _described(folder, graph)
    except (IndexError, KeyError, TypeError, ValueError) as error:  # it names what it has not
        raise UserError(f"{folder}: is damaged: {type(error).__name__}: {error}") from error


def _described(folder: str, graph: Any) -> Module:
    prefix = variables_of(folder)
    held = checkpoint.shapes(prefix)
    objects = graph.object_graph_def.nodes
    keys = _object_keys(prefix) if objects else [(name, name) for name in held]
    names = _encoder_names(keys, folder)
    shapes = {name: held[key] for name, key in names.items()}
    config, inferred = _config(shapes, graph, folder)
    if objects:
        vocab, lower = _object_assets(graph), _object_lower(graph, prefix)
    else:
        vocab, lower = _signature_info(graph, prefix)
    if vocab and (os.path.isabs(vocab) or ".." in vocab.split("/") or "\\" in vocab):
        raise UserError(f"{folder}: the vocabulary {vocab!r} leads out of the folder")
    vocab_file = os.path.join(folder, "assets", vocab) if vocab else None
    if vocab_file and not tf.io.gfile.exists(vocab_file):
        raise UserError(f"{vocab_file}: is missing; the module names it as its vocabulary")
    kind = "TF2 SavedModel" if objects else "TF1 Hub module"
    return Module(folder, kind, config, names, vocab_file, lower, inferred)


def _meta_graph(folder: str) -> Any:
    """Returns the MetaGraphDef that tells most: the one with "tokenization_info", else the first.

    A TF1 module has a graph for training and one without, with the same variables.
    """
    from tensorflow.core.protobuf import saved_model_pb2

    path, saved = os.path.join(folder, FILE), saved_model_pb2.SavedModel()
    if not tf.io.gfile.exists(path):
        raise UserError(f"{folder}: holds no {FILE}; it is no TensorFlow Hub module"
                        + (" but a checkpoint: give it as --init_checkpoint"
                           if checkpoint.exists(os.path.join(folder, checkpoint.PRETRAINED))
                           else ""))
    with tf.io.gfile.GFile(path, "rb") as file:
        content = file.read()
    try:
        saved.ParseFromString(content)
    except Exception as error:  # DecodeError lives elsewhere in every version of protobuf
        raise UserError(f"{path}: is damaged: {error}") from error
    graphs = list(saved.meta_graphs)
    if not graphs:
        raise UserError(f"{path}: is damaged: it holds no graph")
    return min(graphs, key=lambda graph: "tokenization_info" not in graph.signature_def)


def _object_keys(prefix: str) -> list[tuple[str, str]]:
    """Returns (name, key) of the variables of an object-based checkpoint."""
    return [(attribute.full_name.split(":")[0], attribute.checkpoint_key)
            for node in _object_graph(prefix).nodes for attribute in node.attributes]


def _object_graph(prefix: str) -> Any:
    from tensorflow.core.protobuf import trackable_object_graph_pb2

    table, name = trackable_object_graph_pb2.TrackableObjectGraph(), "_CHECKPOINTABLE_OBJECT_GRAPH"
    if name not in checkpoint.shapes(prefix):
        raise UserError(f"{prefix}: is damaged: it has no table of objects")
    table.ParseFromString(checkpoint.read(prefix, [name])[name])
    return table


def _encoder_names(keys: Iterable[tuple[str, str]], folder: str) -> dict[str, str]:
    """Returns TF1 name -> key for the variables of an encoder; those of an optimizer stay out."""
    found: dict[str, str] = {}
    for name, key in sorted(keys):
        matches = ((pattern.search(name), ours) for pattern, ours in _RENAMED)
        renamed = next((match.expand(ours) for match, ours in matches if match), None)
        if renamed is None or _OPTIMIZER.search(name):
            continue
        other = found.setdefault(renamed, key)
        if other != key:
            raise UserError(f"{folder}: holds more than one encoder ({other} and {key}); one is "
                            "expected")
    return found


def _config(shapes: Mapping[str, tuple[int, ...]], graph: Any,
            folder: str) -> tuple[BertConfig, str]:
    """Returns the configuration that shapes and graph imply, and how the heads are known."""
    layers = {int(match[1]) for name in shapes if (match := _LAYER.match(name))}
    first = "bert/encoder/layer_0/"
    needed = ["bert/embeddings/word_embeddings", "bert/embeddings/token_type_embeddings",
              "bert/embeddings/position_embeddings", first + "intermediate/dense/kernel",
              first + "attention/self/query/kernel"]
    missing = [name for name in needed if name not in shapes]
    if missing:
        raise UserError(f"{folder}: holds no BERT encoder: nothing in it corresponds to "
                        f"{missing[0]}; found {len(shapes)} variables of one")
    words, types, positions, inner, query = (shapes[name] for name in needed)
    heads, inferred = _heads(query, words[-1], graph)
    config = BertConfig.from_dict({
        "vocab_size": words[0], "hidden_size": words[-1], "num_hidden_layers": len(layers),
        "num_attention_heads": heads, "intermediate_size": inner[-1],
        "max_position_embeddings": positions[0], "type_vocab_size": types[0],
        "hidden_act": _activation(graph)}, folder)
    wanted = variable_shapes(config)
    wrong = [name for name, shape in wanted.items()
             if (name in shapes or "/pooler/" not in name)
             and np.prod(shapes.get(name, (0,))) != np.prod(shape)]
    if wrong or set(shapes) - set(wanted):
        odd = (wrong or sorted(set(shapes) - set(wanted)))[0]
        raise UserError(f"{folder}: holds no BERT encoder that google-research/bert could compute: "
                        f"{odd} has the shape {list(shapes.get(odd, ()))} there, and "
                        f"{list(wanted.get(odd, ()))} is expected")
    return config, inferred


def _heads(query: tuple[int, ...], hidden: int, graph: Any) -> tuple[int, str]:
    """Returns the number of attention heads and how it is known.

    Model Garden's matrices have a dimension for the heads. The original's have not, but its graph
    multiplies the scores by 1 / sqrt(width of a head). Every released model has a width of 64.
    """
    if len(query) == 3:
        return query[1], "from the shapes of the attention"
    for node in _nodes(graph):
        if node.op == "Const" and _SCALE.search(node.name):
            scale = float(_number(node) or 0)
            width = round(scale ** -2) if 0 < scale < 1 else 0
            if width and hidden % width == 0:
                return hidden // width, f"from the graph, which divides by sqrt({width})"
    return max(1, hidden // 64), "as in every released model, 64 wide each; nothing in it tells"


def _activation(graph: Any) -> str:
    """Returns "relu" if the encoder's graph has nothing else, or "gelu", as in every release."""
    kinds = {node.op for node in _nodes(graph) if "layer_0/" in node.name}
    return "relu" if "Relu" in kinds and not kinds & {"Erf", "Tanh", "Pow"} else "gelu"


def _nodes(graph: Any) -> Iterable[Any]:
    yield from graph.graph_def.node
    for function in graph.graph_def.library.function:
        yield from function.node_def


def _child(nodes: Any, name: str) -> Any:
    """Returns the attribute `name` of the root of an object graph, or None."""
    return next((nodes[child.node_id] for child in nodes[0].children
                 if child.local_name == name), None)


def _object_assets(graph: Any) -> str | None:
    node = _child(graph.object_graph_def.nodes, "vocab_file")
    if node is None or node.WhichOneof("kind") != "asset":
        return None
    return graph.asset_file_def[node.asset.asset_file_def_index].filename


def _object_lower(graph: Any, prefix: str) -> bool | None:
    node = _child(_object_graph(prefix).nodes, "do_lower_case")
    if node is None or not node.attributes:
        return None
    key = node.attributes[0].checkpoint_key
    return bool(checkpoint.read(prefix, [key])[key])


def _signature_info(graph: Any, prefix: str) -> tuple[str | None, bool | None]:
    """Returns what "tokenization_info" gives: the asset's file name and the casing."""
    from tensorflow.core.protobuf import meta_graph_pb2

    outputs = graph.signature_def["tokenization_info"].outputs if (
        "tokenization_info" in graph.signature_def) else {}
    assets = {asset.tensor_info.name: asset.filename for asset in graph.asset_file_def}
    for packed in graph.collection_def[tf.compat.v1.saved_model.ASSETS_KEY].any_list.value:
        asset = meta_graph_pb2.AssetFileDef()
        packed.Unpack(asset)
        assets[asset.tensor_info.name] = asset.filename
    nodes = {node.name: node for node in graph.graph_def.node}
    vocab = assets.get(outputs["vocab_file"].name) if "vocab_file" in outputs else None
    lower = _constant(nodes, outputs["do_lower_case"].name) if "do_lower_case" in outputs else None
    return vocab, None if lower is None else bool(lower)


def _constant(nodes: Mapping[str, Any], tensor: str) -> Any:
    """Returns the value of a tensor that is a constant, perhaps by way of identities, else None."""
    node = nodes.get(tensor.split(":")[0])
    for _ in nodes:  # identities can go round in a circle
        if node is not None and node.op == "Identity":
            node = nodes.get(node.input[0].split(":")[0])
    return _number(node) if node is not None and node.op == "Const" else None


def _number(node: Any) -> Any:
    """Returns a constant's value, None if it has several: its shape could be of any size."""
    tensor = node.attr["value"].tensor
    several = any(dim.size != 1 for dim in tensor.tensor_shape.dim)
    return None if several else tf.make_ndarray(tensor)
