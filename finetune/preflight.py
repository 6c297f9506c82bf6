"""Everything that can be known before the first step, checked; every problem reported together.

Nothing is written here. `check` returns what the run needs, or raises one UserError.
"""

import dataclasses
import os
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from finetune import metrics, model, outputs, texts, trained_folder
from finetune.bert_config import BertConfig
from finetune.checkpoints import checkpoint, checksums
from finetune.confidence.stage import problems as confidence_problems
from finetune.config import RunConfig
from finetune.config_problems import must_be
from finetune.errors import UserError, collected
from finetune.explanation.report import problems as explanation_problems
from finetune.features import label_problems
from finetune.labels import labels_of_run
from finetune.labels import notices as label_notices
from finetune.multilabel.problems import of_run as multilabel_problems
from finetune.output_folder import output_problems, room_problems
from finetune.reading import ask, needed_splits, read_examples
from finetune.sources import hub
from finetune.start import Start, check_head, choose_start
from finetune.tokenization import Tokenizer, vocabulary_problems
from finetune.training import plan as training_plan
from finetune.training.schedules import Plan


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A run that has passed all checks.

    Attributes:
        config: the settings, with the paths of checkpoint, configuration and vocabulary filled in.
        labels: their position is their id; [SCORE] for a regression.
        examples: by split ("train", "dev", "test"), those the run needs; gone through again and
            again, as those of a big file are not in memory.
        files: paths of the data files by split, where the processor knows them.
        texts: whether the training rows are single texts or pairs, see `texts`; None without.
        start: where the weights come from.
        plan: how long to train; None without training.
        best_metric: decides which checkpoint is best.
        notices: worth telling before the run starts.
    """

    config: RunConfig
    bert_config: BertConfig
    tokenizer: Tokenizer
    labels: list[str]
    examples: dict[str, Sequence[Any]]
    files: dict[str, str]
    texts: str | None
    start: Start
    plan: Plan | None
    best_metric: str
    notices: list[str]

    def makes_steps(self) -> bool:
        """Whether there is a step to be made: the folder's own training may be over."""
        done = 0
        if self.start.resumed and model.GLOBAL_STEP in self.start.names:
            held = checkpoint.read(self.start.prefix, [model.GLOBAL_STEP])
            done = int(held[model.GLOBAL_STEP])  # others name checkpoints without it
        return self.plan is not None and not training_plan.is_over(self.config, self.plan, done)

    def writing_into(self, folder: str) -> "Prepared":
        """Returns the same, but for an empty folder that everything is written into."""
        return dataclasses.replace(self, config=dataclasses.replace(
            self.config, output_dir=folder, overwrite_output_dir=False))


def check(config: RunConfig, processor: Any, known: Sequence[str] = (),
          writes: bool = True) -> Prepared:
    """Checks settings, model, data, labels, checkpoint and disk.

    Args:
        processor: an object with the original's four methods; None if making it is what failed.
        known: problems found before, to be told with all others.
        writes: whether this process writes into output_dir.

    Raises:
        UserError: with every problem found.
    """
    problems: list[str] = []
    of_settings = [*known, *config.problems()]
    config, told = _with_model(config, problems)
    found_checkpoint = not problems
    problems += (altered := _altered(config))
    problems += (headless := [] if problems or config.do_train else _head_problems(config))
    bert_config, tokenizer = _model(config, problems)
    examples, labels = {}, None
    if processor is not None:
        examples = read_examples(processor, needed_splits(config), config.data_dir or "", problems)
        with collected(problems):
            if not (altered or headless):
                labels = labels_of_run(config, processor, problems, lambda: ask(
                    processor, "get_labels", problems), bool(of_settings))
    seen = {split: texts.Seen(rows) for split, rows in examples.items()}
    if labels:
        problems += _of_labels(config, seen, labels)
    plan = None if of_settings else training_plan.find(config, bert_config, labels, examples,
                                                       tokenizer, problems)
    start = None
    if bert_config and labels and found_checkpoint:
        with collected(problems):
            start = choose_start(config, bert_config, labels)
            problems += confidence_problems(config, labels, examples, start.prefix)
            problems += _unlike_trained(config, start, seen)
    best_metric = _best_metric(config, processor, labels or [], problems)
    problems += (unwritable := output_problems(config) if writes else [])
    if bert_config and labels and writes and not unwritable:
        problems += room_problems(config, bert_config, len(labels), plan)
    if problems := list(dict.fromkeys(of_settings + problems)):
        raise UserError(problems)
    notices = [*told, *getattr(processor, "notices", ()), *label_notices(examples, labels),
               *start.notices]
    files = processor.data_files(config.data_dir or "") if hasattr(processor, "data_files") else {}
    return Prepared(config, bert_config, tokenizer, labels, examples, files,
                    seen["train"].form() if config.do_train else None, start, plan,
                    best_metric, notices)


def _of_labels(config: RunConfig, seen: dict[str, texts.Seen], labels: list[str]) -> list[str]:
    found = [problem for split, rows in seen.items()
             for problem in label_problems(rows, labels, require_labels=split != "test")]
    if config.labels is None and not config.do_train and len(labels) > 1:
        found = [f"{problem}; the checkpoint was trained with these labels" for problem in found]
    return [*found, *explanation_problems(config, labels), *multilabel_problems(config, labels)]


def _unlike_trained(config: RunConfig, start: Start, seen: dict[str, texts.Seen]) -> list[str]:
    """Of a training nothing: it may go on with rows of another kind, or start from a model of such.
    """
    return [] if config.do_train else trained_folder.problems_of_rows(
        os.path.dirname(start.prefix), seen, config)


def _with_model(config: RunConfig, problems: list[str]) -> tuple[RunConfig, list[str]]:
    """Fills in checkpoint, vocabulary and configuration; returns what to tell about them too."""
    told: list[str] = []
    with collected(problems):
        config, told = hub.with_checkpoint(config)
        config = _with_model_files(config)
    if problems:  # of a module that is not there nobody knows the casing
        config = dataclasses.replace(config, init_checkpoint=None, vocab_file=config.vocab_file
                                     if config.do_lower_case is not None else None)
    return config, told


def _with_model_files(config: RunConfig) -> RunConfig:
    """Fills in what --init_checkpoint and output_dir say about vocabulary and configuration."""
    given = config.init_checkpoint
    prefix = checkpoint.resolve(given) if given else None
    folders = [os.path.dirname(prefix)] if prefix else []
    if not config.overwrite_output_dir:
        folders.append(config.output_dir)

    def beside(name: str) -> str | None:
        paths = (os.path.join(folder, name) for folder in folders)
        return next((path for path in paths if tf.io.gfile.exists(path)), None)

    return dataclasses.replace(
        config, init_checkpoint=prefix, vocab_file=config.vocab_file or beside(outputs.VOCABULARY),
        bert_config_file=config.bert_config_file or beside(outputs.BERT_CONFIG))


def _altered(config: RunConfig) -> list[str]:
    """Returns what is not as it was written, in the folders that weights may be taken from."""
    folders = [os.path.dirname(config.init_checkpoint)] if config.init_checkpoint else []
    if not config.overwrite_output_dir and checkpoint.candidates(config.output_dir):
        folders.append(config.output_dir)
    return [problem for folder in dict.fromkeys(folders) for problem in checksums.problems(folder)]


def _model(config: RunConfig, problems: list[str]) -> tuple[BertConfig | None, Tokenizer | None]:
    bert_config = tokenizer = None
    if not problems:  # a wrong --init_checkpoint is one mistake, not three
        beside = (f"none lies beside --init_checkpoint={config.init_checkpoint}"
                  if config.init_checkpoint else "give it, or --init_checkpoint=<the folder of a "
                  "checkpoint with such a file>")
        problems += [f"--{flag} is required: {beside}"
                     for flag in ("bert_config_file", "vocab_file") if not getattr(config, flag)]
    if config.bert_config_file:
        with collected(problems):
            bert_config = BertConfig.from_json_file(config.bert_config_file)
    if config.vocab_file:
        found = vocabulary_problems(config.vocab_file, config.do_lower_case)
        problems += found
        tokenizer = None if found else Tokenizer(config.vocab_file, config.do_lower_case)
    if bert_config and config.engine == "original" and bert_config.hidden_act == "gelu_erf":
        problems.append(f"--engine=original: {config.bert_config_file}: hidden_act gelu_erf, the "
                        "exact gelu, is not known to the original; use --engine=fast")
    if bert_config and config.max_seq_length > bert_config.max_position_embeddings:
        problems.append(
            f"--max_seq_length={config.max_seq_length}: the model of {config.bert_config_file} has "
            f"positions for {bert_config.max_position_embeddings} tokens at most")
    if bert_config and tokenizer and tokenizer.vocab_size != bert_config.vocab_size:
        problems.append(
            f"--vocab_file={config.vocab_file}: has {tokenizer.vocab_size} tokens, but the model "
            f"of {config.bert_config_file} has {bert_config.vocab_size}: it is not the "
            "checkpoint's vocabulary")
    elif tokenizer and config.init_checkpoint:
        problems += _other_vocabulary(config)
    return bert_config, tokenizer


def _head_problems(config: RunConfig) -> list[str]:
    """Returns why there is no trained classifier to run."""
    problems: list[str] = []
    with collected(problems):
        check_head(config)
    return problems


def _other_vocabulary(config: RunConfig) -> list[str]:
    own = os.path.join(os.path.dirname(config.init_checkpoint), outputs.VOCABULARY)
    held, given = outputs.read_bytes(own), outputs.read_bytes(config.vocab_file)
    if held is None or outputs.same_lines(held, given):
        return []
    return [f"--vocab_file={config.vocab_file}: differs from {own}, the vocabulary that lies "
            "beside the checkpoint"]


def _best_metric(config: RunConfig, processor: Any, labels: list[str],
                 problems: list[str]) -> str:
    known = metrics.names(labels)
    if config.metric_for_best is not None and labels and config.metric_for_best not in known:
        problems.append(f"--metric_for_best={config.metric_for_best}: "
                        f"{must_be(config.metric_for_best, str, known)}")
    usual = next((name for name in getattr(processor, "metrics", ()) if name in known), known[0])
    return config.metric_for_best or usual
