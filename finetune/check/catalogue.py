"""What every check is called, what its finding means, and what to do about it."""

import dataclasses

from finetune.task_kind import TaskKind

_ALL = tuple(TaskKind)
_NOT_MANY = (TaskKind.CLASSIFICATION, TaskKind.REGRESSION)
_NAMES, _MANY = (TaskKind.CLASSIFICATION, TaskKind.MULTILABEL), (TaskKind.MULTILABEL,)
_LABELS, _SCORES = (TaskKind.CLASSIFICATION,), (TaskKind.REGRESSION,)


@dataclasses.dataclass(frozen=True)
class About:
    """A check.

    Attributes:
        title: its heading.
        fine: said where nothing was found; None: the check always says something itself.
        meaning: why it matters.
        advice: what to do.
        kinds: of the tasks that it is for.
        needs: the split without which it cannot look; None: any.
    """

    title: str
    fine: str | None
    meaning: str
    advice: str
    kinds: tuple[TaskKind, ...] = _ALL
    needs: str | None = None


ABOUT = {
    "splits": About(
        "Splits", "train, dev and test are there",
        "What is not there cannot be checked; without dev nobody knows how good the model is.",
        "Put rows aside that are not trained on, and name their file by --dev_file."),
    "refused": About(
        "Rows that a run refuses", "none",
        "A run that needs this split ends at once with these messages.",
        "Correct the lines named, or what the flags say of labels and columns."),
    "empty": About(
        "Empty texts", "none", "Such a row says nothing, and is trained on and scored like others.",
        "Take the rows out, or see whether --text_column names the right columns."),
    "encoding": About(
        "Damaged characters", "none",
        "Signs of a file that was read or written in the wrong encoding; the model sees rubbish.",
        "Write the file anew in UTF-8, or name what it is in by --encoding."),
    "control": About(
        "Control characters", "none",
        "The tokenizer drops them, as the original's does. They often come from a damaged export.",
        "Nothing, if the rows look right otherwise."),
    "html": About(
        "HTML", "hardly any", "Tags and entities take up tokens, and most of them tell nothing.",
        "Turn them into plain text before, if they are many."),
    "only_url": About(
        "Addresses alone", "none", "An address is cut into dozens of pieces that tell little.",
        "Take the rows out, or put a title in front."),
    "no_letters": About(
        "No letters", "none", "Numbers and signs alone are no text that the model was trained on.",
        "See whether --text_column names the right columns."),
    "duplicates": About(
        "Repeated texts", "no text occurs twice (case, blanks and punctuation aside)",
        "In train a row counts as often as it stands there; in dev and test it is scored as often.",
        "Keep one of each, unless they occur as often in real use."),
    "leakage": About(
        "Rows of another split", "no text of one split is in another",
        "What was trained on, or chosen by, is asked again: the score is better than in use.",
        "Take them out of the other split, or better out of the one that is scored.", needs="dev"),
    "conflicts": About(
        "One text, two labels", "no text has two",
        "At least one of them is wrong, or the text does not tell; nothing can get both right.",
        "Decide for one; if there are many, the labels are not defined sharply."),
    "row_ids": About(
        "Repeated ids", "no id occurs twice", "predictions.tsv tells rows apart by them.",
        "Number the rows, or name another --id_column."),
    "no_rows": About(
        "Labels without training rows", "every label has some",
        "The model cannot learn such a label, and its probability means nothing.",
        "Take it out of --labels, or find rows for it.", _NAMES, "train"),
    "few_rows": About(
        "Labels with few rows", "none", "The model will rarely answer such a label, if ever.",
        "Find more rows, or join it with another label.", _NAMES, "train"),
    "never_trained": About(
        "Labels that are not trained", "every label of dev has training rows",
        "Rows with these labels are always scored as wrong.",
        "Split the rows anew, so that each label is in all splits.", _NAMES, "dev"),
    "label_names": About(
        "Names of labels", "all differ clearly",
        "One label is written in two ways; they are learnt as two.",
        "Write it in one way.", _NAMES),
    "numbers": About(
        "Numbers for labels", "no label is a fraction",
        "As labels, 2.5 and 3.0 are as unlike as 0.0 and 3.0.",
        "If they are scores, --task_type=regression learns them as numbers.", _LABELS),
    "label_sets": About(
        "Labels of a row", None,
        "A label that never comes without another teaches the model nothing of its own.",
        "If one label implies another, see whether both are meant; else look at f1_macro and at "
        "the scores by label.", _MANY, "train"),
    "imbalance": About(
        "Spread of the labels", None,
        "Accuracy says little where one label has most rows, or another has very few.",
        "Look at f1_macro and mcc, and at the scores by label; --metric_for_best=f1_macro.",
        _LABELS, "train"),
    "label_shift": About(
        "Train and dev differ", "labels are spread alike in train and dev",
        "The model learns how frequent each label is, and that does not hold in dev.",
        "Draw both from the same rows at random, unless time or source keep them apart on purpose.",
        _NOT_MANY, "dev"),
    "order": About(
        "Order of the rows", "no order by label",
        "Drawn from a small buffer, rows of one label are trained on for a long time; the model "
        "forgets the others.", "Leave --shuffle_buffer_size out, or shuffle the file.", _LABELS,
        "train"),
    "length": About(
        "Length gives it away", "length alone tells little",
        "A model can score well without reading. Will the lengths be like that in use?",
        "See where the rows of each label come from, and compare with --baseline.", kinds=_NOT_MANY,
        needs="train"),
    "dev_size": About(
        "Size of dev", None,
        "Differences below that are chance, between two runs and between two settings.",
        "More dev rows, or several seeds (--sweep) before one setting is called better.", _LABELS,
        "dev"),
    "spread": About(
        "Spread of the scores", None, "Where all scores are alike there is little to learn.",
        "See whether --label_column names the right column.", _SCORES, "train"),
    "outside": About(
        "Scores outside of train's", "none", "The model has seen no such score.",
        "Split the rows anew.", _SCORES, "dev"),
    "unknown": About(
        "Unknown words", "no token is [UNK]",
        "[UNK] is the same token whatever the word was; what it said is lost.",
        "Below 1 % it does no harm. Else another vocabulary: of this language, or a multilingual "
        "one."),
    "script": About(
        "Script", "the vocabulary knows the script of the texts",
        "Words come out as [UNK] or letter by letter, of which the model has learnt little.",
        "A checkpoint for this language, or a multilingual one."),
    "other_script": About(
        "Script of the splits", "the same in all", "The model is scored on what it was not trained "
        "on.", "See whether the files belong together.", needs="train"),
    "casing": About(
        "Capitals", "no capitals at all", "Whether case tells something is lost, or is learnt.",
        "An uncased checkpoint for text in letters of one case; a cased one if case matters."),
    "accents": About(
        "Accents", "none is lost", "With --do_lower_case accents go: some words become one.",
        "A cased checkpoint (--do_lower_case=False) keeps them."),
    "truncation": About(
        "Texts that are cut", "none", "What stands behind the cut is never read.",
        "A larger --max_seq_length."),
    "memory": About(
        "Memory", None, "A process that asks for more than there is gets killed.",
        "A smaller --train_batch_size or --max_seq_length, or --gradient_accumulation_steps=2, 4 "
        "or 8, which computes the same."),
    "time": About(
        "Time", None, "Measured with a few steps of this run on this device.",
        "Fewer --num_train_epochs, a smaller --max_seq_length or a smaller model."),
}
