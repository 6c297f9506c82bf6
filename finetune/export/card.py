"""README.md beside an export: a model card, of what the run knows and of nothing else.

    text = card.text(classifier, facts, files, summary.versions())

What is not known is marked "not stated", for the author to fill in.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from finetune.confidence import card as confidence
from finetune.config import RunConfig
from finetune.export import long_texts
from finetune.export.classifier import Classifier
from finetune.export.facts import Facts, Split
from finetune.export.markdown import UNKNOWN, code, flag, known, plain, shown_versions, table
from finetune.task_kind import TaskKind

# Flags that say where and what, not how it was trained.
_ASIDE = ("do_train", "do_eval", "do_predict", "do_export", "export_formats", "output_dir",
          "find_lr", "show_stage_times", "labels", "init_checkpoint")
_ALWAYS = ("seed", "do_lower_case", "max_seq_length", "train_batch_size", "learning_rate",
           "num_train_epochs", "warmup_proportion")  # at their defaults, too
# In eval_results.txt -> in a hub's list of metrics.
_SCORES = {"eval_accuracy": "accuracy", "f1_micro": "f1", "f1_macro": "f1",
           "average_precision": "", "roc_auc": "roc_auc", "f1_micro_fitted": "",
           "f1_macro_fitted": "", "accuracy_fitted": "", "mcc": "matthews_correlation",
           "precision": "precision", "recall": "recall", "f1": "f1",
           "pearson_spearman": "", "pearson": "pearsonr", "spearman": "spearmanr", "mse": "mse",
           "mae": "mae", "eval_loss": ""}


@dataclasses.dataclass(frozen=True)
class File:
    """A part of an export.

    Attributes:
        name: of the file or folder.
        reader: what loads it.
        size: bytes of all of it.
        difference: of its answers from the model's own, at most.
    """

    name: str
    reader: str
    size: int
    difference: float


def text(classifier: Classifier, facts: Facts, files: Sequence[File],
         versions: Mapping[str, str], library: str | None = None) -> str:
    """Returns the model card in Markdown, with the front matter that hubs read.

    Args:
        versions: of the packages that made the export.
        library: what a hub is to load the folder with.
    """
    sections = (_front_matter(classifier, facts, library), _head(classifier, facts),
                _files(files, versions), _labels(classifier, facts), _reading(classifier, facts),
                _data(facts), _training(facts), _scored(classifier, facts),
                _use(classifier, facts), _again(facts))
    return "\n\n".join("\n".join(section) for section in sections) + "\n"


def _front_matter(classifier: Classifier, facts: Facts, library: str | None) -> Iterator[str]:
    import yaml

    kind = "regression" if classifier.is_regression else "classification"
    known = {**({"library_name": library} if library else {}),
             "pipeline_tag": "text-classification",
             "tags": ["bert", f"text-{kind}", "google-research-bert"],
             **({"metrics": names} if (names := _named_scores(facts)) else {})}
    yield "---"
    yield yaml.safe_dump(known, sort_keys=False, allow_unicode=True).rstrip()
    yield f"# license: {UNKNOWN}"
    yield f"# language: {UNKNOWN}"
    yield "---"


def _named_scores(facts: Facts) -> list[str]:
    return list(dict.fromkeys(hub for name, hub in _SCORES.items()
                              if hub and name in (facts.scores or {})))


def _head(classifier: Classifier, facts: Facts) -> Iterator[str]:
    bert = classifier.bert_config
    yield f"# {plain(facts.name)}"
    yield ""
    answer = ("gives a text a score" if classifier.is_regression else
              f"gives a text {'any number' if _many(classifier) else 'one'} of "
              f"{len(classifier.labels)} labels")
    yield (f"A BERT that {answer}: {bert.num_hidden_layers} layers, {bert.hidden_size} wide, "
           f"{bert.num_attention_heads} heads, {bert.vocab_size:,} tokens, "
           f"{sum(value.size for value in classifier.weights.values()):,} weights; step "
           f"{classifier.step} of its training. Written by `--do_export` of "
           "run_classifier_custom.py from what the run knows; what it does not know is marked "
           f"\"{UNKNOWN}\".")


def _files(files: Sequence[File], versions: Mapping[str, str]) -> Iterator[str]:
    yield "## Files"
    yield ""
    yield from table(["file", "read by", "MB", "largest difference from the model's own answers"],
                      [[f"`{one.name}`", one.reader, f"{one.size / 1e6:.1f}",
                        f"{one.difference:.1e}" if one.difference else "0"] for one in files])
    yield ""
    yield ("float32; the optimizer's tensors are not in them. Differences on 8 made-up rows of all "
           f"lengths. Exported with {shown_versions(versions)}.")


def _labels(classifier: Classifier, facts: Facts) -> Iterator[str]:
    train, dev = (facts.splits[name] for name in ("train", "dev"))
    yield "## Answers"
    yield ""
    if classifier.is_regression:
        yield "One number a text, on the scale of the training data:"
        yield ""
        rows = [[name, *(f"{value:.6g}" for value in split.scores)] if split.scores else
                [name, *[UNKNOWN] * 3] for name, split in facts.splits.items()]
        yield from table(["split", "least", "largest", "mean"], rows)
        return
    given = [[f"{value:.4g}"] for value in classifier.thresholds or ()] or [
        [] for _ in classifier.labels]
    yield from table(["id", "label", "rows in training", "rows in dev"]
                      + ["given from the probability"] * _many(classifier), [
        [str(number), plain(label), _count(train, label), _count(dev, label), *threshold]
        for number, (label, threshold) in enumerate(zip(classifier.labels, given, strict=True))])


def _many(classifier: Classifier) -> bool:
    return classifier.kind is TaskKind.MULTILABEL


def _count(split: Split, label: str) -> str:
    if split.counts is None:
        return UNKNOWN
    return f"{split.counts[label]:,} ({split.counts[label] / max(1, split.rows or 0):.1%})"


def _reading(classifier: Classifier, facts: Facts) -> Iterator[str]:
    pairs = facts.splits["train"].pairs
    cut = "read in windows" if classifier.long_texts.window_stride else "cut"
    yield "## How texts are read"
    yield ""
    yield ("*   WordPiece tokens of `vocab.txt`, of "
           + ("lower-cased text without accents" if classifier.do_lower_case else
              "the text as it is (cased)") + f": `do_lower_case={classifier.do_lower_case}`.")
    yield (f"*   At most {classifier.max_seq_length} tokens in training, `[CLS]` and `[SEP]` "
           f"included; longer texts were {cut}. The model has positions for "
           f"{classifier.bert_config.max_position_embeddings}.")
    yield from long_texts.reading(classifier)
    yield "*   Training was on " + {True: "pairs of texts: `[CLS] a [SEP] b [SEP]`, `segment_ids` "
                                    "1 from b on.", False: "single texts: `[CLS] text [SEP]`.",
                                    None: f"single texts or pairs: {UNKNOWN}."}[pairs]
    for name in ("text_column", "text_b_column"):
        if value := facts.settings.get(name):
            yield f"*   {flag(name, value)}."


def _data(facts: Facts) -> Iterator[str]:
    yield "## Data"
    yield ""
    yield from table(["split", "file", "rows", "cut to the length", "sha256 of the file"], [
        [name, known(split.path), known(split.rows), known(split.cut),
         f"`{split.sha256}`" if split.sha256 else UNKNOWN]
        for name, split in facts.splits.items()])
    yield ""
    yield f"Where the texts are from, whose they are and under which licence: {UNKNOWN}."


def _training(facts: Facts) -> Iterator[str]:
    run, settings = facts.run or {}, facts.settings
    yield "## Training"
    yield ""
    yield f"*   Base model: {_base(facts)}"
    yield f"*   Started: {known(run.get('started'))}; device: {known(run.get('device'))}."
    python = {"python": run["python"]} if "python" in run else {}
    yield f"*   With {shown_versions({**python, **run.get('versions', {})})}."
    defaults = RunConfig().as_dict()
    flags = [flag(name, value) for name, value in settings.items()
             if name not in _ASIDE and (name in _ALWAYS or value != defaults.get(name))]
    yield "*   Flags: " + (f"{', '.join(flags)}; all others at their defaults." if flags else
                           f"{UNKNOWN}.")


def _base(facts: Facts) -> str:
    if facts.base_is_random:
        return "none; all weights began at random."
    if not facts.base:
        return f"{UNKNOWN}."
    source = [f"{key}: {plain(facts.source[key])}" for key in ("name", "source", "description")
              if facts.source.get(key)]
    return (code(facts.base) + (f" ({'; '.join(source)})" if source else "")
            + f". Its licence: {UNKNOWN}.")


def _scored(classifier: Classifier, facts: Facts) -> Iterator[str]:
    dev, scores = facts.splits["dev"], facts.scores
    yield "## Scores on dev"
    yield ""
    if scores is None:
        yield (f"{UNKNOWN[0].upper()}{UNKNOWN[1:]}: " + (
            "the dev split was not scored." if facts.scored_step is None else
            f"`eval_results.txt` is of step {facts.scored_step}, and the export of step "
            f"{classifier.step}."))
        return
    yield from table(["score", "value"], [[name.removeprefix("eval_"), scores[name]]
                                           for name in _SCORES if name in scores])
    yield ""
    yield f"Of {known(dev.rows)} rows." + (
        f" The weights are those with the best {facts.best['metric']} on these rows, out of "
        "several, so that on other rows it will be somewhat worse." if facts.best else "")
    if _many(classifier):
        yield ("At 0.5; fitted: at the thresholds above, which were fitted to these very rows. "
               "Accuracy is the share of the rows whose labels are all right.")
    if facts.matrix or _many(classifier):
        parts = ("precision", "recall", "f1", "support")
        yield ""
        yield from table(["label", *parts], [
            [plain(label), *(scores.get(f"{part}[{label}]", UNKNOWN) for part in parts)]
            for label in classifier.labels])
    if facts.matrix:
        yield ""
        yield "Confusion matrix; rows are the truth, columns what was predicted:"
        yield ""
        first, *rows = [[plain(cell) for cell in row] for row in facts.matrix]
        yield from table([first[0].replace("\\", " \\ "), *first[1:]], rows)


def _use(classifier: Classifier, facts: Facts) -> Iterator[str]:
    yield "## Intended use and limits"
    yield ""
    for name in ("Intended use", "Languages", "Licence", "Who made it, and whom to ask",
                 "Bias and risks"):
        yield f"*   {name}: {UNKNOWN}."
    if classifier.kind is TaskKind.CLASSIFICATION:
        yield ("*   Every text is given one of the labels above, also one that fits none of them; "
               "a probability says how sure the model is, which is not how often it is right.")
    yield from confidence.lines(facts.calibration)
    train = facts.splits["train"]
    if train.cut and train.rows:
        most = classifier.long_texts
        than = f"{most.max_windows} windows of " if most.window_stride else ""
        yield (f"*   {train.cut / train.rows:.1%} of the training texts were longer than {than}"
               f"{classifier.max_seq_length} tokens; of such texts {long_texts.unread(most)}.")
    scores = facts.scores or {}
    recalls = {label: float(scores[f"recall[{label}]"]) for label in classifier.labels
               if float(scores.get(f"support[{label}]", 0))}
    if recalls:
        worst = min(recalls, key=recalls.get)
        yield (f"*   The label that is found least often on dev is {plain(worst)}: "
               f"{recalls[worst]:.1%} of its rows.")


def _again(facts: Facts) -> Iterator[str]:
    yield "## The same again"
    yield ""
    command = (facts.run or {}).get("command")
    if command is None:
        yield f"The command that trained it: {UNKNOWN}."
        return
    yield "```"
    yield f"python {command}"
    yield "```"
    yield ""
    yield (f"Seed {known(facts.settings.get('seed'))}; the same seed, data and versions give the "
           "same bits on the same machine.")
