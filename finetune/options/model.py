"""What is trained: checkpoint, vocabulary, casing, longest input."""

import dataclasses

from finetune.options.declaration import setting

GROUP = "Model"


@dataclasses.dataclass(frozen=True)
class Model:
    """The flags under "Model"."""

    init_checkpoint: str | None = setting(
        GROUP, "Checkpoint to start from: a prefix (.../bert_model.ckpt) or its folder.",
        None, True)
    bert_config_file: str | None = setting(
        GROUP, "bert_config.json of the model (default: the one beside the checkpoint).",
        None, True)
    vocab_file: str | None = setting(
        GROUP, "vocab.txt of the model (default: the one beside the checkpoint).", None, True)
    bert_hub_module_handle: str | None = setting(
        GROUP, "TensorFlow Hub module to start from, instead of --init_checkpoint: an address "
        "(https://tfhub.dev/...) or a folder. Vocabulary, configuration and casing come with it.")
    do_lower_case: bool | None = setting(  # None, which no flag can give: what the module says
        GROUP, "Lower-case the text and strip accents: true for uncased models, false for "
        "cased ones.", True, True)
    max_seq_length: int = setting(
        GROUP, "Longest input in WordPiece tokens, [CLS] and [SEP] included; longer ones are "
        "cut, shorter ones cost only what they have.", 128, True)
