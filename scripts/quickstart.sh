#!/usr/bin/env bash
# From nothing to a fine-tuned classifier of GitHub issues: bug, feature or question.
#
#   scripts/quickstart.sh          makes .venv, fetches the small checkpoint, trains, evaluates, predicts
#   scripts/quickstart.sh --help   show this text
#
# A second run installs, downloads and trains nothing that is there already. To train anew, remove
# output/quickstart. Environment variables: PYTHON and VENV, see scripts/setup.sh --help.

set -euo pipefail

case "${1:-}" in
    "") ;;
    -h | --help)
        sed -n '2,/^$/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
        exit
        ;;
    *)
        echo "quickstart.sh: unknown argument $1; see scripts/quickstart.sh --help" >&2
        exit 2
        ;;
esac

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
data=examples/github_issues
output=output/quickstart

python="$(scripts/setup.sh)"
unset PYTHONPATH PYTHONHOME
PYTHON="$python" scripts/download_checkpoint.sh minilm
"$python" run_classifier_custom.py \
    --data_dir="$data" \
    --text_column=title,body --label_column=label --id_column=id \
    --init_checkpoint=checkpoints/minilm \
    --do_train --do_eval --do_predict \
    --train_batch_size=16 --learning_rate=1e-4 --num_train_epochs=4 --max_seq_length=64 \
    --output_dir="$output"

# Five predictions beside their titles: both files have the same rows in the same order.
show_predictions() {
    "$python" - "$data/test.tsv" "$output/predictions.tsv" <<'END'
import csv, sys
rows, predictions = (
    list(csv.DictReader(open(path, encoding="utf-8", newline=""), delimiter="\t"))
    for path in sys.argv[1:]
)
for row, prediction in list(zip(rows, predictions, strict=True))[:: max(1, len(rows) // 5)][:5]:
    _, label, confidence, *_ = prediction.values()
    print(f"  {label:<9} {float(confidence):4.0%}  {row['title'][:75]}")
END
}

scores="$(sed -n '1,6s/^/  /p' "$output/eval_results.txt")"
predictions="$(show_predictions)"
cat <<END

Score on the dev set ($output/eval_results.txt):
$scores

Some predictions for the test set ($output/predictions.tsv):
$predictions

Everything this run wrote is in $PWD/$output

Next, your own data: a folder with train.tsv, dev.tsv and test.tsv (or .csv, .jsonl, .json):
  cd $(printf %q "$PWD")
  $(printf %q "${python#"$PWD/"}") run_classifier_custom.py --data_dir=YOUR_FOLDER \\
      --text_column=YOUR_TEXT_COLUMN --label_column=YOUR_LABEL_COLUMN \\
      --init_checkpoint=checkpoints/minilm --do_train --do_eval --do_predict \\
      --output_dir=output/mine
END
