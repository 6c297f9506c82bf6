"""What a checkpoint gives a model, and why fine-tuning cannot start from it."""

import dataclasses
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True)
class RestoreReport:
    """What a checkpoint gives a model.

    Attributes:
        loaded: variables of the model that the checkpoint has in the right shape.
        fresh: variables of the model that it does not have.
        reshaped: variables it has in another shape, as (name, its shape, the model's shape).
        ignored: what it holds besides.
    """

    loaded: list[str]
    fresh: list[str]
    reshaped: list[tuple[str, tuple[int, ...], tuple[int, ...]]]
    ignored: list[str]


def compare(held: Mapping[str, tuple[int, ...]],
            wanted: Mapping[str, tuple[int, ...]]) -> RestoreReport:
    """Compares a checkpoint's shapes with those a model wants."""
    return RestoreReport(
        loaded=[name for name, shape in wanted.items() if held.get(name) == shape],
        fresh=[name for name in wanted if name not in held],
        reshaped=[(name, held[name], shape) for name, shape in wanted.items()
                  if name in held and held[name] != shape],
        ignored=[name for name in held if name not in wanted])


def start_problems(prefix: str, held: Mapping[str, tuple[int, ...]],
                   wanted: Mapping[str, tuple[int, ...]]) -> list[str]:
    """Returns why fine-tuning cannot start from a checkpoint.

    The original accepts any checkpoint, even one of which nothing fits, and then trains random
    weights. Here all of the encoder has to be there; a pooler may be missing.

    Args:
        held: the checkpoint's shapes.
        wanted: the encoder's, without the head.
    """
    report = compare(held, wanted)
    if not report.loaded:
        seen = ", ".join(sorted(held)[:3])
        return [f"--init_checkpoint={prefix}: nothing in it fits this model; it holds {seen}, ... "
                f"and a BERT checkpoint has {next(iter(wanted))}"]
    problems = [f"--init_checkpoint={prefix}: {name} has shape {list(shape)} there, but "
                f"bert_config.json asks for {list(asked)}"
                for name, shape, asked in report.reshaped]
    missing = [name for name in report.fresh if not name.startswith("bert/pooler/")]
    if missing:
        problems.append(f"--init_checkpoint={prefix}: lacks {len(missing)} of {len(wanted)} "
                        f"variables that bert_config.json asks for, first {missing[0]}")
    return problems[:4] + ([f"... and {len(problems) - 4} more of the same"]
                           if len(problems) > 4 else [])
