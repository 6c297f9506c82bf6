"""What a sweep leaves to read: a table a setting, the chosen run and its command, a plot.

    write_table("output/sweep/sweep_results.md", outcomes, "mcc", best, command)
    write_plot("output/sweep/sweep_results.png", outcomes, "mcc", best)
"""

import math
import os
from collections.abc import Sequence

from finetune import outputs
from finetune.sweep.results import COLLAPSED, FAILED, WAITING, Outcome, by_setting


def table(outcomes: Sequence[Outcome], metric: str, chosen: Outcome | None) -> str:
    """Returns a Markdown table: mean, deviation, best and n of every setting over its seeds."""
    lines = [f"| setting | mean {metric} | standard deviation | best | runs | collapsed | |",
             "|---|---|---|---|---|---|---|"]
    for setting in by_setting(outcomes, metric):
        collapsed = sum(one.status == COLLAPSED for one in setting.outcomes)
        runs = str(len(setting.values))
        if len(setting.values) < setting.asked:
            runs += f" of {setting.asked}"
        lines.append(f"| {setting.name} | {number(setting.mean)} | {number(setting.deviation)} | "
                     f"{number(setting.best(metric))} | {runs} | {collapsed or ''} | "
                     f"{'chosen' if chosen in setting.outcomes else ''} |")
    return "\n".join(lines)


def number(value: float) -> str:
    """Returns a score with four decimals; nothing for NaN."""
    return "" if math.isnan(value) else f"{value:.4f}"


def verdict(outcomes: Sequence[Outcome], metric: str, chosen: Outcome | None) -> list[str]:
    """Returns what has to be told: which run is chosen, which collapsed, which failed."""
    lines = []
    if chosen:
        lines.append(f"chosen: {os.path.basename(chosen.folder)} with dev {metric} "
                     f"{number(chosen.score(metric))}")
    if chosen and chosen.status == COLLAPSED:
        lines.append("warning: all runs collapsed, the chosen one too: each gives one answer for "
                     "all of dev. Try lower learning rates, more epochs or other seeds")
    lines += [f"collapsed (one answer for all of dev): {os.path.basename(one.folder)}"
              for one in outcomes if one.status == COLLAPSED]
    lines += [f"failed: {os.path.basename(one.folder)}: {one.error}"
              for one in outcomes if one.status == FAILED]
    waiting = sum(one.status == WAITING for one in outcomes)
    if waiting:
        lines.append(f"not run yet: {waiting}; the same command goes on")
    return lines


def write_table(path: str, outcomes: Sequence[Outcome], metric: str, chosen: Outcome | None,
                command: str) -> None:
    """Writes the table, what has to be told, and the chosen run's command as Markdown.

    Args:
        command: of the chosen run.
    """
    lines = ["# Results of the sweep", "", f"Dev {metric}, one line for each setting.", "",
             table(outcomes, metric, chosen), "",
             *(f"*   {line}" for line in verdict(outcomes, metric, chosen))]
    if chosen:
        lines += ["", "The chosen run alone:", "", f"    {command}"]
    outputs.write_text(path, "\n".join(lines) + "\n")


def write_plot(path: str, outcomes: Sequence[Outcome], metric: str,
               chosen: Outcome | None) -> None:
    """Draws the score of every run, a row for each setting, as a PNG file."""
    from matplotlib.figure import Figure  # of no use before a sweep ends; needs no display

    settings = by_setting(outcomes, metric)
    figure = Figure(figsize=(9, 1.4 + 0.3 * max(len(settings), 3)), layout="constrained")
    axes = figure.subplots()
    for row, setting in enumerate(settings):
        for outcome, value in zip(setting.outcomes, setting.values, strict=True):
            collapsed = outcome.status == COLLAPSED
            axes.plot(value, row, "x" if collapsed else "o", color="tab:red" if collapsed else
                      "tab:blue", alpha=0.8, label="collapsed" if collapsed else "run")
            if outcome is chosen:
                axes.plot(value, row, "o", markersize=13, markerfacecolor="none",
                          markeredgecolor="black", label="chosen")
        if len(setting.values) > 1:
            axes.plot(setting.mean, row, "|", color="black", markersize=14, label="mean")
    axes.set_yticks(range(len(settings)), [setting.name for setting in settings])
    axes.set_ylim(len(settings) - 0.5, -0.5)
    axes.set_xlabel(f"dev {metric}")
    axes.grid(axis="x", alpha=0.3)
    handles = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    if handles:
        figure.legend(handles.values(), handles.keys(), loc="outside upper right",
                      ncols=len(handles))
    figure.savefig(f"{path}.writing", format="png", dpi=120)
    os.replace(f"{path}.writing", path)
