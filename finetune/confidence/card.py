"""What a model card says of a calibration."""

from collections.abc import Iterator, Mapping
from typing import Any


def lines(known: Mapping[str, Any]) -> list[str]:
    """Returns what there is to say, as points of a list in Markdown.

    Args:
        known: calibration.json; {} without one.
    """
    try:
        return list(_lines(known))
    except (KeyError, TypeError, ValueError):  # figures altered by hand: then nobody knows
        return []


def _lines(known: Mapping[str, Any]) -> Iterator[str]:
    told, counted = known.get("calibrate"), known.get("min_precision")
    if told:
        yield (f"*   Dividing the logits by the temperature {known['temperature']:.4f} before the "
               f"softmax takes the expected calibration error from {told['before']['ece']:.4f} to "
               f"{told['cross_fitted']['ece']:.4f} (cross-fitted on {known['rows']:,} rows of "
               "dev). The files above do not do it.")
    if known.get("threshold") is not None and counted:
        yield (f"*   {counted['coverage']:.1%} of dev's rows have a confidence (at temperature "
               f"{known['temperature']:.4f}) of {known['threshold']:.4f} or more; "
               f"{counted['precision']:.1%} of those are right.")
