"""The others in `cargo xtask bench --peers`: each waits for seconds on standard input, works that long, and answers.

    python -m venv peers && peers/bin/pip install -r benches/peers/requirements.txt
    cargo xtask bench --peers peers/bin/python
"""

import argparse
import json
import os
import sys
import time

ROWS = 100_000  # transitions in replay, as on our side


def serve(once, about=""):
    """Calls `once`, which returns how many units it did, for as long as each line of standard input asks."""
    print("ready", about, flush=True)
    for line in sys.stdin:
        seconds, units, began = float(line), 0.0, time.perf_counter()
        while time.perf_counter() - began < seconds:
            units += once()
        print(json.dumps({"units": units, "seconds": time.perf_counter() - began}), flush=True)


def of_torch(torch):
    config = torch.__config__.show()
    mkl = next((line.split("Version ")[1].split("-")[0] for line in config.splitlines() if "Math Kernel" in line), "none")
    return f"PyTorch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}, MKL {mkl}"


class Learner:
    """What the agents below share: perceptrons, twin critics with their targets, and replay full of random numbers."""

    outputs = 1  # of the actor, an action dimension

    def __init__(self, args):
        import numpy as np
        import torch

        self.np, self.torch, self.args = np, torch, args
        torch.set_num_threads(1)
        torch.manual_seed(0)
        o, a = args.observation, args.action
        make = [lambda: self.network(o, self.outputs * a), lambda: self.network(o + a, 1), lambda: self.network(o + a, 1)]
        self.nets = [f() for f in make]
        self.targets = [f() for f in make]
        for net, target in zip(self.nets, self.targets):
            target.load_state_dict(net.state_dict())
        critics = [*self.nets[1].parameters(), *self.nets[2].parameters()]
        self.critic_adam = torch.optim.Adam(critics, lr=3e-4)
        self.actor_adam = torch.optim.Adam(self.nets[0].parameters(), lr=3e-4)
        self.updates = 0
        random = np.random.default_rng(0)
        normal = lambda *shape: random.standard_normal(shape, dtype=np.float32)
        self.replay = [normal(ROWS, o), normal(ROWS, a), normal(ROWS, 1), normal(ROWS, o)]
        self.ended = np.zeros((ROWS, 1), np.float32)
        self.rows = ROWS
        self.random = random

    def network(self, inputs, outputs):
        Linear, ReLU = self.torch.nn.Linear, self.torch.nn.ReLU
        layers, sizes = [], [inputs, *self.args.hidden]
        for i, o in zip(sizes, sizes[1:]):
            layers += [Linear(i, o), ReLU()]
        return self.torch.nn.Sequential(*layers, Linear(sizes[-1], outputs))

    def draw(self):
        torch = self.torch
        rows = self.random.integers(0, self.rows, self.args.batch)
        s, a, r, next_s = (torch.from_numpy(column[rows]) for column in self.replay)
        return s, a, r, next_s, torch.from_numpy(self.ended[rows])

    def step_critics(self, s, a, y):
        mse, (_, q1, q2) = self.torch.nn.functional.mse_loss, self.nets
        sa = self.torch.cat([s, a], 1)
        loss = mse(q1(sa), y) + mse(q2(sa), y)
        self.critic_adam.zero_grad()
        loss.backward()
        self.critic_adam.step()

    def polyak(self, first):
        for net, target in zip(self.nets[first:], self.targets[first:]):
            for p, t in zip(net.parameters(), target.parameters()):
                t.data.copy_(0.005 * p.data + 0.995 * t.data)


class Td3(Learner):
    """TD3's update as single-file implementations write it: eager PyTorch, one Adam a network group."""

    def act(self, s):
        with self.torch.no_grad():
            a = self.torch.tanh(self.nets[0](self.torch.as_tensor(s)))
            a = a + self.torch.randn_like(a) * 0.1
        return a.numpy().clip(-1, 1)

    def update(self):
        torch = self.torch
        actor, q1, _ = self.nets
        actor_target, q1_target, q2_target = self.targets
        s, a, r, next_s, ended = self.draw()
        with torch.no_grad():
            noise = (torch.randn_like(a) * 0.2).clamp(-0.5, 0.5)
            next_sa = torch.cat([next_s, (torch.tanh(actor_target(next_s)) + noise).clamp(-1, 1)], 1)
            y = r + (1 - ended) * 0.99 * torch.min(q1_target(next_sa), q2_target(next_sa))
        self.step_critics(s, a, y)
        self.updates += 1
        if self.updates % 2 == 0:
            loss = -q1(torch.cat([s, torch.tanh(actor(s))], 1)).mean()
            self.actor_adam.zero_grad()
            loss.backward()
            self.actor_adam.step()
            self.polyak(0)
        return 1


class Sac(Learner):
    """SAC's update as single-file implementations write it, with a learned temperature. Some rest the actor on every
    other update and move it twice on the next: the work is the same."""

    outputs = 2

    def __init__(self, args):
        super().__init__(args)
        self.log_alpha = self.torch.zeros(1, requires_grad=True)
        self.alpha_adam = self.torch.optim.Adam([self.log_alpha], lr=3e-4)

    def sample(self, s):
        torch = self.torch
        mean, log_std = self.nets[0](s).chunk(2, dim=1)
        gaussian = torch.distributions.Normal(mean, (-5 + 3.5 * (torch.tanh(log_std) + 1)).exp())
        u = gaussian.rsample()
        y = torch.tanh(u)
        density = gaussian.log_prob(u) - torch.log(1 - y.pow(2) + 1e-6)
        return y, density.sum(1, keepdim=True)

    def update(self):
        torch = self.torch
        _, q1, q2 = self.nets
        _, q1_target, q2_target = self.targets
        s, a, r, next_s, ended = self.draw()
        alpha = self.log_alpha.exp().item()
        with torch.no_grad():
            next_a, next_density = self.sample(next_s)
            next_sa = torch.cat([next_s, next_a], 1)
            next_value = torch.min(q1_target(next_sa), q2_target(next_sa)) - alpha * next_density
            y = r + (1 - ended) * 0.99 * next_value
        self.step_critics(s, a, y)
        action, density = self.sample(s)
        sa = torch.cat([s, action], 1)
        loss = (alpha * density - torch.min(q1(sa), q2(sa))).mean()
        self.actor_adam.zero_grad()
        loss.backward()
        self.actor_adam.step()
        loss = -(self.log_alpha.exp() * (density.detach() - self.args.action)).mean()
        self.alpha_adam.zero_grad()
        loss.backward()
        self.alpha_adam.step()
        self.polyak(1)
        return 1


class Mpdp(Sac):
    """MPDP's update with a fixed temperature and plans that all go `PLAN` steps, as PyTorch code of ensembles has it: a
    batched product a layer for all members."""

    PLAN = 5
    MEMBERS = 7

    def __init__(self, args):
        super().__init__(args)
        torch, o, a = self.torch, args.observation, args.action
        self.policies = [self.nets[0], *(self.network(o, 2 * a) for _ in range(self.PLAN - 1))]
        self.adams = [torch.optim.Adam(net.parameters(), lr=3e-4) for net in self.policies]
        sizes = [o + a, 200, 200, 200, 200, 2 * (1 + o)]
        weight = lambda i, o: torch.randn(self.MEMBERS, i, o) / (2 * i**0.5)
        self.model = [(weight(i, o), torch.zeros(self.MEMBERS, 1, o)) for i, o in zip(sizes, sizes[1:])]

    def sample(self, s, net=None):
        self.nets[0], first = net or self.nets[0], self.nets[0]
        drawn = super().sample(s)
        self.nets[0] = first
        return drawn

    def predict(self, s, a):
        """Reward and next state by a random elite, and the members' mean divergence from the others."""
        torch, others = self.torch, self.MEMBERS - 1
        x = torch.cat([s, a], 1).expand(self.MEMBERS, -1, -1)
        for w, b in self.model[:-1]:
            x = torch.nn.functional.silu(torch.baddbmm(b, x, w))
        w, b = self.model[-1]
        mean, raw = torch.baddbmm(b, x, w).chunk(2, dim=2)
        softplus = torch.nn.functional.softplus
        log_variance = 0.5 - softplus(0.5 - raw)
        log_variance = -10 + softplus(log_variance + 10)
        variance = log_variance.exp()
        square = variance + mean.square()
        rest_mean = (mean.sum(0) - mean) / others
        rest_variance = ((square.sum(0) - square) / others - rest_mean.square()).clamp(min=1e-8)
        kl = 0.5 * (rest_variance.log() - log_variance + (variance + (mean - rest_mean).square()) / rest_variance - 1)
        error = kl[:, :, 1:].sum(2).mean(0)
        members, rows = torch.randint(0, 5, (len(s),)), torch.arange(len(s))
        draw = mean[members, rows] + variance[members, rows].sqrt() * torch.randn(len(s), mean.shape[2])
        return draw[:, 0], s + draw[:, 1:], error

    def update(self):
        torch = self.torch
        _, q1, q2 = self.nets
        _, q1_target, q2_target = self.targets
        s, a, r, next_s, ended = self.draw()
        alpha = 0.2
        with torch.no_grad():
            next_a, next_density = self.sample(next_s)
            next_sa = torch.cat([next_s, next_a], 1)
            next_value = torch.min(q1_target(next_sa), q2_target(next_sa)) - alpha * next_density
            y = r + (1 - ended) * 0.99 * next_value
        self.step_critics(s, a, y)
        objective = 0
        for t, policy in enumerate(self.policies):
            action, density = self.sample(s, policy)
            soft = -alpha * density[:, 0]
            if t + 1 == self.PLAN:
                sa = torch.cat([s, action], 1)
                objective = objective + 0.99**t * (torch.min(q1(sa), q2(sa))[:, 0] + soft)
                break
            reward, s, error = self.predict(s, action)
            objective = objective + 0.99**t * (reward + soft - 0.5 * error)
        for adam in self.adams:
            adam.zero_grad()
        (-objective.mean()).backward()
        for adam in self.adams:
            adam.step()
        self.polyak(1)
        return 1


class Iql(Learner):
    """IQL's update in the order and with the networks of CORL's single file: value, critics, policy, one Adam each, the
    policy's deviations apart from its network, its rate along a cosine."""

    def __init__(self, args):
        super().__init__(args)
        torch = self.torch
        self.value = self.network(args.observation, 1)
        self.value_adam = torch.optim.Adam(self.value.parameters(), lr=3e-4)
        self.log_std = torch.nn.Parameter(torch.zeros(args.action))
        self.actor_adam = torch.optim.Adam([*self.nets[0].parameters(), self.log_std], lr=3e-4)
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.actor_adam, 1_000_000)
        # CORL keeps its data as tensors.
        self.replay, self.ended = [torch.from_numpy(column) for column in self.replay], torch.from_numpy(self.ended)

    def draw(self):
        rows = self.random.integers(0, self.rows, self.args.batch)
        s, a, r, next_s = (column[rows] for column in self.replay)
        return s, a, r, next_s, self.ended[rows]

    def update(self):
        torch = self.torch
        s, a, r, next_s, ended = self.draw()
        with torch.no_grad():
            next_value = self.value(next_s)
            sa = torch.cat([s, a], 1)
            target = torch.min(self.targets[1](sa), self.targets[2](sa))
        advantage = target - self.value(s)
        loss = ((0.7 - (advantage < 0).float()).abs() * advantage**2).mean()
        self.value_adam.zero_grad(set_to_none=True)
        loss.backward()
        self.value_adam.step()
        self.step_critics(s, a, r + (1 - ended) * 0.99 * next_value)
        self.polyak(1)
        weight = torch.exp(3.0 * advantage.detach()).clamp(max=100.0)
        mean = torch.tanh(self.nets[0](s))
        policy = torch.distributions.Normal(mean, self.log_std.clamp(-20.0, 2.0).exp())
        loss = -(weight * policy.log_prob(a).sum(-1, keepdim=True)).mean()
        self.actor_adam.zero_grad(set_to_none=True)
        loss.backward()
        self.actor_adam.step()
        self.schedule.step()
        return 1


def updates(learner):
    for _ in range(4):
        learner.update()
    serve(learner.update, of_torch(learner.torch))


def torch_networks(args):
    """Forward and backward through twin critics with normalised GELU units."""
    import torch

    torch.set_num_threads(1)

    def network():
        layers, sizes = [], [args.observation + args.action, *args.hidden]
        for i, o in zip(sizes, sizes[1:]):
            layers += [torch.nn.Linear(i, o), torch.nn.GELU(approximate="tanh"), torch.nn.LayerNorm(o, eps=1e-6)]
        return torch.nn.Sequential(*layers, torch.nn.Linear(sizes[-1], 1))

    critics, x = [network(), network()], torch.randn(args.batch, args.observation + args.action)

    def once():
        for critic in critics:
            critic.zero_grad()
        sum(critic(x).square().sum() for critic in critics).backward()
        return 1

    once()
    serve(once, of_torch(torch))


def jax_offline(args, algorithm):
    """An update of FQL or DROL as their authors' JAX code computes it: one jitted call for all networks, one Adam, and of
    DROL all K candidates through actor and critics with gradients."""
    import jax
    import jax.numpy as jnp
    import numpy as np
    import optax

    o, a, k = args.observation, args.action, 16
    clip = lambda x: jnp.clip(x, -1, 1)

    def network(key, inputs, outputs, norm):
        sizes, layers = [inputs, *args.hidden, outputs], []
        for i, (fan_in, fan_out) in enumerate(zip(sizes, sizes[1:])):
            key, own = jax.random.split(key)
            bound = (6 / (fan_in + fan_out)) ** 0.5
            layer = {"w": jax.random.uniform(own, (fan_in, fan_out), minval=-bound, maxval=bound), "b": jnp.zeros(fan_out)}
            if norm and i + 1 < len(sizes) - 1:
                layer |= {"scale": jnp.ones(fan_out), "shift": jnp.zeros(fan_out)}
            layers.append(layer)
        return layers

    def apply(layers, x):
        for layer in layers[:-1]:
            x = jax.nn.gelu(x @ layer["w"] + layer["b"])
            if "scale" in layer:
                mean = x.mean(-1, keepdims=True)
                variance = ((x - mean) ** 2).mean(-1, keepdims=True)
                x = (x - mean) * jax.lax.rsqrt(variance + 1e-6) * layer["scale"] + layer["shift"]
        return x @ layers[-1]["w"] + layers[-1]["b"]

    def values(critics, s, action):
        sa = jnp.concatenate([s, action], -1)
        return jax.vmap(apply, in_axes=(0, None))(critics, sa)[..., 0]

    def latent(key, shape):
        direction, radius = jax.random.split(key)
        x = jax.random.normal(direction, shape)
        u = jax.random.uniform(radius, (*shape[:-1], 1))
        return x / jnp.linalg.norm(x, axis=-1, keepdims=True) * a**0.5 * u ** (1 / a)

    def act(actor, s, z):
        return apply(actor, jnp.concatenate([s, z], -1))

    def critic_loss(params, target, batch, key):
        s, action, r, next_s, mask = batch
        draw = latent if algorithm == "drol" else jax.random.normal
        next_action = clip(act(jax.lax.stop_gradient(params["actor"]), next_s, draw(key, action.shape)))
        y = r + 0.99 * mask * values(target, next_s, next_action).mean(0)
        return ((values(params["critics"], s, action) - y) ** 2).mean()

    def fql_loss(params, batch, key):
        s, action, *_ = batch
        keys = jax.random.split(key, 3)
        x0, t = jax.random.normal(keys[0], action.shape), jax.random.uniform(keys[1], (len(s), 1))
        velocity = lambda x, t: apply(params["flow"], jnp.concatenate([s, x, t], -1))
        clone = ((velocity((1 - t) * x0 + t * action, t) - (action - x0)) ** 2).mean()
        z = jax.random.normal(keys[2], action.shape)
        x = z
        for i in range(10):
            x = x + velocity(x, jnp.full((len(s), 1), i / 10)) / 10
        own = act(params["actor"], s, z)
        distance = ((own - jax.lax.stop_gradient(clip(x))) ** 2).mean()
        q = values(jax.lax.stop_gradient(params["critics"]), s, clip(own)).mean(0)
        return clone + 300 * distance - q.mean()

    def drol_loss(params, batch, key):
        s, action, *_ = batch
        all_s = jnp.repeat(s[:, None], k, 1)
        candidates = clip(act(params["actor"], all_s, latent(key, (len(s), k, a))))
        distances = ((candidates - action[:, None]) ** 2).sum(-1)
        winner = distances.argmin(1)[:, None]
        q = values(jax.lax.stop_gradient(params["critics"]), all_s, candidates).min(0)
        q = jnp.take_along_axis(q, winner, 1)
        scale = jax.lax.stop_gradient(1 / jnp.maximum(jnp.abs(q).mean(), 1e-6))
        return 10 * jnp.take_along_axis(distances, winner, 1).mean() / a - scale * q.mean()

    adam = optax.adam(3e-4)

    @jax.jit
    def update(params, target, state, batch, key):
        keys = jax.random.split(key, 3)
        actor_loss = drol_loss if algorithm == "drol" else fql_loss

        def loss(params):
            return critic_loss(params, target, batch, keys[0]) + actor_loss(params, batch, keys[1])

        steps, new_state = adam.update(jax.grad(loss)(params), state)
        target = jax.tree.map(lambda p, t: 0.005 * p + 0.995 * t, params["critics"], target)
        return optax.apply_updates(params, steps), target, new_state, keys[2]

    keys = jax.random.split(jax.random.PRNGKey(0), 5)
    critics = [network(key, o + a, 1, True) for key in keys[:2]]
    params = {"actor": network(keys[2], o + a, a, False), "critics": jax.tree.map(lambda *x: jnp.stack(x), *critics)}
    if algorithm == "fql":
        params["flow"] = network(keys[3], o + a + 1, a, False)
    random = np.random.default_rng(0)
    normal = lambda *shape: random.standard_normal(shape, dtype=np.float32)
    data = [normal(ROWS, o), np.clip(normal(ROWS, a), -1, 1), normal(ROWS), normal(ROWS, o), np.ones(ROWS, np.float32)]
    now = [params, params["critics"], adam.init(params), keys[4]]

    def once():
        rows = random.integers(0, ROWS, args.batch)
        now[:] = update(now[0], now[1], now[2], [column[rows] for column in data], now[3])
        jax.block_until_ready(now[3])
        return 1

    once()
    serve(once, f"JAX {jax.__version__}")


def torch_training(args):
    import gymnasium

    learner, np = Td3(args), __import__("numpy")
    env = gymnasium.wrappers.RecordEpisodeStatistics(gymnasium.make(args.task))
    env.action_space.seed(0)
    state = {"s": env.reset(seed=0)[0], "t": 0}

    def step():
        s, t = state["s"], state["t"]
        a = env.action_space.sample() if t < 1000 else learner.act(s.astype(np.float32))
        next_s, r, terminated, truncated, _ = env.step(a)
        row = t % ROWS
        for column, value in zip(learner.replay, (s, a, r, next_s)):
            column[row] = value
        learner.ended[row] = terminated
        learner.rows = min(t + 1, ROWS)
        state["s"] = env.reset()[0] if terminated or truncated else next_s
        state["t"] = t + 1
        if t >= 1000:
            learner.update()
        return 1

    for _ in range(2000):
        step()
    serve(step, of_torch(learner.torch))


def spaces(args):
    import gymnasium
    import numpy as np

    class Sized(gymnasium.Env):
        observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (args.observation,), np.float32)
        action_space = gymnasium.spaces.Box(-1.0, 1.0, (args.action,), np.float32)

        def reset(self, seed=None, options=None):
            return self.observation_space.sample(), {}

        def step(self, action):
            return self.observation_space.sample(), 0.0, False, False, {}

    return Sized()


def filled(model, args):
    """Fills a Stable-Baselines3 or SBX replay buffer with random transitions."""
    import numpy as np

    random, buffer = np.random.default_rng(0), model.replay_buffer
    normal = lambda *shape: random.standard_normal(shape).astype(np.float32)
    for name, width in (("observations", args.observation), ("next_observations", args.observation)):
        getattr(buffer, name)[:] = normal(ROWS, 1, width)
    buffer.actions[:] = normal(ROWS, 1, args.action).clip(-1, 1)
    buffer.rewards[:] = normal(ROWS, 1)
    buffer.full, buffer.pos = True, 0


def sb3(args, name, **settings):
    import stable_baselines3
    import torch

    torch.set_num_threads(1)
    model = getattr(stable_baselines3, name)(
        "MlpPolicy", spaces(args), learning_rate=3e-4, batch_size=args.batch, buffer_size=ROWS,
        policy_kwargs={"net_arch": args.hidden}, seed=0, **settings,
    )  # fmt: skip
    model._setup_learn(1)
    filled(model, args)

    def once():
        model.train(gradient_steps=10, batch_size=args.batch)
        return 10

    once()
    serve(once, "Stable-Baselines3 " + stable_baselines3.__version__)


def sbx(args, name, **settings):
    import jax
    import sbx

    model = getattr(sbx, name)(
        "MlpPolicy", spaces(args), learning_rate=3e-4, batch_size=args.batch, buffer_size=ROWS,
        policy_kwargs={"net_arch": args.hidden}, seed=0, **settings,
    )  # fmt: skip
    model._setup_learn(1)
    filled(model, args)

    def once():
        model.train(50, args.batch)
        return 50

    once()
    serve(once, f"SBX {sbx.__version__}, JAX {jax.__version__}")


def gymnasium_steps(args):
    import gymnasium

    if "-singletask-" in args.task:
        import ogbench  # noqa: F401: registers its environments
    env = gymnasium.make(args.task)
    env.action_space.seed(0)
    env.reset(seed=0)

    def once():
        _, _, terminated, truncated, _ = env.step(env.action_space.sample())
        if terminated or truncated:
            env.reset()
        return 1

    serve(once, "Gymnasium " + gymnasium.__version__)


def sgemm(args):
    import torch

    torch.set_num_threads(1)
    a, b = torch.randn(256, 256), torch.randn(256, 256)
    c = torch.empty(256, 256)

    def once():
        torch.mm(a, b.T, out=c)
        return 2.0 * 256**3

    serve(once, of_torch(torch))


PARTS = {
    "torch-td3": lambda args: updates(Td3(args)),
    "torch-sac": lambda args: updates(Sac(args)),
    "torch-mpdp": lambda args: updates(Mpdp(args)),
    "torch-iql": lambda args: updates(Iql(args)),
    "jax-fql": lambda args: jax_offline(args, "fql"),
    "jax-drol": lambda args: jax_offline(args, "drol"),
    "torch-networks": torch_networks,
    "torch-training": torch_training,
    "sb3-td3": lambda args: sb3(args, "TD3"),
    "sb3-sac": lambda args: sb3(args, "SAC"),
    "sbx-td3": lambda args: sbx(args, "TD3", policy_delay=2),
    "sbx-sac": lambda args: sbx(args, "SAC"),
    "gymnasium": gymnasium_steps,
    "sgemm": sgemm,
}


def main():
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--task", required=True)
    parser.add_argument("--observation", type=int, required=True)
    parser.add_argument("--action", type=int, required=True)
    parser.add_argument("--hidden", type=lambda text: [int(x) for x in text.split(",")], required=True)
    parser.add_argument("--batch", type=int, required=True)
    args = parser.parse_args()
    PARTS[args.part](args)


if __name__ == "__main__":
    main()
