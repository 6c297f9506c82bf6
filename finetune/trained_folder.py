"""What a trained folder says of its model: labels and thresholds, longest input, tokenizer."""

import os
from collections.abc import Mapping, Sequence

from finetune import bound_labels, heads, log, model, outputs, texts
from finetune.checkpoints import checkpoint
from finetune.config import RunConfig
from finetune.config_problems import as_given
from finetune.features import where
from finetune.multilabel import thresholds
from finetune.multilabel.scores import HALF
from finetune.sources import model_folder
from finetune.task_kind import SCORE, TaskKind, described
from finetune.texts import BOTH, PAIRS, SINGLE, TEXTS
from finetune.tokenization import Tokenizer, vocabulary_casing, vocabulary_problems


def names(given: model_folder.Model, labels: Sequence[str] | None,
          problems: list[str]) -> list[str]:
    """Returns the names of the head's rows, which know their kind; [""] if there is a problem.

    Args:
        labels: names that take the place of those in the folder.
        problems: gets what is wrong.
    """
    rows = given.held.get("output_weights", (0,))[0]
    if not rows:
        problems.append(f"{given.prefix}: has no trained head (output_weights), so its answers "
                        "would be random; give a fine-tuned checkpoint")
        return [""]
    head = heads.variable_shapes(rows, given.config.hidden_size)
    if any(given.held.get(name) != shape for name, shape in head.items()):
        problems.append(f"{given.prefix}: its head has not the shapes of the model of "
                        f"{given.config_path}")
    if rows == 1:
        return [SCORE]
    folder = os.path.dirname(given.prefix)
    told = outputs.read_labels(folder)
    found = list(labels) if labels is not None else told
    if told is not None and len(told) == rows and found != told:
        problems.append(f"labels={found}: {given.path(outputs.LABELS)} says that the model was "
                        f"trained with {', '.join(told[:20])}, in this order: leave labels out")
    if found is None:
        problems.append(f"{given.path(outputs.LABELS)}: no such file, so the names of the "
                        f"{rows} labels are not known: give them (labels)")
        return [""]
    if len(found) != rows:
        problems.append(f"{given.prefix}: is {described(rows)}, and has {len(found)} names: "
                        f"{', '.join(map(str, found[:20]))}")
    return bound_labels.of_kind(found, bound_labels.kind(folder, rows),
                                bound_labels.separator(folder))


def thresholds_of(given: model_folder.Model, labels: Sequence[str],
                  problems: list[str]) -> list[float]:
    """Returns from which probability on each label is given; of one label a row 0.5, unused."""
    if TaskKind.of(labels) is not TaskKind.MULTILABEL:
        return [HALF] * len(labels)
    step = int(checkpoint.read(given.prefix, [model.GLOBAL_STEP])[model.GLOBAL_STEP]
               if model.GLOBAL_STEP in given.held else 0)
    with model_folder.collected(problems):
        found = thresholds.read(os.path.dirname(given.prefix), labels, step)
        if found.why_half:
            log.LOGGER.info("note: a label is given from a probability of 0.5 on: %s",
                            found.why_half)
        return found.values
    return []


def max_seq_length(given: model_folder.Model, asked: int | None, problems: list[str]) -> int:
    """Returns the longest input in tokens: what is asked for, else that of the training."""
    told = given.run.get("max_seq_length") if asked is None else int(asked)
    most = given.config.max_position_embeddings
    if type(told) is int and 3 <= told <= most:
        return told
    if told is None:
        problems.append(f"{given.path(outputs.RUN_CONFIG)}: does not tell the max_seq_length of "
                        "the training: give it")
    else:
        where = "" if asked is not None else f"{given.path(outputs.RUN_CONFIG)}: "
        problems.append(f"{where}max_seq_length={told!r}: must be 3 to {most}, the positions of "
                        "the model")
    return 3


def trained_on(folder: str) -> str | None:
    """Returns whether the training had single texts or pairs, see `texts`; None: nothing tells."""
    told = [run[TEXTS] for run in outputs.read_runs(folder) if TEXTS in run]
    return told[-1] if told and told[-1] in (SINGLE, PAIRS, BOTH) else None


def problems_of_rows(folder: str, seen: Mapping[str, texts.Seen], config: RunConfig) -> list[str]:
    """Returns why the answers to rows would mean nothing: they are pairs where the training had
    single texts, or the other way round.

    Args:
        folder: of the checkpoint.
        seen: rows by split, gone through once.
    """
    form, found = trained_on(folder), []
    for rows in seen.values():
        if unlike := rows.unlike(form):
            row, count = unlike
            why = texts.refusal(form, _remedy(folder, form, config))
            found.append(f"{where(row)}: {why}" + f" ({count:,} such rows)" * (count > 1))
    return found


def _remedy(folder: str, form: str, config: RunConfig) -> str:
    """Says how rows are given as in the training, by its flags where it had such."""
    run = outputs.read_object(os.path.join(folder, outputs.RUN_CONFIG)) or {}
    flags = [f"--{name}={as_given(run[name])}" for name in ("text_column", "text_b_column")
             if run.get(name)]
    then = f" (the training had {' '.join(flags)})" if flags else ""
    if config.text_b_column:
        return f"leave --text_b_column={as_given(config.text_b_column)} out{then}"
    if form == PAIRS and not config.processor and config.task_name in (None, "delimited"):
        return f"give both texts: --text_b_column=the column of the second{then}"
    return f"give a task of {'pairs' if form == PAIRS else 'single texts'}{then}"


def tokenizer(given: model_folder.Model, asked: bool | None,
              problems: list[str]) -> Tokenizer | None:
    """Returns the tokenizer, cased or not as asked for, else as in training, else by its words."""
    casing = given.run.get("do_lower_case") if asked is None else asked
    found = vocabulary_problems(given.vocab_path, bool(casing)) if casing is not None else []
    made = None
    with model_folder.collected(found):
        made = None if found else Tokenizer(given.vocab_path, bool(casing))
    if made and casing is None:
        kind = vocabulary_casing(made.vocab)
        made = Tokenizer(given.vocab_path, kind == "uncased")
        if kind is None:
            found.append(f"{given.vocab_path}: does not tell whether the model is uncased: give "
                         "do_lower_case")
    if made and made.vocab_size != given.config.vocab_size:
        found.append(f"{given.vocab_path}: has {made.vocab_size} tokens, but the model of "
                     f"{given.config_path} has {given.config.vocab_size}: it is not its vocabulary")
    problems += [problem.replace("--", "") for problem in found]
    return made
