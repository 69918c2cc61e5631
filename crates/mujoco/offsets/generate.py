#!/usr/bin/env python3
"""Prints the row of src/offsets.rs for one MuJoCo version.

    python3 -m pip download --no-deps --only-binary=:all: -d /tmp/wheels mujoco==3.2.7
    python3 crates/mujoco/offsets/generate.py /tmp/wheels/mujoco-3.2.7-*.whl

Fields of mjModel and mjData move in nearly every release, so the library reads them by offsets that this script takes
from the wheel's own headers with a C compiler (`cc`). To support another version add its row to `ROWS`; to read another
field add it to `MODEL` or `DATA` here and to `Offsets` there, and run this again for each version in the table.
"""

import pathlib
import subprocess
import sys
import tempfile
import zipfile

# Rust name -> C member.
MODEL = {
    "nq": "nq",
    "nv": "nv",
    "nu": "nu",
    "nbody": "nbody",
    "njnt": "njnt",
    "nsite": "nsite",
    "nmocap": "nmocap",
    "nsensordata": "nsensordata",
    "timestep": "opt.timestep",
    "qpos0": "qpos0",
    "body_pos": "body_pos",
    "body_quat": "body_quat",
    "body_mass": "body_mass",
    "jnt_qposadr": "jnt_qposadr",
    "jnt_range": "jnt_range",
    "dof_damping": "dof_damping",
    "site_pos": "site_pos",
    "actuator_gainprm": "actuator_gainprm",
    "actuator_biasprm": "actuator_biasprm",
    "actuator_ctrlrange": "actuator_ctrlrange",
}
DATA = {
    "ncon": "ncon",
    "time": "time",
    "qpos": "qpos",
    "qvel": "qvel",
    "ctrl": "ctrl",
    "mocap_pos": "mocap_pos",
    "mocap_quat": "mocap_quat",
    "sensordata": "sensordata",
    "xpos": "xpos",
    "xquat": "xquat",
    "xmat": "xmat",
    "xipos": "xipos",
    "site_xpos": "site_xpos",
    "site_xmat": "site_xmat",
    "cinert": "cinert",
    "cvel": "cvel",
    "qfrc_actuator": "qfrc_actuator",
    "cfrc_ext": "cfrc_ext",
}


def program() -> str:
    lines = [
        "#include <stddef.h>",
        "#include <stdio.h>",
        "#include <mujoco/mujoco.h>",
        "int main(void) {",
        # The table's readers take sizes as 32-bit integers and numbers as doubles.
        '  _Static_assert(sizeof(((mjModel*)0)->nq) == 4, "sizes are no longer 32 bits wide");',
        '  _Static_assert(sizeof(mjtNum) == 8, "mjtNum is not a double");',
        '  _Static_assert(mjNGAIN == mjNBIAS, "an actuator has more gain than bias parameters");',
        '  printf("    Offsets {\\n        version: %d,\\n", mjVERSION_HEADER);',
        '  printf("        body_object: %d,\\n", (int)mjOBJ_BODY);',
        '  printf("        joint_object: %d,\\n", (int)mjOBJ_JOINT);',
        '  printf("        site_object: %d,\\n", (int)mjOBJ_SITE);',
        '  printf("        actuator_object: %d,\\n", (int)mjOBJ_ACTUATOR);',
        '  printf("        actuator_parameters: %d,\\n", (int)mjNGAIN);',
        '  printf("        integration_state: %d,\\n", (int)mjSTATE_INTEGRATION);',
    ]
    for struct, fields in [("Model", MODEL), ("Data", DATA)]:
        lines.append(f'  printf("        {struct.lower()}: {struct}Offsets {{\\n");')
        for rust, member in fields.items():
            lines.append(f'  printf("            {rust}: %zu,\\n", offsetof(mj{struct}, {member}));')
        lines.append('  printf("        },\\n");')
    lines += ['  printf("    },\\n");', "  return 0;", "}"]
    return "\n".join(lines)


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        with zipfile.ZipFile(sys.argv[1]) as wheel:
            headers = [name for name in wheel.namelist() if name.startswith("mujoco/include/")]
            wheel.extractall(root, headers)
        (root / "offsets.c").write_text(program())
        subprocess.run(
            ["cc", "-I", root / "mujoco/include", "-o", root / "offsets", root / "offsets.c"], check=True
        )
        sys.stdout.write(subprocess.run([root / "offsets"], check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    main()
