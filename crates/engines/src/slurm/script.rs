//! What a task of Slurm's executes.

use diagnostics::{BadInput, quoted};

/// Options that say which job it is and where its words go: the engine's own.
const OWN: [&str; 12] = [
    "--array",
    "-a",
    "--job-name",
    "-J",
    "--output",
    "-o",
    "--error",
    "-e",
    "--chdir",
    "-D",
    "--open-mode",
    "--dependency",
];

/// The `#SBATCH` lines of a file that a user wrote; comments and empty lines may stand between them.
///
/// # Errors
/// [`BadInput`] if there is something else.
pub fn user_lines(file: &str, text: &str) -> Result<Vec<String>, BadInput> {
    let mut lines = Vec::new();
    let mut offset = 0;
    for line in text.split('\n') {
        let wrong = |what: String| {
            BadInput::new(what).at(file, text, offset).help("such a line is `#SBATCH --partition=long`")
        };
        match line.trim_end().strip_prefix("#SBATCH") {
            Some(options) if options.starts_with([' ', '\t']) && options.trim_start().starts_with('-') => {
                let is_option = |word: &&str| word.starts_with('-');
                let options: Vec<&str> = options.split_whitespace().filter(is_option).collect();
                let name = |word: &&str| word.split('=').next().unwrap_or_default().to_owned();
                if let Some(own) = options.iter().map(name).find(|name| OWN.contains(&name.as_str())) {
                    return Err(wrong(format!(
                        "`{own}` is not yours to set: arrays, names and logs are made here"
                    )));
                }
                lines.push(line.trim_end().to_owned());
            }
            Some(_) => return Err(wrong(format!("`{line}` has no option of sbatch"))),
            None if line.trim().is_empty() || line.starts_with('#') => {}
            None => {
                return Err(wrong(format!("`{line}` is no `#SBATCH` line")));
            }
        }
        offset += line.len() + 1;
    }
    Ok(lines)
}

/// The script that executes `command`, with what is in the variable `index` as its last word. A minute before the time
/// limit it is sent USR1, and it may be run again.
pub(super) fn of(lines: &[String], command: &[String], index: Option<&str>) -> String {
    let mut script =
        "#!/bin/bash\n#SBATCH --ntasks=1\n#SBATCH --requeue\n#SBATCH --signal=B:USR1@60\n".to_owned();
    // Later lines overrule.
    lines.iter().for_each(|line| script += &format!("{line}\n"));
    let words: Vec<String> = command.iter().map(|word| quoted(word)).collect();
    script += &format!("exec {}", words.join(" "));
    script += &index.map_or(String::new(), |index| format!(" \"${index}\""));
    script + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_user_wrote_comes_before_the_command_and_what_is_ours_is_quoted() {
        let text = "# ours\n#SBATCH --partition=long --time=8:00:00\n\n#SBATCH -A someone # for now\n";
        let lines = user_lines("lines", text).unwrap();
        let command = ["/a b/$(rm)".to_owned(), "run".to_owned()];
        assert_eq!(
            of(&lines, &command, Some("I")),
            "#!/bin/bash\n#SBATCH --ntasks=1\n#SBATCH --requeue\n#SBATCH --signal=B:USR1@60\n\
             #SBATCH --partition=long --time=8:00:00\n#SBATCH -A someone # for now\nexec '/a b/$(rm)' run \"$I\"\n"
        );
    }

    #[test]
    fn other_lines_are_refused_with_their_place() {
        let check = |text: &str, expected: &str| {
            let error = user_lines("lines", text).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        };
        check("#SBATCH --time=1\nmodule load x\n", "lines:2: `module load x` is no `#SBATCH` line");
        check("#SBATCH\n", "lines:1: `#SBATCH` has no option");
        check("#SBATCH time=1\n", "lines:1: `#SBATCH time=1` has no option");
        check("#SBATCHES --x\n", "lines:1: `#SBATCHES --x` has no option");
        check("\n#SBATCH --mem=1G --array=0-5\n", "lines:2: `--array` is not yours");
        check("#SBATCH -o x\n", "lines:1: `-o` is not yours");
    }
}
