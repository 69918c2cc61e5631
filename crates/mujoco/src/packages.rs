//! What is fetched: the pinned wheels and the few of their members that are kept.

/// A pinned Python package of which some members are kept.
pub(crate) struct Package {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    /// What it is needed for, as messages say it.
    pub(crate) purpose: &'static str,
    pub(crate) wheels: &'static [Wheel],
    pub(crate) members: &'static [Member],
    /// The kept file without which a folder is not this package.
    pub(crate) key_file: &'static str,
    /// The variable that points at the user's own copy.
    pub(crate) variable: &'static str,
    /// What that variable must hold, as a remedy says it.
    pub(crate) by_hand: &'static str,
}

/// One file of the package index.
pub(crate) struct Wheel {
    /// `None`: it serves every processor.
    pub(crate) arch: Option<&'static str>,
    pub(crate) sha256: &'static str,
    pub(crate) size: &'static str,
}

/// The members in `folder` (not below it) whose names end in `suffix`.
pub(crate) struct Member {
    pub(crate) folder: &'static str,
    pub(crate) suffix: &'static str,
    /// The folder that they are kept in, within the package's: empty, or with a slash at its end.
    pub(crate) into: &'static str,
}

/// Members that are kept in the package's folder itself.
const fn flat(folder: &'static str, suffix: &'static str) -> Member {
    Member { folder, suffix, into: "" }
}

/// Members that are kept in a folder of it.
const fn nested(folder: &'static str, suffix: &'static str, into: &'static str) -> Member {
    Member { folder, suffix, into }
}

pub(crate) const MUJOCO: Package = Package {
    name: "mujoco",
    version: "3.2.7",
    purpose: "the simulator",
    wheels: &[
        Wheel {
            arch: Some("x86_64"),
            sha256: "43c1cba5cb44d36840721166feb74600c193452f8510c0b249c4208cb534a171",
            size: "6.4 MB",
        },
        Wheel {
            arch: Some("aarch64"),
            sha256: "7b6bfaf88350d5a2f9b65da9774346582d7a46690644fd5693bec8111aed515a",
            size: "6 MB",
        },
    ],
    members: &[
        flat("mujoco/", "libmujoco.so.3.2.7"),
        flat("mujoco-3.2.7.dist-info/", "LICENSE"),
        flat("mujoco-3.2.7.dist-info/", "LICENSES_THIRD_PARTY.md"),
    ],
    key_file: "libmujoco.so.3.2.7",
    variable: "REPRISE_MUJOCO_LIB",
    by_hand: "unzip `mujoco/libmujoco.so.3.2.7` from that wheel and set REPRISE_MUJOCO_LIB to the path of the file",
};

pub(crate) const GYMNASIUM: Package = Package {
    name: "gymnasium",
    version: "1.4.0",
    purpose: "the model files",
    wheels: &[Wheel {
        arch: None,
        sha256: "1cb947c59e7c72d8eabb2c2274c00cd20948e69f8452a9ef4092223be24fdf0e",
        size: "0.5 MB",
    }],
    members: &[
        flat("gymnasium/envs/mujoco/assets/", ".xml"),
        flat("gymnasium-1.4.0.dist-info/licenses/", "LICENSE"),
    ],
    key_file: "half_cheetah.xml",
    variable: "REPRISE_ASSETS",
    by_hand: "unzip `gymnasium/envs/mujoco/assets/` from that wheel and set REPRISE_ASSETS to the path of the folder",
};

pub(crate) const D4RL: Package = Package {
    name: "d4rl",
    version: "1.1",
    purpose: "the model files of D4RL's AntMaze and Adroit",
    wheels: &[Wheel {
        arch: None,
        sha256: "9b7757a4fd2d9e902548a2df7c296e4d42160320965fddfd8e7377bae001e852",
        size: "26 MB",
    }],
    members: &[
        nested("d4rl/locomotion/assets/", "ant.xml", "locomotion/assets/"),
        nested("d4rl/hand_manipulation_suite/assets/", ".xml", "hand_manipulation_suite/assets/"),
        flat("d4rl-1.1.dist-info/", "LICENSE"),
    ],
    key_file: "locomotion/assets/ant.xml",
    variable: "REPRISE_D4RL",
    by_hand: "unzip that wheel and set REPRISE_D4RL to the path of its folder `d4rl`",
};

pub(crate) const OGBENCH: Package = Package {
    name: "ogbench",
    version: "1.2.2",
    purpose: "the model files of OGBench",
    wheels: &[Wheel {
        arch: None,
        sha256: "e0f809be281f2e222283283a300a5cf04fbd6947a6a7b84846fb9da2c30a088d",
        size: "9 MB",
    }],
    members: &[
        nested("ogbench/locomaze/assets/", ".xml", "locomaze/assets/"),
        nested("ogbench/online_locomotion/assets/", "ant.xml", "online_locomotion/assets/"),
        nested("ogbench/manipspace/descriptions/", ".xml", "manipspace/descriptions/"),
        nested(
            "ogbench/manipspace/descriptions/universal_robots_ur5e/",
            "ur5e.xml",
            "manipspace/descriptions/universal_robots_ur5e/",
        ),
        nested(
            "ogbench/manipspace/descriptions/robotiq_2f85/",
            "2f85.xml",
            "manipspace/descriptions/robotiq_2f85/",
        ),
        nested(
            "ogbench/manipspace/descriptions/robotiq_2f85/assets/",
            ".stl",
            "manipspace/descriptions/robotiq_2f85/assets/",
        ),
        nested(
            "ogbench/manipspace/descriptions/metaworld/drawer/",
            ".stl",
            "manipspace/descriptions/metaworld/drawer/",
        ),
        nested(
            "ogbench/manipspace/descriptions/metaworld/window/",
            ".stl",
            "manipspace/descriptions/metaworld/window/",
        ),
        flat("ogbench-1.2.2.dist-info/", "LICENSE"),
    ],
    key_file: "locomaze/assets/ant.xml",
    variable: "REPRISE_OGBENCH",
    by_hand: "unzip that wheel and set REPRISE_OGBENCH to the path of its folder `ogbench`",
};

impl Package {
    /// `mujoco 3.2.7`.
    pub(crate) fn title(&self) -> String {
        format!("{} {}", self.name, self.version)
    }

    /// The wheel for a processor, where there is one.
    pub(crate) fn wheel(&self, arch: &str) -> Option<&Wheel> {
        self.wheels.iter().find(|wheel| wheel.arch.is_none_or(|a| a == arch))
    }

    /// pip's arguments, after `python3`, that download the wheel into `folder`. They name the interpreter and the
    /// platform, so that any Python with pip serves.
    pub(crate) fn pip_arguments(&self, arch: &str, folder: &str) -> Vec<String> {
        let pin = format!("{}=={}", self.name, self.version);
        let platform = format!("manylinux2014_{arch}");
        let fixed = ["-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--python-version", "3.11"];
        let platform = ["--implementation", "cp", "--abi", "cp311", "--abi", "none", "--platform", &platform];
        fixed.iter().chain(&platform).chain(&["-d", folder, &pin]).map(|&s| s.to_owned()).collect()
    }

    /// What a user can do when the package cannot be fetched here.
    pub(crate) fn remedy(&self, arch: &str) -> String {
        format!(
            "on any machine with Python 3 and pip run\n    python3 {}\n  {}",
            self.pip_arguments(arch, ".").join(" "),
            self.by_hand
        )
    }

    /// The path within the package's folder at which `member` of the wheel is kept, or `None` if it is not.
    pub(crate) fn kept(&self, member: &str) -> Option<String> {
        self.members.iter().find_map(|wanted| {
            let name = member.strip_prefix(wanted.folder)?;
            let is_kept = !name.contains(['/', '\\']) && name.ends_with(wanted.suffix);
            is_kept.then(|| format!("{}{name}", wanted.into))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_library_the_models_and_the_licences_are_kept() {
        let check = |package: &Package, member, expect: Option<&str>| {
            assert_eq!(package.kept(member).as_deref(), expect);
        };
        check(&MUJOCO, "mujoco/libmujoco.so.3.2.7", Some("libmujoco.so.3.2.7"));
        check(&MUJOCO, "mujoco-3.2.7.dist-info/LICENSE", Some("LICENSE"));
        check(&MUJOCO, "mujoco/plugin/libmujoco.so.3.2.7", None);
        check(&MUJOCO, "mujoco/__init__.py", None);
        check(&GYMNASIUM, "gymnasium/envs/mujoco/assets/ant.xml", Some("ant.xml"));
        check(&GYMNASIUM, "gymnasium/envs/mujoco/assets/../../../x.xml", None);
        check(&D4RL, "d4rl/locomotion/assets/ant.xml", Some("locomotion/assets/ant.xml"));
        check(&D4RL, "d4rl/locomotion/assets/../ant.xml", None);
        check(&OGBENCH, "ogbench/manipspace/descriptions/robotiq_2f85/scene.xml", None);
    }

    #[test]
    fn a_wheel_is_chosen_by_processor() {
        assert_eq!(MUJOCO.wheel("x86_64").map(|w| &w.sha256[..8]), Some("43c1cba5"));
        assert_eq!(MUJOCO.wheel("aarch64").map(|w| &w.sha256[..8]), Some("7b6bfaf8"));
        assert!(MUJOCO.wheel("riscv64").is_none());
        assert!(GYMNASIUM.wheel("riscv64").is_some());
    }
}
