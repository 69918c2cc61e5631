//! `doctor`: what is found, and what to do about what is missing.

use crate::args::JsonArgs;
use crate::{exit, say, say_json};
use anyhow::Result;
use mujoco::install::Setup;

pub(crate) fn doctor(args: &JsonArgs) -> Result<u8> {
    let findings = mujoco::doctor(&Setup::from_process());
    let fine = findings.iter().all(mujoco::Finding::is_fine);
    if args.json {
        say_json(&findings)?;
    } else {
        for finding in &findings {
            let found = finding.found.as_deref().unwrap_or("-");
            let mark = if finding.is_fine() { "ok     " } else { "missing" };
            say(format!("{mark} {:10} {found:12} {}", finding.name, finding.purpose));
            say(format!("        {}", finding.looked_in));
            for note in finding.problem.iter().chain(&finding.remedy) {
                say(format!("        {note}"));
            }
        }
        let cores = crate::plan::cores();
        say(format!("ok      {:10} {cores:<12} workers at a time unless --jobs says otherwise", "cores"));
    }
    Ok(if fine { exit::FINE } else { exit::BAD_INPUT })
}
