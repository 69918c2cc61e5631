//! The command line.

use anyhow::Result;
use clap::{Args, Parser, Subcommand, ValueEnum};
use diagnostics::{BadInput, quoted};
use experiment::{Device, Experiment, Plan, Profile, Selection, Store};
use std::path::PathBuf;

const EXAMPLE_AND_EXIT_CODES: &str = "Example:\n  cargo xtask reproduce --paper dai\n\nExit codes: 0 fine, 1 internal error, 2 bad input, 3 results are locked by another runner, \
                          4 a check failed, 5 incomplete, 130 ended by a second Ctrl-C.";

/// Trains a paper's agents on the real simulators and says whether the paper's claims hold.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, after_help = EXAMPLE_AND_EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Subcommand)]
pub(crate) enum Verb {
    /// Run what is missing of a profile, then draw figures, tables and verdicts
    #[command(
        after_help = "Examples:\n  cargo xtask reproduce --paper dai\n  cargo xtask reproduce --paper dai \
                            --profile early --jobs 8\n  cargo xtask reproduce --paper dai --profile smoke --results \
                            /tmp/mine --fresh\n  cargo xtask reproduce --paper dai --profile paper --engine slurm \
                            --jobs 64\n  cargo xtask reproduce --paper dai --profile early --engine commands\n  \
                            cargo xtask reproduce --paper dai --only arm=td3,td3-dai --only seed=0"
    )]
    Reproduce(ReproduceArgs),
    /// Show a profile's runs: which are recorded, which are missing, and how long those would take
    #[command(
        after_help = "Examples:\n  cargo xtask plan --paper dai --profile paper\n  cargo xtask plan --paper \
                            dai --only arm=td3 --json"
    )]
    Plan(SurveyArgs),
    /// Train one run of a profile, with the expert it needs
    #[command(
        after_help = "Example:\n  cargo xtask train --paper dai --profile anchor --task HalfCheetah-v5 \
                            --arm td3 --seed 0"
    )]
    Train(TrainArgs),
    /// Show where a profile's runs are: recorded, running, stopped, failed or missing, and how long the rest will take
    #[command(
        long_about = "Show where a profile's runs are: recorded, running, stopped, failed or missing, and how long the \
                      rest will take, from how fast runs were or are. Exit code 5 while some are not recorded.",
        after_help = "Examples:\n  cargo xtask status --paper dai\n  cargo xtask status --paper dai --profile early \
                            --only arm=td3 --json"
    )]
    Status(SurveyArgs),
    /// Tell all about one run: what it is, where it is, what trained it, what went wrong, and how to run it again
    #[command(
        after_help = "Examples:\n  cargo xtask explain 998ddacc936a --paper dai\n  cargo xtask explain \
                            results/dai/HalfCheetah-v5/td3/seed0-30k-998ddacc936a --paper dai --json"
    )]
    Explain(ExplainArgs),
    /// Remove what runs left behind and no run needs any more
    #[command(
        after_help = "Examples:\n  cargo xtask clean --paper dai --dry-run\n  cargo xtask clean --paper dai \
                            --unfinished --dry-run --json"
    )]
    Clean(CleanArgs),
    /// Write figures, tables and the page report.html from recorded runs; trains nothing
    #[command(
        after_help = "Examples:\n  cargo xtask report --paper dai\n  cargo xtask report --paper dai --check"
    )]
    Report(ReportArgs),
    /// Print the verdicts of recorded runs, and fail if they are no longer those on record
    #[command(
        long_about = "Print the verdicts of recorded runs, and fail if they are no longer those on record. Exit code 0: they \
                      are; 4: one changed, or none is on record; 5: they are, and runs are missing.",
        after_help = "Examples:\n  cargo xtask check --paper dai\n  cargo xtask check --paper dai --format \
                            github\n  cargo xtask check --paper dai --json"
    )]
    Check(CheckArgs),
    /// Write recorded evaluations for other programs: CSV, Parquet or TensorBoard
    #[command(
        long_about = "Write recorded evaluations for other programs: the learner's own policy at every evaluation of every \
                      recorded run of a profile, without experts.\n\ncsv and parquet are one file of the columns \
                      algorithm,task,seed,step,score; `cargo xtask stats` reads the CSV. tensorboard is a folder of \
                      event files, one a run, with the scalar eval/return as 32-bit floats. No clock touches any of them: \
                      an event's wall time is its step.",
        after_help = "Examples:\n  cargo xtask export --paper dai --format csv --output evaluations.csv\n  cargo xtask \
                      export --paper dai --profile anchor --format parquet --output evaluations.parquet\n  cargo xtask \
                      export --paper dai --format tensorboard --output events"
    )]
    Export(ExportArgs),
    /// The environments: what there is, and replaying given actions
    #[command(subcommand, after_help = "Examples:\n  cargo xtask env list\n  cargo xtask env info Hopper-v5")]
    Env(EnvVerb),
    /// Published data sets: what there is, fetching, checking, and looking into anybody's
    #[command(
        subcommand,
        after_help = "Examples:\n  cargo xtask data list antmaze\n  cargo xtask data get antmaze-umaze-v2"
    )]
    Data(DataVerb),
    /// Say what is found of the simulator and what to do about what is missing; fetches nothing
    #[command(after_help = "Examples:\n  cargo xtask doctor\n  cargo xtask doctor --json")]
    Doctor(JsonArgs),
    /// Aggregate anybody's scores, with bootstrap intervals
    #[command(
        long_about = "Aggregate anybody's scores: IQM, mean, median and optimality gap with stratified bootstrap \
                      intervals over runs, probability of improvement, performance profiles and sample-efficiency \
                      curves, as rliable defines them.\n\nFILE is JSON, {\"algorithm\": [[score of run 0 on each task], \
                      …], …}, or CSV with the columns algorithm,task,seed,step,score (step may be absent; else each run \
                      counts at its last). An interval over one run does not exist, and none is given.",
        after_help = "Examples:\n  cargo xtask stats scores.json\n  cargo xtask stats scores.csv --vs td3 --profile \
                      0,0.5,1 --json\n  cargo xtask stats scores.csv --curve\n  cargo xtask stats d4rl.csv --normalise \
                      d4rl --method bca --task-bootstrap\n  cargo xtask stats scores.json --half-width 0.05\n  cargo \
                      xtask stats scores.csv --best\n  cargo xtask stats scores.csv --vs td3 --plot \
                      pictures\n\nNormalisations: d4rl (by family of data sets), td3 (random and \
                      TD3 at 1M steps, v4), td3-table-1 (share of the TD3 paper's table), random (return above a random \
                      policy's, v4). Their numbers and sources: crates/report/src/scores/normalise.toml."
    )]
    Stats(StatsArgs),
    /// Measure how fast training is, against the machine's limit and against others, in turn in one run
    #[command(
        long_about = "Measure how fast training is: updates, environment steps and the whole loop, against the rate of \
                      256³ products on the same core and, with --peers, against PyTorch, Stable-Baselines3, SBX and \
                      Gymnasium. Every contestant works for a slice in turn, round after round, each on one thread; \
                      ratios are taken within a round. Leave the machine alone meanwhile.",
        after_help = "Examples:\n  cargo xtask bench\n  cargo xtask bench --task Hopper-v5 --only updates --rounds 3 --json\n\nPeers:\n  \
                      python3 -m venv peers\n  peers/bin/pip install -r benches/peers/requirements.txt\n  \
                      cargo xtask bench --peers peers/bin/python"
    )]
    Bench(BenchArgs),
    /// One contestant of `bench`, in a process of its own
    #[command(hide = true)]
    Contestant(ContestantArgs),
    /// One run of a plan file: what Slurm's tasks and printed commands execute
    #[command(hide = true)]
    Run(RunArgs),
    /// One run, in a process of its own (started by the runner)
    #[command(hide = true)]
    Worker(WorkerArgs),
}

/// Which runs.
#[derive(Args, Clone)]
pub(crate) struct Which {
    /// The paper: a folder of `experiments/`
    #[arg(long)]
    pub(crate) paper: String,
    /// The profile: how much of the protocol
    #[arg(long, default_value = "quick")]
    pub(crate) profile: String,
    /// Where recorded runs lie, instead of the checkout's `results/`
    #[arg(long, value_name = "DIR")]
    pub(crate) results: Option<PathBuf>,
    /// What the runs compute on, `cpu` or `cuda` (the program of scripts/build-cuda.sh), where absent `cpu`; another device
    /// makes other runs
    #[arg(long)]
    pub(crate) device: Option<Device>,
}

/// Which of a profile's runs.
#[derive(Args, Clone, Default)]
pub(crate) struct Filters {
    /// Take only these runs: `arm=…`, `task=…` or `seed=…`, values apart by commas; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) only: Vec<String>,
    /// Leave these runs out
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) except: Vec<String>,
}

/// How to run.
#[derive(Args, Clone)]
pub(crate) struct How {
    /// Who makes the runs: processes on this machine, Slurm, or whoever takes the commands that are printed
    #[arg(long, value_enum, default_value_t = EngineKind::Local)]
    pub(crate) engine: EngineKind,
    /// With `--engine slurm`: a file of `#SBATCH` lines for every job, such as partition, time and account
    #[arg(long, value_name = "FILE")]
    pub(crate) sbatch: Option<PathBuf>,
    /// With `--engine slurm`: do not wait; a last job draws the figures when all others have ended
    #[arg(long)]
    pub(crate) detach: bool,
    /// Start over: train again what is recorded, each new run taking the old one's place when it is finished, and go
    /// on from no checkpoint
    #[arg(long)]
    pub(crate) fresh: bool,
    #[command(flatten)]
    pub(crate) workers: Workers,
}

/// The processes that make runs.
#[derive(Args, Clone)]
pub(crate) struct Workers {
    /// How many at a time, where absent one a core; on Slurm the tasks of an array, where absent as many as it likes
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) jobs: Option<u16>,
    /// Seconds between a run's checkpoints; they cost at most 1 % of its time. 0: after every step
    #[arg(long, value_name = "SECONDS", default_value_t = 30.0, value_parser = interval)]
    pub(crate) checkpoint_every: f64,
    /// GiB of memory that a worker may ask for, and its Slurm job gets; where absent, the memory that is available,
    /// shared, but at least 4
    #[arg(long, value_name = "GIB", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) memory: Option<u64>,
    /// Seconds after which a worker that says nothing is killed
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) patience: u64,
    /// How often a run is tried that is killed, hangs, or finds the disk full; what it did itself is not tried again
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) tries: u32,
    #[command(flatten)]
    pub(crate) places: PlacesArgs,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum EngineKind {
    /// Worker processes on this machine
    Local,
    /// Job arrays of Slurm; docs/engines.md
    Slurm,
    /// Nobody: one command a run is printed, to be executed anywhere that sees the results; docs/engines.md
    Commands,
}

impl Workers {
    /// How many at a time.
    pub(crate) fn count(&self) -> usize {
        self.jobs.map_or_else(crate::plan::cores, usize::from)
    }
}

impl How {
    /// On this machine, going on where there is something to go on from.
    pub(crate) fn here(workers: Workers) -> Self {
        Self { engine: EngineKind::Local, sbatch: None, detach: false, fresh: false, workers }
    }

    /// The user's own lines for Slurm.
    pub(crate) fn sbatch_lines(&self) -> Result<Vec<String>, BadInput> {
        if self.engine != EngineKind::Slurm && (self.sbatch.is_some() || self.detach) {
            return Err(BadInput::new("--sbatch and --detach are for Slurm").help("add `--engine slurm`"));
        }
        let Some(path) = &self.sbatch else { return Ok(Vec::new()) };
        let text = std::fs::read_to_string(path)
            .map_err(|error| BadInput::new(format!("cannot read {}: {error}", path.display())))?;
        engines::user_lines(&path.display().to_string(), &text)
    }
}

#[derive(Args)]
pub(crate) struct RunArgs {
    /// The plan file
    pub(crate) plan: PathBuf,
    /// Which of its runs, from 0
    pub(crate) index: usize,
}

#[derive(Args)]
pub(crate) struct ReproduceArgs {
    #[command(flatten)]
    pub(crate) which: Which,
    #[command(flatten)]
    pub(crate) filters: Filters,
    #[command(flatten)]
    pub(crate) how: How,
    /// Where figures and tables go, instead of the checkout's `figures/`
    #[arg(long, value_name = "DIR")]
    pub(crate) figures: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct SurveyArgs {
    #[command(flatten)]
    pub(crate) which: Which,
    #[command(flatten)]
    pub(crate) filters: Filters,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct ExplainArgs {
    /// The run: its name, the beginning of it, or its directory
    pub(crate) run: String,
    /// The paper: a folder of `experiments/`
    #[arg(long)]
    pub(crate) paper: String,
    /// Where recorded runs lie, instead of the checkout's `results/`
    #[arg(long, value_name = "DIR")]
    pub(crate) results: Option<PathBuf>,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct CleanArgs {
    /// The paper: a folder of `experiments/`
    #[arg(long)]
    pub(crate) paper: String,
    /// Where recorded runs lie, instead of the checkout's `results/`
    #[arg(long, value_name = "DIR")]
    pub(crate) results: Option<PathBuf>,
    /// Remove the checkpoints and notes of unfinished runs too: they then start from their beginning
    #[arg(long)]
    pub(crate) unfinished: bool,
    /// Only say what would be removed
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct TrainArgs {
    #[command(flatten)]
    pub(crate) which: Which,
    /// The environment's id
    #[arg(long)]
    pub(crate) task: String,
    /// The arm's id in the protocol
    #[arg(long)]
    pub(crate) arm: String,
    /// The seed, one of the profile's
    #[arg(long)]
    pub(crate) seed: u64,
    #[command(flatten)]
    pub(crate) how: How,
}

#[derive(Args)]
pub(crate) struct ReportArgs {
    #[command(flatten)]
    pub(crate) which: Which,
    /// Where figures and tables go, instead of the checkout's `figures/`
    #[arg(long, value_name = "DIR")]
    pub(crate) figures: Option<PathBuf>,
    /// Write nothing; fail if a file is not what the recorded runs give
    #[arg(long)]
    pub(crate) check: bool,
}

#[derive(Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) which: Which,
    /// Where the verdicts on record lie, instead of the checkout's `figures/`
    #[arg(long, value_name = "DIR")]
    pub(crate) figures: Option<PathBuf>,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    pub(crate) which: Which,
    /// What to write
    #[arg(long, value_enum)]
    pub(crate) format: ExportFormat,
    /// The file, or for tensorboard the folder; files of the same name are replaced
    #[arg(long, value_name = "PATH")]
    pub(crate) output: PathBuf,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    /// Long CSV
    Csv,
    /// One Parquet file
    Parquet,
    /// A folder of event files
    Tensorboard,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A table
    Text,
    /// Annotations of a GitHub workflow
    Github,
}

#[derive(Subcommand)]
pub(crate) enum EnvVerb {
    /// List all environments
    #[command(after_help = "Example:\n  cargo xtask env list")]
    List(JsonArgs),
    /// Say what is fixed about one environment
    #[command(after_help = "Example:\n  cargo xtask env info Humanoid-v5")]
    Info {
        /// The environment's id
        id: String,
        #[command(flatten)]
        json: JsonArgs,
    },
    /// Replay given actions from a given state, to compare with another implementation
    #[command(
        long_about = "Replay given actions from a given state, to compare with another implementation.\n\n\
                      in.npz: qpos [nq], qvel [nv], actions [T, act] (float32 or float64; the control cost is \
                      computed in that precision, as Gymnasium does), and goal in tasks that have one \
                      (docs/environments.md says what its numbers are).\nout.npz: observations [T+1, obs], rewards [T], \
                      terminated [T], truncated [T], and qpos, qvel after each step. It steps on past a \
                      termination, as Gymnasium does.",
        after_help = "Example:\n  cargo xtask env rollout --env Hopper-v5 --input in.npz --output out.npz"
    )]
    Rollout {
        /// The environment's id
        #[arg(long)]
        env: String,
        /// State and actions
        #[arg(long, value_name = "FILE")]
        input: PathBuf,
        /// Where the trajectory goes
        #[arg(long, value_name = "FILE")]
        output: PathBuf,
    },
}

/// What of a script's data to make.
#[derive(Args, Clone, Default, PartialEq)]
pub(crate) struct ScriptArgs {
    /// Of a published set's script: how many episodes, where absent as many as are published; OGBench's sets get a tenth
    /// as many more to validate on
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) episodes: Option<u32>,
    /// Of a published set's script: the seed, 0 where absent
    #[arg(long, value_name = "SEED")]
    pub(crate) seed: Option<u64>,
    /// Of a published set's script: the file, where absent below `gen/` of the data folder
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Subcommand)]
pub(crate) enum DataVerb {
    /// List the published data sets and where they are on this machine; looks at names and lengths only
    #[command(
        after_help = "Examples:\n  cargo xtask data list\n  cargo xtask data list antmaze-umaze --json"
    )]
    List {
        /// Only those whose names hold this; may be repeated
        part: Vec<String>,
        #[command(flatten)]
        places: PlacesArgs,
        #[command(flatten)]
        json: JsonArgs,
    },
    /// Fetch data sets, unless they are on this machine already
    #[command(
        long_about = "Fetch data sets with curl or wget, unless they are on this machine already (--data-dir, \
                      $D4RL_DATASET_DIR, ~/.d4rl/datasets, ~/.ogbench/data and Minari's folder, by content under any \
                      name). A transfer that broke off goes on where it did; a file appears under its name only when \
                      it is whole and has the published hash. Where nobody publishes a hash, the one that was found is \
                      noted beside the file.",
        after_help = "Examples:\n  cargo xtask data get antmaze-umaze-v2\n  cargo xtask data get \
                      ogbench/cube-single-play-v0 --data-dir datasets"
    )]
    Get {
        /// Names of data sets, with or without what comes before the slash
        #[arg(required = true)]
        set: Vec<String>,
        #[command(flatten)]
        places: PlacesArgs,
    },
    /// Make a stand-in for a data set: what an agent or a script does in the environment here
    #[command(
        long_about = "Make a stand-in for a data set that cannot be had: what an agent does that is trained in the \
                      environment here, by `[[generate]]` in a paper's protocol, or what the script does that the \
                      published set was collected by, by `[[collect]]`. It is written in the published set's layout with a \
                      side-car that says how. Its name begins with gen/, and nothing shows it as what is published. Stopped \
                      or killed, the same command goes on with what is missing. What is there already and was made that way is left alone.",
        after_help = "Examples:\n  cargo xtask data generate gen/hopper-medium-replay-v0\n  cargo xtask data generate \
                      gen/hopper-medium-replay-v0 --minari --data-dir datasets\n  cargo xtask data generate \
                      gen/antmaze-umaze-v0\n  cargo xtask data generate ogbench/cube-single-play-v0 \
                      --episodes 100 --output cube.npz"
    )]
    Generate {
        /// Names of stand-ins, which `data list gen/` shows, or of published sets for what their scripts do
        #[arg(required = true)]
        set: Vec<String>,
        /// Write each in Minari's layout too, for `minari.load_dataset`
        #[arg(long)]
        minari: bool,
        #[command(flatten)]
        script: ScriptArgs,
        #[command(flatten)]
        workers: Workers,
    },
    /// Compare data sets on this machine with the published hashes
    #[command(
        after_help = "Examples:\n  cargo xtask data verify\n  cargo xtask data verify antmaze-umaze-v2 --json"
    )]
    Verify {
        /// Names of data sets; without any, all that are here
        set: Vec<String>,
        #[command(flatten)]
        places: PlacesArgs,
        #[command(flatten)]
        json: JsonArgs,
    },
    /// Say what is in a data set: rows, episodes, returns, and each array's range and hash
    #[command(
        long_about = "Say what is in a data set: rows, episodes, returns, and each array's range and hash. It reads \
                      D4RL's HDF5, OGBench's npz and Minari's HDF5, and refuses what no learner can use: damaged files, \
                      arrays that do not fit together, numbers that are not finite, no whole episode.\n\nA hash is \
                      SHA-256 over an array as little-endian float32 in C order; a Minari episode's arrays count as if \
                      they were one after another. An episode ends where `timeouts` or `terminals` say so; AntMaze's and \
                      Maze2D's (with `infos/goal`) at `timeouts` only, because a goal that is reached ends none.",
        after_help = "Examples:\n  cargo xtask data inspect tests/goldens/datasets/d4rl-locomotion.hdf5\n  cargo xtask \
                      data inspect tests/goldens/datasets/ogbench.npz --json"
    )]
    Inspect {
        /// A file, the folder of a Minari data set, or the name of a data set that is here
        file: String,
        #[command(flatten)]
        places: PlacesArgs,
        #[command(flatten)]
        json: JsonArgs,
    },
}

#[derive(Args, Clone)]
pub(crate) struct PlacesArgs {
    /// Where data sets lie, instead of `data/` in the cache
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Another list of what is published, laid out as crates/datasets/src/manifest.toml is; none for `generate`
    #[arg(long, value_name = "FILE")]
    pub(crate) manifest: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct JsonArgs {
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct StatsArgs {
    /// The scores
    pub(crate) file: PathBuf,
    /// Compute only this; may be repeated
    #[arg(long, value_enum)]
    pub(crate) metric: Vec<crate::stats::Metric>,
    /// Bootstrap resamples
    #[arg(long, default_value_t = 50_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) reps: u32,
    /// Seed of the resamples
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Confidence of the intervals
    #[arg(long, default_value_t = 0.95, value_name = "LEVEL", value_parser = level)]
    pub(crate) ci: f64,
    /// How intervals are made of the resamples
    #[arg(long, value_enum, default_value_t = crate::stats::Interval::Percentile)]
    pub(crate) method: crate::stats::Interval,
    /// Resample tasks too: how much a number hangs on the choice of tasks (P(X > Y) does not, as in rliable)
    #[arg(long)]
    pub(crate) task_bootstrap: bool,
    /// Measure scores by reference scores, as (score − min) / (max − min)
    #[arg(long, value_name = "NAME")]
    pub(crate) normalise: Option<String>,
    /// Say about how many runs would make each interval no wider than ± this
    #[arg(long, value_name = "WIDTH", value_parser = positive)]
    pub(crate) half_width: Option<f64>,
    /// Instead, give each task's best evaluation of a CSV of learning curves: the highest mean over runs
    #[arg(long, conflicts_with_all = ["metric", "vs", "profile", "curve", "half_width"])]
    pub(crate) best: bool,
    /// Instead, give the aggregates at every step of a CSV of learning curves: sample efficiency (the IQM, or `--metric`)
    #[arg(long, conflicts_with_all = ["vs", "profile", "half_width"])]
    pub(crate) curve: bool,
    /// Give each algorithm's probability of improvement over this one and, where they ran the same seeds, the mean
    /// difference between runs of one seed
    #[arg(long, value_name = "ALGORITHM")]
    pub(crate) vs: Option<String>,
    /// Draw it, too: aggregates, performance profiles and, with `--vs`, probabilities of improvement, or with `--curve`
    /// sample efficiency, as SVG, PNG and caption into this folder; intervals are percentile intervals over runs
    #[arg(long, value_name = "DIR", conflicts_with = "best")]
    pub(crate) plot: Option<PathBuf>,
    /// Give the share of runs above these scores
    #[arg(long, value_name = "SCORES", value_delimiter = ',', allow_negative_numbers = true,
          value_parser = finite)]
    pub(crate) profile: Vec<f64>,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if seconds > 0.0 && seconds < 3600.0 => Ok(seconds),
        _ => Err("a slice lasts more than no time and less than an hour".to_owned()),
    }
}

fn interval(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.0..=86_400.0).contains(&seconds) => Ok(seconds),
        _ => Err("an interval lasts from no time to a day".to_owned()),
    }
}

fn finite(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(number) if f64::is_finite(number) => Ok(number),
        _ => Err("a score is a finite number".to_owned()),
    }
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(number) if number > 0.0 && f64::is_finite(number) => Ok(number),
        _ => Err("a width is a number above 0".to_owned()),
    }
}

fn level(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(level) if level > 0.0 && level <= 0.9999 => Ok(level),
        _ => Err("a level of confidence lies above 0, and is 0.9999 at most".to_owned()),
    }
}

#[derive(Args)]
pub(crate) struct BenchArgs {
    /// The environment's id; may be repeated
    #[arg(long, default_values = ["HalfCheetah-v5", "Humanoid-v5"])]
    pub(crate) task: Vec<String>,
    /// Measure only this; may be repeated
    #[arg(long, value_enum)]
    pub(crate) only: Vec<crate::bench::What>,
    /// Fail unless updates reach this share of the rate of products
    #[arg(long, value_name = "SHARE")]
    pub(crate) at_least: Option<f64>,
    /// Measure the peers too, with this Python
    #[arg(long, value_name = "PYTHON")]
    pub(crate) peers: Option<PathBuf>,
    /// How many slices each contestant gets, beside a first that does not count
    #[arg(long, default_value_t = 9, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,
    /// Seconds of a slice
    #[arg(long, default_value_t = 0.7, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) slice: f64,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl BenchArgs {
    pub(crate) fn measures(&self, what: crate::bench::What) -> bool {
        self.only.is_empty() || self.only.contains(&what)
    }

    /// Where TD3's settings stand, which networks and rates of all agents are taken from.
    pub(crate) fn settings() -> Which {
        Which { paper: "dai".to_owned(), profile: "paper".to_owned(), results: None, device: None }
    }
}

#[derive(Args)]
pub(crate) struct ContestantArgs {
    /// What to do
    pub(crate) part: String,
    /// A run's configuration
    #[arg(long)]
    pub(crate) config: PathBuf,
}

#[derive(Args)]
pub(crate) struct WorkerArgs {
    /// The paper
    #[arg(long)]
    pub(crate) paper: String,
    /// Where runs lie
    #[arg(long)]
    pub(crate) results: PathBuf,
    /// The run's configuration
    #[arg(long)]
    pub(crate) config: PathBuf,
    /// The directory of the run that it needs
    #[arg(long)]
    pub(crate) needed: Option<PathBuf>,
    /// The file of its data set
    #[arg(long)]
    pub(crate) data: Option<PathBuf>,
    /// The data set that is made of it, as JSON
    #[arg(long)]
    pub(crate) stand_in: Option<String>,
    /// Seconds between checkpoints
    #[arg(long)]
    pub(crate) checkpoint_every: f64,
    /// Bytes of memory that it may ask for
    #[arg(long)]
    pub(crate) memory: u64,
    /// The record whose place it takes
    #[arg(long)]
    pub(crate) replaces: Option<String>,
}

/// What [`Which`] names, read and checked.
pub(crate) struct Chosen {
    pub(crate) experiment: Experiment,
    pub(crate) profile: Profile,
    pub(crate) store: Store,
    pub(crate) results: PathBuf,
}

impl Which {
    pub(crate) fn read(&self) -> Result<Chosen> {
        let root = root()?;
        let mut experiment = Experiment::read(&root, &self.paper)?;
        experiment.protocol.device = self.device.unwrap_or_default();
        let profile = experiment.profile(&self.profile)?.clone();
        let results = std::path::absolute(self.results.clone().unwrap_or_else(|| root.join("results")))?;
        let store = Store::open(&results, &self.paper)?;
        Ok(Chosen { experiment, profile, store, results })
    }

    /// A verb on these runs, for a person to copy.
    pub(crate) fn command(&self, verb: &str, figures: Option<&PathBuf>) -> String {
        let words: Vec<String> = self.words(verb, figures).iter().map(|word| quoted(word)).collect();
        format!("cargo xtask {}", words.join(" "))
    }

    /// A verb on these runs, from wherever in the checkout.
    pub(crate) fn words(&self, verb: &str, figures: Option<&PathBuf>) -> Vec<String> {
        let mut words =
            [verb, "--paper", &self.paper, "--profile", &self.profile].map(str::to_owned).to_vec();
        for (flag, folder) in [("--results", self.results.as_ref()), ("--figures", figures)] {
            let folder = folder.and_then(|folder| std::path::absolute(folder).ok());
            words.extend(folder.into_iter().flat_map(|f| [flag.to_owned(), f.display().to_string()]));
        }
        if self.device == Some(Device::Cuda) {
            words.extend(["--device", "cuda"].map(str::to_owned));
        }
        words
    }

    /// Where this profile's figures and tables lie.
    pub(crate) fn figures(&self, figures: Option<&PathBuf>) -> Result<PathBuf> {
        let folder = match figures {
            Some(folder) => folder.clone(),
            None => root()?.join("figures"),
        };
        let profile = match self.device {
            Some(Device::Cuda) => format!("{}-cuda", self.profile),
            _ => self.profile.clone(),
        };
        Ok(folder.join(&self.paper).join(profile))
    }
}

impl Chosen {
    pub(crate) fn plan(&self, filters: &Filters) -> Result<Plan, BadInput> {
        let selection = Selection::parse(&self.experiment, &filters.only, &filters.except)?;
        let plan = Plan::new(&self.experiment, &self.profile, &selection)?;
        for cell in plan.cells.iter().filter(|cell| cell.config.mpdp.is_some()) {
            envs::termination(cell.config.environment())?;
        }
        Ok(plan)
    }
}

/// The checkout that the current directory is in.
pub(crate) fn root() -> Result<PathBuf> {
    let here = std::env::current_dir()?;
    let root = here.ancestors().find(|folder| folder.join("experiments").is_dir());
    Ok(root
        .ok_or_else(|| {
            BadInput::new(format!(
                "{} is not within a checkout: no `experiments` folder above it",
                here.display()
            ))
            .help("run from within a checkout of the project")
        })?
        .to_owned())
}
