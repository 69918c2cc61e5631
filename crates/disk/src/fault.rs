//! Faults on demand, for tests: the disk is full, or the process dies, at the k-th operation.
//!
//! `REPRISE_FAULT` holds `<who> <what> <k>`: `worker fail 3` fails the third operation of a worker, `worker full 3`
//! that and all after it, `runner kill 3` kills the runner within it. It is not part of the product.

use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Fail,
    Full,
    Kill,
}

static FAULT: OnceLock<Option<(What, u64)>> = OnceLock::new();
static DONE: AtomicU64 = AtomicU64::new(0);

/// Says who this process is, before its first operation.
pub fn arm(who: &str) {
    let wanted = std::env::var("REPRISE_FAULT").ok().and_then(|text| {
        let rest = text.strip_prefix(who)?.trim().to_owned();
        let (what, k) = rest.split_once(' ')?;
        let what = match what {
            "fail" => What::Fail,
            "full" => What::Full,
            "kill" => What::Kill,
            _ => return None,
        };
        Some((what, k.parse().ok()?))
    });
    let _ = FAULT.set(wanted);
}

fn wanted() -> Option<(What, u64)> {
    FAULT.get().copied().flatten()
}

/// Counts an operation, and fails it if it is the one.
pub(crate) fn point() -> io::Result<()> {
    let Some((what, k)) = wanted() else { return Ok(()) };
    let count = DONE.fetch_add(1, Ordering::Relaxed) + 1;
    if count == k || (count > k && what == What::Full) {
        // A test sees that the point was reached: the runner passes on what a worker prints.
        println!("REPRISE_FAULT: operation {count}");
        eprintln!("REPRISE_FAULT: operation {count}");
        return Err(io::Error::from(io::ErrorKind::StorageFull));
    }
    Ok(())
}

/// Ends the process by SIGKILL.
pub fn die() {
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
}

/// Ends the process by SIGKILL, if that is the fault.
pub(crate) fn die_if_killed() {
    if wanted().is_some_and(|(what, _)| what == What::Kill) {
        die();
    }
}
