use super::{Table, column_widths, pad, width};

/// Between two columns.
const GAP: usize = 2;

pub(super) fn write(table: &Table, most: usize) -> String {
    let lines = table.lines(|cell| cell.text.clone());
    let widths = fit(&lines, most);

    let mut text = String::new();
    for (i, line) in lines.iter().enumerate() {
        let cells: Vec<Vec<String>> = line.iter().zip(&widths).map(|(cell, &to)| wrap(cell, to)).collect();
        for row in 0..cells.iter().map(Vec::len).max().unwrap_or(0) {
            let parts = cells.iter().map(|cell| cell.get(row).map_or("", String::as_str));
            let padded: Vec<String> = parts
                .zip(&table.columns)
                .zip(&widths)
                .map(|((part, column), &to)| pad(part, to, column.align))
                .collect();
            text += padded.join(&" ".repeat(GAP)).trim_end();
            text.push('\n');
        }
        if i == 0 {
            text += &widths.iter().map(|&to| "-".repeat(to)).collect::<Vec<_>>().join(&" ".repeat(GAP));
            text.push('\n');
        }
    }
    text
}

/// Column widths of at most `most` characters together, taken from the widest column first; no column gets narrower
/// than its longest word.
fn fit(lines: &[Vec<String>], most: usize) -> Vec<usize> {
    let mut widths = column_widths(lines);
    let longest = |c: usize| lines.iter().flat_map(|line| line[c].split(' ')).map(width).max().unwrap_or(0);
    let words: Vec<usize> = (0..widths.len()).map(longest).collect();
    let gaps = GAP * widths.len().saturating_sub(1);
    while widths.iter().sum::<usize>() + gaps > most {
        let wide = (0..widths.len()).filter(|&c| widths[c] > words[c]).max_by_key(|&c| widths[c]);
        let Some(c) = wide else { break };
        widths[c] -= 1;
    }
    widths
}

/// Breaks `text` between words into lines of at most `most` characters.
fn wrap(text: &str, most: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for (i, word) in text.split(' ').enumerate() {
        let last = lines.len() - 1;
        if i == 0 {
            lines[last] += word;
        } else if width(&lines[last]) + 1 + width(word) <= most {
            lines[last] = format!("{} {word}", lines[last]);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}
