"""Why the model answered so: what each word of a text adds to a logit (--do_explain)."""

from finetune.explanation.explainer import Explainer, Explanation, explain

__all__ = ["Explainer", "Explanation", "explain"]
