//! The runner: flags and dispatch. One file per verb; the work is in `crates/`.

mod args;
mod bench;
mod campaign;
mod clean;
mod data;
mod doctor;
mod env;
mod export;
mod layout;
mod plan;
mod progress;
mod report;
mod reproduce;
mod run;
mod runner;
mod sets;
mod speed;
mod stats;
mod status;
mod train;
mod worker;

use anyhow::Result;
use clap::Parser as _;
use diagnostics::BadInput;
use experiment::Locked;
use std::process::ExitCode;

/// Exit codes, as documented in `--help`.
mod exit {
    pub(crate) const FINE: u8 = 0;
    pub(crate) const INTERNAL: u8 = 1;
    pub(crate) const BAD_INPUT: u8 = 2;
    pub(crate) const LOCKED: u8 = 3;
    pub(crate) const CHECK_FAILED: u8 = 4;
    pub(crate) const INCOMPLETE: u8 = 5;
    /// Of a worker, which only the runner sees: the disk failed, and may do better.
    pub(crate) const TRY_AGAIN: u8 = 75;
    /// Of a second Ctrl-C, and of a worker that was told to stop.
    pub(crate) const STOPPED: u8 = 130;
}

fn main() -> ExitCode {
    let verb = args::Cli::parse().verb;
    if !matches!(verb, args::Verb::Worker(_)) {
        disk::fault::arm("runner");
    }
    let result = match verb {
        args::Verb::Reproduce(args) => reproduce::reproduce(&args),
        args::Verb::Plan(args) => plan::plan(&args),
        args::Verb::Status(args) => status::status(&args),
        args::Verb::Explain(args) => status::explain(&args),
        args::Verb::Clean(args) => clean::clean(&args),
        args::Verb::Train(args) => train::train(&args),
        args::Verb::Report(args) => report::report(&args),
        args::Verb::Check(args) => report::check(&args),
        args::Verb::Export(args) => export::export(&args),
        args::Verb::Env(verb) => env::env(&verb),
        args::Verb::Data(verb) => data::data(&verb),
        args::Verb::Doctor(args) => doctor::doctor(&args),
        args::Verb::Stats(args) => stats::stats(&args),
        args::Verb::Bench(args) => bench::bench(&args),
        args::Verb::Contestant(args) => bench::contestant(&args.part, &args.config),
        args::Verb::Run(args) => run::run(&args),
        args::Verb::Worker(args) => worker::worker(&args),
    };
    ExitCode::from(result.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        code_of(&error)
    }))
}

fn code_of(error: &anyhow::Error) -> u8 {
    if error.downcast_ref::<BadInput>().is_some() {
        return exit::BAD_INPUT;
    }
    if error.downcast_ref::<Locked>().is_some() { exit::LOCKED } else { exit::INTERNAL }
}

/// Prints a line on standard output. A reader that went away (`| head`) is no error.
fn say(text: impl AsRef<str>) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stdout(), "{}", text.as_ref().trim_end());
}

/// Prints `value` as JSON.
fn say_json(value: &impl serde::Serialize) -> Result<()> {
    say(serde_json::to_string_pretty(value)?);
    Ok(())
}
