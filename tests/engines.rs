//! The same campaign by every engine: processes on this machine, printed commands, and a real Slurm of one node, whose
//! controller is killed in the middle and forgets everything. The records and figures must be the same bytes.
//!
//! Slurm is Debian's `slurm-wlm` and `munge`, brought up by `tests/slurm/cluster.sh` for any user. Where they are absent
//! the test says that it skipped, and fails where `REPRISE_REQUIRE_SLURM` is set.
#![expect(clippy::unwrap_used, reason = "a test says what fails by failing there")]

mod mock;

use mock::{Checkout, bytes, outcome, signal, stderr};
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// Runs with and without an expert; some that take long enough to be interrupted; some that fail.
const PROFILES: &str = r#"
[[arm]]
id = "guided"
label = "guided"
algorithm = "td3-dai"
[arm.dai]
shape = "linear"
start = 0.0
length = 0.5
noise = "before-blend"
random_start = true

[profile.array]
about = "Six runs, and an expert for two of them."
tasks = ["Mock-v0"]
arms = ["fine", "slow", "guided"]
seeds = [0, 1]
steps = 100
set = { evaluation.every = 25 }

[profile.lengthy]
about = "Four runs of seconds."
tasks = ["Mock-v0"]
arms = ["fine", "slow"]
seeds = [0, 1]
steps = 2000
set = { evaluation.every = 500 }

[profile.broken]
about = "Two that fail and one that does not."
tasks = ["Mock-v0"]
arms = ["fine", "error", "kill"]
seeds = [0]
steps = 10
"#;

/// Whatever a shell could take for something else, but for a backslash, which Slurm's own file names cannot have.
const HOSTILE: &str = "it's \"a\" $(touch pwned) `touch pwned` ; %a %j & *\nsecond line";

fn checkout() -> Checkout {
    Checkout::with(PROFILES)
}

/// The program without what a debugger wants: every process hashes it, and it is copied.
static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("xtask-stripped");
    let _ = fs::remove_file(&program);
    let mut strip = Command::new("strip");
    strip.arg("-o").arg(&program).arg(env!("CARGO_BIN_EXE_xtask"));
    if !strip.status().is_ok_and(|status| status.success()) {
        fs::copy(env!("CARGO_BIN_EXE_xtask"), &program).unwrap();
    }
    program
});

fn command(checkout: &Checkout, verb: &str, profile: &str, more: &[&str]) -> Command {
    let mut command = Command::new(&*PROGRAM);
    command.args([verb, "--paper", "mock", "--profile", profile]).args(more).current_dir(checkout.path(""));
    command
}

/// What processes on this machine make of a profile.
fn locally(profile: &str, jobs: &str) -> [BTreeMap<PathBuf, Vec<u8>>; 2] {
    let checkout = checkout();
    let output = command(&checkout, "reproduce", profile, &["--jobs", jobs]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    outcome(&checkout)
}

fn shell(folder: &Path, script: &str) -> Output {
    Command::new("bash").args(["-euo", "pipefail", "-c", script]).current_dir(folder).output().unwrap()
}

/// The lines of docs/engines.md that execute commands.txt.
fn recipe() -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/engines.md");
    let page = fs::read_to_string(page).unwrap();
    let lines: Vec<&str> = page.lines().map(str::trim).filter(|line| line.starts_with("sed ")).collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    lines.join("\n")
}

#[test]
fn printed_commands_make_the_same_runs_and_can_be_repeated() {
    let expected = locally("array", "1");
    for jobs in ["2", "4"] {
        assert!(locally("array", jobs) == expected, "--jobs {jobs}");
    }

    let checkout = checkout();
    let hostile = HOSTILE.replace('\n', "\\");
    let results = checkout.path(&hostile).display().to_string();
    let print = |results: &str| {
        command(&checkout, "reproduce", "array", &["--engine", "commands", "--results", results])
            .output()
            .unwrap()
    };
    let output = print(&results);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    fs::write(checkout.path("commands.txt"), &output.stdout).unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let blocks: Vec<usize> = text.split("\n\n").map(|block| block.lines().count()).collect();
    assert_eq!(blocks, [5, 2], "{text}");

    // A run whose expert is not there says so, and does no harm.
    let early = shell(&checkout.path(""), "tail -n 1 commands.txt | sh");
    assert_eq!(early.status.code(), Some(5), "{}", stderr(&early));
    assert!(stderr(&early).contains("the run that this one needs is not recorded yet"), "{}", stderr(&early));

    // A run that someone is at is waited for; one that is there is not made again.
    let output = shell(
        &checkout.path(""),
        "head -n 1 commands.txt > twice; cat twice twice | xargs -d '\\n' -n 1 -P 2 sh -c",
    );
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    for _ in 0..2 {
        let output = shell(&checkout.path(""), &recipe());
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    }
    let output = command(&checkout, "report", "array", &["--results", &results]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!([bytes(Path::new(&results)), bytes(&checkout.path("figures"))] == expected);
    assert!(!is_pwned(&checkout));

    let output = print(&checkout.path(HOSTILE).display().to_string());
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("a path with a line break is no part of a line"), "{}", stderr(&output));
}

fn is_pwned(checkout: &Checkout) -> bool {
    let found = Command::new("find").arg(checkout.path("")).args(["-name", "pwned"]).output().unwrap();
    !found.stdout.is_empty()
}

/// A Slurm of one node, which ends with this.
struct Cluster {
    folder: tempfile::TempDir,
    script: Child,
    input: Option<ChildStdin>,
}

impl Cluster {
    /// Where Slurm is installed.
    fn start() -> Option<Self> {
        let is_installed = |program: &str| {
            ["/usr/sbin", "/usr/bin", "/sbin"].iter().any(|folder| Path::new(folder).join(program).is_file())
        };
        if !["sbatch", "slurmctld", "slurmd", "munged"].into_iter().all(is_installed) {
            assert!(
                std::env::var_os("REPRISE_REQUIRE_SLURM").is_none(),
                "REPRISE_REQUIRE_SLURM is set, and there is no Slurm"
            );
            // Past the test harness, which would swallow it.
            std::io::stderr().write_all(b"SKIPPED: no Slurm to submit to\n").unwrap();
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let ports = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let ports = ports.map(|listener| listener.local_addr().unwrap().port().to_string());
        let mut script = Command::new("bash");
        script.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/slurm/cluster.sh"));
        script.arg(folder.path()).args(ports).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut script = script.spawn().unwrap();
        let input = script.stdin.take();
        let mut line = String::new();
        BufReader::new(script.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n", "Slurm did not come up");
        Some(Self { folder, script, input })
    }

    fn on(&self, mut command: Command) -> Command {
        command.env("SLURM_CONF", self.folder.path().join("slurm.conf"));
        command
    }

    fn call(&self, program: &str, arguments: &[&str]) -> String {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.folder.path());
        let output = self.on(command).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// The tasks in the queue: array, index and state. A controller that does not answer at once is asked again.
    fn queue(&self) -> Vec<String> {
        let mut told = String::new();
        for _ in 0..20 {
            let mut command = Command::new("squeue");
            command.args(["--noheader", "--array", "--format=%F %K %T"]);
            let output = self.on(command).output().unwrap();
            if output.status.success() {
                return String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
            }
            told = stderr(&output);
            std::thread::sleep(Duration::from_millis(500));
        }
        panic!("squeue: {told}");
    }

    fn reproduce(&self, checkout: &Checkout, profile: &str, more: &[&str]) -> Command {
        let arguments = [&["--engine", "slurm"], more].concat();
        self.on(command(checkout, "reproduce", profile, &arguments))
    }

    /// Kills the controller and has another take its place, which knows nothing of any job and gives `id` to its first.
    fn forget_everything(&self, id: &str) {
        let process = fs::read_to_string(self.folder.path().join("run/slurmctld.pid")).unwrap();
        signal(process.trim().parse().unwrap(), Signal::KILL);
        wait("the controller to be gone", || !Path::new("/proc").join(process.trim()).join("exe").exists());
        fs::remove_dir_all(self.folder.path().join("state")).unwrap();
        fs::create_dir(self.folder.path().join("state")).unwrap();
        self.input.as_ref().unwrap().write_all(format!("controller {id}\n").as_bytes()).unwrap();
        wait("the new controller", || self.call("sinfo", &["-h", "-o", "%T"]) == "idle");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = fs::read_to_string(self.folder.path().join("log/slurmctld.log")).unwrap_or_default();
            let last: Vec<&str> = log.lines().rev().take(20).collect();
            println!("the controller, last line first:\n{}", last.join("\n"));
        }
        self.input = None;
        self.script.wait().unwrap();
    }
}

/// Polls until `done`, for at most a minute.
fn wait(what: &str, done: impl Fn() -> bool) {
    for _ in 0..1200 {
        if done() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("waited in vain for {what}");
}

/// One after the other on one cluster: bringing it up takes longest.
#[test]
fn slurm_makes_the_same_runs() {
    let Some(cluster) = Cluster::start() else { return };
    let (array, lengthy) = (locally("array", "4"), locally("lengthy", "4"));
    let step = |name: &str, began: Instant| println!("{name}: {:.1} s", began.elapsed().as_secs_f64());
    let cases: [(&str, &dyn Fn()); 7] = [
        ("arrays", &|| arrays(&cluster, &array)),
        ("hostile paths", &|| hostile_paths(&cluster, &array)),
        ("failures", &|| failures(&cluster)),
        ("a controller without memory", &|| a_controller_without_memory(&cluster, &lengthy)),
        ("stops", &|| stops(&cluster, &lengthy)),
        ("a requeue", &|| a_requeue(&cluster, &lengthy)),
        ("nobody waits", &|| nobody_waits(&cluster, &array)),
    ];
    for (name, case) in cases {
        let began = Instant::now();
        case();
        step(name, began);
        assert_eq!(cluster.queue(), Vec::<String>::new(), "{name} leaves nothing behind");
    }
}

/// More runs than an array may have, and the experts first.
fn arrays(cluster: &Cluster, expected: &[BTreeMap<PathBuf, Vec<u8>>; 2]) {
    let checkout = checkout();
    let output = cluster.reproduce(&checkout, "array", &["--jobs", "2"]).output().unwrap();
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(outcome(&checkout) == *expected, "{told}");
    let submitted: Vec<&str> = told.lines().filter(|line| line.starts_with("Slurm job ")).collect();
    let runs = |line: &&str| line.split(' ').nth(3).unwrap().parse::<usize>().unwrap();
    assert_eq!(submitted.iter().map(runs).collect::<Vec<_>>(), [4, 1, 2], "{told}");
    let left: Vec<_> = fs::read_dir(checkout.work().join("batches")).unwrap().collect();
    assert_eq!(left.len(), 1, "the program alone: {left:?}");
    // All is there: nothing is submitted.
    let output = cluster.reproduce(&checkout, "array", &[]).output().unwrap();
    assert!(output.status.success() && !stderr(&output).contains("Slurm"), "{}", stderr(&output));
    // Again, in the place of what is there.
    let output = cluster.reproduce(&checkout, "array", &["--fresh"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("Slurm job ") && outcome(&checkout) == *expected, "{}", stderr(&output));
}

fn hostile_paths(cluster: &Cluster, expected: &[BTreeMap<PathBuf, Vec<u8>>; 2]) {
    let checkout = checkout();
    let results = checkout.path(HOSTILE).display().to_string();
    let output = cluster.reproduce(&checkout, "array", &["--results", &results]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!([bytes(Path::new(&results)), bytes(&checkout.path("figures"))] == *expected);
    assert!(!is_pwned(&checkout));
    let output = cluster.reproduce(&checkout, "array", &["--results", "a\\b"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("without a backslash in its path"), "{}", stderr(&output));
}

fn failures(cluster: &Cluster) {
    let checkout = checkout();
    let output = cluster.reproduce(&checkout, "broken", &["--tries", "2"]).output().unwrap();
    assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
    let rows = fs::read_to_string(checkout.path("figures/mock/broken/runs.csv")).unwrap();
    for (arm, expected) in [
        ("fine", "recorded"),
        ("error", "exit code 1: error: the mock was told to fail"),
        ("kill", "killed by signal 9, the last of 2 tries"),
    ] {
        let row = rows.lines().find(|row| row.contains(&format!(",{arm},"))).unwrap();
        assert!(row.contains(expected), "{rows}\n{}", stderr(&output));
    }
    assert_eq!(stderr(&output).matches("Slurm job ").count(), 1, "{}", stderr(&output));

    fs::write(checkout.path("lines"), "# mine\n#SBATCH --partition=nowhere\n").unwrap();
    let output = cluster.reproduce(&checkout, "broken", &["--sbatch", "lines"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    let told = stderr(&output);
    assert!(told.contains("invalid partition specified: nowhere") && told.contains("help: "), "{told}");
}

/// Killed in the middle of an array, and its job id is given to somebody else's job.
fn a_controller_without_memory(cluster: &Cluster, expected: &[BTreeMap<PathBuf, Vec<u8>>; 2]) {
    let checkout = checkout();
    let mut runner = cluster.reproduce(&checkout, "lengthy", &["--checkpoint-every", "0.05", "--jobs", "2"]);
    let runner = runner.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    wait("an array that runs", || cluster.queue().iter().any(|task| task.ends_with(" 1 RUNNING")));
    let id = cluster.queue()[0].split(' ').next().unwrap().to_owned();
    signal(runner.id(), Signal::STOP);
    cluster.forget_everything(&id);
    // Held: a node takes no second job of an id. Others use up the ids of the tasks that still run there.
    let held = ["--parsable", "--hold", "--array=0-3", "--wrap=true"];
    let others: Vec<String> = (0..5).map(|_| cluster.call("sbatch", &held)).collect();
    assert_eq!(others[0], id, "another job has the id");
    signal(runner.id(), Signal::CONT);
    let output = runner.wait_with_output().unwrap();
    assert_eq!(cluster.queue().len(), 4 * others.len(), "{}", stderr(&output));
    others.iter().for_each(|other| drop(cluster.call("scancel", &[other])));
    wait("the others to leave", || cluster.queue().is_empty());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("it is gone from the queue"), "{}", stderr(&output));
    assert!(outcome(&checkout) == *expected, "{}", stderr(&output));
}

/// Ctrl-C cancels, and SIGKILL leaves the tasks to go on; the same command takes it up either way.
fn stops(cluster: &Cluster, expected: &[BTreeMap<PathBuf, Vec<u8>>; 2]) {
    for (name, code) in [(Signal::INT, Some(5)), (Signal::KILL, None)] {
        let checkout = checkout();
        let arguments = ["--checkpoint-every", "1000", "--jobs", "2"];
        let mut runner = cluster.reproduce(&checkout, "lengthy", &arguments);
        let runner = runner.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let is_running = || {
            let queue = cluster.queue();
            queue.iter().any(|task| task.ends_with(" RUNNING"))
        };
        wait("a task that runs", is_running);
        let work = checkout.work();
        wait("a run that has begun", || {
            fs::read_dir(&work)
                .is_ok_and(|mut all| all.any(|e| e.unwrap().path().join("checkpoints/starts").exists()))
        });
        signal(runner.id(), name);
        let first = runner.wait_with_output().unwrap();
        assert_eq!(first.status.code(), code, "{name:?}: {}", stderr(&first));
        let second = cluster.reproduce(&checkout, "lengthy", &arguments).output().unwrap();
        assert_eq!(second.status.code(), Some(0), "{name:?}: {}", stderr(&second));
        let told = stderr(&first) + &stderr(&second);
        let submitted = if name == Signal::INT { 2 } else { 1 };
        assert_eq!(told.matches("Slurm job ").count(), submitted, "{name:?}: {told}");
        assert_eq!(told.contains("Slurm tasks are cancelled"), name == Signal::INT, "{name:?}: {told}");
        assert!(outcome(&checkout) == *expected, "{name:?}: {told}");
    }
}

/// What Slurm sends a minute before the time limit makes a task put a checkpoint away and go back into the queue.
fn a_requeue(cluster: &Cluster, expected: &[BTreeMap<PathBuf, Vec<u8>>; 2]) {
    let checkout = checkout();
    let more = ["--checkpoint-every", "1000", "--jobs", "1", "--only", "arm=slow", "--only", "seed=0"];
    let mut runner = cluster.reproduce(&checkout, "lengthy", &more);
    let runner = runner.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let work = checkout.work();
    wait("a run that has begun", || {
        fs::read_dir(&work)
            .is_ok_and(|mut all| all.any(|e| e.unwrap().path().join("checkpoints/starts").exists()))
    });
    let id = cluster.queue()[0].split(' ').next().unwrap().to_owned();
    cluster.call("scancel", &["--batch", "--signal=USR1", &format!("{id}_0")]);
    wait("the task to go back", || cluster.queue() == [format!("{id} 0 PENDING")]);
    // It would wait for two minutes, and in the second of its end the node takes no task of this id.
    std::thread::sleep(Duration::from_secs(2));
    wait("the task to run again", || {
        cluster.call("scontrol", &["update", &format!("JobId={id}_0"), "StartTime=now"]);
        cluster.queue() != [format!("{id} 0 PENDING")]
    });
    let batches = work.join("batches");
    let log = || {
        let logs = fs::read_dir(&batches).unwrap().map(|entry| entry.unwrap().path().join("0.log"));
        logs.filter_map(|log| fs::read_to_string(log).ok()).collect::<String>()
    };
    wait("the run to go on", || log().contains("goes on from its checkpoint at step"));
    assert!(log().contains("the time limit is near: Slurm runs this task again"), "{}", log());
    let output = runner.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(5), "the others are missing: {}", stderr(&output));
    // Had Slurm shown nothing of the task for long, it was submitted a second time, and has nothing left to do.
    cluster.call("scancel", &["--state=PENDING", &format!("--user={}", cluster.call("id", &["-u"]))]);
    wait("the queue to empty", || cluster.queue().is_empty());
    let results = bytes(&checkout.path("results"));
    let is_wanted = |path: &Path| path.to_str().unwrap().contains("slow/seed0");
    let wanted = expected[0].iter().filter(|(path, _)| is_wanted(path));
    assert!(results.iter().filter(|(path, _)| is_wanted(path)).eq(wanted), "{}", log());
}

/// Everything is submitted at once, and figures are drawn after it.
fn nobody_waits(cluster: &Cluster, expected: &[BTreeMap<PathBuf, Vec<u8>>; 2]) {
    let checkout = checkout();
    let output = cluster.reproduce(&checkout, "array", &["--detach"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(bytes(&checkout.path("figures")).is_empty());
    // A second time there is nothing to submit.
    let again = cluster.reproduce(&checkout, "array", &["--detach"]).output().unwrap();
    assert!(stderr(&again).contains("with Slurm already"), "{}", stderr(&again));
    wait("the queue to empty", || cluster.queue().is_empty());
    assert!(outcome(&checkout) == *expected, "{}", stderr(&output));
}
