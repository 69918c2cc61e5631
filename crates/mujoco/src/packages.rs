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
        Member { folder: "mujoco/", suffix: "libmujoco.so.3.2.7" },
        Member { folder: "mujoco-3.2.7.dist-info/", suffix: "LICENSE" },
        Member { folder: "mujoco-3.2.7.dist-info/", suffix: "LICENSES_THIRD_PARTY.md" },
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
        Member { folder: "gymnasium/envs/mujoco/assets/", suffix: ".xml" },
        Member { folder: "gymnasium-1.4.0.dist-info/licenses/", suffix: "LICENSE" },
    ],
    key_file: "half_cheetah.xml",
    variable: "REPRISE_ASSETS",
    by_hand: "unzip `gymnasium/envs/mujoco/assets/` from that wheel and set REPRISE_ASSETS to the path of the folder",
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

    /// The name under which `member` of the wheel is kept, or `None` if it is not.
    pub(crate) fn kept<'a>(&self, member: &'a str) -> Option<&'a str> {
        self.members.iter().find_map(|wanted| {
            let name = member.strip_prefix(wanted.folder)?;
            (!name.contains(['/', '\\']) && name.ends_with(wanted.suffix)).then_some(name)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_library_the_models_and_the_licences_are_kept() {
        let check =
            |package: &Package, member, expect: Option<&str>| assert_eq!(package.kept(member), expect);
        check(&MUJOCO, "mujoco/libmujoco.so.3.2.7", Some("libmujoco.so.3.2.7"));
        check(&MUJOCO, "mujoco-3.2.7.dist-info/LICENSE", Some("LICENSE"));
        check(&MUJOCO, "mujoco/plugin/libmujoco.so.3.2.7", None);
        check(&MUJOCO, "mujoco/__init__.py", None);
        check(&GYMNASIUM, "gymnasium/envs/mujoco/assets/ant.xml", Some("ant.xml"));
        check(&GYMNASIUM, "gymnasium/envs/mujoco/assets/../../../x.xml", None);
    }

    #[test]
    fn a_wheel_is_chosen_by_processor() {
        assert_eq!(MUJOCO.wheel("x86_64").map(|w| &w.sha256[..8]), Some("43c1cba5"));
        assert_eq!(MUJOCO.wheel("aarch64").map(|w| &w.sha256[..8]), Some("7b6bfaf8"));
        assert!(MUJOCO.wheel("riscv64").is_none());
        assert!(GYMNASIUM.wheel("riscv64").is_some());
    }
}
