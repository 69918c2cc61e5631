"""Records the golden files of the TD3 update, computed with PyTorch.

Run it in this folder, with Python 3.11:

    python -m venv venv && venv/bin/pip install -r requirements.txt
    venv/bin/python record.py            # writes *.safetensors and README.md
    venv/bin/python record.py --check    # recomputes and compares; writes nothing

Each case starts from given weights and feeds given batches and given target noise to 100 updates. All inputs are
float32 values. The expected values are computed in float64 and rounded to float32 at the end. A second run in float32
measures how far rounding alone leads away from them: README.md has the distances, and the tests take their tolerances
from there.
"""

import argparse
import copy
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn.functional import mse_loss

HERE = Path(__file__).resolve().parent
FORMAT = "reprise-td3-golden-1"

UPDATES = 100
BATCH = 16
CHECKPOINTS = (1, 2, 100)
MOMENTS_AFTER = 2
ROW_ORDERS = 20

DISCOUNT = 0.99
POLYAK = 0.005
LEARNING_RATE = 3e-4
ADAM_BETAS = (0.9, 0.999)
ADAM_EPS = 1e-8
POLICY_DELAY = 2
# Both are multiplied by the action limit.
TARGET_NOISE = 0.2
TARGET_NOISE_CLIP = 0.5

NETWORKS = ("actor", "critic1", "critic2")


@dataclass(frozen=True)
class Case:
    name: str
    seed: int
    obs: int
    act: int
    hidden: tuple[int, int]
    max_action: float
    reward_mean: float
    # Standard deviations of the observation entries run from 1/spread to spread.
    obs_spread: float


# The seeds leave a wide margin around the kinks of ReLU: README.md says why and how wide.
CASES = (
    Case("unit_actions", 40, obs=5, act=3, hidden=(32, 32), max_action=1.0, reward_mean=0.0, obs_spread=1.0),
    # Like Humanoid: a fractional action limit, rewards around the healthy bonus, entries of unlike scale.
    Case("fractional_limit", 3, obs=11, act=2, hidden=(48, 16), max_action=0.4, reward_mean=5.0, obs_spread=4.0),
)


# --- the algorithm ---------------------------------------------------------------------------------------------------


def mlp(inputs, hidden, outputs):
    return nn.Sequential(
        nn.Linear(inputs, hidden[0]), nn.ReLU(),
        nn.Linear(hidden[0], hidden[1]), nn.ReLU(),
        nn.Linear(hidden[1], outputs),
    )  # fmt: skip


class Td3:
    """TD3 as its authors' current settings have it. `nets` and `targets` map a network's name to its layers."""

    def __init__(self, case, initial, dtype):
        # The limit is an input as well: the float32 value, in either precision.
        self.max_action = float(np.float32(case.max_action))
        self.nets = {
            "actor": mlp(case.obs, case.hidden, case.act),
            "critic1": mlp(case.obs + case.act, case.hidden, 1),
            "critic2": mlp(case.obs + case.act, case.hidden, 1),
        }
        for name, net in self.nets.items():
            net.to(dtype)
            with torch.no_grad():
                for key, parameter in named_parameters(name, net):
                    parameter.copy_(initial[f"initial.{key}"])
        self.targets = copy.deepcopy(self.nets)

        adam = dict(lr=LEARNING_RATE, betas=ADAM_BETAS, eps=ADAM_EPS, weight_decay=0.0, foreach=False)
        critics = [*self.nets["critic1"].parameters(), *self.nets["critic2"].parameters()]
        self.actor_adam = torch.optim.Adam(self.nets["actor"].parameters(), **adam)
        self.critic_adam = torch.optim.Adam(critics, **adam)
        self.updates = 0

    def act(self, nets, state):
        return self.max_action * torch.tanh(nets["actor"](state))

    @staticmethod
    def q(nets, critic, state, action):
        return nets[critic](torch.cat([state, action], dim=1)).squeeze(1)

    def update(self, state, action, reward, next_state, not_done, noise):
        """One update. Returns the critic loss, and the actor loss or None where the actor rests."""
        self.updates += 1

        # y = r + (1 - terminal) * discount * min over both target critics, at the smoothed target action.
        with torch.no_grad():
            clip = TARGET_NOISE_CLIP * self.max_action
            smoothing = (noise * (TARGET_NOISE * self.max_action)).clamp(-clip, clip)
            next_action = (self.act(self.targets, next_state) + smoothing).clamp(-self.max_action, self.max_action)
            next_q = torch.minimum(
                self.q(self.targets, "critic1", next_state, next_action),
                self.q(self.targets, "critic2", next_state, next_action),
            )
            target = reward + not_done * DISCOUNT * next_q

        # Both critics learn from the sum of their losses, in one Adam step.
        critic_loss = mse_loss(self.q(self.nets, "critic1", state, action), target) + mse_loss(
            self.q(self.nets, "critic2", state, action), target
        )
        self.critic_adam.zero_grad()
        critic_loss.backward()
        self.critic_adam.step()
        if self.updates % POLICY_DELAY != 0:
            return critic_loss.item(), None

        # The actor climbs the first critic, which has just moved.
        actor_loss = -self.q(self.nets, "critic1", state, self.act(self.nets, state)).mean()
        self.actor_adam.zero_grad()
        actor_loss.backward()
        self.actor_adam.step()

        # All three targets follow, on these updates only.
        with torch.no_grad():
            for name in NETWORKS:
                for online, slow in zip(self.nets[name].parameters(), self.targets[name].parameters(), strict=True):
                    slow.copy_(POLYAK * online + (1.0 - POLYAK) * slow)
        return critic_loss.item(), actor_loss.item()


def named_parameters(network, net):
    """Parameters as `actor.0.weight`, where the number counts the linear layers only."""
    linears = [layer for layer in net if isinstance(layer, nn.Linear)]
    for index, linear in enumerate(linears):
        yield f"{network}.{index}.weight", linear.weight
        yield f"{network}.{index}.bias", linear.bias


# --- inputs ----------------------------------------------------------------------------------------------------------


def draw_inputs(case):
    """Initial weights, batches and target noise, drawn in float64 and rounded to float32."""
    torch.manual_seed(case.seed)
    inputs = {"constant.max_action": torch.tensor([case.max_action])}

    critic_sizes = (case.obs + case.act, *case.hidden, 1)
    sizes = {"actor": (case.obs, *case.hidden, case.act), "critic1": critic_sizes, "critic2": critic_sizes}
    for network, widths in sizes.items():
        for index, (fan_in, fan_out) in enumerate(zip(widths, widths[1:])):
            bound = fan_in**-0.5
            # A wide actor head: tanh bends and the clip to the action limit is met from the first update on.
            gain = 4.0 if network == "actor" and index == 2 else 1.0
            inputs[f"initial.{network}.{index}.weight"] = uniform(fan_out, fan_in) * (bound * gain)
            inputs[f"initial.{network}.{index}.bias"] = uniform(fan_out) * bound

    scale = torch.logspace(-1.0, 1.0, case.obs, base=case.obs_spread, dtype=torch.float64)
    inputs["batch.state"] = normal(UPDATES, BATCH, case.obs) * scale
    inputs["batch.next_state"] = inputs["batch.state"] + 0.3 * normal(UPDATES, BATCH, case.obs) * scale
    inputs["batch.action"] = uniform(UPDATES, BATCH, case.act) * case.max_action
    inputs["batch.reward"] = case.reward_mean + normal(UPDATES, BATCH)
    inputs["batch.not_done"] = (torch.rand(UPDATES, BATCH, dtype=torch.float64) >= 0.08).double()
    inputs["noise.target"] = normal(UPDATES, BATCH, case.act)

    inputs = {key: value.float() for key, value in inputs.items()}
    # A rounded draw must not pass the limit that an environment would have clipped it to.
    limit = inputs["constant.max_action"].item()
    inputs["batch.action"].clamp_(-limit, limit)
    return inputs


def normal(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def uniform(*shape):
    return 2.0 * torch.rand(*shape, dtype=torch.float64) - 1.0


def coverage(case, inputs):
    """How often the rare branches are taken. A count of zero would leave a branch untested, and is an error."""
    td3 = Td3(case, inputs, torch.float64)
    limit = td3.max_action
    noise = inputs["noise.target"].double()
    clipped_noise = noise.abs() * TARGET_NOISE > TARGET_NOISE_CLIP
    with torch.no_grad():
        smoothing = (noise * TARGET_NOISE).clamp(-TARGET_NOISE_CLIP, TARGET_NOISE_CLIP) * limit
        actions = td3.act(td3.targets, inputs["batch.next_state"].double())
    clipped_action = (actions + smoothing).abs() > limit
    terminal = inputs["batch.not_done"] == 0.0
    counts = {
        "terminal rows": terminal,
        "noise entries beyond the noise clip": clipped_noise,
        "target action entries beyond the limit (initial actor)": clipped_action,
    }
    counts = {what: (int(mask[:2].sum()), int(mask.sum()), mask.numel()) for what, mask in counts.items()}
    for what, (early, _, _) in counts.items():
        if early == 0:
            raise SystemExit(f"{case.name}: no {what} in the first two updates: choose another seed")
    return counts


# --- recording -------------------------------------------------------------------------------------------------------


def play(case, inputs, dtype, row_order=None):
    """Runs all updates in `dtype` and returns what a golden file expects, in `dtype`."""
    td3 = Td3(case, inputs, dtype)
    keys = ("batch.state", "batch.action", "batch.reward", "batch.next_state", "batch.not_done", "noise.target")
    feed = [inputs[key].to(dtype) for key in keys]
    if row_order is not None:
        feed = [tensor[:, row_order] for tensor in feed]

    expected, critic_losses, actor_losses = {}, [], []
    for update in range(1, UPDATES + 1):
        critic_loss, actor_loss = td3.update(*(tensor[update - 1] for tensor in feed))
        critic_losses.append(critic_loss)
        if actor_loss is not None:
            actor_losses.append(actor_loss)
        if update in CHECKPOINTS:
            expected |= parameters_of(td3, f"after_{update}")
        if update == MOMENTS_AFTER:
            expected |= moments_of(td3)
    expected["loss.critic"] = torch.tensor(critic_losses, dtype=dtype)
    expected["loss.actor"] = torch.tensor(actor_losses, dtype=dtype)
    return expected


def parameters_of(td3, prefix):
    found = {}
    for name in NETWORKS:
        for key, parameter in named_parameters(name, td3.nets[name]):
            found[f"{prefix}.{key}"] = parameter.detach().clone()
        for key, parameter in named_parameters(name, td3.targets[name]):
            found[f"{prefix}.target_{key}"] = parameter.detach().clone()
    return found


def moments_of(td3):
    found = {}
    for name in NETWORKS:
        adam = td3.actor_adam if name == "actor" else td3.critic_adam
        for key, parameter in named_parameters(name, td3.nets[name]):
            found[f"adam_{MOMENTS_AFTER}.first.{key}"] = adam.state[parameter]["exp_avg"].clone()
            found[f"adam_{MOMENTS_AFTER}.second.{key}"] = adam.state[parameter]["exp_avg_sq"].clone()
    return found


def constants(case):
    """The metadata of a case's file. One key, because safetensors writes several in random order."""
    return {
        "golden": json.dumps({
            "format": FORMAT, "case": asdict(case),
            "updates": UPDATES, "batch": BATCH, "discount": DISCOUNT, "polyak": POLYAK,
            "learning_rate": LEARNING_RATE, "adam_betas": ADAM_BETAS, "adam_eps": ADAM_EPS,
            "policy_delay": POLICY_DELAY, "target_noise": TARGET_NOISE, "target_noise_clip": TARGET_NOISE_CLIP,
        }),
    }  # fmt: skip


def golden_path(case):
    return HERE / f"{case.name}.safetensors"


def record():
    sections = []
    for case in CASES:
        inputs = draw_inputs(case)
        counts = coverage(case, inputs)
        reference = play(case, inputs, torch.float64)
        # safetensors wants tensors that own their storage.
        golden = {key: value.float().contiguous().clone() for key, value in (inputs | reference).items()}
        save_file(golden, golden_path(case), metadata=constants(case))
        print(f"wrote {golden_path(case).name}: {golden_path(case).stat().st_size} bytes, {len(golden)} tensors")
        sections.append(describe(case, inputs, counts, reference))
    (HERE / "README.md").write_text(README.format(sections="\n".join(sections), orders=ROW_ORDERS))
    print("wrote README.md")


def check():
    """Recomputes every file from its own inputs, and draws the inputs anew. Returns the complaints."""
    complaints = []
    for case in CASES:
        path = golden_path(case)
        if not path.exists():
            complaints.append(f"{path.name}: missing: run record.py")
            continue
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata()
        if metadata != constants(case):
            complaints.append(f"{path.name}: metadata differ: run record.py")
            continue
        committed = load_file(path)
        drawn = draw_inputs(case)
        stored_inputs = {key: committed[key] for key in drawn if key in committed}
        if stored_inputs.keys() != drawn.keys():
            complaints.append(f"{path.name}: inputs missing: {sorted(drawn.keys() - stored_inputs.keys())}")
            continue
        # Other processors may round the draws and the sums otherwise, so equal bits are reported and not required.
        fresh = drawn | {key: value.float() for key, value in play(case, stored_inputs, torch.float64).items()}
        if fresh.keys() != committed.keys():
            complaints.append(f"{path.name}: tensors differ: {sorted(fresh.keys() ^ committed.keys())}")
            continue
        equal = sum(torch.equal(fresh[key], committed[key]) for key in fresh)
        print(f"{path.name}: {equal} of {len(fresh)} tensors equal bit for bit")
        for key, value in fresh.items():
            if value.shape != committed[key].shape:
                complaints.append(f"{path.name}: {key}: shape {tuple(committed[key].shape)}, not {tuple(value.shape)}")
            elif not torch.allclose(value, committed[key], rtol=1e-6, atol=1e-12):
                furthest = (value - committed[key]).abs().max().item()
                complaints.append(f"{path.name}: {key}: differs by up to {furthest:.2e}")
    return complaints


# --- distances -------------------------------------------------------------------------------------------------------


def flat(tensors, prefix):
    return torch.cat([value.double().flatten() for key, value in sorted(tensors.items()) if key.startswith(prefix)])


def rms(values):
    return values.square().mean().sqrt().item()


def pre_activations(case, inputs, dtype):
    """Every input of a ReLU through which a gradient passes, in the order of computation."""
    seen = []

    def watch(module, arguments):
        if isinstance(module, nn.ReLU) and torch.is_grad_enabled():
            seen.append(arguments[0].detach().double().flatten())

    handle = nn.modules.module.register_module_forward_pre_hook(watch)
    play(case, inputs, dtype)
    handle.remove()
    return torch.cat(seen)


def max_relative(run, reference):
    """The largest relative distance, of the entries of 0.001 and more: below that it says little."""
    large = reference.abs() >= 1e-3
    return ((run - reference).abs() / reference.abs())[large].max().item()


def describe(case, inputs, counts, reference):
    """A case's part of README.md."""
    plain = play(case, inputs, torch.float32)
    orders = [torch.from_numpy(np.random.default_rng(seed).permutation(BATCH)) for seed in range(ROW_ORDERS)]
    shuffled = [play(case, inputs, torch.float32, row_order) for row_order in orders]

    exact_kinks, kinks = (pre_activations(case, inputs, dtype) for dtype in (torch.float64, torch.float32))
    flips = ((exact_kinks > 0.0) != (kinks > 0.0)).sum().item()

    lines = [
        f"## {case.name}.safetensors",
        "",
        f"obs {case.obs}, act {case.act}, hidden {case.hidden[0]}-{case.hidden[1]}, action limit {case.max_action}. "
        "Rare branches taken, in the first 2 updates and in all:",
        "",
    ]
    lines += [f"- {what}: {early} and {total} of {size}" for what, (early, total, size) in counts.items()]
    lines += [
        "",
        f"Of {len(exact_kinks)} pre-activations that pass a gradient, the nearest to zero is "
        f"{exact_kinks.abs().min().item():.1e}; float32 moves them by {rms(kinks - exact_kinks):.1e} (RMS) and "
        f"{(kinks - exact_kinks).abs().max().item():.1e} (max), and flips {flips}.",
        "",
        "| update | networks | RMS movement | RMS | max abs | max relative | RMS to the file "
        "| worst RMS | worst max abs |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for update in CHECKPOINTS:
        for label, networks in (
            ("actor", ("actor",)),
            ("critics", ("critic1", "critic2")),
            ("targets", tuple(f"target_{name}" for name in NETWORKS)),
        ):

            def pick(tensors):
                return torch.cat([flat(tensors, f"after_{update}.{name}.") for name in networks])

            start = torch.cat([flat(inputs, f"initial.{name.removeprefix('target_')}.") for name in networks])
            exact, run = pick(reference), pick(plain)
            distances = [pick(other) - exact for other in shuffled]
            cells = [
                rms(exact - start),
                rms(run - exact),
                (run - exact).abs().max().item(),
                max_relative(run, exact),
                rms(run - exact.float().double()),
                max(rms(distance) for distance in distances),
                max(distance.abs().max().item() for distance in distances),
            ]
            lines.append(f"| {update} | {label} | " + " | ".join(f"{cell:.1e}" for cell in cells) + " |")

    lines += ["", "| quantity | distance | measured as | worst |", "| --- | --- | --- | --- |"]
    for what, prefix, measure, distance in (
        ("critic losses", "loss.critic", "max relative", lambda a, b: ((a - b).abs() / b.abs()).max().item()),
        ("actor losses", "loss.actor", "max abs", lambda a, b: (a - b).abs().max().item()),
        ("first moments", "adam_2.first.", "RMS over RMS", lambda a, b: rms(a - b) / rms(b)),
        ("second moments", "adam_2.second.", "RMS over RMS", lambda a, b: rms(a - b) / rms(b)),
    ):
        exact = flat(reference, prefix)
        worst = max(distance(flat(other, prefix), exact) for other in shuffled)
        lines.append(f"| {what} | {distance(flat(plain, prefix), exact):.1e} | {measure} | {worst:.1e} |")
    return "\n".join(lines) + "\n"


README = """\
# Golden files of the TD3 update

`record.py` wrote the files here, this page included: its first lines say how to run it. It holds a TD3 in PyTorch,
feeds it given batches for 100 updates, and stores inputs and expected values, the latter computed in float64 and rounded
to float32. The agent in Rust must reach the same values from the same inputs.

| tensors | shape | what |
| --- | --- | --- |
| `constant.max_action` | [1] | the action limit |
| `initial.N.L.weight`, `initial.N.L.bias` | [out, in], [out] | networks N `actor`, `critic1`, `critic2`; layers L 0 to 2; the targets start equal |
| `batch.state`, `batch.next_state` | [100, 16, obs] | |
| `batch.action` | [100, 16, act] | |
| `batch.reward`, `batch.not_done` | [100, 16] | `not_done` is 0 where the step was terminal |
| `noise.target` | [100, 16, act] | standard normals, before scaling and clipping |
| `after_U.N.L.weight`, `after_U.N.L.bias` | as above | after update U = 1, 2, 100; N also `target_actor`, `target_critic1`, `target_critic2` |
| `adam_2.first.N.L.*`, `adam_2.second.N.L.*` | as above | Adam's moments after update 2: two critic steps, one actor step |
| `loss.critic` | [100] | sum of both mean squared errors, before the step |
| `loss.actor` | [50] | minus the mean of the first critic, on updates 2, 4, ..., 100, before the actor's step and after the critics' |

Critics take the state first, then the action. The metadata of each file hold the constants. The networks' initial
weights follow PyTorch's bounds, but the actor's last layer is 4 times as wide, so that tanh bends and actions meet the
limit.

## How to read the distances

They say how far PyTorch's own float32 run lies from its float64 run: no right implementation in float32 can be asked to
come much nearer. *RMS movement* is how far training moved the parameters, for scale. *Max relative* leaves out entries
below 0.001. *RMS to the file* counts the rounding of the stored values too, and is what a test sees. *Worst* is the
largest of {orders} further float32 runs, each with the rows of all batches in another order: the same update, summed in
another order, as another implementation would. All of them use PyTorch's Adam: one that rounds in another order adds a
unit in the last place of a weight (6e-8 for weights from 0.5 to 1) now and then.

Two things move single weights far and the RMS little. A pre-activation within rounding of zero can flip a ReLU: one of
the first 60 draws (two cases, seeds 1 to 30) had 4 flips, which moved single weights by 6e-4 and the RMS of all by 1e-5
after 100 updates. And Adam's division by the gradient's size turns a gradient near its eps into a step of ordinary size,
with that gradient's rounding: 1e-6 to 3e-6 after the actor's first step, in 3 of the 60. The seeds here were picked for
a wide margin around zero, so a right implementation flips nothing, and the tolerances may be tight.

Compare the losses and the moments as well as the parameters. Adam hides the scale of a gradient: half the critic loss,
say, moves no parameter by more than 2e-5 in 100 updates.

{sections}"""


def main():
    parser = argparse.ArgumentParser(description="Records the golden files of the TD3 update.")
    parser.add_argument("--check", action="store_true", help="recompute, compare with the files here, write nothing")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    if not arguments.check:
        record()
        return 0
    complaints = check()
    for complaint in complaints:
        print(f"error: {complaint}", file=sys.stderr)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
