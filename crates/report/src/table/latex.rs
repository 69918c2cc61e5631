use super::{Align, Cell, Table};

pub(super) fn write(table: &Table) -> String {
    let format: String = table
        .columns
        .iter()
        .map(|column| match column.align {
            Align::Left => 'l',
            Align::Right => 'r',
            Align::Center => 'c',
        })
        .collect();
    let cell = |cell: &Cell| match (escape(&cell.text), cell.bold) {
        (text, false) => text,
        (text, true) => format!("\\textbf{{{text}}}"),
    };
    let lines = table.lines(cell).into_iter().map(|line| line.join(" & ") + " \\\\\n").collect::<Vec<_>>();
    let (head, rows) = (&lines[0], lines[1..].concat());
    format!(
        "\\begin{{tabular}}{{{format}}}\n\\toprule\n{head}\\midrule\n{rows}\\bottomrule\n\\end{{tabular}}\n"
    )
}

/// Plain text as LaTeX text: special characters escaped, the mathematical ones that our numbers use in math mode, and
/// a hyphen before a digit at a word's start as a minus sign.
#[must_use]
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::new();
    let characters: Vec<char> = text.chars().collect();
    for (i, &c) in characters.iter().enumerate() {
        let before = i.checked_sub(1).map(|i| characters[i]);
        let after = characters.get(i + 1);
        match c {
            '&' | '#' | '_' | '{' | '}' | '$' | '%' => escaped.extend(['\\', c]),
            '\\' => escaped += "\\textbackslash{}",
            '~' => escaped += "\\textasciitilde{}",
            '^' => escaped += "\\textasciicircum{}",
            '"' => escaped += "\\textquotedbl{}",
            '|' => escaped += "\\textbar{}",
            '<' => escaped += "$<$",
            '>' => escaped += "$>$",
            '±' => escaped += "$\\pm$",
            '×' => escaped += "$\\times$",
            '≤' => escaped += "$\\leq$",
            '≥' => escaped += "$\\geq$",
            '−' => escaped += "$-$",
            '–' => escaped += "--",
            '-' if before.is_none_or(|b| " [(".contains(b)) && after.is_some_and(char::is_ascii_digit) => {
                escaped += "$-$";
            }
            // A thin space that does not break, as a number and its unit are set.
            ' ' if after == Some(&'%') => escaped += "\\,",
            '\n' | '\r' => escaped.push(' '),
            _ => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn special_characters_are_escaped() {
        let check = |text, expect: &str| assert_eq!(escape(text), expect);
        check("50 % & a_b #1 {x} $", r"50\,\% \& a\_b \#1 \{x\} \$");
        check(r"a\b~c^d", r"a\textbackslash{}b\textasciitilde{}c\textasciicircum{}d");
        check("-3 [-4, -2.5] TD3-DAI 1e-5", "$-$3 [$-$4, $-$2.5] TD3-DAI 1e-5");
        check("2.0× ≥ 1 ± 3", r"2.0$\times$ $\geq$ 1 $\pm$ 3");
    }
}
