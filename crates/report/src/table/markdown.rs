use super::{Align, Table, column_widths, pad};

pub(super) fn write(table: &Table) -> String {
    let lines = table.lines(|cell| match (escape(&cell.text), cell.bold) {
        (text, false) => text,
        (text, true) => format!("**{text}**"),
    });
    // A rule needs three characters to be one.
    let widths: Vec<usize> = column_widths(&lines).into_iter().map(|width| width.max(3)).collect();

    let mut text = String::new();
    for (i, line) in lines.iter().enumerate() {
        let cells = table.columns.iter().zip(line).zip(&widths);
        text += &cells
            .map(|((column, cell), &to)| format!("| {} ", pad(cell, to, column.align)))
            .collect::<String>();
        text += "|\n";
        if i == 0 {
            let rules = table.columns.iter().zip(&widths);
            text += &rules.map(|(column, &to)| format!("| {} ", rule(column.align, to))).collect::<String>();
            text += "|\n";
        }
    }
    text
}

fn rule(align: Align, width: usize) -> String {
    match align {
        Align::Left => format!(":{}", "-".repeat(width - 1)),
        Align::Right => format!("{}:", "-".repeat(width - 1)),
        Align::Center => format!(":{}:", "-".repeat(width - 2)),
    }
}

fn escape(cell: &str) -> String {
    cell.replace('|', "\\|").replace(['\n', '\r'], " ")
}
