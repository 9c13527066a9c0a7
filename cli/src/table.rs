//! Tables: one line a row, aligned; cut to the width of a terminal, and not at all where there is none.

use comfy_table::{
    CellAlignment, ColumnConstraint, ContentArrangement, Row, Table, TableStyle, Width,
};

use crate::text;

/// A column of a [`Listing`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    /// Its header.
    pub(crate) name: &'static str,
    /// Its width in terminal cells; `None` takes what the others leave.
    pub(crate) cells: Option<u16>,
    /// Numbers stand at the right, and an id that is cut keeps both ends.
    pub(crate) kind: Kind,
}

/// What is in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Number,
    Id,
}

impl Column {
    /// A text of a fixed width.
    pub(crate) const fn text(name: &'static str, cells: u16) -> Self {
        Self { name, cells: Some(cells), kind: Kind::Text }
    }

    /// A number of a fixed width.
    pub(crate) const fn number(name: &'static str, cells: u16) -> Self {
        Self { name, cells: Some(cells), kind: Kind::Number }
    }

    /// An id of a fixed width.
    pub(crate) const fn id(name: &'static str, cells: u16) -> Self {
        Self { name, cells: Some(cells), kind: Kind::Id }
    }

    /// The text that gets the rest of the line.
    pub(crate) const fn rest(name: &'static str) -> Self {
        Self { name, cells: None, kind: Kind::Text }
    }
}

/// Rows that are laid out a few at a time, so that a long answer needs no memory.
#[derive(Debug)]
pub(crate) struct Listing {
    columns: &'static [Column],
    /// The width of the last column; `None`: no terminal, and nothing is cut.
    rest_cells: Option<u16>,
    rows: Vec<Vec<String>>,
    has_header: bool,
}

/// Rows laid out together.
const CHUNK_ROWS: usize = 64;
/// The least width of the last column.
const LEAST_REST_CELLS: u16 = 16;
/// Cells between two columns.
const GAP_CELLS: u16 = 2;

impl Listing {
    /// An empty listing for a terminal `width` cells wide, or for none.
    pub(crate) fn new(columns: &'static [Column], width: Option<u16>) -> Self {
        let fixed = columns.iter().map(|c| c.cells.map_or(0, |cells| cells + GAP_CELLS)).sum();
        let rest_cells = width.map(|width| width.saturating_sub(fixed).max(LEAST_REST_CELLS));
        Self { columns, rest_cells, rows: Vec::new(), has_header: false }
    }

    /// Adds a row; gives lines when there are enough rows to lay out.
    pub(crate) fn push(&mut self, row: Vec<String>) -> Option<String> {
        self.rows.push(row);
        (self.rows.len() >= CHUNK_ROWS).then(|| self.lines())
    }

    /// The lines of the rows that were not given yet; the header before the first of all.
    pub(crate) fn lines(&mut self) -> String {
        let mut table = Table::new();
        if !std::mem::replace(&mut self.has_header, true) {
            let _ = table.set_header(self.columns.iter().map(|column| column.name));
        }
        for cells in std::mem::take(&mut self.rows) {
            let cells = self.columns.iter().zip(&cells);
            let mut row = Row::from(cells.map(|(column, cell)| self.shown(column, cell)));
            let _ = row.max_height(1);
            let _ = table.add_row(row);
        }
        self.lay_out(&mut table);
        table.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
    }

    fn shown(&self, column: &Column, cell: &str) -> String {
        let clean = text::clean(cell);
        match (column.kind, column.cells) {
            (Kind::Id, Some(most)) if self.rest_cells.is_some() => {
                text::middle_cut(&clean, usize::from(most)).into_owned()
            }
            _ => clean.into_owned(),
        }
    }

    fn lay_out(&self, table: &mut Table) {
        let _ = table
            .force_no_tty()
            .set_content_arrangement(ContentArrangement::Disabled)
            .load_style(TableStyle::new());
        table.discover_columns();
        for (column, laid_out) in self.columns.iter().zip(table.column_iter_mut()) {
            // The width counts the padding, which is at the right only: lines start at the margin.
            let cells = column.cells.or(self.rest_cells).unwrap_or_default() + GAP_CELLS;
            let cells = Width::Fixed(cells);
            let constraint = match self.rest_cells {
                Some(_) => ColumnConstraint::Absolute(cells),
                None => ColumnConstraint::LowerBoundary(cells),
            };
            let _ = laid_out.set_padding((0, GAP_CELLS)).set_constraint(constraint);
            if column.kind == Kind::Number {
                laid_out.set_cell_alignment(CellAlignment::Right);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[Column] =
        &[Column::text("who", 5), Column::number("n", 4), Column::rest("text")];

    fn row(who: &str, number: &str, text: &str) -> Vec<String> {
        [who, number, text].map(str::to_owned).to_vec()
    }

    #[test]
    fn rows_are_one_line_cut_and_aligned() {
        let mut listing = Listing::new(COLUMNS, Some(33));
        assert_eq!(listing.push(row("ann", "7", "hello\nworld \u{1b}[2J and so on and on")), None);
        assert_eq!(
            listing.push(row("bartholomew", "1,234", "日本語の長い文章はここで切れます")),
            None
        );
        let lines = listing.lines();
        assert_eq!(
            lines,
            "who       n  text\n\
             ann       7  hello world \u{fffd}[2J an…\n\
             bart…  1,2…  日本語の長い文章は…\n"
        );
        assert_eq!(listing.push(row("cy", "8", "x")), None);
        assert_eq!(listing.lines(), "cy        8  x\n", "the header comes once");
    }

    #[test]
    fn an_id_keeps_both_ends_on_a_terminal_and_is_whole_in_a_file() {
        const IDS: &[Column] = &[Column::id("id", 7), Column::rest("text")];
        let long = "and so on ".repeat(40);
        for (width, cells) in [(Some(30), "012…789  and so on and so on…"), (None, "0123456789  ")]
        {
            let mut listing = Listing::new(IDS, width);
            assert_eq!(listing.push(vec!["0123456789".to_owned(), long.clone()]), None);
            let lines = listing.lines();
            let line = lines.lines().nth(1).unwrap();
            assert!(line.starts_with(cells), "{line}");
            assert_eq!(line.ends_with(long.trim_end()), width.is_none(), "{line}");
        }
    }
}
