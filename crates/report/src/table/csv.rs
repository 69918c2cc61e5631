use super::Table;

pub(super) fn write(table: &Table) -> String {
    table.lines(|cell| quote(&cell.text)).iter().map(|line| line.join(",") + "\n").collect()
}

/// Quotes a cell that holds a separator, a quote or a line end, or blanks at its ends, which some readers trim.
fn quote(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) || cell.trim() != cell {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::quote;

    #[test]
    fn only_what_needs_quotes_gets_them() {
        let check = |cell, expect: &str| assert_eq!(quote(cell), expect);
        check("plain text", "plain text");
        check("5,123", "\"5,123\"");
        check("say \"no\"", "\"say \"\"no\"\"\"");
        check("two\nlines", "\"two\nlines\"");
        check(" blank", "\" blank\"");
    }
}
