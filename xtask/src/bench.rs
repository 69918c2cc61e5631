//! `bench`: how fast training is, against the machine's limit and against others, all measured in turn in one run.
//!
//! Every contestant is a process that waits for a number of seconds on standard input, works for that long, and
//! answers with what it did. The driver gives each its slice in turn, round after round, so that whatever else the
//! machine does falls on all alike; ratios are taken within a round.

use crate::args::BenchArgs;
use crate::{exit, say, say_json};
use anyhow::{Context, Result, bail};
use candle_core::{Device, Tensor};
use clap::ValueEnum;
use diagnostics::BadInput;
use experiment::{Plan, RunConfig, Selection};
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// What a contestant answers.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Slice {
    /// Updates, steps or floating-point operations.
    pub(crate) units: f64,
    /// Seconds that they took.
    pub(crate) seconds: f64,
}

/// A process that works on demand.
struct Server {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    /// What it says of itself: versions, instructions.
    about: String,
}

impl Server {
    /// Starts `wanted` on one core, `core` of those there are: some libraries take no other word for it.
    fn start(wanted: &Command, core: usize) -> Result<Self> {
        let mut command = Command::new("taskset");
        command.args(["--cpu-list", &core.to_string()]).arg(wanted.get_program()).args(wanted.get_args());
        for variable in ["RAYON_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"] {
            command.env(variable, "1");
        }
        command.env("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1");
        command.env("MALLOC_TRIM_THRESHOLD_", "1000000000").env("MALLOC_MMAP_THRESHOLD_", "33554432");
        let program = command.get_program().to_string_lossy().into_owned();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| BadInput::new(format!("cannot run {program} (of util-linux): {error}")))?;
        let to = child.stdin.take().context("a contestant has no standard input")?;
        let from = BufReader::new(child.stdout.take().context("a contestant has no standard output")?);
        let mut server = Self { child, to, from, about: String::new() };
        let ready = server.line()?;
        match ready.trim().strip_prefix("ready") {
            Some(about) => server.about = about.trim().to_owned(),
            None => bail!("{program} answered `{}` instead of `ready`", ready.trim()),
        }
        Ok(server)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.from.read_line(&mut line)? == 0 {
            bail!("a contestant ended early: {}", self.child.wait()?);
        }
        Ok(line)
    }

    fn ask(&mut self, seconds: f64) -> Result<()> {
        writeln!(self.to, "{seconds}").context("a contestant went away")
    }

    fn answer(&mut self) -> Result<f64> {
        let line = self.line()?;
        let slice: Slice = serde_json::from_str(&line).with_context(|| format!("no answer: `{line}`"))?;
        Ok(slice.units / slice.seconds)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A contestant that sees the end of its input leaves by itself; one that hangs does not hold us up.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One line of a comparison: one process, or several at the same time.
struct Contestant {
    name: String,
    servers: Vec<Server>,
    rates: Vec<f64>,
}

impl Contestant {
    fn new(name: &str, count: usize, command: impl Fn() -> Command) -> Result<Self> {
        let servers = (0..count).map(|core| Server::start(&command(), core)).collect::<Result<_>>()?;
        Ok(Self { name: name.to_owned(), servers, rates: Vec::new() })
    }

    fn slice(&mut self, seconds: f64) -> Result<f64> {
        for server in &mut self.servers {
            server.ask(seconds)?;
        }
        self.servers.iter_mut().map(Server::answer).sum()
    }
}

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum What {
    /// Updates of an agent, against the rate of products and against peers
    Updates,
    /// Environment steps, against Gymnasium
    Steps,
    /// Steps of the whole training loop
    Training,
    /// The parts of a training step
    Parts,
    /// A run on every core at a time, against one run
    Scaling,
}

impl What {
    fn name(self) -> &'static str {
        match self {
            Self::Updates => "updates",
            Self::Steps => "environment steps",
            Self::Training => "whole training loop",
            Self::Parts => "parts of a training step",
            Self::Scaling => "scaling",
        }
    }
}

/// Contestants that did the same in turn; the first is compared with each.
#[derive(Serialize)]
struct Comparison {
    what: What,
    title: String,
    unit: &'static str,
    /// Floating-point operations a unit, where they are counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    flop: Option<f64>,
    lines: Vec<Line>,
}

impl Comparison {
    /// The median share of the product's rate, measured in the same rounds, that the first contestant's operations
    /// reach.
    fn share_of_products(&self) -> Option<f64> {
        let product = self.lines.iter().find(|line| line.name == PRODUCT)?;
        Some(product.first_over_this[1] * self.flop?)
    }
}

/// The limit: candle's own products, by the crate `gemm`.
const PRODUCT: &str = "sgemm 256³, gemm crate";

#[derive(Serialize)]
struct Line {
    name: String,
    /// What the contestant says of itself.
    #[serde(skip_serializing_if = "String::is_empty")]
    about: String,
    /// Units a second: quartiles over rounds.
    rate: [f64; 3],
    /// The first line's rate ÷ this one's in the same round: quartiles.
    first_over_this: [f64; 3],
}

/// All that one call measured.
#[derive(Serialize)]
struct Results {
    machine: Machine,
    rounds: u32,
    slice_seconds: f64,
    comparisons: Vec<Comparison>,
}

#[derive(Serialize)]
struct Machine {
    cpu: String,
    cores: usize,
    simd: &'static str,
}

fn quartiles(values: &[f64]) -> [f64; 3] {
    [0.25, 0.5, 0.75].map(|q| stats::quantile_type7(values, q).unwrap_or(f64::NAN))
}

/// Gives every contestant its slice in turn, `rounds` times, after one that does not count.
fn compare(
    args: &BenchArgs,
    what: What,
    title: String,
    unit: &'static str,
    flop: Option<f64>,
    mut contestants: Vec<Contestant>,
) -> Result<Comparison> {
    eprintln!("{title}: {} contestants", contestants.len());
    for round in 0..=args.rounds {
        for contestant in &mut contestants {
            let rate = contestant.slice(args.slice)?;
            if round > 0 {
                contestant.rates.push(rate);
            }
        }
    }
    let first = contestants[0].rates.clone();
    let line = |contestant: &Contestant| {
        let ratios: Vec<f64> =
            first.iter().zip(&contestant.rates).map(|(first, rate)| first / rate).collect();
        Line {
            name: contestant.name.clone(),
            about: contestant.servers[0].about.clone(),
            rate: quartiles(&contestant.rates),
            first_over_this: quartiles(&ratios),
        }
    };
    Ok(Comparison { what, title, unit, flop, lines: contestants.iter().map(line).collect() })
}

pub(crate) fn bench(args: &BenchArgs) -> Result<u8> {
    if args.at_least.is_some() && !args.measures(What::Updates) {
        return Err(BadInput::new("--at-least is about updates, and --only leaves them out")
            .help("add `--only updates`")
            .into());
    }
    let chosen = args.which().read()?;
    let mut comparisons = Vec::new();
    let selection = Selection::parse(&chosen.experiment, &["arm=td3".to_owned()], &[])?;
    let mut config = Plan::new(&chosen.experiment, &chosen.profile, &selection)?.cells.remove(0).config;
    for task in &args.task {
        // The profile's settings; the task may be any.
        config.task.clone_from(task);
        comparisons.extend(of_task(args, &config)?);
    }
    let results = Results {
        machine: Machine {
            cpu: training::cpu().unwrap_or_else(|| "unknown".to_owned()),
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            simd: nn::simd(),
        },
        rounds: args.rounds,
        slice_seconds: args.slice,
        comparisons,
    };
    if args.json {
        say_json(&results)?;
    } else {
        print(&results);
    }
    let shares = results.comparisons.iter().filter_map(Comparison::share_of_products);
    let least = shares.fold(f64::INFINITY, f64::min);
    if args.at_least.is_some_and(|share| least < share) {
        eprintln!("updates reach {:.0} % of the rate of products, less than --at-least asks", 100.0 * least);
        return Ok(exit::CHECK_FAILED);
    }
    Ok(exit::FINE)
}

/// The comparisons on one task: updates, the environment, the whole loop, and several runs at a time.
fn of_task(args: &BenchArgs, config: &RunConfig) -> Result<Vec<Comparison>> {
    let spec = envs::make(&config.task)?.spec().clone();
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("config.toml");
    std::fs::write(&file, config.to_toml())?;
    let program = std::env::current_exe()?;
    let ours = |part: &str, count: usize, name: &str| {
        Contestant::new(name, count, || {
            let mut command = Command::new(&program);
            command.arg("contestant").arg(part).arg("--config").arg(&file);
            command
        })
    };
    let peer = |part: &str, name: &str| -> Result<Option<Contestant>> {
        let Some(python) = &args.peers else { return Ok(None) };
        let script = crate::args::root()?.join("benches/peers/peers.py");
        let hidden: Vec<String> = config.td3.hidden.iter().map(ToString::to_string).collect();
        let contestant = Contestant::new(name, 1, || {
            let mut command = Command::new(python);
            command.arg(&script).arg(part).args(["--task", &config.task]);
            command.args(["--observation", &spec.observation_dim.to_string()]);
            command.args(["--action", &spec.action_dim.to_string()]);
            command.args(["--hidden", &hidden.join(",")]);
            command.args(["--batch", &config.replay.batch_size.to_string()]);
            command
        })?;
        Ok(Some(contestant))
    };
    let title = |what: &str| {
        format!(
            "{what}, TD3 {}, batch {}, {} ({} observations, {} actions)",
            config.td3.hidden.iter().map(ToString::to_string).collect::<Vec<_>>().join("-"),
            config.replay.batch_size,
            config.task,
            spec.observation_dim,
            spec.action_dim,
        )
    };
    let dims = (spec.observation_dim, spec.action_dim);
    let flop = td3_flop(&config.td3.hidden, dims, config.replay.batch_size, config.td3.policy_delay);

    let mut comparisons = Vec::new();
    let mut add = |what: What, unit, contestants: &dyn Fn() -> Result<Vec<Contestant>>| -> Result<()> {
        if args.measures(what) {
            let flop = (what == What::Updates).then_some(flop);
            comparisons.push(compare(args, what, title(what.name()), unit, flop, contestants()?)?);
        }
        Ok(())
    };
    add(What::Updates, "updates/s", &|| {
        let mut all = vec![ours("update", 1, "reprise")?, ours("product", 1, PRODUCT)?];
        all.extend(peer("sgemm", "sgemm 256³, PyTorch")?);
        all.extend(peer("torch-td3", "PyTorch eager, CleanRL's loop")?);
        all.extend(peer("sb3-td3", "Stable-Baselines3")?);
        all.extend(peer("sbx-td3", "SBX (JAX), 50 updates a call")?);
        Ok(all)
    })?;
    add(What::Steps, "steps/s", &|| {
        Ok([Some(ours("environment", 1, "reprise")?), peer("gymnasium", "Gymnasium")?]
            .into_iter()
            .flatten()
            .collect())
    })?;
    add(What::Training, "steps/s", &|| {
        let peer = peer("torch-training", "PyTorch eager, CleanRL's loop")?;
        Ok([Some(ours("training", 1, "reprise")?), peer].into_iter().flatten().collect())
    })?;
    add(What::Parts, "times/s", &|| {
        Ok(vec![
            ours("training", 1, "the whole loop")?,
            ours("update", 1, "update")?,
            ours("draw", 1, "of which drawing the batch")?,
            ours("act", 1, "acting")?,
            ours("environment", 1, "environment")?,
        ])
    })?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    add(What::Scaling, "updates/s", &|| {
        Ok(vec![ours("update", cores, &format!("{cores} runs at a time"))?, ours("update", 1, "one run")?])
    })?;
    Ok(comparisons)
}

/// Floating-point operations of one TD3 update, averaged over both kinds of update: no gradient of an input that needs
/// none, and none of the critic's weights for the actor's loss.
fn td3_flop(
    hidden: &[usize],
    (observations, actions): (usize, usize),
    batch: usize,
    policy_delay: u64,
) -> f64 {
    let products = |first: usize, last: usize| {
        let sizes = [&[first], hidden, &[last]].concat();
        let all: usize = sizes.windows(2).map(|pair| pair[0] * pair[1]).sum();
        (all, all - sizes[0] * sizes[1])
    };
    let (actor, actor_inner) = products(observations, actions);
    let (critic, critic_inner) = products(observations + actions, 1);
    // Target action; two target values; forward, weights' and inputs' gradients of two critics.
    let critics = actor + 2 * critic + 2 * (2 * critic + critic_inner);
    let policy = 2 * actor + actor_inner + critic + critic_inner + actions * hidden[0];
    2.0 * batch as f64 * (critics as f64 + policy as f64 / policy_delay as f64)
}

fn print(results: &Results) {
    let machine = &results.machine;
    say(format!("{}, {} cores, {}", machine.cpu, machine.cores, machine.simd));
    say(format!(
        "{} rounds of {} s each in turn; medians [quartiles]; one thread each",
        results.rounds, results.slice_seconds
    ));
    for comparison in &results.comparisons {
        say(format!("\n{}", comparison.title));
        for line in &comparison.lines {
            let [low, median, high] = line.rate;
            let [ratio_low, ratio, ratio_high] = line.first_over_this;
            // A product's unit is already an operation.
            let (rate, unit, ratio) = if line.name.starts_with("sgemm") {
                let flop = comparison.flop.unwrap_or(f64::NAN);
                let share = [ratio_low, ratio, ratio_high].map(|ratio| 100.0 * ratio * flop);
                let share = format!("reprise at {:.0} % of it [{:.0}, {:.0}]", share[1], share[0], share[2]);
                ([low, median, high].map(|x| x / 1e9), "GF/s", share)
            } else {
                let ratio = format!("× {ratio:.2} [{ratio_low:.2}, {ratio_high:.2}]");
                ([low, median, high], comparison.unit, ratio)
            };
            let rate = format!("{:.0} [{:.0}, {:.0}] {unit}", rate[1], rate[0], rate[2]);
            let flop = comparison.flop.filter(|_| unit != "GF/s");
            let flop = flop.map_or_else(String::new, |flop| format!("{:.0} GF/s", median * flop / 1e9));
            say(format!("  {:32} {rate:>34}  {flop:>9}  {ratio}", line.name));
            if !line.about.is_empty() {
                say(format!("    {}", line.about));
            }
        }
    }
}

/// The other side: works for as long as standard input says, and answers.
pub(crate) fn contestant(part: &str, config: &Path) -> Result<u8> {
    let file = config.display().to_string();
    let config = RunConfig::parse(&file, &std::fs::read_to_string(config)?)?;
    match part {
        "training" => return training_loop(&config),
        "product" => {
            let (n, device) = (256, Device::Cpu);
            let a = Tensor::full(0.5f32, (n, n), &device)?;
            let b = a.t()?;
            return serve(|| {
                a.matmul(&b)?;
                Ok(2.0 * (n * n * n) as f64)
            });
        }
        _ => {}
    }
    let part = match part {
        "update" => training::Part::Update,
        "draw" => training::Part::Draw,
        "act" => training::Part::Act,
        "environment" => training::Part::Environment,
        _ => bail!("there is no part `{part}`"),
    };
    let mut rig = training::Rig::new(&config)?;
    serve(|| rig.run(part).map(|()| 1.0))
}

fn seconds_asked() -> Option<f64> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).ok()?;
    line.trim().parse().ok()
}

fn answer(units: f64, began: std::time::Instant) {
    let slice = Slice { units, seconds: began.elapsed().as_secs_f64() };
    say(serde_json::to_string(&slice).unwrap_or_default());
}

/// Calls `once`, which says how many units it did, for as long as each line of standard input asks.
fn serve(mut once: impl FnMut() -> Result<f64>) -> Result<u8> {
    say("ready");
    while let Some(seconds) = seconds_asked() {
        let (began, mut units) = (std::time::Instant::now(), 0.0);
        while began.elapsed().as_secs_f64() < seconds {
            units += once()?;
        }
        answer(units, began);
    }
    Ok(exit::FINE)
}

/// Trains; between slices, the loop waits where it tells its progress.
fn training_loop(config: &RunConfig) -> Result<u8> {
    let folder = tempfile::tempdir()?;
    let mut slice: Option<(std::time::Instant, u64, f64)> = None;
    training::train_on(config, folder.path(), |progress| {
        // Not before updates have begun.
        if progress.step < 2000 {
            return;
        }
        match slice {
            None => say("ready"),
            Some((began, step, seconds)) if began.elapsed().as_secs_f64() >= seconds => {
                answer((progress.step - step) as f64, began);
            }
            Some(_) => return,
        }
        match seconds_asked() {
            Some(seconds) => slice = Some((std::time::Instant::now(), progress.step, seconds)),
            None => std::process::exit(i32::from(exit::FINE)),
        }
    })?;
    Ok(exit::FINE)
}
