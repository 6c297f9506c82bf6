"""What the first import of TensorFlow takes along."""

import subprocess
import sys

from tests.conftest import ROOT


def answer(code):
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.split()


def test_a_run_starts_without_matplotlib_and_can_plot_later():
    assert answer(
        "import sys, run_classifier_custom as entry\n"
        "entry.main(['--do_eval', '--data_dir=nowhere', '--output_dir=nowhere'])\n"
        "print('tensorflow' in sys.modules, 'matplotlib' in sys.modules)\n"
        "from matplotlib import pyplot\n"
        "print(callable(pyplot.plot))\n") == ["True", "False", "True"]


def test_what_is_imported_already_stays():
    assert answer(
        "import matplotlib, sys\n"
        "from finetune import tensorflow_import\n"
        "tensorflow_import.load()\n"
        "print(sys.modules['matplotlib'] is matplotlib)\n") == ["True"]
