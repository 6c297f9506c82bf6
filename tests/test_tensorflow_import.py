"""What the first import of TensorFlow takes along."""

import subprocess
import sys

from tests.conftest import ROOT


def answer(code):
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.split()


def test_a_run_starts_without_what_it_may_not_need_and_can_import_it_later():
    assert answer(
        "import sys, run_classifier_custom as entry\n"
        "entry.main(['--do_eval', '--data_dir=nowhere', '--output_dir=nowhere'])\n"
        "from finetune import metrics\n"
        "print('tensorflow' in sys.modules)\n"
        "print({'matplotlib', 'sklearn', 'scipy.stats'} & set(sys.modules) or 'none')\n"
        "from matplotlib import pyplot\n"
        "from sklearn.metrics import f1_score\n"
        "print(callable(pyplot.plot), callable(f1_score))\n") == ["True", "none", "True", "True"]


def test_what_is_imported_already_stays():
    assert answer(
        "import matplotlib, sklearn, sys\n"
        "from finetune import tensorflow_import\n"
        "tensorflow_import.load()\n"
        "print(sys.modules['matplotlib'] is matplotlib, sys.modules['sklearn'] is sklearn)\n"
    ) == ["True", "True"]
