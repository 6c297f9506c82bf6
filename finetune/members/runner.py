r"""--kfold and --ensemble: several trainings one after the other, in this process.

    python run_classifier_custom.py --kfold=5 --do_train --data_dir=data \
        --init_checkpoint=checkpoints/minilm --output_dir=output/folds

    output_dir/fold-1 ... fold-5, or seed-42 ...      what any run writes
    output_dir/members.json                           which of them have finished, with what

Killed, the same command goes on: those that have finished are left alone, the one that was at work
goes on from its last checkpoint.
"""

import dataclasses
import gc
import hashlib
import json
import os
import shlex
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from finetune import log, output_folder, outputs, preflight, records, trouble
from finetune.checkpoints import checkpoint
from finetune.config import RunConfig
from finetune.errors import UserError
from finetune.log import LOGGER
from finetune.members import combination, folder
from finetune.members.deal import deal, same_text, strata
from finetune.members.fold_processor import FoldProcessor
from finetune.sweep.processes import flags_of
from finetune.task_kind import TaskKind
from finetune.training import chosen_weights
from finetune.training.schedules import Plan

_FILE = "run_classifier_custom.py"
# Of a check of the whole training split, which has no dev; what is asked of one is told besides.
_NO_DEV = {"do_eval": False, "calibrate": False, "min_precision": None}
RunOne = Callable[..., None]  # settings, processor, command and more, see runner.run


@dataclasses.dataclass(frozen=True)
class Member:
    """One training of several.

    Attributes:
        config: its settings.
        processor: its data.
        command: to be written down.
    """

    config: RunConfig
    processor: Any
    command: str

    @property
    def name(self) -> str:
        """Of its folder."""
        return os.path.basename(self.config.output_dir)


def run(run_one: RunOne, config: RunConfig, processor: Any, command: str,
        problems: Sequence[str] = (), *more: Any) -> None:
    """Does what --kfold or --ensemble asks for; without them, a single run.

    Args:
        run_one: runner.run, for a single run.
        config: the settings; `config.missing()` is empty.
        processor: an object with the original's four DataProcessor methods.
        command: the command line, to be written down.
        problems: mistakes known already, to be told with all others; processor may then be None.
        more: passed on to a single run.

    Raises:
        UserError: what the user has to change.
    """
    if not (config.kfold or config.ensemble):
        return run_one(config, processor, command, problems, *more)
    try:
        Members(config, processor, command, problems).execute(run_one)
    except ValueError as error:  # a DataError, which finetune does not know: a file has changed
        if not hasattr(error, "problems"):
            raise
        raise UserError(error.problems) from error
    except trouble.KINDS as error:
        mistake = trouble.of(error, config)
        if mistake is None:
            raise
        raise mistake from error


class Members:
    """The trainings that the settings ask for; all is checked, nothing written yet.

    Args: see `run`.
    """

    def __init__(self, config: RunConfig, processor: Any, command: str, problems: Sequence[str]):
        self._config, self._folder = config, config.output_dir
        self._kind = folder.KFOLD if config.kfold else folder.ENSEMBLE
        known = [*problems, *config.problems()]
        count = 1 if known else config.kfold or config.ensemble
        self._names = [f"fold-{number + 1}" if config.kfold else f"seed-{config.seed + number}"
                       for number in range(count)]
        self._prepared = preflight.check(
            dataclasses.replace(self._settings(0), **_NO_DEV if config.kfold else {}),
            processor, [*known, *self._folder_problems()])
        if TaskKind.of(self._prepared.labels) is TaskKind.MULTILABEL:
            raise UserError(f"--{self._kind}: works for one label a row and for scores, not for "
                            "--task_type=multilabel")
        self._digests = {split: records.examples_digest(examples)
                         for split, examples in self._prepared.examples.items()}
        self._folds = self._dealt() if config.kfold else None
        self._members = [self._member(number, processor, command)
                         for number in range(len(self._names))]
        self._note: dict[str, Any] = {} if config.overwrite_output_dir else (
            folder.read(self._folder) or {})
        self._check_room()

    def _settings(self, number: int) -> RunConfig:
        config = self._config
        return dataclasses.replace(
            config, output_dir=os.path.join(self._folder, self._names[number]), kfold=0,
            ensemble=0, **({"do_eval": True} if config.kfold else {"seed": config.seed + number}))

    def _member(self, number: int, processor: Any, command: str) -> Member:
        settings = self._settings(number)
        if self._folds is None:
            return Member(settings, processor, shlex.join([_FILE, *flags_of(settings)]))
        rows = self._prepared.examples["train"]
        return Member(settings, FoldProcessor(processor, rows, self._folds, number), command)

    def _folder_problems(self) -> list[str]:
        path, config = self._folder, self._config
        told = f"--output_dir={path}"
        if checkpoint.candidates(path) or outputs.read_bytes(os.path.join(path, outputs.RUNS)):
            return [f"{told}: holds a single run; name another folder for --{self._kind}"]
        note = None if config.overwrite_output_dir else folder.read(path)
        if note is None:
            return []
        if note["kind"] != self._kind:
            return [f"{told}: holds the models of --{note['kind']}={len(note['members'])}; name "
                    "another folder"]
        if config.kfold and len(note["members"]) != config.kfold:
            return [f"{told}: holds the models of --kfold={len(note['members'])}; name another "
                    "folder, or give --overwrite_output_dir to delete them"]
        lacking = [name for name in self._names if name not in note["finished"]]
        if lacking and not config.do_train:
            return [f"{told}: {', '.join(lacking)} of the {len(self._names)} models have not "
                    "finished their training; give --do_train and its flags, which goes on with "
                    "them"]
        return []

    def _dealt(self) -> np.ndarray:
        """Returns the fold of each training row."""
        config, rows = self._config, self._prepared.examples["train"]
        first = same_text(rows)
        texts = len(set(first.tolist()))
        if texts < config.kfold:
            raise UserError(f"--kfold={config.kfold}: the training split has {texts} different "
                            f"texts; give {texts} or less" if texts > 1 else
                            f"--kfold={config.kfold}: all rows of the training split are the same "
                            "text")
        return deal(first, strata(rows, self._prepared.labels), config.kfold, config.seed)

    def _dealt_from(self) -> dict[str, str]:
        """Returns what tells whether rows were dealt in the same way."""
        if self._folds is None:
            return {}
        digest = hashlib.sha256(self._digests["train"].encode() + self._folds.tobytes())
        return {"dealt": digest.hexdigest()}

    def _check_room(self) -> None:
        """Makes sure that nothing is mixed, each fold can be trained, and the disk takes all.

        Raises:
            UserError: it is not so.
        """
        config, path, found = self._config, f"--output_dir={self._folder}", []
        dealt = self._dealt_from()
        if self._note.get("dealt") != dealt.get("dealt") and self._note:
            found.append(f"{path}: its folds were dealt from other rows or with another --seed, "
                         "and a model would be scored on rows that it has seen; name another "
                         "folder, or give --overwrite_output_dir to delete them")
        plan = self._prepared.plan
        if self._folds is not None:
            rows = len(self._folds) - int(np.bincount(self._folds).max())
            problem = Plan.problem(config, rows)
            plan = None if problem else Plan.of(config, rows)
            lacking = [problem] if problem else chosen_weights.problems(config, plan.steps)
            found += [f"--kfold={config.kfold}: {one}" for one in lacking]
        if plan and "://" not in self._folder:
            count, size = output_folder.checkpoint_room(
                config, self._prepared.bert_config, len(self._prepared.labels), plan)
            waiting = sum(not checkpoint.candidates(one.config.output_dir)
                          for one in self._members)
            needed, free = waiting * count * size, output_folder.free_bytes(self._folder)
            if needed > free:
                found.append(f"{path}: the checkpoints of {waiting} trainings need "
                             f"{needed / 1e6:.0f} MB, the disk has {free / 1e6:.0f} MB free; make "
                             "room or lower --keep_checkpoint_max")
        if found:
            raise UserError(found)

    def execute(self, run_one: RunOne) -> None:
        """Makes all trainings that have not finished, then combines their answers.

        Args:
            run_one: see `run`.
        """
        config, count = self._config, len(self._members)
        tf.io.gfile.makedirs(self._folder)
        with output_folder.held(self._folder):
            finished = dict(self._note.get("finished", {}))
            self._begin(finished)
            for number, member in enumerate(self._members, 1):
                with log.part(f"fold {number} of {count}" if config.kfold else
                              f"{member.name}, {number} of {count}"):
                    self._make(member, finished, run_one)
            self._start_log()
            self._combine()

    def _make(self, member: Member, finished: dict[str, str], run_one: RunOne) -> None:
        """Makes one training, unless it has finished before."""
        self._start_log()
        fingerprint = self._fingerprint(member)
        if finished.get(member.name) == fingerprint and self._is_whole(member):
            LOGGER.info("%s has finished before", member.name)
            return
        LOGGER.info("%s%s", member.name, ": trained on the other folds; dev is the fold itself"
                    if self._config.kfold else "")
        if self._config.do_train:
            finished.pop(member.name, None)
            self._write_note(finished)
        run_one(member.config, member.processor, member.command)
        gc.collect()  # graphs and their variables lie in circles
        finished[member.name] = fingerprint
        self._write_note(finished)

    def _begin(self, finished: dict[str, str]) -> None:
        """Deletes an earlier run, if that is asked for, and writes down what this one is."""
        config, settings = self._config, os.path.join(self._folder, outputs.RUN_CONFIG)
        if config.overwrite_output_dir:
            for name in (folder.read(self._folder) or {}).get("members", ()):
                outputs.remove_run(os.path.join(self._folder, name))
            for path in (os.path.join(self._folder, name) for name in combination.FILES):
                if tf.io.gfile.exists(path):
                    tf.io.gfile.remove(path)
        self._write_note(finished)
        if config.do_train or not tf.io.gfile.exists(settings):
            outputs.write_json(settings, config.as_dict())

    def _start_log(self) -> None:
        log.start(os.path.join(self._folder, outputs.LOG))

    def _write_note(self, finished: dict[str, str]) -> None:
        """Writes members.json; answers of fewer models leave those of the folder as they are."""
        names = self._names if self._config.do_train else self._note.get("members", self._names)
        folder.write(self._folder, self._kind, names, finished, **self._dealt_from())

    def _fingerprint(self, member: Member) -> str:
        settings = dataclasses.replace(member.config, output_dir=None).as_dict()
        told = json.dumps([settings, self._digests], sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()

    def _is_whole(self, member: Member) -> bool:
        """Whether what a member has written is still there."""
        wanted = [outputs.EVAL_RESULTS] * member.config.do_eval
        wanted += [outputs.TEST_RESULTS] * member.config.do_predict
        return checkpoint.chosen(member.config.output_dir) is not None and all(
            tf.io.gfile.exists(os.path.join(member.config.output_dir, name)) for name in wanted)

    def _combine(self) -> None:
        config, prepared = self._config, self._prepared
        folders = [member.config.output_dir for member in self._members]
        if self._folds is not None:
            combination.out_of_fold(config, prepared, self._folds, folders)
        elif config.do_eval:
            combination.evaluate(config, prepared, folders)
        if config.do_predict:
            combination.predict(config, prepared, folders)
        LOGGER.info("done; %s holds %s", self._folder, ", ".join(
            [*combination.files(config), *self._names]))
