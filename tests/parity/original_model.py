"""Runs google-research/bert's own graph and optimizer and saves what they computed.

Run by test_model_parity.py in a process of its own, because the graph of `bert.modeling` needs
TF_USE_LEGACY_KERAS=1 before TensorFlow is imported, and TF1 behaviour after.

    TF_USE_LEGACY_KERAS=1 python tests/parity/original_model.py case.npz result.npz
"""

import json
import sys

import numpy as np
import tensorflow.compat.v1 as tf

from finetune import upstream

# create_optimizer adds 1 to global_step with no order against the reading of it for the learning
# rate; with resource variables and one thread the reading comes first.
ONE_THREAD = tf.ConfigProto(inter_op_parallelism_threads=1)
BATCH = ("input_ids", "input_mask", "segment_ids", "label_ids")


class Model:
    """run_classifier.create_model in a graph of its own, and what it keeps to itself.

    Attributes:
        graph, inputs, loss, losses, logits, probabilities: the graph, its placeholders, its output.
        pooled, layers: of the BertModel within; the embedding output is layers[0].
        variables: the trainable ones.
    """

    def __init__(self, config: dict, num_labels: int, training: bool = False, shape=(None, None)):
        original, made = upstream.run_classifier(), []
        plain = original.modeling.BertModel

        def record(**arguments):
            made.append(plain(**arguments))
            return made[0]

        self.graph = tf.Graph()
        with self.graph.as_default():
            self.inputs = [tf.placeholder(tf.int32, shape) for _ in BATCH[:3]]
            self.inputs.append(tf.placeholder(tf.int32, shape[:1]))
            original.modeling.BertModel = record
            try:
                self.loss, self.losses, self.logits, self.probabilities = original.create_model(
                    original.modeling.BertConfig.from_dict(config), training, *self.inputs,
                    num_labels, False)
            finally:
                original.modeling.BertModel = plain
            self.pooled = made[0].get_pooled_output()
            self.layers = [made[0].get_embedding_output(), *made[0].get_all_encoder_layers()]
            self.variables = tf.trainable_variables()

    def feed(self, batch) -> dict:
        """Returns the feed_dict of (input_ids, input_mask, segment_ids, label_ids)."""
        return dict(zip(self.inputs, batch, strict=True))

    def session(self, weights: dict) -> tf.Session:
        """Returns a session in which the variables have these values."""
        with self.graph.as_default():
            session = tf.Session(config=ONE_THREAD)
            session.run(tf.global_variables_initializer())
            for variable in self.variables:
                variable.load(weights[variable.op.name], session)
        return session


def optimizer(loss, rate: float, steps: int, warmup: int):
    """Returns what optimization.create_optimizer makes, and the learning rate it made for it."""
    optimization, rates = upstream.optimization(), []
    plain = optimization.AdamWeightDecayOptimizer.__init__

    def record(self, **arguments):
        rates.append(arguments["learning_rate"])
        plain(self, **arguments)

    optimization.AdamWeightDecayOptimizer.__init__ = record
    try:
        return optimization.create_optimizer(loss, rate, steps, warmup, use_tpu=False), rates[0]
    finally:
        optimization.AdamWeightDecayOptimizer.__init__ = plain


def batches(case: dict, name: str):
    """Yields (input_ids, input_mask, segment_ids, label_ids) of name:0, name:1, ..."""
    number = 0
    while f"{name}:{number}:input_ids" in case:
        yield [case[f"{name}:{number}:{part}"] for part in BATCH]
        number += 1


def forward_and_backward(case: dict, settings: dict, result: dict) -> None:
    """Outputs of every layer, logits, loss and gradients, without dropout."""
    model = Model(settings["bert_config"], settings["num_labels"])
    with model.graph.as_default():
        gradients = [tf.convert_to_tensor(one) for one in tf.gradients(model.loss, model.variables)]
    with model.session(case["weights"]) as session:
        for number, batch in enumerate(batches(case, "forward")):
            layers, pooled, logits, loss, *values = session.run(
                [model.layers, model.pooled, model.logits, model.loss, *gradients],
                model.feed(batch))
            result.update({f"{number}:layers": layers, f"{number}:pooled": pooled,
                           f"{number}:logits": logits, f"{number}:loss": loss})
            for variable, value in zip(model.variables, values, strict=True):
                result[f"{number}:gradient:{variable.op.name}"] = value


def updates(case: dict, settings: dict, result: dict) -> None:
    """Loss and weights of every step, and all variables after the last."""
    model = Model(settings["bert_config"], settings["num_labels"])
    with model.graph.as_default():
        train, _ = optimizer(model.loss, settings["learning_rate"], settings["steps"],
                             settings["warmup"])
        everything = tf.global_variables()
    with model.session(case["weights"]) as session:
        for step, batch in enumerate(batches(case, "train")):
            result[f"loss:{step}"], _ = session.run([model.loss, train], model.feed(batch))
            for variable, value in zip(model.variables, session.run(model.variables), strict=True):
                result[f"step:{step}:{variable.op.name}"] = value
        for variable, value in zip(everything, session.run(everything), strict=True):
            result[f"final:{variable.op.name}"] = value


def learning_rates(settings: dict, result: dict) -> None:
    """The rate of every step of each (peak, steps, warm-up), and of two beyond the end."""
    for number, (peak, steps, warmup) in enumerate(settings["schedules"]):
        with tf.Graph().as_default():
            _, rate = optimizer(tf.square(tf.get_variable("x", [])), peak, steps, warmup)
            step = tf.train.get_global_step()
            with tf.Session(config=ONE_THREAD) as session:
                values = []
                for at in range(steps + 2):
                    step.load(at, session)
                    values.append(session.run(rate))
        result[f"rates:{number}"] = np.array(values)


def dropout_places(settings: dict, result: dict) -> None:
    """What the graph for training says of its dropout: name, rate, shape of each mask."""
    model = Model(settings["dropout_config"], settings["num_labels"], True, (2, 5))
    nodes = {node.name: node for node in model.graph.as_graph_def().node}
    places = []
    for node in nodes.values():
        if node.op == "GreaterEqual" and "dropout" in node.name:
            source, rate = node.input
            places.append([node.name.rsplit("/", 1)[0],
                           float(tf.make_ndarray(nodes[rate].attr["value"].tensor)),
                           model.graph.get_tensor_by_name(f"{source}:0").shape.as_list()])
    uniform = [node.name for node in nodes.values() if node.op == "RandomUniform"]
    result["random_ops"] = len([name for name in uniform if "initializer" not in name.lower()])
    result["places"] = json.dumps(places)


def given_masks(case: dict, settings: dict, result: dict) -> None:
    """Loss and gradients where every dropout multiplies by a mask of the case, in its order."""
    plain, masks = tf.nn.dropout, iter(range(1000))
    tf.nn.dropout = lambda x, keep_prob=None, rate=None: x * case[f"mask:{next(masks)}"]
    try:
        model = Model(settings["dropout_config"], settings["num_labels"], True)
    finally:
        tf.nn.dropout = plain
    with model.graph.as_default():
        gradients = [tf.convert_to_tensor(one) for one in tf.gradients(model.loss, model.variables)]
    with model.session(case["weights"]) as session:
        [batch] = batches(case, "masked")
        result["masked:logits"], result["masked:loss"], *values = session.run(
            [model.logits, model.loss, *gradients], model.feed(batch))
    for variable, value in zip(model.variables, values, strict=True):
        result[f"masked:gradient:{variable.op.name}"] = value


def many_draws(case: dict, settings: dict, result: dict) -> None:
    """Logits of one example many times over, each with its own dropout."""
    tf.set_random_seed(1)
    model = Model(settings["dropout_config"], settings["num_labels"], True)
    with model.session(case["weights"]) as session:
        [batch] = batches(case, "draws")
        result["draws"] = session.run(model.logits, model.feed(batch))


def main(case_file: str, result_file: str) -> None:
    tf.disable_v2_behavior()
    tf.enable_resource_variables()
    case, result = dict(np.load(case_file)), {}
    settings = json.loads(str(case.pop("settings")))
    case["weights"] = {name.removeprefix("weight:"): value for name, value in case.items()
                       if name.startswith("weight:")}
    forward_and_backward(case, settings, result)
    updates(case, settings, result)
    learning_rates(settings, result)
    dropout_places(settings, result)
    given_masks(case, settings, result)
    many_draws(case, settings, result)
    np.savez(result_file, **result)


if __name__ == "__main__":
    main(*sys.argv[1:])
