//! Tables for people: one line a row, aligned, cut to the terminal's width.

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
    /// Numbers stand at the right.
    pub(crate) is_number: bool,
}

impl Column {
    /// A text of a fixed width.
    pub(crate) const fn text(name: &'static str, cells: u16) -> Self {
        Self { name, cells: Some(cells), is_number: false }
    }

    /// A number of a fixed width.
    pub(crate) const fn number(name: &'static str, cells: u16) -> Self {
        Self { name, cells: Some(cells), is_number: true }
    }

    /// The text that gets the rest of the line.
    pub(crate) const fn rest(name: &'static str) -> Self {
        Self { name, cells: None, is_number: false }
    }
}

/// Rows that are laid out a few at a time, so that a long answer needs no memory.
#[derive(Debug)]
pub(crate) struct Listing {
    columns: &'static [Column],
    rest_cells: u16,
    rows: Vec<Vec<String>>,
    has_header: bool,
}

/// Rows laid out together.
const CHUNK_ROWS: usize = 64;
/// The widths of lines without a terminal, and the least for the last column.
const FILE_CELLS: u16 = 160;
const LEAST_REST_CELLS: u16 = 16;
/// Cells between two columns.
const GAP_CELLS: u16 = 2;

/// The width at which no last cell of these rows is cut.
pub(crate) fn whole(columns: &[Column], rows: &[Vec<String>]) -> u16 {
    // A character has at most two cells; what is too much is trimmed.
    let last = rows.iter().filter_map(|row| row.last()).map(|cell| 2 * cell.chars().count());
    let rest = u16::try_from(last.max().unwrap_or(0)).unwrap_or(u16::MAX);
    fixed(columns).saturating_add(rest)
}

fn fixed(columns: &[Column]) -> u16 {
    columns.iter().map(|c| c.cells.map_or(0, |cells| cells + GAP_CELLS)).sum()
}

impl Listing {
    /// An empty listing `width` cells wide.
    pub(crate) fn new(columns: &'static [Column], width: Option<u16>) -> Self {
        let rest_cells =
            width.unwrap_or(FILE_CELLS).saturating_sub(fixed(columns)).max(LEAST_REST_CELLS);
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
        for cells in self.rows.drain(..) {
            let mut row = Row::from(cells.iter().map(|cell| text::clean(cell).into_owned()));
            let _ = row.max_height(1);
            let _ = table.add_row(row);
        }
        self.lay_out(&mut table);
        table.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
    }

    fn lay_out(&self, table: &mut Table) {
        let _ = table
            .force_no_tty()
            .set_content_arrangement(ContentArrangement::Disabled)
            .load_style(TableStyle::new());
        table.discover_columns();
        for (column, laid_out) in self.columns.iter().zip(table.column_iter_mut()) {
            // The width counts the padding, which is at the right only: lines start at the margin.
            let cells = column.cells.unwrap_or(self.rest_cells) + GAP_CELLS;
            let _ = laid_out
                .set_padding((0, GAP_CELLS))
                .set_constraint(ColumnConstraint::Absolute(Width::Fixed(cells)));
            if column.is_number {
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
}
