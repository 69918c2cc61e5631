"""Stand-ins for gym and mujoco-py, so that D4RL's own classes run on MuJoCo's own Python bindings.

D4RL needs `gym` before 0.25 and `mujoco-py`, which builds MuJoCo 2 with old compilers only. What its environments ask of
the two is little, and here: spaces, registration, `MujocoEnv`, and a simulation's arrays under mujoco-py's names.
`install()` puts them where `import` finds them.
"""

import importlib.machinery
import importlib.util
import pathlib
import sys
import types

import mujoco
import numpy as np

# What D4RL registers: id -> the keywords of `register`.
REGISTERED = {}


class Env:
    def __init__(self, **_):
        pass


class Box:
    def __init__(self, low, high, shape=None, dtype=np.float32):
        shape = np.shape(low) if shape is None else shape
        self.low = np.broadcast_to(np.asarray(low, dtype), shape)
        self.high = np.broadcast_to(np.asarray(high, dtype), shape)
        self.shape, self.dtype = shape, dtype


class EzPickle:
    def __init__(self, *_, **__):
        pass


class Names:
    """Forwards to MuJoCo's own struct; mujoco-py's names for what is called otherwise there."""

    def __init__(self, struct, renamed):
        self.__dict__.update(struct=struct, renamed=renamed)

    def __getattr__(self, name):
        return getattr(self.struct, self.renamed.get(name, name))


class Model(Names):
    def __init__(self, path):
        super().__init__(mujoco.MjModel.from_xml_path(path), {})

    def body_name2id(self, name):
        return self.struct.body(name).id

    def site_name2id(self, name):
        return self.struct.site(name).id

    def joint_name2id(self, name):
        return self.struct.joint(name).id

    def actuator_name2id(self, name):
        return self.struct.actuator(name).id

    def sensor_name2id(self, name):
        return self.struct.sensor(name).id


class Data(Names):
    def __init__(self, struct):
        super().__init__(struct, {"body_xpos": "xpos", "body_xquat": "xquat"})

    def get_body_xpos(self, name):
        return self.struct.body(name).xpos


class MjSim:
    def __init__(self, model):
        self.model, self.data = model, Data(mujoco.MjData(model.struct))

    def reset(self):
        mujoco.mj_resetData(self.model.struct, self.data.struct)

    def forward(self):
        mujoco.mj_forward(self.model.struct, self.data.struct)

    def step(self):
        mujoco.mj_step(self.model.struct, self.data.struct)


class MujocoEnv(Env):
    def __init__(self, model_path, frame_skip):
        self.frame_skip = frame_skip
        self.model = Model(model_path)
        self.sim = MjSim(self.model)
        self.data = self.sim.data
        self.sim.forward()
        self.init_qpos, self.init_qvel = self.data.qpos.copy(), self.data.qvel.copy()
        low, high = self.model.actuator_ctrlrange.copy().astype(np.float32).T
        self.action_space = Box(low, high)
        self.observation_space = None
        self.seed(0)

    def seed(self, seed=None):
        self.np_random = np.random.RandomState(seed)

    def reset(self):
        self.sim.reset()
        return self.reset_model()

    def set_state(self, qpos, qvel):
        self.data.qpos[:], self.data.qvel[:] = qpos, qvel
        self.sim.forward()

    @property
    def dt(self):
        return self.model.opt.timestep * self.frame_skip

    def do_simulation(self, ctrl, n_frames):
        self.data.ctrl[:] = ctrl
        for _ in range(n_frames):
            self.sim.step()

    def get_body_com(self, name):
        return self.data.get_body_xpos(name)

    def state_vector(self):
        return np.concatenate([self.data.qpos.flat, self.data.qvel.flat])


def module(name, **members):
    out = types.ModuleType(name)
    out.__path__ = []
    out.__dict__.update(members)
    sys.modules[name] = out
    if "." in name:
        parent, child = name.rsplit(".", 1)
        setattr(sys.modules[parent], child, out)


def install(**gym_mujoco):
    """`gym_mujoco` are the classes of `gym.envs.mujoco`."""
    nothing = lambda *_, **__: None
    module("gym", Env=Env, Wrapper=type("Wrapper", (Env,), {}))
    module("gym.spaces", Box=Box, Dict=dict, Discrete=None)
    module("gym.utils", EzPickle=EzPickle, colorize=nothing)
    module("gym.utils.seeding")
    module("gym.error")
    module("gym.envs")
    module("gym.envs.registration", register=lambda **row: REGISTERED.update({row["id"]: row}))
    module("gym.envs.mujoco", **gym_mujoco)
    module("gym.envs.mujoco.mujoco_env", MujocoEnv=MujocoEnv)
    module("mjrl")
    module("mjrl.envs")
    module("mjrl.envs.mujoco_env", MujocoEnv=MujocoEnv)
    module("mujoco_py", get_version=lambda: "2.1", load_model_from_path=Model, MjSim=MjSim, MjViewer=None)
    module("h5py", File=None, Dataset=None)
    module("tqdm", tqdm=nothing)
    # The package without its `__init__`, which imports all that it may need.
    spec = importlib.machinery.PathFinder.find_spec("d4rl")
    package = types.ModuleType("d4rl")
    package.__path__ = [str(pathlib.Path(spec.origin).parent)]
    sys.modules["d4rl"] = package
