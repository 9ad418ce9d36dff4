"""The model card (README.md) that goes with a trained adapter."""

from __future__ import annotations

import yaml

from midalign_demo import card_head, embedded, provenance

_TITLES = {"align": "Alignment adapter", "task": "Task adapter", "joint": "Joint adapter: task and alignment"}


def card(kind: str, details: dict) -> str:
    """Markdown with the hub's metadata: base, data, recipe, losses.

    Args:
        kind: `align`, `task` or `joint`.
        details: what `training.json` holds.
    """
    recipe, data = details["recipe"], details["data"]
    languages = data["languages"] if kind != "joint" else data["task"]["languages"]
    is_embedded = recipe["base"] == embedded.NAME
    base = embedded.HUB_ID if is_embedded else recipe["base"]
    training = provenance.training_in(details)
    head = card_head.head(
        base,
        library="peft",
        tags=["lora", "midalign", "representation-alignment", kind if kind == "align" else recipe["task"]],
        languages=[*languages, *data.get("align", {}).get("languages", ())],
        datasets=provenance.hub_datasets(training),
    )
    lines = [head, f"# {_TITLES[kind]}", ""]
    lines += [f"LoRA weights for `{base}`, made with `midalign-train {kind}`.", ""]
    if is_embedded:
        lines += [f"{embedded.LICENCE_NOTE}.", ""]
    lines += ["## Training data", "", *(f"- {note}" for note in training.notes)]
    sources = [source for key in ("data", "parallel") for source in recipe.get(key, ())]
    lines += [*(f"- `{source}`" for source in sources), ""]
    lines += [f"Languages{' of the task' if kind == 'joint' else ''}: {', '.join(languages)}.", ""]
    if kind == "joint":
        lines += [f"Languages aligned: {', '.join(data['align']['languages'])}.", ""]
    lines += ["## Recipe", "", "```yaml"]
    shown = {key: value for key, value in recipe.items() if key not in ("data_root", "data", "parallel", "data_notes")}
    lines += [yaml.safe_dump(shown, sort_keys=False, allow_unicode=True, default_flow_style=None).strip(), "```", ""]
    lines += [
        f"{details['steps']} steps in {details['seconds'] / 60:.0f} minutes; "
        f"the weights are those of step {details['best_step']}."
    ]
    if recipe.get("average"):
        lines[-1] = f"{lines[-1][:-1]}, averaged with those that it started from, which count {recipe['average']:.0%}."
    if details["dev_loss"] is not None:
        when = ", before averaging" if recipe.get("average") else ""
        lines += [f"Loss on dev data (`{' '.join(recipe['dev'])}`){when}: {details['dev_loss']:.4f}."]
    return "\n".join(lines) + "\n"
