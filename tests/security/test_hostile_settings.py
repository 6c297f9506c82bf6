"""Files of --config and --sweep made to do harm: refused in a moment, and nothing was executed."""

import contextlib
import dataclasses
import time

import pytest
import yaml

from finetune import settings
from finetune.config import RunConfig
from finetune.errors import UserError
from finetune.sweep import spec

TOUCH = "open('canary', 'w')"
TAGS = {
    "apply": "!!python/object/apply:os.system ['touch canary']",
    "apply_eval": f'!!python/object/apply:builtins.eval ["{TOUCH}"]',
    "apply_exec": f'!!python/object/apply:exec ["{TOUCH}"]',
    "apply_popen": "!!python/object/apply:subprocess.Popen [[touch, canary]]",
    "apply_mapping": "!!python/object/apply:os.system {args: ['touch canary']}",
    "new": "!!python/object/new:os.system ['touch canary']",
    "new_type": f'!!python/object/new:type {{args: [z, !!python/tuple [], '
                f'{{extend: !!python/name:exec }}], listitems: "{TOUCH}"}}',
    # Those above make the canary where yaml.unsafe_load reads them.
    "object": "!!python/object:subprocess.Popen {args: [touch, canary]}",
    "name": "!!python/name:os.system",
    "module": "!!python/module:os",
    "tuple": "!!python/tuple [1, 2]",
    "whole_tag": "!<tag:yaml.org,2002:python/object/apply:os.system> ['touch canary']",
    "unknown": "!evil x"}
PLACES = {"value": "learning_rate: {}\n", "in_a_list": "labels: [a, {} ]\n", "key": "? {}\n: 1\n",
          "document": "{}\n", "after_an_anchor": "a: &x {}\nb: *x\n",
          "with_a_directive": "%TAG !! tag:yaml.org,2002:\n---\nlearning_rate: {}\n"}


def read_config(path):
    return settings.read_settings(str(path))


def read_sweep(path):
    config = dataclasses.replace(RunConfig(output_dir="out"), sweep=str(path))
    return spec.read(config, lambda flag: config)


READERS = {"config": read_config, "sweep": read_sweep}


@pytest.fixture
def canary(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path / "canary"


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("attack", TAGS)
def test_attack_by_yaml(attack, place, reader, canary):
    path = canary.parent / "settings.yaml"
    path.write_text(PLACES[place].replace("{}", TAGS[attack]))
    with pytest.raises(UserError, match=f"--{reader}=.*cannot be read: .*could not determine a "
                                        "constructor for the tag"):
        READERS[reader](path)
    assert not canary.exists()


@pytest.mark.parametrize("attack", list(TAGS)[:list(TAGS).index("object")])
def test_the_attack_works_on_those_who_let_it(attack, canary):
    with contextlib.suppress(Exception):
        yaml.unsafe_load(PLACES["value"].replace("{}", TAGS[attack]))
    for _ in range(100):  # some start a process
        if canary.exists():
            break
        time.sleep(0.05)
    assert canary.exists()


@pytest.mark.parametrize("reader", READERS)
def test_attack_by_yaml_through_the_command(reader, canary, main):
    (canary.parent / "evil.yaml").write_text(PLACES["value"].replace("{}", TAGS["apply"]))
    status, said = main(f"--{reader}=evil.yaml", "--output_dir=out", "--data_dir=data",
                        "--do_train", "--do_eval", "--init_checkpoint=x")
    assert status == 2
    assert f"error: --{reader}=evil.yaml: cannot be read: could not determine" in said
    assert not canary.exists()
    assert not (canary.parent / "out").exists()


def ladder(last, first="[x, x, x, x, x, x, x, x, x, x]"):
    """Nine lines, each of which repeats the one above ten times: a thousand million values."""
    lines = [f"a0: &a0 {first}"]
    lines += [f"a{step}: &a{step} [{', '.join([f'*a{step - 1}'] * 10)}]" for step in range(1, 9)]
    return "\n".join(lines) + "\n" + last


MERGED = "a0: &a0 {x: 1}\n" + "".join(
    f"a{step}: &a{step} {{<<: [{', '.join([f'*a{step - 1}'] * 10)}], k{step}: 1}}\n"
    for step in range(1, 9))
BOMBS = {
    "list": ladder(""), "seeds": ladder("seeds: *a8\n"), "choose_by": ladder("choose_by: *a8\n"),
    "keep": ladder("keep: *a8\n"), "grid": ladder("grid: {learning_rate: {x: *a8}}\n"),
    "entries": ladder("list: [*a8]\n"), "merged": MERGED,
    "long_text": f"a: &a {'x' * 10_000}\nlabels: [{', '.join(['*a'] * 200)}]\n",
    "deep": "[" * 100_000, "deep_json": "[" * 100_000 + "]" * 100_000,
    "deep_mappings": "{a: " * 5_000}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("attack", BOMBS)
def test_bomb_of_yaml(attack, reader, tmp_path):
    path = tmp_path / "settings.yaml"
    path.write_text(BOMBS[attack])
    began = time.monotonic()
    with pytest.raises(UserError) as caught:
        READERS[reader](path)
    assert time.monotonic() - began < 20  # some would take hours, and all memory
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("reader", READERS)
def test_a_list_that_holds_itself(reader, tmp_path):
    (tmp_path / "x.yaml").write_text("seeds: &a [*a]\ngrid: &b {learning_rate: *b}\n")
    with pytest.raises(UserError):
        READERS[reader](tmp_path / "x.yaml")


def test_anchors_in_moderation_are_read(tmp_path):
    (tmp_path / "x.yaml").write_text("labels: &all [bug, feature]\ntrain_file: a.tsv\n")
    assert read_config(tmp_path / "x.yaml") == {"labels": "bug,feature", "train_file": "a.tsv"}
    (tmp_path / "y.yaml").write_text("list:\n- &one {learning_rate: 5e-5}\n- {<<: *one, seed: 1}\n")
    assert settings.load(str(tmp_path / "y.yaml"), "sweep") == {
        "list": [{"learning_rate": "5e-5"}, {"learning_rate": "5e-5", "seed": 1}]}
