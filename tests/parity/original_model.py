"""Trains google-research/bert's own graph for a few steps and saves what it computed.

Run by test_model_parity.py in a process of its own, because the graph of `bert.modeling` needs
TF_USE_LEGACY_KERAS=1 before TensorFlow is imported, and TF1 behaviour after.

    TF_USE_LEGACY_KERAS=1 python tests/parity/original_model.py case.npz result.npz
"""

import json
import sys

import numpy as np
import tensorflow.compat.v1 as tf

from finetune import upstream


def main(case_file: str, result_file: str) -> None:
    tf.disable_v2_behavior()
    # create_optimizer adds 1 to global_step with no order against the reading of it for the
    # learning rate; with resource variables and one thread the reading comes first.
    tf.enable_resource_variables()
    case = dict(np.load(case_file))
    settings = json.loads(str(case.pop("settings")))
    config = upstream.modeling().BertConfig.from_dict(settings["bert_config"])
    ids, mask, segments, labels = (tf.placeholder(tf.int32, shape) for shape in (
        [None, None], [None, None], [None, None], [None]))
    model = upstream.modeling().BertModel(config, False, ids, mask, segments)
    pooled = model.get_pooled_output()
    # create_model of run_classifier.py without dropout
    weights = tf.get_variable("output_weights", [settings["num_labels"], config.hidden_size])
    bias = tf.get_variable("output_bias", [settings["num_labels"]])
    logits = tf.nn.bias_add(tf.matmul(pooled, weights, transpose_b=True), bias)
    losses = -tf.reduce_sum(
        tf.one_hot(labels, settings["num_labels"]) * tf.nn.log_softmax(logits), -1)
    loss = tf.reduce_mean(losses)
    variables = tf.trainable_variables()
    gradients = [tf.convert_to_tensor(one) for one in tf.gradients(loss, variables)]
    train = upstream.optimization().create_optimizer(
        loss, settings["learning_rate"], settings["steps"], settings["warmup"], use_tpu=False)
    result = {}
    one_thread = tf.ConfigProto(inter_op_parallelism_threads=1)
    with tf.Session(config=one_thread) as session:
        session.run(tf.global_variables_initializer())
        for variable in variables:
            variable.load(case["weight:" + variable.op.name], session)
        for step in range(settings["updates"]):
            feed = {ids: case["input_ids"][step], mask: case["input_mask"][step],
                    segments: case["segment_ids"][step], labels: case["label_ids"][step]}
            if step == 0:
                outputs = [model.get_embedding_output(), *model.get_all_encoder_layers()]
                result["layers"], result["pooled"], result["logits"] = session.run(
                    [outputs, pooled, logits], feed)
                for variable, value in zip(variables, session.run(gradients, feed), strict=True):
                    result["gradient:" + variable.op.name] = value
            result[f"loss:{step}"], _ = session.run([loss, train], feed)
        for variable in tf.global_variables():
            result["final:" + variable.op.name] = session.run(variable)
        if "checkpoint" in settings:
            tf.train.Saver().save(session, settings["checkpoint"])
    np.savez(result_file, **result)


if __name__ == "__main__":
    main(*sys.argv[1:])
