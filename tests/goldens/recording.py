"""What the recorders of golden files in the folders beside have in common.

A recorder holds a learner in PyTorch and its cases. `main` draws a case's inputs, all of them float32 values, feeds them
to the learner for 100 updates, and stores inputs and expected values, the latter computed in float64 and rounded to
float32 at the end. A second run in float32 measures how far rounding alone leads away from them: README.md has the
distances, and the tests take their tolerances from there.
"""

import argparse
import json
import sys
from dataclasses import asdict

import torch
from safetensors.torch import load_file, save_file
from torch import nn

UPDATES = 100
BATCH = 16
CHECKPOINTS = (1, 2, 100)


def mlp(sizes, unit=nn.ReLU, norm=False):
    """Linear layers with `unit` after each but the last, and a layer normalisation after that where wanted."""
    layers = []
    for i, (inputs, outputs) in enumerate(zip(sizes, sizes[1:])):
        layers.append(nn.Linear(inputs, outputs))
        if i + 2 < len(sizes):
            layers.append(unit())
            if norm:
                layers.append(nn.LayerNorm(outputs, eps=1e-6))
    return nn.Sequential(*layers)


def gelu():
    return nn.GELU(approximate="tanh")


def named_parameters(network, net):
    """Parameters as `actor.0.weight`, where the number counts the linear layers only, and `critic1.0.norm.weight`."""
    index = -1
    for layer in net:
        if isinstance(layer, nn.Linear):
            index += 1
            yield f"{network}.{index}.weight", layer.weight
            yield f"{network}.{index}.bias", layer.bias
        elif isinstance(layer, nn.LayerNorm):
            yield f"{network}.{index}.norm.weight", layer.weight
            yield f"{network}.{index}.norm.bias", layer.bias


def load_networks(nets, inputs):
    with torch.no_grad():
        for name, net in nets.items():
            for key, parameter in named_parameters(name, net):
                parameter.copy_(inputs[f"initial.{key}"])


def weights_of(nets):
    return {key: p.detach().clone() for name, net in nets.items() for key, p in named_parameters(name, net)}


def polyak(target, online, tau):
    with torch.no_grad():
        for t, o in zip(target.parameters(), online.parameters(), strict=True):
            t.mul_(1 - tau).add_(tau * o)


def initial_weights(nets, g, head_gain=1.0):
    """Weights by PyTorch's own bounds, last layers wider by `head_gain`. A target is its network, moved a little; scales
    and shifts of a normalisation are moved from 1 and 0."""
    inputs = {}
    for name, net in nets.items():
        named = list(named_parameters(name, net))
        for key, p in named:
            if name.startswith("target_"):
                online = inputs["initial." + key.removeprefix("target_")]
                inputs[f"initial.{key}"] = online + 0.01 * torch.randn(p.shape, generator=g)
            elif ".norm." in key:
                inputs[f"initial.{key}"] = float(key.endswith("weight")) + 0.1 * torch.randn(p.shape, generator=g)
            else:
                fan_in = p.shape[1] if p.dim() == 2 else fan_in
                gain = head_gain if key.split(".")[1] == named[-1][0].split(".")[1] else 1.0
                inputs[f"initial.{key}"] = (torch.rand(p.shape, generator=g) * 2 - 1) * gain * fan_in**-0.5
    return inputs


def batches(case, g, reward_mean=0.0):
    normal = lambda *shape: torch.randn(shape, generator=g)
    state = normal(UPDATES, BATCH, case.obs)
    return {
        "batch.state": state,
        "batch.action": (torch.rand((UPDATES, BATCH, case.act), generator=g) * 2 - 1) * case.max_action,
        "batch.reward": reward_mean + normal(UPDATES, BATCH),
        "batch.next_state": state + 0.3 * normal(UPDATES, BATCH, case.obs),
        "batch.not_done": (torch.rand((UPDATES, BATCH), generator=g) > 0.1).float(),
    }


BATCH_KEYS = ("batch.state", "batch.action", "batch.reward", "batch.next_state", "batch.not_done")


def run(learner, case, inputs, dtype, keys):
    """All updates of `learner(case, inputs)`, whose `update` returns losses by name."""
    torch.set_default_dtype(dtype)
    agent = learner(case, inputs)
    outputs, losses = {}, []
    for i in range(UPDATES):
        losses.append(agent.update(*(inputs[key][i].to(dtype) for key in (*BATCH_KEYS, *keys))))
        if i + 1 in CHECKPOINTS:
            outputs |= {f"after_{i + 1}.{key}": value for key, value in agent.weights().items()}
    for name in losses[0]:
        outputs[f"loss.{name}"] = torch.stack([torch.as_tensor(loss[name], dtype=dtype).detach() for loss in losses])
    torch.set_default_dtype(torch.float32)
    return outputs


def distance(a, b, prefix):
    keys = [key for key in b if key.startswith(prefix)]
    difference = torch.cat([(a[key].double() - b[key].double()).flatten() for key in keys])
    return difference.abs().max().item(), difference.square().mean().sqrt().item()


README_TABLE = """
How far PyTorch's own float32 run lies from its float64 run, over all parameters:

| case | after update | largest distance | RMS |
| --- | --- | --- | --- |
"""


def main(folder, learner, cases, inputs_of, keys, readme):
    parser = argparse.ArgumentParser(description=readme.split("\n", 1)[0].removeprefix("# ").replace("Golden", "Records golden"))
    parser.add_argument("--check", action="store_true", help="recompute, compare with the files here, write nothing")
    check = parser.parse_args().check
    torch.set_num_threads(1)
    readme, complaints = readme + README_TABLE, []
    for case in cases:
        path = folder / f"{case.name}.safetensors"
        if check:
            inputs = {k: v for k, v in load_file(path).items() if not k.startswith(("after", "loss"))}
        else:
            inputs = {key: value.float().contiguous() for key, value in inputs_of(case).items()}
        exact, rounded = (run(learner, case, inputs, dtype, keys) for dtype in (torch.float64, torch.float32))
        golden = inputs | {key: value.float().contiguous() for key, value in exact.items()}
        for update in CHECKPOINTS:
            far, rms = distance(rounded, exact, f"after_{update}.")
            readme += f"| {case.name} | {update} | {far:.1e} | {rms:.1e} |\n"
        if check:
            # The last bits of exp and tanh differ between processors.
            far = max(distance(golden, load_file(path), key)[0] for key in golden)
            print(f"{case.name}: largest distance {far:.1e}")
            complaints += [case.name] if far > 1e-6 else []
        else:
            save_file(golden, path, metadata={"case": json.dumps(asdict(case))})
    if not check:
        (folder / "README.md").write_text(readme)
    sys.exit(1 if complaints else 0)
