//! One table, four ways to write it: Markdown, LaTeX, CSV and plain text for a terminal.

mod csv;
mod latex;
mod markdown;
mod plain;

/// How a column's cells stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
    /// Marks.
    Center,
}

/// A column's heading and alignment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Heading.
    pub name: String,
    /// Alignment of heading and cells.
    pub align: Align,
}

/// A cell of plain text: each format escapes it for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// What it says.
    pub text: String,
    /// Whether it is set in bold, where a format has that.
    pub bold: bool,
}

impl Cell {
    /// A cell that is bold if `bold`.
    pub fn new(text: impl Into<String>, bold: bool) -> Self {
        Self { text: text.into(), bold }
    }
}

impl<S: Into<String>> From<S> for Cell {
    fn from(text: S) -> Self {
        Self::new(text, false)
    }
}

/// Rows of cells under named columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table without rows.
    pub fn new<'a>(columns: impl IntoIterator<Item = (&'a str, Align)>) -> Self {
        let columns =
            columns.into_iter().map(|(name, align)| Column { name: name.to_owned(), align }).collect();
        Self { columns, rows: Vec::new() }
    }

    /// Adds a row.
    ///
    /// # Panics
    /// If the row has more or fewer cells than the table has columns.
    pub fn push<C: Into<Cell>>(&mut self, cells: impl IntoIterator<Item = C>) {
        let row: Vec<Cell> = cells.into_iter().map(Into::into).collect();
        assert_eq!(row.len(), self.columns.len(), "a row of {row:?} under {:?}", self.columns);
        self.rows.push(row);
    }

    /// The table without one of its columns.
    #[must_use]
    pub fn without(mut self, column: &str) -> Self {
        while let Some(at) = self.columns.iter().position(|other| other.name == column) {
            self.columns.remove(at);
            self.rows.iter_mut().for_each(|row| drop(row.remove(at)));
        }
        self
    }

    /// The columns.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The rows, one cell a column.
    #[must_use]
    pub fn rows(&self) -> &[Vec<Cell>] {
        &self.rows
    }

    /// GitHub's Markdown, padded so that the source lines up too.
    #[must_use]
    pub fn markdown(&self) -> String {
        markdown::write(self)
    }

    /// A LaTeX `tabular` with rules of the package `booktabs`.
    #[must_use]
    pub fn latex(&self) -> String {
        latex::write(self)
    }

    /// CSV (RFC 4180, but lines end in `\n`).
    #[must_use]
    pub fn csv(&self) -> String {
        csv::write(self)
    }

    /// Aligned text for a terminal of `width` characters. Cells wrap between words where the table would be wider;
    /// it is wider still where single words do not fit.
    #[must_use]
    pub fn plain(&self, width: usize) -> String {
        plain::write(self, width)
    }

    /// Headings and then rows, each cell as `write` has it.
    fn lines(&self, write: impl Fn(&Cell) -> String) -> Vec<Vec<String>> {
        let headings = self.columns.iter().map(|column| write(&column.name.as_str().into())).collect();
        let rows = self.rows.iter().map(|row| row.iter().map(&write).collect());
        std::iter::once(headings).chain(rows).collect()
    }
}

/// Width in characters. The tables hold no characters of double width.
fn width(text: &str) -> usize {
    text.chars().count()
}

/// The widest of heading and cells, column by column.
fn column_widths(table: &[Vec<String>]) -> Vec<usize> {
    let columns = table.first().map_or(0, Vec::len);
    (0..columns).map(|c| table.iter().map(|row| width(&row[c])).max().unwrap_or(0)).collect()
}

fn pad(text: &str, to: usize, align: Align) -> String {
    let missing = to.saturating_sub(width(text));
    let left = match align {
        Align::Left => 0,
        Align::Right => missing,
        Align::Center => missing / 2,
    };
    format!("{}{text}{}", " ".repeat(left), " ".repeat(missing - left))
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn sample() -> Table {
        let mut table = Table::new([
            ("task", Align::Left),
            ("TD3", Align::Right),
            ("gain_%", Align::Right),
            ("ok", Align::Center),
        ]);
        table.push(["Ant-v5", "4,102 [3,800, 4,410]", "+113 %", "yes"]);
        table.push(["Humanoid | \"v5\"", "-5 ± 2", "n/a", ""]);
        table
    }

    #[test]
    fn markdown_lines_up_and_escapes_bars() {
        let expect = "\
| task             |                  TD3 | gain_% | ok  |
| :--------------- | -------------------: | -----: | :-: |
| Ant-v5           | 4,102 [3,800, 4,410] | +113 % | yes |
| Humanoid \\| \"v5\" |               -5 ± 2 |    n/a |     |
";
        assert_eq!(sample().markdown(), expect);
    }

    #[test]
    fn latex_is_booktabs_and_escaped() {
        let expect = r#"\begin{tabular}{lrrc}
\toprule
task & TD3 & gain\_\% & ok \\
\midrule
Ant-v5 & 4,102 [3,800, 4,410] & +113\,\% & yes \\
Humanoid \textbar{} \textquotedbl{}v5\textquotedbl{} & $-$5 $\pm$ 2 & n/a &  \\
\bottomrule
\end{tabular}
"#;
        assert_eq!(sample().latex(), expect);
    }

    #[test]
    fn csv_quotes_what_must_be_quoted() {
        let expect = "\
task,TD3,gain_%,ok
Ant-v5,\"4,102 [3,800, 4,410]\",+113 %,yes
\"Humanoid | \"\"v5\"\"\",-5 ± 2,n/a,
";
        assert_eq!(sample().csv(), expect);
    }

    #[test]
    fn bold_is_kept_where_there_is_bold() {
        let mut table = Table::new([("arm", Align::Left)]);
        table.push([Cell::new("a_b", true)]);
        assert!(table.markdown().ends_with("| **a_b** |\n"), "{}", table.markdown());
        assert!(table.latex().contains("\n\\textbf{a\\_b} \\\\\n"), "{}", table.latex());
        assert_eq!((table.csv(), table.plain(80)), ("arm\na_b\n".to_owned(), "arm\n---\na_b\n".to_owned()));
    }

    #[test]
    fn plain_text_has_no_trailing_blanks() {
        let expect = "\
task                              TD3  gain_%  ok
---------------  --------------------  ------  ---
Ant-v5           4,102 [3,800, 4,410]  +113 %  yes
Humanoid | \"v5\"                -5 ± 2     n/a
";
        assert_eq!(sample().plain(80), expect);
    }

    #[test]
    fn plain_text_wraps_words_to_the_width() {
        let mut table = Table::new([("claim", Align::Left), ("n", Align::Right)]);
        table.push(["the early return improves by over 160 %", "6"]);
        let expect = "\
claim               n
------------------  -
the early return    6
improves by over
160 %
";
        assert_eq!(table.plain(21), expect);
        assert!(table.plain(3).lines().all(|line| width(line) <= "improves".len() + 3), "{}", table.plain(3));
        assert_eq!(table.plain(80).lines().count(), 3);
    }

    #[test]
    #[should_panic(expected = "a row of")]
    fn a_row_must_fit() {
        sample().push(["one"]);
    }
}
