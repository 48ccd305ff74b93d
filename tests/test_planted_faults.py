"""Mistakes that other projects shipped, put in by hand: each must make a test fail.

Each fault changes one line of a copy of the source, on which the tests that guard it are run.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import steadyhand

SOURCE = Path(steadyhand.__file__).parent
TESTS = Path(__file__).parent


@dataclass(frozen=True)
class Fault:
    name: str
    file: str
    right: str
    wrong: str
    guard: str


FAULTS = [
    Fault(
        "one task's range for all of them",
        "policy/policy.py",
        "square().sum(-1).argmin(-1)",
        "square().sum(-1).argmin(-1) * 0",
        "training/test_told_tasks.py -k range_of_its_own",
    ),
    Fault(
        "success that is lost again where it is enough to have had it",
        "tasks/gymnasium_world.py",
        "self._succeeded |= self._succeeds_now",
        "self._succeeded = self._succeeds_now",
        "tasks/test_gymnasium.py -k found_by_itself",
    ),
    Fault(
        "actions beyond what an environment takes",
        "tasks/gymnasium_spaces.py",
        "np.clip(action.reshape(self.low.shape), self.low, self.high)",
        "action.reshape(self.low.shape)",
        "tasks/test_gymnasium.py -k clipped",
    ),
    Fault(
        "joints in another order than they were recorded",
        "tasks/adroit.py",
        "told = world.data.qpos[: model.nu] / pull",
        "told = world.data.qpos[1 : model.nu + 1] / pull",
        "tasks/test_adroit.py -k keeps_it",
    ),
    Fault(
        "lambdas that hold other numbers taken for the same",
        "evaluation/travel.py",
        "obj.__kwdefaults__, held),)",
        "obj.__kwdefaults__),)",
        "evaluation/test_worlds.py -k lambdas",
    ),
    Fault(
        "an ID that imports a module",
        "tasks/gymnasium_registry.py",
        "return _ID.fullmatch(name) is not None",
        "return _ID.search(name) is not None",
        "tasks/test_gymnasium.py -k imports_nothing",
    ),
    Fault(
        "a task told in another's words",
        "data/tasks.py",
        "return places[found]",
        "return places[found - 1]",
        "training/test_told_tasks.py -k windows",
    ),
    Fault(
        "tasks with more data trained on more often",
        "training/trainer.py",
        "turns, owners = places // len(kinds), places % len(kinds)",
        "turns, owners = places // len(kinds), places % len(kinds) * (places % 3 > 0)",
        "training/test_told_tasks.py -k equally",
    ),
    Fault(
        "episodes of one task only",
        "tasks/many.py",
        "turn, place = divmod(seed - base, len(self.parts))",
        "turn, place = seed - base, 0",
        "tasks/test_many.py",
    ),
    Fault(
        "noise that is recorded as if the expert had done it",
        "tasks/record.py",
        "action = expert.act(observation)\n",
        "action = shaken(expert.act(observation))\n",
        "tasks/test_many.py -k noise",
    ),
    Fault(
        "an interval drawn upside down",
        "reports/series.py",
        "yerr=[np.maximum(mean - low, 0), np.maximum(high - mean, 0)]",
        "yerr=[np.maximum(high - mean, 0), np.maximum(mean - low, 0)]",
        "reports/test_series.py -k where_they_are",
    ),
    Fault(
        "the sign of v",
        "diffusion/process.py",
        '"v": (-sigma, alpha)',
        '"v": (sigma, -alpha)',
        "diffusion/test_process.py",
    ),
    Fault(
        "the sign of velocity",
        "diffusion/process.py",
        '"velocity": (-one, one)',
        '"velocity": (one, -one)',
        "diffusion/test_process.py",
    ),
    Fault(
        "windows off by one",
        "chunking.py",
        "return np.arange(self.horizon) - self.past_rows",
        "return np.arange(self.horizon) - self.past_rows + 1",
        "runtime/test_runtime.py",
    ),
    Fault(
        "observations off by one",
        "chunking.py",
        "return np.arange(1 - self.obs_steps, 1)",
        "return np.arange(-self.obs_steps, 0)",
        "runtime/test_runtime.py",
    ),
    Fault(
        "the counter of the average reset on resume",
        "training/trainer.py",
        "config.ema_decay_at(number)",
        "config.ema_decay_at(number - self.done)",
        "training/test_train.py -k resume",
    ),
    Fault(
        "an average that leaves buffers behind",
        "training/ema.py",
        "both = ([*m.parameters(), *m.buffers()] for m in (self.module, module))",
        "both = ([*m.parameters()] for m in (self.module, module))",
        "training/test_train.py -k buffers",
    ),
    Fault(
        "a normaliser without its inverse",
        "policy/normaliser.py",
        "return wide / scale + shift if self.far(name) else (wide - shift) / scale",
        "return wide",
        "policy/test_policy.py",
    ),
    Fault(
        "noise shared between episodes",
        "runtime/predictor.py",
        'np.array([a_seed("seed", seed), whole',
        "np.array([0, whole",
        "policy/test_policy.py -k noise",
    ),
    Fault(
        "padding that counts",
        "policy/windows.py",
        "~self.places.padded(steps)",
        "np.ones_like(self.places.padded(steps))",
        "training/test_train.py -k padded",
    ),
    Fault(
        "inference at the batch size of the moment",
        "runtime/engine.py",
        "padded = [*rows, *[rows[-1]] * (size - len(rows))]",
        "padded = [*rows]",
        "policy/test_policy.py -k alone",
    ),
    Fault(
        "a constant dimension blown up",
        "data/statistics.py",
        "ROUNDINGS = 8",
        "ROUNDINGS = 0",
        "policy/test_policy.py -k constant",
    ),
    Fault(
        "a batch order that depends on when training was resumed",
        "training/trainer.py",
        "batch_windows(self.kinds, config.batch_size, config.seed, n, self._orders)\n",
        "batch_windows(self.kinds, config.batch_size, config.seed, n - self.done, self._orders)\n",
        "training/test_train.py -k resumed",
    ),
    Fault(
        "a recording whose actions are those of the step before",
        "tasks/record.py",
        '{**seen, "action": np.array(action)}.items()',
        '{**seen, "action": observation["state"]}.items()',
        "tasks/test_fork.py",
    ),
    Fault(
        "a robot driven by what is not a number",
        "runtime/history.py",
        "not np.all(np.abs(seen) <= LARGEST)",
        "np.all(np.isinf(seen))",
        "test_python_mistakes.py -k robot",
    ),
    Fault(
        "a corner that may be cut between two ticks",
        "tasks/fork.py",
        "for share in (0.25, 0.5, 0.75, 1.0):",
        "for share in (1.0,):",
        "tasks/test_fork.py -k corner",
    ),
    Fault(
        "an expert that does not see the obstacle move",
        "tasks/fork_expert.py",
        "if offset != self._offset:",
        "if offset == float('nan'):",
        "tasks/test_fork.py -k whatever",
    ),
    Fault(
        "a perturbed past that reaches to now",
        "evaluation/perturbed.py",
        "return np.concatenate([past.astype(seen.dtype), seen[-1:]])",
        "return np.concatenate([past.astype(seen.dtype), past[-1:].astype(seen.dtype)])",
        "evaluation/test_perturbed.py -k only",
    ),
    Fault(
        "a repeat that draws the noise of the first time",
        "evaluation/lanes.py",
        "seed=noise_seed(play.seed, play.repeat)",
        "seed=play.seed",
        "evaluation/test_evaluation.py -k again",
    ),
    Fault(
        "a smaller batch taken where only the rows that were asked for agree",
        "runtime/engine.py",
        "np.array_equal(few, answers[:size])",
        "np.array_equal(few[: len(requests)], answers[: len(requests)])",
        "runtime/test_engine.py -k smaller_batch",
    ),
    Fault(
        "worlds of a simulator that change each other's model",
        "tasks/metaworld.py",
        "model = copy(read[0])",
        "model = read[0]",
        "tasks/test_metaworld.py -k share_no",
    ),
    Fault(
        "the next episode blamed for a process that died",
        "evaluation/hosts.py",
        "self._asked.popleft()  # they are answered in their order",
        "self._asked.pop()",
        "evaluation/test_worlds.py -k costs and early",
    ),
    Fault(
        "episodes of a process that died not played again",
        "evaluation/playing.py",
        "self._waiting.appendleft(play)",
        "pass",
        "evaluation/test_worlds.py -k costs and kill",
    ),
    Fault(
        "an initial state that one policy lost still counted for another",
        "evaluation/compare.py",
        "if episode.seed not in lost",
        "if episode.seed not in {one.seed for one in found.lost}",
        "evaluation/test_worlds.py -k told_and_do",
    ),
    Fault(
        "a task that was changed played elsewhere as it is named",
        "evaluation/travel.py",
        "return task.name if alike else None",
        "return task.name",
        "evaluation/test_worlds.py -k changed",
    ),
    Fault(
        "an arc along frequencies that are not scaled to 1",
        "evaluation/smoothness.py",
        "along = 1 / max(len(height) - 1, 1)",
        "along = float(frequency[1])",
        "evaluation/test_smoothness.py",
    ),
    Fault(
        "an evaluation that empties the file of another",
        "evaluation/episodes_file.py",
        'return self.partial.open("x", buffering=1)',
        'return self.partial.open("w", buffering=1)',
        "evaluation/test_episodes_file.py",
    ),
    Fault(
        "a crop after training that is not in the centre",
        "nets/encoder.py",
        "top, left = spare[0] // 2, spare[1] // 2",
        "top, left = 0, 0",
        "nets/test_vision.py -k crops",
    ),
    Fault(
        "pictures resized in another way on the robot than in training",
        "policy/policy.py",
        'mode="bilinear", antialias=True',
        'mode="bilinear", antialias=False',
        "nets/test_vision.py -k resizes",
    ),
    Fault(
        "the colours of a picture with four channels weighed by the last one",
        "data/resize.py",
        '4: "CMYK"',
        '4: "RGBA"',
        "data/test_frames.py -k four_channels",
    ),
    Fault(
        "pictures of a frame store that were resized in another way than now",
        "data/frame_store.py",
        "made_from = [VERSION,",
        "made_from = [1,",
        "data/test_frame_stores_kept.py -k version",
    ),
    Fault(
        "the action of a step shown to the policy that is to predict it",
        "data/episodes.py",
        "before = np.arange(self.steps) - 1",
        "before = np.arange(self.steps)",
        "runtime/test_last_action.py",
    ),
    Fault(
        "frames one step early",
        "data/footage.py",
        "here = (seconds * self.rate_hz, frame)",
        "here = (seconds * self.rate_hz - 1, frame)",
        "data/test_formats.py -k three",
    ),
    Fault(
        "a store that is not built anew",
        "data/frame_store.py",
        "made_from = [VERSION, self.source.shape, self.source.fingerprint()]",
        "made_from = [VERSION, self.source.shape]",
        "data/test_frames.py -k anew",
    ),
    Fault(
        "demonstrations sorted by name",
        "data/formats/robomimic.py",
        "return group, sorted(names, key=_index)",
        "return group, sorted(names)",
        "data/test_formats.py -k order",
    ),
    Fault(
        "judged on episodes it was trained on",
        "evaluation/held_out.py",
        "fresh = [place for place, mark in enumerate(marks) if not mark]",
        "fresh = [place for place, mark in enumerate(marks)]",
        "evaluation/test_offline.py",
    ),
    Fault(
        "actions that see those that come after them",
        "nets/transformer.py",
        "causal = rows[:, None] >= rows[None, :]",
        "causal = rows[:, None] <= rows[None, :]",
        "nets/test_transformers.py",
    ),
    Fault(
        "tokens that are masked and looked at",
        "nets/dit.py",
        "mask = torch.cat([always, mask], dim=1)[:, None, None]",
        "mask = torch.cat([always, always.expand_as(mask)], dim=1)[:, None, None]",
        "nets/test_transformers.py",
    ),
    Fault(
        "a mixture that chooses anew for each action",
        "methods/mixture.py",
        "surprise.sum(-1), dim=-1)",
        "surprise.mean(-1), dim=-1)",
        "diffusion/test_methods.py",
    ),
    Fault(
        "jumps asked for lengths that nobody learned",
        "methods/shortcut.py",
        "to_middle = torch.where(flows, jump.start, middle)",
        "to_middle = middle",
        "diffusion/test_methods.py",
    ),
    Fault(
        "a student that agrees with where it was, not where the teacher leads",
        "methods/consistency.py",
        "clean, noise = _ends(teacher, x, now, condition, mask)",
        "clean, noise = x0, eps",
        "diffusion/test_methods.py",
    ),
    Fault(
        "noise put back between the two looks of mip",
        "diffusion/solvers.py",
        "return _table(len(times), b=alpha1)",
        "return _table(len(times), b=alpha1, e=_sigma1)",
        "diffusion/test_methods.py",
    ),
    Fault(
        "a result of other data taken for this one's",
        "studies/plan.py",
        "_canonical(TrainConfig, config), self.fingerprint, teacher]",
        "_canonical(TrainConfig, config), teacher]",
        "studies/test_runs.py -k data_alone",
    ),
    Fault(
        "a frame store trusted without its file",
        "data/frame_store.py",
        'return self._says("store.json") and self._there("frames.u8")',
        'return self._says("store.json")',
        "data/test_frame_stores_kept.py -k without",
    ),
    Fault(
        "one frame store for all that a path ever held",
        "data/frame_store.py",
        'f"{self._place}-{self._fingerprint[:16]}"',
        "self._place",
        "data/test_frame_stores_kept.py -k turn",
    ),
    Fault(
        "a time that was set back believed",
        "data/files.py",
        "found.st_mtime_ns, found.st_ctime_ns]",
        "found.st_mtime_ns, 0]",
        "data/test_frame_stores_kept.py -k same",
    ),
    Fault(
        "a policy worse than holding still called better",
        "reports/verdict.py",
        'way = "better" if found.mean < 0 else "worse"',
        'way = "better"',
        "reports/test_verdict.py -k still",
    ),
    Fault(
        "a policy worse than holding still sent to the robot",
        "reports/verdict.py",
        "if hold.mean >= 0:",
        "if told(hold) and hold.mean >= 0:",
        "reports/test_verdict.py -k still",
    ),
    Fault(
        "a difference told the wrong way round",
        "evaluation/offline.py",
        'metrics.paired_difference(scores["policy"], values',
        'metrics.paired_difference(values, scores["policy"]',
        "evaluation/test_offline.py -k arithmetic",
    ),
    Fault(
        "an action that is a view of the chunk",
        "runtime/plan.py",
        "return action.copy()",
        "return action",
        "runtime/test_copies_and_errors.py -k changed",
    ),
    Fault(
        "a late answer begun at its first row",
        "runtime/plan.py",
        "row = self.chunking.executed_rows.start + self._waited",
        "row = self.chunking.executed_rows.start",
        "runtime/test_plan.py -k comes_late",
    ),
    Fault(
        "an answer that takes over rows that were committed",
        "runtime/plan.py",
        "self._committed > self._waited",
        "self._committed < self._waited",
        "runtime/test_plan.py -k committed",
    ),
    Fault(
        "what was seen kept in the camera's own array",
        "runtime/history.py",
        "now = {key: np.array(observation[key]) for key in self._keys}",
        "now = {key: observation[key] for key in self._keys}",
        "runtime/test_plan.py -k same_array",
    ),
    Fault(
        "a row late after an error that was caught",
        "runtime/controllers/receding.py",
        "if self._begun:",
        "if self._begun is None:",
        "runtime/test_copies_and_errors.py -k after_an_error",
    ),
    Fault(
        "actions recorded after the world has changed them",
        "evaluation/episode.py",
        "actions.append(action.copy())",
        "actions.append(action)",
        "runtime/test_copies_and_errors.py -k theirs",
    ),
    Fault(
        "two episodes as sure as two thousand",
        "evaluation/student.py",
        "if within(middle, freedom) < 1 - p",
        "if within(middle, 2000) < 1 - p",
        "evaluation/test_intervals.py -k measured_numbers_hold",
    ),
    Fault(
        "scores that are nearly all 1 taken for measured numbers",
        "evaluation/metrics.py",
        "return inside and bool(told)",
        "return inside and bool(told) and alike",
        "evaluation/test_intervals.py -k coverages_hold",
    ),
    Fault(
        "the luck of the training seeds left out",
        "evaluation/metrics.py",
        "variance = by_seed + by_episode",
        "by_seed, variance = 0.0, by_episode",
        "evaluation/test_intervals.py -k scores_over_seeds",
    ),
    Fault(
        "a p that is none of the interval's",
        "evaluation/student.py",
        "if len(parts) == 1:",
        "if len(parts) >= 1:",
        "evaluation/test_differences_over_seeds.py -k say_the_same",
    ),
    Fault(
        "resampled seeds as sure as ever so many",
        "evaluation/bootstrap.py",
        "parts = [(of_seeds * seeds / (seeds - 1), seeds - 1)",
        "parts = [(of_seeds, 2000)",
        "evaluation/test_bootstrap.py -k as_wide",
    ),
    Fault(
        "a study planned as if all its trainings were one",
        "evaluation/power.py",
        "by_seed = of_seeds / seeds + of_cells",
        "by_seed = 0 * of_seeds / seeds + of_cells",
        "evaluation/test_power.py -k detect",
    ),
    Fault(
        "progress of all trainings taken for luck",
        "evaluation/power.py",
        "array = array - (array.mean(0) - array.mean((0, 1)))",
        "array = array + 0.0",
        "evaluation/test_power.py -k where_they_lie",
    ),
    Fault(
        "failures of all trainings as if of one",
        "evaluation/scaling.py",
        "np.array([one.size for one in arrays])",
        "np.array([one.shape[1] for one in arrays])",
        "evaluation/test_scaling.py -k exponent_is_held",
    ),
    Fault(
        "rows whose seeds vary taken for rows whose seeds do not",
        "evaluation/metrics.py",
        "max(float(each.mean(1).var(ddof=1)), least)",
        "(least or float(each.mean(1).var(ddof=1)))",
        "evaluation/test_known_truths.py -k rows_of_a_study",
    ),
    Fault(
        "few outcomes that differ taken for proof",
        "evaluation/metrics.py",
        "math.sqrt(episodes * part if alike else",
        "math.sqrt(episodes**2 * part if alike else",
        "evaluation/test_intervals.py -k alike",
    ),
    Fault(
        "each of many comparisons as if it were the only one",
        "evaluation/compare.py",
        "np.arange(len(known), 0, -1)",
        "np.arange(len(known), 0, -1) ** 0",
        "evaluation/test_intervals.py -k many_comparisons",
    ),
    Fault(
        "metres taken for brightness",
        "data/colour.py",
        "return 255.0 if high <= 1.0 else 1.0 if high >= DIM else None",
        "return 255.0 if high <= 1.0 else 1.0",
        "data/test_meaning.py",
    ),
    Fault(
        "video of depth taken for colour unless it is declared",
        "data/footage.py",
        'more than 8 bits of gray" if measured(pixels) else None',
        'more than 8 bits of gray" if measured("") else None',
        "data/test_meaning.py",
    ),
    Fault(
        "fingerprints of rounded numbers",
        "data/episodes.py",
        "if rounded or np.array_equal(",
        "if True or np.array_equal(",
        "data/test_data.py -k fingerprints",
    ),
    Fault(
        "moves far from zero lost before they are compared",
        "data/problems/numbers.py",
        "counts = values.astype(np.int64).view(np.uint64)",
        "return values.astype(np.float32).astype(np.float64) - float(values[0].max())",
        "data/test_problems.py -k far",
    ),
    Fault(
        "episodes counted by their place in a part",
        "data/episodes.py",
        "return self.numbers[episode] if self.numbers else episode",
        "return episode",
        "data/test_problems.py -k called",
    ),
    Fault(
        "an echo sought under one name only",
        "data/problems/numbers.py",
        "actions = [key for key in flat if is_action(key)] if",
        'actions = ["action"] if',
        "data/test_problems.py -k echo",
    ),
    Fault(
        "points taken for a state",
        "data/meaning.py",
        "return (points and max(wide) >= CLOUD) or",
        "return (points and False) or",
        "data/test_meaning.py",
    ),
    Fault(
        "the best by the lowest score",
        "training/checkpoint.py",
        'FIGURES = {"score": -1.0,',
        'FIGURES = {"score": 1.0,',
        "training/test_run_folder.py -k score",
    ),
    Fault(
        "a resumed run that chooses its threads anew",
        "training/resuming.py",
        "config = replace(config, threads=begun.threads)",
        "pass",
        "training/test_run_folder.py -k threads_are",
    ),
    Fault(
        "more threads wherever they are faster at all",
        "policy/device.py",
        "return every if all_of_them < WORTH * one else 1",
        "return every if all_of_them < one else 1",
        "training/test_run_folder.py -k worth",
    ),
    Fault(
        "a temperature that the sampler ignores",
        "diffusion/sampler.py",
        "return self._scale * noise if self._scale",
        "return noise if self._scale",
        "diffusion/test_solvers.py -k temperature",
    ),
    Fault(
        "a temperature that the bins ignore",
        "methods/bins.py",
        "return (logits / self.temperature).softmax(-1)",
        "return logits.softmax(-1)",
        "diffusion/test_methods.py -k squared",
    ),
    Fault(
        "a temperature that a mixture ignores",
        "methods/mixture.py",
        "in (means, deviations))\n        return mean + self.temperature * deviation",
        "in (means, deviations))\n        return mean + deviation",
        "diffusion/test_methods.py -k not_the_choice",
    ),
    Fault(
        "a temperature that jumps ignore",
        "methods/shortcut.py",
        "x = noise if self.temperature == 1 else self.temperature * noise",
        "x = noise",
        "diffusion/test_methods.py -k temperature_scales_the_noise",
    ),
    Fault(
        "gradients of any size",
        "training/trainer.py",
        "scale = (norm / self.config.clip_norm).clamp(min=1)",
        "scale = torch.ones_like(norm)",
        "training/test_steps.py -k clipped",
    ),
    Fault(
        "the decays of the two moments exchanged",
        "training/trainer.py",
        "betas=config.betas,",
        "betas=config.betas[::-1],",
        "training/test_steps.py -k moment",
    ),
    Fault(
        "weight decay on norms and biases",
        "training/trainer.py",
        '{"params": vectors, "weight_decay": 0.0}',
        '{"params": vectors}',
        "training/test_steps.py -k decay_is_for",
    ),
    Fault(
        "validation on what was trained on",
        "training/trainer.py",
        "PolicyWindows(self.policy, material.held_out, precompute=True)",
        "PolicyWindows(self.policy, material.training, precompute=True)",
        "training/test_steps.py -k held_out",
    ),
    Fault(
        "validation of the live weights",
        "training/trainer.py",
        "self._loss(self.average.module, self.validation",
        "self._loss(self.policy, self.validation",
        "training/test_steps.py -k averaged",
    ),
    Fault(
        "training times on a grid",
        "training/trainer.py",
        "(draw.permutation(count) + draw.random(count)) / count",
        "(draw.permutation(count) + 0.5) / count",
        "training/test_steps.py -k stratum",
    ),
    Fault(
        "the frame after the nearest",
        "data/footage.py",
        "nearest = min(before, here, key=lambda shown: abs(shown[0] - expected))",
        "nearest = here",
        "data/test_footage.py -k nearest",
    ),
    Fault(
        "a film taken to begin at zero",
        "data/footage.py",
        "first = stream.start_time or 0",
        "first = 0",
        "data/test_footage.py -k begin",
    ),
    Fault(
        "pictures divided by 128",
        "policy/normaliser.py",
        "np.array(1 / 127.5)",
        "np.array(1 / 128)",
        "nets/test_vision.py -k white",
    ),
    Fault(
        "jitter that only darkens",
        "nets/encoder.py",
        "(2 * torch.rand(shape, device=pictures.device) - 1) * most",
        "-torch.rand(shape, device=pictures.device) * most",
        "nets/test_vision.py -k brightens",
    ),
    Fault(
        "offsets far from zero taken in float32",
        "policy/normaliser.py",
        "kind = np.float64 if wide else np.float32",
        "kind = np.float32",
        "policy/test_normaliser.py -k robot_is_told",
    ),
    Fault(
        "relative actions subtracted in float32",
        "policy/windows.py",
        "kind = np.float64 if wide else np.float32",
        "kind = np.float32",
        "policy/test_normaliser.py -k trained_on",
    ),
    Fault(
        "a normaliser without bounds",
        "policy/normaliser.py",
        "size = np.maximum(size, rare / BOUNDS[normalisation])",
        "pass",
        "policy/test_normaliser.py -k bounded",
    ),
    Fault(
        "samples held within one deviation",
        "diffusion/sampling.py",
        'return reach if self.clip == "recorded" else self.clip',
        'return 1.0 if self.clip == "recorded" else self.clip',
        "policy/test_normaliser.py -k demonstrations_went",
    ),
    Fault(
        "a batch whose last rows are computed otherwise",
        "policy/predictor.py",
        "EVALUATION_BATCH = 64",
        "EVALUATION_BATCH = 50",
        "policy/test_alone_or_among_others.py -k unet",
    ),
    Fault(
        "a batch of pictures whose last rows are computed otherwise",
        "policy/predictor.py",
        "PICTURE_BATCH = 8",
        "PICTURE_BATCH = 7",
        "policy/test_alone_or_among_others.py -k pictures",
    ),
    Fault(
        "statistics of chunks that cross into the next episode",
        "data/policy_statistics.py",
        "~windows.padded(steps)",
        "windows.padded(steps) < 2",
        "policy/test_normaliser.py -k all_their_rows",
    ),
    Fault(
        "noise drawn as large as motion",
        "reports/charts.py",
        "return LEAST * float",
        "return 0.0 * float",
        "reports/test_pages.py -k noise",
    ),
    Fault(
        "who would wait for a lock is sent away",
        "disk.py",
        "timeout=-1 if wait else 0",
        "timeout=0",
        "test_disk.py -k waits",
    ),
    Fault(
        "what a data set says of itself taken for HTML",
        "reports/page.py",
        "autoescape=True",
        "autoescape=False",
        "reports/test_pages.py -k shown_as_text",
    ),
    Fault(
        "a colour of the page's that no page knows",
        "reports/charts.py",
        'text = text.replace(colour, f"var(--{name})")',
        'text = text.replace(colour, f"var(--the-{name})")',
        "reports/test_pages.py -k nothing_but_itself",
    ),
    Fault(
        "trajectories over steps called seconds",
        "reports/judgement.py",
        'Line(x=np.arange(len(done)) / rate_hz, y=done, colour="ink")',
        'Line(x=np.arange(len(done)), y=done, colour="ink")',
        "reports/test_pages.py -k seconds",
    ),
    Fault(
        "the action of the moment itself drawn as held",
        "reports/judgement.py",
        "done[start - 1]",
        "done[start]",
        "reports/test_pages.py -k seconds",
    ),
    Fault(
        "dropout and crops left off in training",
        "training/trainer.py",
        "self.policy.train()",
        "self.policy.eval()",
        "training/test_steps.py -k training_only",
    ),
    Fault(
        "the same noise whatever the seed",
        "training/trainer.py",
        "np.random.default_rng([*key, 0x71AE])",
        "np.random.default_rng([key[1], 0x71AE])",
        "training/test_steps.py -k each_seed",
    ),
    Fault(
        "names that steer the terminal",
        "cli/screen.py",
        "return super().render_str(in_a_line(text), **options)",
        "return super().render_str(text, **options)",
        "cli/test_screen.py -k lines",
    ),
    Fault(
        "a task of number -1 is taken for the last one",
        "data/formats/lerobot_writer.py",
        'known[int(i)] if 0 <= i < len(known) else ""',
        'known[int(i)] if i < len(known) else ""',
        "data/test_lerobot_strangers.py -k task_of_no_words",
    ),
    Fault(
        "a path of a data set is not held to its folder",
        "data/formats/lerobot_index.py",
        "        return inside(path, name)",
        "        return path / name",
        "data/test_lerobot_strangers.py -k nowhere_else",
    ),
    Fault(
        "half a step counts as a step",
        "data/formats/lerobot_index.py",
        "abs(value) < MOST and value == int(value)",
        "abs(value) < MOST",
        "data/test_lerobot_strangers.py -k length_is_a_count",
    ),
    Fault(
        "a codec outside of the list",
        "data/formats/zarr_codecs.py",
        "if name not in FILTERS:",
        'if name not in FILTERS and name != "pickle":',
        "data/test_arrays.py -k runs_code",
    ),
    Fault(
        "a link to another file that is followed",
        "data/formats/hdf5.py",
        "not isinstance(link, h5py.HardLink):",
        "not isinstance(link, (h5py.HardLink, h5py.ExternalLink)):",
        "data/test_arrays.py -k other_file",
    ),
    Fault(
        "data in another file that is read",
        "data/formats/hdf5.py",
        "if plan.get_layout() == h5py.h5d.VIRTUAL or plan.get_external_count():",
        "if plan.get_layout() == h5py.h5d.VIRTUAL:",
        "data/test_arrays.py -k other_file",
    ),
    Fault(
        "dimensions of a chunk in their stored order",
        "data/formats/zarr_layout.py",
        "values = values.transpose(np.argsort(order))",
        "values = values.transpose(order)",
        "data/test_arrays.py -k as_zarr",
    ),
    Fault(
        "chunks in one order whatever they say",
        "data/formats/zarr_layout.py",
        "reshape(chunks, order=order)",
        "reshape(chunks)",
        "data/test_arrays.py -k as_zarr",
    ),
    Fault(
        "memory for whatever is declared",
        "data/formats/limits.py",
        "if needed > max(FREE, RATIO * stored):",
        "if needed > max(FREE, RATIO * stored) + 10**15:",
        "data/test_arrays.py -k nothing_is_stored",
    ),
    Fault(
        "rows of a chunk from its beginning",
        "data/formats/replay_zarr.py",
        "inside = _span(rows[here] - first * size)",
        "inside = _span(rows[here] - rows[here].min())",
        "data/test_arrays.py -k as_zarr",
    ),
    Fault(
        "a robot that waits a whole period after every action",
        "runtime/loop.py",
        "clock.wait(due - acted)",
        "clock.wait(period)",
        "runtime/test_runtime.py -k of_its_period",
    ),
    Fault(
        "actions drawn in the middle of their bins",
        "methods/bins.py",
        "within.clamp(0, 1)",
        "0.5",
        "diffusion/test_methods.py -k one_after_the_other",
    ),
    Fault(
        "noise of a step that was drawn before",
        "runtime/engine.py",
        "step_noise = noise[:, 1:]",
        "step_noise = noise[:, :-1]",
        "policy/test_policy.py -k stochastic",
    ),
    Fault(
        "an entropy that lacks what few plays do not show",
        "studies/questions/modes.py",
        "np.minimum(plain + missing, ",
        "np.minimum(plain, ",
        "studies/test_ways.py -k bits",
    ),
    Fault(
        "samples compared with those of the same noise",
        "studies/questions/steps.py",
        "zip(known[:, SAMPLES:], drawn",
        "zip(known[:, :SAMPLES], drawn",
        "studies/test_distances.py",
    ),
    Fault(
        "the cheapest row, good or not",
        "studies/question.py",
        "able = [row for row in every if not ranking.told(row)]",
        "able = list(every)",
        "studies/test_results.py -k cheapest",
    ),
    Fault(
        "a difference that is not turned round",
        "studies/results.py",
        "return replace(found, mean=-found.mean, low=-found.high, high=-found.low)",
        "return found",
        "studies/test_results.py -k wherever",
    ),
    Fault(
        "differences each taken for the only one",
        "studies/results.py",
        "found.adjusted_p < TOLD",
        "found.p < TOLD",
        "studies/test_results.py -k all_pairs",
    ),
    Fault(
        "policies in two uses taken for other policies",
        "studies/results.py",
        "return len(set(folders)) == len(folders)",
        "return True",
        "studies/test_results.py -k share",
    ),
    Fault(
        "plays of other initial states averaged",
        "studies/results.py",
        "plays = values.reshape(len(values), -1, self.cell.trial.repeats)",
        "plays = values.reshape(len(values), self.cell.trial.repeats, -1).swapaxes(1, 2)",
        "studies/test_results.py -k plays",
    ),
    Fault(
        "what was disturbed called undisturbed",
        "studies/questions/chunk.py",
        '"undisturbed": [figure(r.among(score, ~moved)',
        '"undisturbed": [figure(r.among(score, moved)',
        "studies/test_findings.py -k moved_for_any",
    ),
    Fault(
        "fewer demonstrations that are no part of more",
        "studies/cell.py",
        "np.random.default_rng([seed, 17])",
        "np.random.default_rng([seed, 17, count])",
        "studies/test_cells.py -k part",
    ),
    Fault(
        "a task that one row saturates called saturated",
        "studies/study.py",
        "if not is_share(name) or min(scores) < SATURATED:",
        "if not is_share(name) or max(scores) < SATURATED:",
        "studies/test_sound.py -k where_all_fail",
    ),
    Fault(
        "a run trained on other data than it was declared for",
        "studies/worker.py",
        "if fingerprint(demonstrations(declared.config)) != declared.fingerprint:",
        "if False:",
        "studies/test_runs.py -k other_data",
    ),
    Fault(
        "a run of the engine tried on the processor",
        "studies/trial.py",
        "device=choose_device(trial.device or config.device)",
        'device=choose_device("cpu")',
        "studies/test_runs.py -k own_device",
    ),
    Fault(
        "counts without a sign wrap round in chunks",
        "data/policy_statistics.py",
        'return values if values.dtype.kind == "f" else values.astype(np.float64)',
        "return values",
        "policy/test_normaliser.py -k wrap",
    ),
    Fault(
        "a network built beyond its weights",
        "policy/weights.py",
        "if min(number, numbers) < 0:",
        "if min(number, numbers) < -(2**62):",
        "policy/test_strangers.py -k no_network_is_built",
    ),
    Fault(
        "a policy put aside and not looked for",
        "runtime/folders.py",
        "return aside(folder) if not folder.exists()",
        "return aside(folder) if folder.exists()",
        "policy/test_strangers.py -k every_moment",
    ),
    Fault(
        "a map that rounds down",
        "nets/vision.py",
        "return -(-size[0] // shrink), -(-size[1] // shrink)",
        "return size[0] // shrink, size[1] // shrink",
        "nets/test_vision.py -k size_of_a_map",
    ),
    Fault(
        "every sentence of length one, whatever its model says",
        "nets/text.py",
        "if self.normalised:",
        "if self.pooling:",
        "nets/test_text.py -k those_of_sentence_transformers",
    ),
    Fault(
        "what stands behind a prompt is looked at",
        "nets/vlm.py",
        "torch.cat([ahead.long(), (prompt >= 0).long()], dim=1)",
        "torch.cat([ahead.long(), (prompt >= -1).long()], dim=1)",
        "nets/test_vlm.py -k stands_for_nothing",
    ),
    Fault(
        "a model sees what was, and not what is",
        "nets/vlm_encoder.py",
        "observation[name][:, -1].permute",
        "observation[name][:, 0].permute",
        "policy/test_vlm_policy.py -k kept_is_what_is_seen",
    ),
    Fault(
        "what a model made of other pictures is taken",
        "policy/precomputed.py",
        "known.update(values.data)",
        "known.update(name.encode())",
        "policy/test_vlm_policy.py -k looked_at_once",
    ),
    Fault(
        "a setting of nobody's",
        "nets/architecture.py",
        "if key not in own:",
        "if not key:",
        "nets/test_strange_backbones.py -k list_is_refused",
    ),
    Fault(
        "actions far from what they are relative to are rounded",
        "policy/windows.py",
        "wide = any([far(self._action), *(policy.exact(f) for _, f in spec.references)])",
        "wide = all([far(self._action), *(policy.exact(f) for _, f in spec.references)])",
        "policy/test_normaliser.py -k relative_to",
    ),
    Fault(
        "a step of second order that begins with nothing before it",
        "diffusion/sampler.py",
        "before = x0 if x0_previous is None else x0_previous",
        "before = x0_previous",
        "nets/test_once_a_chunk.py -k middle",
    ),
    Fault(
        "every step of a chunk at the time of the first",
        "diffusion/sampler.py",
        "timed = tuple(part[step] for part in context.timed)",
        "timed = tuple(part[0] for part in context.timed)",
        "nets/test_once_a_chunk.py -k step_by_step",
    ),
    Fault(
        "observations at the place of the time",
        "nets/transformer.py",
        "seen = self.encode(self.tokens(self.condition(condition), 1))",
        "seen = self.encode(self.tokens(self.condition(condition)))",
        "nets/test_transformers.py -k layers_of_torch",
    ),
    Fault(
        "a bias that is added for the time and for the condition",
        "nets/unet.py",
        "F.linear(time, film.weight[:, :split])",
        "F.linear(time, film.weight[:, :split], film.bias)",
        "nets/test_once_a_chunk.py -k layers_of_both",
    ),
    Fault(
        "a file that is run because a policy names it",
        "tasks/own.py",
        "found = _registered(name)",
        "found = run_file(parts)",
        "tasks/test_own.py -k nothing_on_disk",
    ),
    Fault(
        "a method sampled in as many calls as another",
        "diffusion/sampling.py",
        "steps=own.steps if self.steps is None else self.steps,",
        "steps=self.steps or 10,",
        "diffusion/test_methods.py -k one_value",
    ),
    Fault(
        "a delta that forgets where it began",
        "actions/transform.py",
        'return (running(answers, add, -2) if part.form == "delta" else answers) + first',
        'return running(answers, add, -2) if part.form == "delta" else answers + first',
        "actions/test_actions.py -k there_and_back",
    ),
    Fault(
        "rotations relative to the world and not to the hand",
        "actions/rotations.py",
        "return after(functions_of(here).swapaxes(here, -1, -2), there)",
        "return after(there, functions_of(here).swapaxes(here, -1, -2))",
        "actions/test_actions.py -k seen_from",
    ),
    Fault(
        "the numbers of a quaternion in another order",
        "actions/rotations.py",
        "return joined([values[..., 3:], values[..., :3]], -1)",
        "return values",
        "actions/test_actions.py -k quarter",
    ),
    Fault(
        "parallel vectors that make no rotation",
        "actions/rotations.py",
        "PARALLEL = 1e-6",
        "PARALLEL = -1.0",
        "actions/test_actions.py -k whatever",
    ),
    Fault(
        "a quaternion whose sign is that of each row alone",
        "actions/rotations.py",
        "found = found * running(",
        "found = found + 0 * running(",
        "actions/test_actions.py -k keep_their_sign",
    ),
    Fault(
        "a gripper that follows the sign of every answer",
        "actions/gripper.py",
        "sure = xp.abs(answers) > hysteresis",
        "sure = xp.abs(answers) > 0",
        "actions/test_actions.py -k only_where",
    ),
    Fault(
        "the numbers of a turn scaled each by itself",
        "data/policy_statistics.py",
        "((made[high] - made[low]) / 2).max()",
        "(made[high] - made[low]) / 2",
        "actions/test_action_policies.py -k scaled_as_one",
    ),
    Fault(
        "rotations multiplied in half precision",
        "actions/rotations.py",
        "return (first[..., :, :, None] * second[..., None, :, :]).sum(-2)",
        "return first @ second",
        "actions/test_action_policies.py -k half_precision",
    ),
    Fault(
        "the gripper's opening taken for what it was told",
        "actions/parts.py",
        "(whole if told or not gripper else None)",
        "whole",
        "actions/test_action_policies.py -k not_said",
    ),
]


@pytest.fixture(scope="module")
def run_tests() -> Iterator[Callable[[Path, str], tuple[int, str]]]:
    """(exit status, what was printed) of the tests of a guard on the package in a folder."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("PYTHONPATH", None)
    forks = subprocess.Popen(
        [sys.executable, "-P", str(TESTS / "forked.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=TESTS.parent,
    )
    assert forks.stdin is not None
    assert forks.stdout is not None
    orders, answers = forks.stdin, forks.stdout

    def run(source: Path, guard: str) -> tuple[int, str]:
        file, *options = guard.split(maxsplit=2)
        words = ["-x", "-q", "-p", "no:cacheprovider", "-n", "0", str(TESTS / file), *options]
        output = source / "output.txt"
        order = {"source": str(source), "arguments": words, "output": str(output)}
        orders.write(json.dumps(order) + "\n")
        orders.flush()
        return int(answers.readline()), output.read_text()

    yield run
    orders.close()
    forks.wait()


@pytest.fixture
def copy(tmp_path) -> Path:
    """A copy of the package that may be damaged."""
    return Path(shutil.copytree(SOURCE, tmp_path / "steadyhand"))


def test_without_a_fault_the_copy_passes(copy, run_tests) -> None:
    status, said = run_tests(copy.parent, "runtime/test_runtime.py")
    assert status == 0, said[-1500:]


def test_the_copy_is_what_is_tested(copy, run_tests) -> None:
    (copy / "spec.py").write_text("raise ImportError('damaged')")
    status, said = run_tests(copy.parent, "runtime/test_runtime.py")
    assert status != 0
    assert "damaged" in said


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_is_caught(fault, copy, run_tests) -> None:
    text = (copy / fault.file).read_text()
    assert text.count(fault.right) == 1, "the line that the fault changes has moved"
    (copy / fault.file).write_text(text.replace(fault.right, fault.wrong))
    status, said = run_tests(copy.parent, fault.guard)
    assert status == 1, f"no test failed:\n{said[-2000:]}"
    assert "failed" in said
    assert "error" not in said.splitlines()[-1], "it must fail a test, not the import"
