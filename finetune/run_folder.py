"""What a run writes into its folder before anything else: who it is, and what the weights go with.

    runs.json, run.log, labels.txt, vocab.txt, bert_config.json, run_config.json, SHA256SUMS
"""

import os
import platform
import time
from collections.abc import Mapping

import tensorflow as tf

from finetune import log, outputs, records, summary, texts
from finetune.checkpoints import checksums
from finetune.config import RunConfig
from finetune.multilabel import thresholds
from finetune.preflight import Prepared


def begin(prepared: Prepared, given: RunConfig, command: str, device: str,
          original: Mapping[str, str] | None) -> None:
    """Writes these files, starts the log, and tells what the run changes against an earlier one.

    Args:
        given: the settings as the user gave them.
        command: the command line.
        device: in words.
        original: versions of what --engine=original runs on; None of ours.
    """
    config, folder = prepared.config, prepared.config.output_dir
    data = {split: {"path": path, "sha256": records.sha256_file(path)}
            for split, path in prepared.files.items()}
    trains = prepared.makes_steps()  # else the weights are those of an earlier run's settings
    trained_on = {texts.TEXTS: prepared.texts} if trains else {}
    changes = summary.changes(folder, given, data.get("train", {}).get("sha256"))
    outputs.append_run(folder, {  # first: it tells that the folder is a run's
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "command": command,
        "seed": config.seed, "engine": config.engine, "device": device,
        "versions": summary.versions(), "python": platform.python_version(),
        **({"original": original} if original else {}),
        "data": data, **trained_on, "start": prepared.start.prefix})
    log.start(os.path.join(folder, outputs.LOG))
    for line in changes:
        log.notice(line)
    if changes and prepared.start.resumed:
        log.notice(("this run goes on from weights that the earlier run has trained with its "
                    "settings" if trains else "warning: no step is made: the weights are the "
                    "earlier run's, trained with its settings and not with these")
                   + "; a training of these alone needs another --output_dir, or "
                   "--overwrite_output_dir")
    if given.only_checks:  # no model is bound to the folder
        return
    outputs.write_labels(folder, prepared.labels)
    thresholds.begin(folder, prepared.labels, None if config.do_train else
                     os.path.dirname(prepared.start.prefix), config.label_threshold)
    outputs.copy(config.vocab_file, os.path.join(folder, outputs.VOCABULARY))
    outputs.write_text(os.path.join(folder, outputs.BERT_CONFIG), prepared.bert_config.to_json())
    settings = os.path.join(folder, outputs.RUN_CONFIG)
    if trains or not tf.io.gfile.exists(settings):
        outputs.write_json(settings, given.as_dict())
    checksums.write(folder, (outputs.LABELS, outputs.VOCABULARY, outputs.BERT_CONFIG))
