//! `bench`: how fast training is, against the machine's limit and against others, all measured in turn in one run.
//!
//! Every contestant is a process that waits for a number of seconds on standard input, works for that long, and
//! answers with what it did. The driver gives each its slice in turn, round after round, so that whatever else the
//! machine does falls on all alike; ratios are taken within a round.

mod flop;

use crate::args::BenchArgs;
use crate::{exit, say, say_json};
use anyhow::{Context, Result, bail};
use candle_core::{Device, Tensor, Var};
use clap::ValueEnum;
use diagnostics::BadInput;
use envs::{Env as _, MujocoEnv};
use experiment::{
    Aggregate, Algorithm, DrolSettings, ErrorScale, FqlSettings, IqlSettings, ModelSettings, MpdpSettings,
    Plan, RunConfig, SacSettings, Selection, StopRule, Units,
};
use mujoco::Data;
use nn::{Head, Mlp, Unit};
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use streams::Stream;

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
    /// Starts `wanted` on one core, the one numbered `core` of those that this process may use: some libraries take no
    /// other word for it.
    fn start(wanted: &Command, core: usize) -> Result<Self> {
        let allowed =
            rustix::thread::sched_getaffinity(None).context("failed to ask for this process's cores")?;
        let core = (0..rustix::thread::CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core)).nth(core);
        let core = core.context("there are fewer cores than contestants at a time")?;
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
    /// Updates of TD3 and of SAC, against the rate of products and against peers
    Updates,
    /// Updates of MPDP whose plans all go five steps
    Planning,
    /// Forward and backward through networks as offline agents have them: 512-512-512-512, GELU, layer normalisation
    Networks,
    /// Updates of what learns offline: IQL, and FQL and DROL with their networks of 512-512-512-512
    Offline,
    /// Environment steps, against the simulator alone and Gymnasium
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
            Self::Planning => "planning",
            Self::Networks => "networks",
            Self::Offline => "offline updates",
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
    let chosen = BenchArgs::settings().read()?;
    let mut comparisons = Vec::new();
    let selection = Selection::parse(&chosen.experiment, &["arm=td3".to_owned()], &[])?;
    let mut config = Plan::new(&chosen.experiment, &chosen.profile, &selection)?.cells.remove(0).config;
    for task in &args.task {
        // The settings are of all tasks; this one may be any.
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
    let updates = results.comparisons.iter().filter(|comparison| comparison.what == What::Updates);
    let shares = updates.filter_map(Comparison::share_of_products);
    let Some(asked) = args.at_least else { return Ok(exit::FINE) };
    match shares.reduce(f64::min) {
        Some(least) if least >= asked => return Ok(exit::FINE),
        Some(least) => {
            eprintln!(
                "updates reach {:.0} % of the rate of products, less than --at-least asks",
                100.0 * least
            );
        }
        None => eprintln!("no update could be held against the rate of products, as --at-least asks"),
    }
    Ok(exit::CHECK_FAILED)
}

/// Who competes over the runs of one configuration.
struct Contest<'a> {
    args: &'a BenchArgs,
    config: &'a RunConfig,
    dims: (usize, usize),
    /// The configuration's file.
    file: PathBuf,
}

impl<'a> Contest<'a> {
    fn new(args: &'a BenchArgs, config: &'a RunConfig, dims: (usize, usize), folder: &Path) -> Result<Self> {
        let file = folder.join(format!("{}.toml", config.id()));
        std::fs::write(&file, config.to_toml())?;
        Ok(Self { args, config, dims, file })
    }

    /// `count` processes of ours at the same time.
    fn ours(&self, part: &str, count: usize, name: &str) -> Result<Contestant> {
        let program = std::env::current_exe()?;
        Contestant::new(name, count, || {
            let mut command = Command::new(&program);
            command.arg("contestant").arg(part).arg("--config").arg(&self.file);
            command
        })
    }

    /// A part of `peers.py`, where peers are wanted.
    fn peer(&self, part: &str, name: &str, hidden: &[usize]) -> Result<Option<Contestant>> {
        let Some(python) = &self.args.peers else { return Ok(None) };
        let script = crate::args::root()?.join("benches/peers/peers.py");
        let numbers =
            |numbers: &[usize]| numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let contestant = Contestant::new(name, 1, || {
            let mut command = Command::new(python);
            command.arg(&script).arg(part).args(["--task", &self.config.task]);
            command.args(["--observation", &self.dims.0.to_string()]);
            command.args(["--action", &self.dims.1.to_string()]);
            command.args(["--hidden", &numbers(hidden)]);
            command.args(["--batch", &self.config.replay.batch_size.to_string()]);
            command
        })?;
        Ok(Some(contestant))
    }

    fn title(&self, what: What, network: &str) -> String {
        let (observations, actions) = self.dims;
        format!(
            "{}, {network}, batch {}, {} ({observations} observations, {actions} actions)",
            what.name(),
            self.config.replay.batch_size,
            self.config.task,
        )
    }

    /// Our `part` beside products of matrices and parts of `peers.py`, each with what people call it.
    fn beside(
        &self,
        (what, network): (What, &str),
        (part, unit, flop): (&str, &'static str, f64),
        hidden: &[usize],
        peers: &[(&str, &str)],
    ) -> Result<Comparison> {
        let mut all = vec![self.ours(part, 1, "reprise")?, self.ours("product", 1, PRODUCT)?];
        for (part, name) in [("sgemm", "sgemm 256³, PyTorch")].iter().chain(peers) {
            all.extend(self.peer(part, name, hidden)?);
        }
        compare(self.args, what, self.title(what, network), unit, Some(flop), all)
    }

    /// Updates of the configuration's algorithm, which is called `name`.
    fn updates(&self, what: What, (name, rest): (&str, &str), peers: &[(&str, &str)]) -> Result<Comparison> {
        let hidden = self.config.hidden();
        let flop = flop::update(self.config, self.dims);
        let network = format!("{name} {}{rest}", dashed(hidden));
        self.beside((what, &network), ("update", "updates/s", flop), hidden, peers)
    }

    /// A critic's step as offline agents take it, the optimiser left out.
    fn networks(&self) -> Result<Comparison> {
        let network = format!("twin critics {}, GELU, layer normalisation", dashed(&WIDE));
        let inputs = self.dims.0 + self.dims.1;
        let flop = flop::forward_and_backward(inputs, &WIDE, 2, self.config.replay.batch_size);
        let ours = ("networks", "passes/s", flop);
        self.beside((What::Networks, &network), ours, &WIDE, &[("torch-networks", "PyTorch eager")])
    }

    fn others(&self, what: What) -> Result<Comparison> {
        let peer = |part: &str, name| self.peer(part, name, self.config.hidden());
        let (unit, all) = match what {
            What::Steps => {
                let package = envs::info(&self.config.task)?.package;
                let python = match package.split(' ').next() {
                    Some("gymnasium") => peer("gymnasium", "Gymnasium")?,
                    Some("ogbench") => peer("gymnasium", "OGBench's package")?,
                    _ => None,
                };
                let ours = [("environment", "reprise"), ("simulator", "mj_step alone")];
                let ours = ours.into_iter().map(|(part, name)| self.ours(part, 1, name));
                let all = ours.chain(python.map(Ok)).collect::<Result<_>>()?;
                ("steps/s", all)
            }
            What::Training => {
                let peer = peer("torch-training", "PyTorch eager, CleanRL's loop")?;
                let all = [Some(self.ours("training", 1, "reprise")?), peer];
                ("steps/s", all.into_iter().flatten().collect())
            }
            What::Parts => {
                let all = vec![
                    self.ours("training", 1, "the whole loop")?,
                    self.ours("update", 1, "update")?,
                    self.ours("draw", 1, "of which drawing the batch")?,
                    self.ours("act", 1, "acting")?,
                    self.ours("environment", 1, "environment")?,
                ];
                ("times/s", all)
            }
            _ => {
                let cores = crate::plan::cores();
                let together = self.ours("update", cores, &format!("{cores} runs at a time"))?;
                ("updates/s", vec![together, self.ours("update", 1, "one run")?])
            }
        };
        let title = self.title(what, &format!("TD3 {}", dashed(self.config.hidden())));
        compare(self.args, what, title, unit, None, all)
    }
}

/// The hidden layers of [`What::Networks`].
const WIDE: [usize; 4] = [512; 4];

fn dashed(hidden: &[usize]) -> String {
    hidden.iter().map(ToString::to_string).collect::<Vec<_>>().join("-")
}

/// The same run with SAC as its paper has it, its networks and rates those of TD3.
fn sac(config: &RunConfig) -> Option<RunConfig> {
    let td3 = config.td3.as_ref()?;
    let sac = SacSettings {
        hidden: td3.hidden.clone(),
        learning_rate: td3.learning_rate,
        discount: td3.discount,
        polyak: td3.polyak,
        temperature: 1.0,
        target_entropy: Some(-1.0),
        start_steps: td3.start_steps,
    };
    Some(RunConfig { algorithm: Algorithm::Sac, td3: None, sac: Some(sac), ..config.clone() })
}

/// The same run with IQL as its authors have it on locomotion, its networks and rates those of TD3.
fn iql(config: &RunConfig) -> Option<RunConfig> {
    let td3 = config.td3.as_ref()?;
    let iql = IqlSettings {
        hidden: td3.hidden.clone(),
        learning_rate: td3.learning_rate,
        discount: td3.discount,
        polyak: td3.polyak,
        expectile: 0.7,
        beta: 3.0,
        weight_limit: 100.0,
        dropout: 0.0,
        units: Units::Relu,
        layer_norm: false,
        start_steps: td3.start_steps,
    };
    Some(RunConfig { algorithm: Algorithm::Iql, td3: None, iql: Some(iql), ..config.clone() })
}

/// The same run with FQL as its authors have it on cubes.
fn fql(config: &RunConfig) -> RunConfig {
    let fql = FqlSettings {
        hidden: WIDE.to_vec(),
        learning_rate: 3e-4,
        discount: 0.99,
        polyak: 0.005,
        target: Aggregate::Mean,
        flow_steps: 10,
        alpha: 300.0,
        normalise_q: false,
    };
    RunConfig { algorithm: Algorithm::Fql, td3: None, fql: Some(fql), ..config.clone() }
}

/// The same run with DROL as its authors have it on cubes.
fn drol(config: &RunConfig) -> RunConfig {
    let drol = DrolSettings {
        hidden: WIDE.to_vec(),
        learning_rate: 3e-4,
        discount: 0.99,
        polyak: 0.005,
        target: Aggregate::Mean,
        candidates: 16,
        bc_coef: 10.0,
    };
    RunConfig { algorithm: Algorithm::Drol, td3: None, drol: Some(drol), ..config.clone() }
}

/// The length of every plan of [`What::Planning`].
const PLAN: u64 = 5;

/// The same with MPDP: no plan ends early, as no error is too large.
fn mpdp(sac: &RunConfig) -> RunConfig {
    let model = ModelSettings {
        members: 7,
        elites: 5,
        hidden: vec![200; 4],
        learning_rate: 1e-3,
        weight_decay: vec![1e-4; 5],
        batch_size: 256,
        holdout: 0.2,
        most_held_out: 5000,
        patience: 5,
        epochs: 1,
        log_variance: [-10.0, 0.5],
        learned_bounds: false,
    };
    let mpdp = MpdpSettings {
        horizon: PLAN,
        penalty: 0.5,
        penalty_scale: ErrorScale::Mean,
        error_threshold: 1e9,
        threshold_scale: ErrorScale::MeanPerDimension,
        error_of_reward: false,
        stop: StopRule::Q,
        range_margin: 1e9,
        shared_policy: false,
        copy_when_reached: true,
        step_unreached: false,
        longest_gradient: Some(100.0),
        mean_prediction: false,
        target_values: false,
        critic_penalty: false,
        fit_every: 250,
        model,
    };
    let fixed =
        sac.sac.as_ref().map(|sac| SacSettings { temperature: 0.2, target_entropy: None, ..sac.clone() });
    RunConfig { algorithm: Algorithm::Mpdp, sac: fixed, mpdp: Some(mpdp), ..sac.clone() }
}

/// The comparisons on one task.
fn of_task(args: &BenchArgs, config: &RunConfig) -> Result<Vec<Comparison>> {
    let spec = envs::make(&config.task)?.spec().clone();
    let folder = tempfile::tempdir()?;
    let dims = (spec.observation_dim, spec.action_dim);
    let td3 = Contest::new(args, config, dims, folder.path())?;
    let config_of_sac = sac(config).context("its first arm is not one of TD3")?;
    let sac = Contest::new(args, &config_of_sac, dims, folder.path())?;
    let config_of_mpdp = mpdp(&config_of_sac);
    let mpdp = Contest::new(args, &config_of_mpdp, dims, folder.path())?;
    let config_of_iql = iql(config).context("its first arm is not one of TD3")?;
    let iql = Contest::new(args, &config_of_iql, dims, folder.path())?;
    let (config_of_fql, config_of_drol) = (fql(config), drol(config));
    let fql = Contest::new(args, &config_of_fql, dims, folder.path())?;
    let drol = Contest::new(args, &config_of_drol, dims, folder.path())?;
    let mut comparisons = Vec::new();
    for what in What::value_variants().iter().filter(|what| args.measures(**what)) {
        match what {
            What::Updates => {
                let (torch, sb3) = ("PyTorch eager, CleanRL's loop", "Stable-Baselines3");
                let sbx = "SBX (JAX), 50 updates a call";
                let peers = [("torch-td3", torch), ("sb3-td3", sb3), ("sbx-td3", sbx)];
                comparisons.push(td3.updates(*what, ("TD3", ""), &peers)?);
                let peers = [("torch-sac", torch), ("sb3-sac", sb3), ("sbx-sac", sbx)];
                comparisons.push(sac.updates(*what, ("SAC", ""), &peers)?);
            }
            What::Planning => {
                let rest = format!(", plans of {PLAN} steps, seven members of 200-200-200-200");
                let peers = [("torch-mpdp", "PyTorch eager, batched members")];
                comparisons.push(mpdp.updates(*what, ("updates of MPDP", &rest), &peers)?);
            }
            What::Networks => comparisons.push(td3.networks()?),
            What::Offline => {
                let authors = "JAX, the authors' update";
                let peers = [("torch-iql", "PyTorch eager, CORL's update")];
                comparisons.push(iql.updates(*what, ("IQL", ""), &peers)?);
                comparisons.push(fql.updates(*what, ("FQL", ""), &[("jax-fql", authors)])?);
                comparisons.push(drol.updates(*what, ("DROL, K = 16,", ""), &[("jax-drol", authors)])?);
            }
            _ => comparisons.push(td3.others(*what)?),
        }
    }
    Ok(comparisons)
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
        "networks" => return networks(&config),
        "simulator" => return simulator(&config),
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

/// Steps of the simulator alone with the controls of a random policy, as many of its own as a step of the task has.
fn simulator(config: &RunConfig) -> Result<u8> {
    let mut env = MujocoEnv::new(config.environment())?;
    let mut stream = Stream::new(config.seed, "simulator");
    env.reset(&mut stream);
    let (frame_skip, length) = (env.spec().frame_skip, env.spec().max_episode_steps);
    let mut data = Data::new(env.data().model())?;
    let (qpos, qvel) = (env.qpos().to_vec(), env.qvel().to_vec());
    let range = data.model().actuator_ctrlrange().to_vec();
    let mut steps = 0;
    serve(|| {
        if steps % length == 0 {
            data.reset();
            data.qpos_mut().copy_from_slice(&qpos);
            data.qvel_mut().copy_from_slice(&qvel);
        }
        steps += 1;
        for (control, range) in data.ctrl_mut().iter_mut().zip(range.chunks_exact(2)) {
            *control = stream.uniform_in(range[0], range[1]);
        }
        data.step(frame_skip);
        Ok(1.0)
    })
}

/// Forward and backward through twin critics of the configuration's task.
fn networks(config: &RunConfig) -> Result<u8> {
    let spec = envs::make(&config.task)?.spec().clone();
    let inputs = spec.observation_dim + spec.action_dim;
    let sizes = [&[inputs], WIDE.as_slice(), &[1]].concat();
    let critics = Mlp::new(&sizes, Head::Linear).units(Unit::Gelu).layer_norm().ensemble(2);
    let mut stream = Stream::new(config.seed, "networks");
    let theta = critics.init(&mut stream);
    let theta = Var::from_tensor(&Tensor::from_slice(&theta, theta.len(), &Device::Cpu)?)?;
    let batch = config.replay.batch_size;
    let x: Vec<f32> = (0..batch * inputs).map(|_| stream.normal() as f32).collect();
    let x = Tensor::from_vec(x, (batch, inputs), &Device::Cpu)?;
    serve(|| {
        let loss = critics.forward(&x, &theta)?.sqr()?.sum_all()?;
        nn::backward(&loss)?;
        Ok(1.0)
    })
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
