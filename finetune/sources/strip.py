"""A fine-tuned checkpoint without the optimizer's slots: a third of the size.

    from finetune.sources import strip
    strip.strip("output/run", "to_keep")

scripts/convert_checkpoint.sh strip is the command.
"""

import os

from finetune import outputs
from finetune.bert_config import SOURCE_FILE
from finetune.checkpoints import checkpoint, checksums
from finetune.confidence import record
from finetune.errors import UserError
from finetune.sources.model_folder import (
    Converted,
    new_folder,
    open_model,
    out_problems,
    own_folder_problems,
)
from finetune.training import optimizer


def strip(source: str, out_folder: str, bert_config_file: str | None = None,
          vocab_file: str | None = None) -> Converted:
    """Writes a checkpoint without the optimizer's slots, which are two thirds of a fine-tuned one.

    All else is kept, global_step too: it evaluates and predicts as before.

    Args:
        source: a run's folder (its best checkpoint, else its newest), another folder of a
            checkpoint, or a prefix.
        out_folder: gets the checkpoint under its name, and the files beside it that a run needs.
        bert_config_file: where it does not lie beside the checkpoint.
        vocab_file: the same.

    Raises:
        UserError: a file is missing or damaged, or out_folder lies in the checkpoint's own folder.
    """
    problems = out_problems(out_folder)
    given = open_model(source, bert_config_file, vocab_file, problems)
    if given:
        problems = own_folder_problems(given.prefix, out_folder) or problems
    if problems or given is None:
        raise UserError(problems)
    kept = [name for name in given.held if not name.endswith(optimizer.SLOTS)]
    tensors = checkpoint.read(given.prefix, kept)
    name = os.path.basename(given.prefix)
    with new_folder(out_folder, sum(value.nbytes for value in tensors.values())) as made:
        checkpoint.save(os.path.join(made, name), tensors)
        outputs.write_text(os.path.join(made, checkpoint.STATE_FILE),
                           f'model_checkpoint_path: "{name}"\n'
                           f'all_model_checkpoint_paths: "{name}"\n')
        outputs.copy(given.config_path, os.path.join(made, outputs.BERT_CONFIG))
        outputs.copy(given.vocab_path, os.path.join(made, outputs.VOCABULARY))
        for beside in (outputs.LABELS, outputs.RUN_CONFIG, outputs.RUNS, outputs.THRESHOLDS,
                       SOURCE_FILE):
            if outputs.read_bytes(given.path(beside)) is not None:
                outputs.copy(given.path(beside), os.path.join(made, beside))
        record.carry(given.prefix, os.path.join(made, name))
        checksums.write(made, (outputs.LABELS, outputs.VOCABULARY, outputs.BERT_CONFIG))
    dropped = len(given.held) - len(kept)
    notices = [f"{dropped} of {len(given.held)} tensors were Adam's and are left out" if dropped
               else "the checkpoint has none of Adam's tensors: this is a copy"]
    return Converted(outputs.read_labels(os.path.dirname(given.prefix)),
                     given.run.get("do_lower_case"), given.config.hidden_act, notices,
                     given.run.get("max_seq_length"))
