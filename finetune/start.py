"""Where a run's weights come from: its own output folder, --init_checkpoint, or chance."""

import contextlib
import dataclasses
import os

from finetune import bound_labels, heads, model, outputs
from finetune.bert_config import SOURCE_FILE, BertConfig, variable_shapes
from finetune.checkpoints import checkpoint, restore_report
from finetune.config import READING, RunConfig
from finetune.config_problems import as_given, named
from finetune.errors import UserError
from finetune.options.long_texts import OF_WINDOWS
from finetune.swept import sweep_that_deleted, why_no_checkpoint
from finetune.task_kind import TaskKind, described, same
from finetune.training import optimizer


@dataclasses.dataclass(frozen=True)
class Start:
    """The source of the weights.

    Attributes:
        prefix: the checkpoint to read; None: random weights.
        names: the variables to take from it.
        resumed: it is this output folder's own, with the optimizer's state.
        notices: worth telling.
    """

    prefix: str | None
    names: list[str]
    resumed: bool
    notices: list[str]


def own_checkpoint(config: RunConfig) -> str | None:
    """Returns the checkpoint in output_dir to use: for training the newest, else the best.

    Raises:
        UserError: it is damaged, and there is no whole one before it.
    """
    return None if config.overwrite_output_dir else _own(config)[0]


def _own(config: RunConfig) -> tuple[str | None, list[str]]:
    """Returns the checkpoint in output_dir to use, and what to tell of those passed over.

    Training goes on from one before a damaged one, and makes that again, with the same bits. Of
    the best one the same holds, wherever later training has come to.
    """
    folder, problems = config.output_dir, []
    candidates, best = checkpoint.candidates(folder), checkpoint.best(folder)
    mean = checkpoint.averaged(checkpoint.latest(folder))
    if mean and not config.do_train and config.engine == "fast":
        candidates = [mean]
    elif best:
        prefix = os.path.join(folder, best["checkpoint"])
        damage = checkpoint.damage(prefix, slots=False)
        if not config.do_train:
            candidates = [prefix]
        elif damage:
            problems.append(f"{damage} (the best so far)")
            candidates = [one for one in candidates if _is_before(one, best["step"])]
    for prefix in candidates:
        damage = checkpoint.damage(prefix, slots=config.do_train)
        if damage is None:
            if problems and not config.do_train:  # answers of an older model are not asked for
                raise UserError([*problems, f"--output_dir={folder}: the training command makes it "
                                 f"again; --init_checkpoint={prefix}, which is whole, and another "
                                 "--output_dir use the one before"])
            return prefix, _passed_over(config, prefix, problems)
        problems.append(damage)
    if problems:
        raise UserError([*problems, f"--output_dir={folder}: holds no whole checkpoint "
                         + ("but those above; " if not best else "to make it again from; ")
                         + "put the files back, or give --overwrite_output_dir to train anew"])
    return None, []


def _passed_over(config: RunConfig, prefix: str, problems: list[str]) -> list[str]:
    state = os.path.join(config.output_dir, checkpoint.STATE_FILE)
    if problems and config.engine == "original":
        raise UserError([*problems, f"--engine=original takes the checkpoint that {state} names: "
                         f"let it name {os.path.basename(prefix)}, the one before"])
    by_state = config.do_train or checkpoint.best(config.output_dir) is None
    newest = checkpoint.latest(config.output_dir)
    if config.engine == "original" and not config.do_train and checkpoint.averaged(newest):
        return [f"the original uses the newest checkpoint, {newest}, not the mean of the last ones"]
    if not problems and by_state and prefix not in (newest, checkpoint.averaged(newest)):
        return [f"{state} names no checkpoint that is there; {prefix} is used"]
    return [f"{problem}; {prefix}, the one before, is used" for problem in problems]


def _is_before(prefix: str, step: int) -> bool:
    number = prefix.rpartition("-")[2]  # by its name, as it may be damaged
    return number.isdigit() and int(number) < step


def check_head(config: RunConfig) -> None:
    """Makes sure that a run without training has a trained classifier to run.

    Raises:
        UserError: there is no checkpoint, or it has no head; the original then answers at random.
    """
    prefix = own_checkpoint(config) or config.init_checkpoint
    gone = None if config.overwrite_output_dir else why_no_checkpoint(config.output_dir)
    told = f"--output_dir={config.output_dir}: {gone}" if gone else ""
    if prefix is None:
        raise UserError("there is nothing to evaluate or predict with: " + (told or (
            "give --init_checkpoint=<the folder of a training>, or --do_train; "
            f"--output_dir={config.output_dir} holds no checkpoint")))
    if "output_weights" not in checkpoint.shapes(prefix):
        raise UserError(f"{prefix}: has no trained head (output_weights), so its answers would be "
                        "random; give a fine-tuned checkpoint, or --do_train"
                        + (f". {told}" if told else ""))


def choose_start(config: RunConfig, bert_config: BertConfig, labels: list[str]) -> Start:
    """Decides where the weights come from; reads shapes, no weights.

    Without training, `check_head` has passed.

    As in the original, a checkpoint in output_dir comes before --init_checkpoint.

    Raises:
        UserError: the checkpoint is of another model or of other labels.
    """
    own = own_checkpoint(config)
    if own:
        return _from_output_dir(config, bert_config, labels, own)
    start = _without_own(config, bert_config, labels)
    if config.do_train and sweep_that_deleted(config.output_dir):
        start.notices.append(f"a sweep deleted the checkpoints of {config.output_dir}: training "
                             "starts anew")
    return start


def _without_own(config: RunConfig, bert_config: BertConfig, labels: list[str]) -> Start:
    if not config.init_checkpoint:
        return Start(None, [], False, ["no --init_checkpoint: all weights start at random, as "
                                       "nothing pre-trained is given (expect poor scores)"])
    if config.do_train:
        return _fine_tune(config, bert_config, labels)
    return _trained(config, bert_config, labels)


def _from_output_dir(config: RunConfig, bert_config: BertConfig, labels: list[str],
                     own: str) -> Start:
    remedy = "name another --output_dir, or give --overwrite_output_dir to delete it"
    held = checkpoint.shapes(own)
    wanted = model.variable_shapes(bert_config, len(labels))
    rows = held.get("output_weights", (0,))[0]
    if rows and rows != len(labels):
        raise UserError(f"--output_dir={config.output_dir} holds {described(rows)}; "
                        f"this run {_has(rows, len(labels))}: {remedy}")
    report = restore_report.compare(held, wanted)
    if report.fresh or report.reshaped:
        different = [name for name, _, _ in report.reshaped] + report.fresh
        raise UserError(f"--output_dir={config.output_dir} holds another model than "
                        f"--bert_config_file={config.bert_config_file} describes ({len(different)} "
                        f"variables differ, first {different[0]}): {remedy}")
    problems = _copies_differ(config, bert_config, remedy)
    if problems:
        raise UserError(problems)
    names = report.loaded + [model.GLOBAL_STEP]
    notices = _own(config)[1] + (
        [] if config.do_train else _other_reading(config, config.output_dir))
    if config.do_train:
        slots = list(model.slot_shapes(wanted))
        names += [name for name in [*slots, model.LOSS_SCALE] if name in held]
        lacking = sum(name not in held for name in slots)
        if lacking:
            notices.append(f"{own} lacks {lacking} of {len(slots)} of Adam's averages, as a "
                           "stripped checkpoint does: training goes on with 0 in their place, not "
                           "with the bits of an unbroken run")
    if config.init_checkpoint not in (None, own) and not config.do_train:
        notices.append(f"--init_checkpoint={config.init_checkpoint} is not used: {own} is there")
    return Start(own, [name for name in names if name in held], config.do_train, notices)


def _copies_differ(config: RunConfig, bert_config: BertConfig, remedy: str) -> list[str]:
    """Compares with the vocabulary and configuration that an earlier run of ours left there."""
    problems = []
    vocabulary = os.path.join(config.output_dir, outputs.VOCABULARY)
    held, given = outputs.read_bytes(vocabulary), outputs.read_bytes(config.vocab_file or "")
    if held is not None and given is not None and not outputs.same_lines(held, given):
        problems.append(f"--output_dir={config.output_dir} was trained with another vocabulary "
                        f"than --vocab_file={config.vocab_file}: {remedy}")
    path = os.path.join(config.output_dir, outputs.BERT_CONFIG)
    if outputs.read_bytes(path) is not None and BertConfig.from_json_file(path) != bert_config:
        problems.append(f"--output_dir={config.output_dir} was trained with another configuration "
                        f"than --bert_config_file={config.bert_config_file}: {remedy}")
    return problems


def _fine_tune(config: RunConfig, bert_config: BertConfig, labels: list[str]) -> Start:
    prefix = config.init_checkpoint
    held = checkpoint.shapes(prefix)
    wanted = variable_shapes(bert_config)
    problems = restore_report.start_problems(prefix, held, wanted)
    if problems:
        raise UserError(problems)
    report = restore_report.compare(held, wanted)
    notices = _other_activation(config, bert_config)
    if report.fresh:
        notices.append(f"not in the checkpoint, starting at random: {named(report.fresh)}")
    deeper = {name.split("/")[2] for name in report.ignored
              if name.startswith("bert/encoder/layer_") and not name.endswith(optimizer.SLOTS)}
    if deeper:
        notices.append(f"the checkpoint has {len(deeper)} layers more than bert_config.json asks "
                       "for; they are not used")
    names = report.loaded
    if "output_weights" in held:
        known = bound_labels.read(os.path.dirname(prefix))
        head = heads.variable_shapes(len(labels), bert_config.hidden_size)
        if restore_report.compare(held, head).loaded == list(head) and (
                known is None or same(known, labels)):
            names = names + list(head)
            notices.append("the checkpoint's trained head is the starting point")
        else:
            rows = held["output_weights"][0]
            kind = TaskKind.of(known or [""] * rows)
            of_others = (f"({rows} labels) is of other labels"
                         if min(rows, len(labels)) > 1 and kind is TaskKind.of(labels) else
                         f"is that of {described(rows, kind)}")
            notices.append(f"the checkpoint's head {of_others}; a new one starts at random")
    return Start(prefix, names, False, notices)


def _trained(config: RunConfig, bert_config: BertConfig, labels: list[str]) -> Start:
    prefix = config.init_checkpoint
    held = checkpoint.shapes(prefix)
    wanted = model.variable_shapes(bert_config, len(labels))
    report = restore_report.compare(held, wanted)
    rows = held["output_weights"][0]
    if rows != len(labels):
        raise UserError(f"--init_checkpoint={prefix}: is {described(rows)}, this run "
                        f"{_has(rows, len(labels))}; give a checkpoint that was trained for that, "
                        "or train one: --do_train and a new --output_dir")
    if report.fresh or report.reshaped:
        raise UserError(restore_report.start_problems(prefix, held, wanted)
                        or f"--init_checkpoint={prefix}: lacks {named(report.fresh)}")
    names = report.loaded + [model.GLOBAL_STEP] * (model.GLOBAL_STEP in held)
    return Start(prefix, names, False, _other_activation(config, bert_config)
                 + _other_reading(config, os.path.dirname(prefix)))


def _has(held: int, rows: int) -> str:
    return f"has {rows}" if min(held, rows) > 1 else f"is {described(rows)}"


def _other_reading(config: RunConfig, folder: str) -> list[str]:
    """Tells where texts are read otherwise than in training, if that run was one of ours.

    Of a checkpoint that has been at Hugging Face and back source.json tells.
    """
    trained = outputs.read_object(os.path.join(folder, outputs.RUN_CONFIG))
    if trained is None:
        with contextlib.suppress(UserError):  # not JSON: no file of a conversion's
            beside = outputs.read_json(os.path.join(folder, SOURCE_FILE))
            trained = {name: value for name, value in beside.items()
                       if value is not None} if isinstance(beside, dict) else {}
    trained = trained or {}
    now = config.as_dict()
    return [f"--{name} is {as_given(now[name])}, and was {as_given(trained[name])} when the "
            "checkpoint was trained"
            for name in READING
            if name in trained and trained[name] != now[name]
            and (name not in OF_WINDOWS or trained.get("window_stride") and now["window_stride"])]


def _other_activation(config: RunConfig, bert_config: BertConfig) -> list[str]:
    """Tells where the model computes another function than in the checkpoint's own training.

    What that was, source.json tells of a converted checkpoint, else the bert_config.json beside it.
    """
    trained = None
    for name, key in ((SOURCE_FILE, "activation"), (outputs.BERT_CONFIG, "hidden_act")):
        with contextlib.suppress(UserError):  # not JSON: no file of this run's
            content = outputs.read_json(os.path.join(os.path.dirname(config.init_checkpoint), name))
            trained = trained or (content.get(key) if isinstance(content, dict) else None)
    if trained in (None, bert_config.hidden_act):
        return []
    forms = {"gelu": "gelu (the original's tanh form)", "gelu_erf": "gelu_erf (the exact form)"}
    asked, trained = (forms.get(str(name), str(name)[:100]) for name in
                      (bert_config.hidden_act, trained))
    close = "; the two differ by less than 5e-4" if {asked, trained} == set(forms.values()) else ""
    return [f"hidden_act, the layers' activation function, is {asked}, and was {trained} when the "
            f"checkpoint was trained{close} (docs/checkpoints.md)"]
