"""`transformers.Trainer` over a schedule of micro-batches, each of one objective."""

from __future__ import annotations

import json
import math
import os
import random
import shutil
import tempfile
import time
import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from peft import PeftModel
from safetensors import SafetensorError
from torch.utils.data import DataLoader, Dataset, SequentialSampler
from transformers import EarlyStoppingCallback, Trainer, TrainerCallback, TrainerControl, TrainingArguments

from midalign_demo.bases import Base, decoder_view
from midalign_demo.errors import InputError
from midalign_demo.middle import tokenize
from train import checkpoints, processes
from train.objectives import (
    Drift,
    Embedded,
    answer_loss,
    centroid_distance,
    contrastive_loss,
    drop_tokens,
    embed_for_training,
)
from train.recipe import AlignmentOptions, Recipe
from train.tokens import token_contrast

_DRAFT = ".writing-"
_DRIFT_LINES = 3  # the drift is measured on every third line: it costs a forward more


@dataclass
class _Mean:
    """The mean of numbers that are not kept: without a second objective, a run's losses are never asked for."""

    total: float = 0.0
    count: int = 0

    def add(self, value: float) -> None:
        self.total, self.count = self.total + value, self.count + 1

    @property
    def value(self) -> float:
        return self.total / self.count


class ObjectiveTrainer(Trainer):
    """Trains whatever objective a micro-batch names. A dataset's item is a whole micro-batch, taken in order.

    Where there are several processes, each computes its part of the micro-batch, see `train.processes`.
    """

    control: TrainerControl

    def __init__(self, base: Base, recipe: Recipe, model: PeftModel, **kwargs):
        super().__init__(model=model, data_collator=lambda items: items[0], **kwargs)
        self._base, self._recipe = base, recipe
        self._eos = base.tokenizer.eos_token_id
        self.model_accepts_loss_kwargs = False  # the loss is a mean over the micro-batch: divide it by `accumulate`
        self._loss_of = {"task": self._task_loss, "align": self._alignment_loss}
        self._weights = {"task": 1.0, "align": getattr(recipe, "align_weight", 1.0)}
        self._seen = self._unseen()
        layer = getattr(recipe, "layer", None)
        self._layer = layer
        self._view = decoder_view(base.model, layer) if layer else None
        # What the model is wrapped in for several processes has to see the forward that it gathers gradients of.
        model.forward = self._loss

    def _unseen(self) -> dict[str, _Mean]:
        return {name: _Mean() for name in self._loss_of}

    def _get_train_sampler(self, train_dataset: Dataset | None = None) -> SequentialSampler:
        return SequentialSampler(train_dataset if train_dataset is not None else self.train_dataset)

    def get_train_dataloader(self) -> DataLoader:
        """All micro-batches for every process: they share them out by rows."""
        return DataLoader(self.train_dataset, sampler=self._get_train_sampler(), collate_fn=self.data_collator)

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        """The loss of one micro-batch, the same in all processes; see `train.data` for its form."""
        return model(inputs)

    def _loss(self, inputs: dict) -> torch.Tensor:
        parts = (
            {part: inputs[part] for part in ("task", "align")}
            if inputs["objective"] == "sum"
            else {inputs["objective"]: inputs}
        )
        losses = {name: self._loss_of[name](part) for name, part in parts.items()}
        for name, value in losses.items():
            self._seen[name].add(float(value.detach()))
        loss = sum(self._weights[name] * value for name, value in losses.items())
        if self.model.training and not math.isfinite(loss.detach().item()):
            raise self._diverged(f"the loss is {loss.detach().item()}")
        return loss

    def _diverged(self, what: str) -> InputError:
        kept = checkpoints.last(Path(self.args.output_dir).parent)
        advice = "start anew with a lower one" + (f", or from the last good weights with --init {kept}" if kept else "")
        return InputError(
            f"learning_rate: {what} at step {self.state.global_step}; "
            f"{self._recipe.learning_rate} is too high: {advice}"
        )

    def _save_checkpoint(self, model, trial) -> None:
        """As ever; of weights that are numbers alone, and with nothing left of one that the disk had no room for."""
        if not all(weight.isfinite().all() for weight in lora_weights(self.model).values()):
            raise self._diverged("there are weights that are no numbers")
        with checkpoints.writing(Path(self.args.output_dir), self.state.global_step):
            super()._save_checkpoint(model, trial)

    def log(self, logs: dict[str, float], *args, **kwargs) -> None:
        """As ever, with the mean loss of each objective since the last time, where there are two."""
        if "loss" in logs and all(mean.count for mean in self._seen.values()):
            logs = {**logs, **{f"{name}_loss": mean.value for name, mean in self._seen.items()}}
            self._seen = self._unseen()
        super().log(logs, *args, **kwargs)

    def _alignment_loss(self, inputs: dict) -> torch.Tensor:
        recipe, layer = self._recipe, self._layer
        assert isinstance(recipe, AlignmentOptions) and layer is not None  # no other has micro-batches to align
        token_ids = tokenize(self._base, [sentence for view in inputs["sentences"] for sentence in view])
        if recipe.token_dropout and self.model.training:
            rng = random.Random(inputs["seed"])
            token_ids = drop_tokens(token_ids, recipe.token_dropout, rng, before=len(self._base.bos))
        views, lines = len(inputs["sentences"]), len(inputs["sentences"][0])
        own = processes.part(lines)
        rows = [view * lines + line for view in range(views) for line in own]
        measured = {row for row in rows if row % lines % _DRIFT_LINES == 0} if recipe.preserve else set()
        # What the first view is drawn to as well, or what the others alone are drawn to: then it needs no gradient, and
        # no forward under the adapter but where its drift is measured.
        fixed = rows[: len(own)] if recipe.anchor == "base" else []
        adapted = [*rows[len(fixed) :], *(row for row in fixed if row in measured)]

        def embed(rows: list[int], measured: Collection[int] = ()) -> Embedded:
            return embed_for_training(
                self._view, layer, [token_ids[row] for row in rows], self._base, include_bos=recipe.include_bos,
                unadapted=self.model.disable_adapter, measured={at for at, row in enumerate(rows) if row in measured},
            )  # fmt: skip

        before = None
        if fixed:
            with torch.no_grad(), self.model.disable_adapter():
                before = embed(fixed)
        embedded = embed(adapted, measured)
        states = [*(before.tokens if before else []), *embedded.tokens]
        means = torch.cat([before.pooled, embedded.pooled]) if before else embedded.pooled
        pooled = [processes.gather(view) for view in means[: len(rows)].split(len(own))]
        loss = contrastive_loss(
            pooled,
            temperature=recipe.temperature,
            direction=recipe.direction,
            pairs=recipe.pairs,
            centre=recipe.centre,
        )
        if recipe.token_contrast:
            bos = 0 if recipe.include_bos else len(self._base.bos)
            lengths = [len(ids) - bos for ids in token_ids]
            tokens = [
                processes.gather(torch.cat(states[view * len(own) : (view + 1) * len(own)])).split(
                    lengths[view * lines : (view + 1) * lines]
                )
                for view in range(views)
            ]
            loss = loss + recipe.token_contrast * token_contrast(
                tokens, temperature=recipe.temperature, pairs=recipe.pairs
            )
        if recipe.centroids:
            loss = loss + recipe.centroids * centroid_distance(pooled)
        if recipe.preserve:
            drift = Drift(processes.total(embedded.drift.moved), processes.total(embedded.drift.sums))
            loss = loss + recipe.preserve * drift.relative()
        return loss

    def _task_loss(self, inputs: dict) -> torch.Tensor:
        prompts = [self._base.encode_prompt(prompt) for prompt in inputs["prompts"]]
        answers = [[*self._base.encode(answer), self._eos] for answer in inputs["answers"]]
        own = processes.part(len(prompts))
        summed = answer_loss(self._base, prompts[own.start : own.stop], answers[own.start : own.stop])
        return processes.total(summed) / sum(map(len, answers))

    def evaluate(self, eval_dataset=None, ignore_keys=None, metric_key_prefix="eval") -> dict[str, float]:
        """Mean loss over the dev micro-batches; of a joint adapter, the sum of both objectives' mean losses."""
        dataset = eval_dataset if eval_dataset is not None else self.eval_dataset
        self.model.eval()
        training, self._seen = self._seen, self._unseen()
        with torch.no_grad():
            for index in range(len(dataset)):
                self.compute_loss(self.model, dataset[index])
        means = {name: mean.value for name, mean in self._seen.items() if mean.count}
        self._seen = training
        metrics = {f"{metric_key_prefix}_loss": sum(self._weights[name] * mean for name, mean in means.items())}
        if len(means) > 1:
            metrics |= {f"{metric_key_prefix}_{name}_loss": mean for name, mean in means.items()}
        if not all(map(math.isfinite, metrics.values())):
            raise self._diverged(f"the dev loss is {metrics[f'{metric_key_prefix}_loss']}")
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics


class _MarkComplete(TrainerCallback):
    """Marks a checkpoint once all of it is on disk, with the seconds of training so far, over all interruptions."""

    def __init__(self, seconds_before: float):
        self._seconds_before, self._start = seconds_before, time.perf_counter()

    @property
    def seconds(self) -> float:
        return self._seconds_before + time.perf_counter() - self._start

    def on_save(self, args, state, control, **kwargs):
        processes.wait_for_all()  # each writes a part
        if state.is_world_process_zero:
            with checkpoints.writing(Path(args.output_dir), state.global_step) as folder:
                checkpoints.mark(folder, self.seconds)


def run(
    base: Base, recipe: Recipe, model: PeftModel, train: Dataset, dev: Dataset | None, output: Path, *, resume: bool
) -> dict:
    """Train, keep checkpoints in `output/checkpoints`, and leave the best weights on the model.

    Returns:
        `{"steps", "best_step", "dev_loss", "train_loss", "seconds", "history"}`. Without dev data best_step is the
        last step. The seconds are those of training, interrupted runs included.
    """
    checkpoint = checkpoints.last(output) if resume else None
    arguments = TrainingArguments(
        output_dir=str(output / checkpoints.FOLDER),
        per_device_train_batch_size=1,
        gradient_accumulation_steps=recipe.accumulate,
        max_steps=recipe.steps,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type=recipe.scheduler,
        warmup_steps=max(1, round(recipe.warmup * recipe.steps)),
        weight_decay=0.0,
        seed=recipe.seed,
        eval_strategy="steps" if dev is not None else "no",
        eval_steps=recipe.dev_every,
        save_strategy="steps",
        save_steps=recipe.dev_every,
        save_total_limit=2,
        load_best_model_at_end=dev is not None,
        metric_for_best_model="eval_loss" if dev is not None else None,
        greater_is_better=False if dev is not None else None,
        logging_steps=min(10, recipe.dev_every),
        remove_unused_columns=False,
        report_to="none",
        dataloader_pin_memory=False,
        use_cpu=base.device.type == "cpu",
        ddp_backend="gloo" if base.device.type == "cpu" and processes.count() > 1 else None,
        # An alignment micro-batch gives the blocks above its layer no gradient.
        ddp_find_unused_parameters=True,
    )
    marker = _MarkComplete(checkpoints.seconds(checkpoint) if checkpoint else 0.0)
    callbacks: list[TrainerCallback] = [marker]
    if dev is not None:
        stopping = EarlyStoppingCallback(early_stopping_patience=recipe.patience)
        stopping.early_stopping_patience_counter = _evaluations_since_best(checkpoint) if checkpoint else 0
        callbacks.append(stopping)
    # PEFT asks the hub for the base's vocabulary at each checkpoint; LoRA leaves the vocabulary alone.
    warnings.filterwarnings("ignore", message="Unable to fetch remote file|Could not find a config file")
    arguments._n_gpu = 1  # DataParallel would split a micro-batch, which is one item of the dataset
    trainer = ObjectiveTrainer(
        base, recipe, model, args=arguments, train_dataset=train, eval_dataset=dev, callbacks=callbacks
    )
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    history = [entry for entry in trainer.state.log_history if "loss" in entry or "eval_loss" in entry]
    losses = [entry["loss"] for entry in history if "loss" in entry]
    return {
        "steps": trainer.state.global_step,
        "best_step": trainer.state.best_global_step or trainer.state.global_step,
        "dev_loss": trainer.state.best_metric,
        "train_loss": losses[-1] if losses else None,
        "seconds": round(marker.seconds, 1),
        "history": history,
    }


def _evaluations_since_best(checkpoint: Path) -> int:
    """How many dev evaluations in a row had brought no improvement when the checkpoint was written."""
    state = json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
    return sum("eval_loss" in entry and entry["step"] > state["best_global_step"] for entry in state["log_history"])


def lora_weights(model: PeftModel) -> dict[str, torch.Tensor]:
    """A copy of the adapter's weights by name; where processes hold parts of them, all processes must ask."""
    return {
        name: processes.whole(weight.detach()).clone() for name, weight in model.named_parameters() if "lora_" in name
    }


def average(
    weights: Mapping[str, torch.Tensor], before: Mapping[str, torch.Tensor], share: float
) -> dict[str, torch.Tensor]:
    """An adapter's weights moved back towards earlier ones: `share` of those, and the rest of what they are now.

    The mean of two fine-tuned models that began in one place keeps much of what each does better (WiSE-FT, Wortsman et
    al. 2022, arXiv 2109.01903): here spans that task training has learnt, and meanings that alignment has.
    """
    return {name: weight.lerp(before[name].to(weight.device), share) for name, weight in weights.items()}


def save_adapter(
    model: PeftModel, weights: Mapping[str, torch.Tensor], output: Path, *, card: str, details: dict
) -> None:
    """Write `lora_weights` of the model as a plain PEFT folder in bfloat16, with its card and `training.json`.

    Everything is written beside its place first and then renamed, file by file.

    Raises:
        InputError: the disk has no room; the run's checkpoints are still there.
    """
    output.mkdir(parents=True, exist_ok=True)
    for left in output.glob(f"{_DRAFT}*"):  # by a run that was killed here
        shutil.rmtree(left, ignore_errors=True)
    try:
        _write_adapter(model, weights, output, card=card, details=details)
    except (OSError, SafetensorError) as error:
        raise InputError(
            f"output: the adapter can't be written to {output} ({checkpoints.reason(error, output)}); its checkpoints "
            "are whole: make room and run the same command with --resume"
        ) from error


def _write_adapter(
    model: PeftModel, weights: Mapping[str, torch.Tensor], output: Path, *, card: str, details: dict
) -> None:
    with tempfile.TemporaryDirectory(dir=output, prefix=_DRAFT) as work:
        config = model.peft_config["default"]
        config.inference_mode = True
        if not isinstance(config.target_modules, str):
            # A set of names has another order in each process; one recipe should leave the same bytes.
            config.target_modules = sorted(config.target_modules)
        model.save_pretrained(work, state_dict={name: weight.to(torch.bfloat16) for name, weight in weights.items()})
        Path(work, "README.md").write_text(card, encoding="utf-8")
        Path(work, "training.json").write_text(
            json.dumps(details, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        # The weights last: where they are, all is there.
        for file in sorted(Path(work).iterdir(), key=lambda file: file.suffix == ".safetensors"):
            file.chmod(0o644)  # safetensors writes files that only their owner can read
            os.replace(file, output / file.name)
