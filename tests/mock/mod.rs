//! A checkout whose only paper is a mock: its runs take milliseconds, and fail as they are told to. Everything else is
//! the product.
#![allow(dead_code, reason = "each test file uses a part of it")]

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::collections::BTreeMap;
use std::fs;
use std::ops::{Deref, DerefMut};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::sync::LazyLock;

const PROTOCOL: &str = r#"
schema = 1
title = "A mock"
cite = "nowhere"
mujoco = "3.2.7"

[td3]
hidden = [1]
learning_rate = 0.1
discount = 0.9
polyak = 0.1
exploration_noise = 0.1
target_policy_noise = 0.1
target_noise_clip = 0.1
policy_delay = 1
start_steps = 2

[replay]
capacity = 2
batch_size = 2

[evaluation]
every = 5
episodes = 2

[expert]
fraction = 0.5
seed = 1000
steps = 10
score_episodes = 1

[statistics]
iqr_factor = 1.5
confidence = 0.95
resamples = 100
seed = 0

[[task]]
id = "Mock-v0"
title = "Mock"
published = { source = "nobody", task = "Mock-v0" }

[profile.brief]
about = "One run."
tasks = ["Mock-v0"]
arms = ["fine"]
seeds = [0]
steps = 4
set = { evaluation.every = 2 }

[profile.campaign]
about = "Six runs."
tasks = ["Mock-v0"]
arms = ["fine", "slow"]
seeds = [0, 1, 2]
steps = 100
set = { evaluation.every = 25 }

[profile.long]
about = "One run that takes minutes."
tasks = ["Mock-v0"]
arms = ["slow"]
seeds = [0]
steps = 100_000

[profile.hang]
about = "One run that hangs."
tasks = ["Mock-v0"]
arms = ["hang"]
seeds = [0]
steps = 10

[profile.faults]
about = "Every fault."
tasks = ["Mock-v0"]
seeds = [0]
steps = 10
"#;

const REFERENCE: &str = r#"
schema = 1
[[source]]
id = "nobody"
algorithm = "mock"
steps = 1
seeds = 1
protocol = "none"
spread = "none"
cite = "nowhere"
scores = [{ task = "Mock-v0", value = 1.0 }]
"#;

const CLAIMS: &str = r#"
schema = 1
[[claim]]
id = "none"
statement = "The slow mock ends above the fine one."
cite = "nowhere"
metric = "least-difference"
arm = "slow"
baseline = "fine"
above = 0.0
reading = [{ id = "end", window = { last = 0.5 } }]
"#;

pub(crate) const FAULTS: [&str; 7] = ["error", "abort", "kill", "overflow", "hang", "memory", "flood"];

/// The program and the simulator are large and do not change meanwhile: not every process needs to hash them.
static KNOWN_HASHES: LazyLock<String> = LazyLock::new(|| {
    let doctor = Command::new(env!("CARGO_BIN_EXE_xtask")).args(["doctor", "--json"]).output().unwrap();
    let findings: serde_json::Value = serde_json::from_slice(&doctor.stdout).unwrap();
    let place = findings[0]["looked_in"].as_str().unwrap_or_default().rsplit(", ").next().unwrap_or_default();
    let library = Some(Path::new(place).join("libmujoco.so.3.2.7")).filter(|file| file.is_file());
    let files = [Some(PathBuf::from(env!("CARGO_BIN_EXE_xtask"))), library].into_iter().flatten();
    files.map(|file| format!("{}=tested ", identity(&file))).collect()
});

/// As the product has it.
fn identity(file: &Path) -> String {
    let file = fs::metadata(file).unwrap();
    format!("{}:{}:{}:{}.{}", file.dev(), file.ino(), file.size(), file.mtime(), file.mtime_nsec())
}

/// A checkout whose only paper is the mock.
pub(crate) struct Checkout(tempfile::TempDir);

impl Checkout {
    pub(crate) fn new() -> Self {
        Self::with("")
    }

    /// With more profiles.
    pub(crate) fn with(profiles: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let paper = folder.path().join("experiments/mock");
        fs::create_dir_all(&paper).unwrap();
        let mut protocol = PROTOCOL.to_owned() + profiles;
        let mut arm = |id: &str, mock: &str| {
            protocol += &format!(
                "[[arm]]\nid = \"{id}\"\nlabel = \"{id}\"\nalgorithm = \"td3\"\nmock = {{ {mock} }}\n"
            );
        };
        arm("fine", "pace = 0");
        arm("slow", "pace = 1000");
        FAULTS.iter().for_each(|fault| arm(fault, &format!("pace = 0, at = 4, fault = \"{fault}\"")));
        fs::write(paper.join("protocol.toml"), protocol).unwrap();
        fs::write(paper.join("reference.toml"), REFERENCE).unwrap();
        fs::write(paper.join("claims.toml"), CLAIMS).unwrap();
        Self(folder)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn command(&self, verb: &str, profile: &str, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.args([verb, "--paper", "mock", "--profile", profile]).args(more).current_dir(self.0.path());
        command.env("REPRISE_KNOWN_HASHES", KNOWN_HASHES.as_str());
        command
    }

    pub(crate) fn call(&self, verb: &str, profile: &str, more: &[&str]) -> Output {
        self.command(verb, profile, more).output().unwrap()
    }

    pub(crate) fn work(&self) -> PathBuf {
        self.path("results/mock/.work")
    }
}

/// A runner that a test started. It and its workers end with the test, however that ends.
pub(crate) struct Runner(Option<Child>);

impl Runner {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self(Some(command.spawn().unwrap()))
    }

    /// Waits for it and what it says.
    pub(crate) fn output(mut self) -> Output {
        self.0.take().unwrap().wait_with_output().unwrap()
    }
}

impl Deref for Runner {
    type Target = Child;

    fn deref(&self) -> &Child {
        self.0.as_ref().unwrap()
    }
}

impl DerefMut for Runner {
    fn deref_mut(&mut self) -> &mut Child {
        self.0.as_mut().unwrap()
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        let Some(runner) = &mut self.0 else { return };
        if !matches!(runner.try_wait(), Ok(None)) {
            return;
        }
        // Each worker leads a process group of its own. One that starts meanwhile sees its runner gone.
        let workers = children(runner.id());
        let _ = runner.kill();
        let _ = runner.wait();
        for group in workers.into_iter().filter_map(|id| Pid::from_raw(id as i32)) {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

pub(crate) fn children(process: u32) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
    text.split_whitespace().map(|id| id.parse().unwrap()).collect()
}

/// Sends a signal to a process, which may be gone.
pub(crate) fn signal(process: u32, signal: Signal) {
    let sent = kill_process(Pid::from_raw(process as i32).unwrap(), signal);
    assert!(matches!(sent, Ok(()) | Err(rustix::io::Errno::SRCH)), "{sent:?}");
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What a clock touched: the page says how long each run took.
const TIMED: [&str; 2] = ["timing.toml", "report.html"];

/// Every file below `folder` that no clock touched, but for hidden ones.
pub(crate) fn bytes(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).into_iter().flatten() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() && !name.starts_with('.') {
                folders.push(path);
            } else if path.is_file() && !name.starts_with('.') && !TIMED.contains(&name) {
                files.insert(path.strip_prefix(folder).unwrap().to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    files
}

/// Results and figures.
pub(crate) fn outcome(checkout: &Checkout) -> [BTreeMap<PathBuf, Vec<u8>>; 2] {
    ["results", "figures"].map(|folder| bytes(&checkout.path(folder)))
}
