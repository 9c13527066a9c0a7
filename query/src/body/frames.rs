//! The blocks that are open, one in another, and what they become when they close.
//!
//! Invariants: an item is in a list, a row in a table, a cell in a row. Tags in the wrong place open
//! what is missing around them, and end tags close what is open inside of what they name, or do
//! nothing. Quotes, lists and tables nest [`MAX_DEPTH`] deep at most; a deeper one is unwrapped.

use super::{Block, Cell, MAX_DEPTH, QuoteOf};

/// A block that is open.
#[derive(Debug)]
enum Frame {
    Quote(Option<QuoteOf>, Vec<Block>),
    List { ordered: bool, items: Vec<Vec<Block>> },
    Item(Vec<Block>),
    Table(Vec<Vec<Cell>>),
    Row(Vec<Cell>),
    Cell { cell: Cell, formats: usize },
}

impl Frame {
    fn is_quote(&self) -> bool {
        matches!(self, Self::Quote(..))
    }

    fn is_list(&self) -> bool {
        matches!(self, Self::List { .. })
    }

    fn is_item(&self) -> bool {
        matches!(self, Self::Item(_))
    }

    fn is_table(&self) -> bool {
        matches!(self, Self::Table(_))
    }

    fn is_row(&self) -> bool {
        matches!(self, Self::Row(_))
    }

    fn is_cell(&self) -> bool {
        matches!(self, Self::Cell { .. })
    }
}

/// The blocks that are open, and the finished ones outside of them.
#[derive(Debug, Default)]
pub(super) struct Frames {
    root: Vec<Block>,
    open: Vec<Frame>,
    /// Start tags without a frame, because they were too deep: their end tags close nothing.
    unframed: usize,
    /// How many formats are open. A cell that closes takes those with it that were opened in it.
    pub(super) formats: usize,
    /// Blocks made so far.
    pub(super) made: usize,
}

impl Frames {
    pub(super) fn block(&mut self, block: Block) {
        self.made += 1;
        self.blocks().push(block);
    }

    /// Is it at a place where text does not belong, only items, rows or cells?
    pub(super) fn is_between(&self) -> bool {
        self.open.last().is_some_and(|top| top.is_list() || top.is_table() || top.is_row())
    }

    /// The message that is quoted, while nothing else is open inside of the quote.
    pub(super) fn quoted(&mut self) -> Option<&mut QuoteOf> {
        match self.open.last_mut() {
            Some(Frame::Quote(of, _)) => of.as_mut(),
            _ => None,
        }
    }

    pub(super) fn open_quote(&mut self, of: Option<QuoteOf>) {
        self.open_frame(Frame::Quote(of, Vec::new()));
    }

    pub(super) fn open_list(&mut self, ordered: bool) {
        // A list directly in a list belongs to the item before it.
        if let Some(Frame::List { items, .. }) = self.open.last_mut() {
            let item = items.pop().unwrap_or_default();
            self.push(Frame::Item(item));
        }
        self.open_frame(Frame::List { ordered, items: Vec::new() });
    }

    pub(super) fn open_item(&mut self) {
        let is_around = |frame: &Frame| frame.is_list() || frame.is_cell() || frame.is_quote();
        let list = self.nearest(is_around).filter(|place| self.has(*place, Frame::is_list));
        match list {
            Some(place) => self.close_to(place + 1),
            None => self.open_list(false),
        }
        if self.open.last().is_some_and(Frame::is_list) {
            self.push(Frame::Item(Vec::new()));
        }
    }

    pub(super) fn open_table(&mut self) {
        self.open_frame(Frame::Table(Vec::new()));
    }

    pub(super) fn open_row(&mut self) {
        match self.nearest(Frame::is_table) {
            Some(place) => self.close_to(place + 1),
            None => self.open_table(),
        }
        if self.open.last().is_some_and(Frame::is_table) {
            self.push(Frame::Row(Vec::new()));
        }
    }

    pub(super) fn open_cell(&mut self, header: bool) {
        let around = self.nearest(|frame| frame.is_row() || frame.is_table());
        match around.filter(|place| self.has(*place, Frame::is_row)) {
            Some(place) => self.close_to(place + 1),
            None => self.open_row(),
        }
        if self.open.last().is_some_and(Frame::is_row) {
            self.push_cell(header);
        }
    }

    pub(super) fn close_quote(&mut self) {
        if !self.was_unframed() {
            self.close(Frame::is_quote, Frame::is_cell);
        }
    }

    pub(super) fn close_list(&mut self) {
        if !self.was_unframed() {
            self.close(Frame::is_list, Frame::is_cell);
        }
    }

    pub(super) fn close_item(&mut self) {
        self.close(Frame::is_item, |frame| frame.is_list() || frame.is_cell());
    }

    pub(super) fn close_table(&mut self) {
        if !self.was_unframed() {
            self.close(Frame::is_table, |_| false);
        }
    }

    pub(super) fn close_row(&mut self) {
        self.close(Frame::is_row, Frame::is_table);
    }

    pub(super) fn close_cell(&mut self) {
        self.close(Frame::is_cell, Frame::is_table);
    }

    pub(super) fn close_all(&mut self) {
        self.close_to(0);
    }

    /// The finished blocks. All frames must be closed.
    pub(super) fn finish(mut self) -> Vec<Block> {
        trim(&mut self.root);
        self.root
    }

    fn was_unframed(&mut self) -> bool {
        let was = self.unframed > 0;
        self.unframed = self.unframed.saturating_sub(1);
        was
    }

    fn open_frame(&mut self, frame: Frame) {
        self.make_place();
        if self.open.len() < MAX_DEPTH {
            self.push(frame);
        } else {
            self.unframed += 1;
        }
    }

    fn push(&mut self, frame: Frame) {
        self.made += 1;
        self.open.push(frame);
    }

    fn push_cell(&mut self, header: bool) {
        let cell = Cell { header, blocks: Vec::new() };
        self.push(Frame::Cell { cell, formats: self.formats });
    }

    /// Opens what is missing for a block between the items of a list or the cells of a table.
    fn make_place(&mut self) {
        if self.open.last().is_some_and(Frame::is_list) {
            self.push(Frame::Item(Vec::new()));
        }
        if self.open.last().is_some_and(Frame::is_table) {
            self.push(Frame::Row(Vec::new()));
        }
        if self.open.last().is_some_and(Frame::is_row) {
            self.push_cell(false);
        }
    }

    fn blocks(&mut self) -> &mut Vec<Block> {
        self.make_place();
        match self.open.last_mut() {
            Some(Frame::Cell { cell, .. }) => &mut cell.blocks,
            Some(Frame::Quote(_, blocks) | Frame::Item(blocks)) => blocks,
            _ => &mut self.root,
        }
    }

    fn nearest(&self, is_meant: impl Fn(&Frame) -> bool) -> Option<usize> {
        self.open.iter().rposition(is_meant)
    }

    fn has(&self, place: usize, is_meant: fn(&Frame) -> bool) -> bool {
        self.open.get(place).is_some_and(is_meant)
    }

    /// Closes the nearest frame that is meant, and all in it, unless an end is nearer.
    fn close(&mut self, is_meant: fn(&Frame) -> bool, is_end: fn(&Frame) -> bool) {
        let nearest = self.nearest(|frame| is_meant(frame) || is_end(frame));
        if let Some(place) = nearest.filter(|place| self.has(*place, is_meant)) {
            self.close_to(place);
        }
    }

    fn close_to(&mut self, count: usize) {
        while self.open.len() > count
            && let Some(frame) = self.open.pop()
        {
            self.attach(frame);
        }
    }

    /// Puts what was closed where it belongs. Frames with nothing in them leave nothing.
    fn attach(&mut self, frame: Frame) {
        match (frame, self.open.last_mut()) {
            (Frame::Item(mut blocks), Some(Frame::List { items, .. })) => {
                trim(&mut blocks);
                items.push(blocks);
            }
            (Frame::Cell { mut cell, formats }, Some(Frame::Row(cells))) => {
                trim(&mut cell.blocks);
                cells.push(cell);
                self.formats = self.formats.min(formats);
            }
            (Frame::Row(cells), Some(Frame::Table(rows))) if !cells.is_empty() => rows.push(cells),
            (Frame::Quote(of, mut blocks), _) => {
                trim(&mut blocks);
                if of.is_some() || !blocks.is_empty() {
                    self.blocks().push(Block::Quote { of, blocks });
                }
            }
            (Frame::List { ordered, items }, _) if !items.is_empty() => {
                self.blocks().push(Block::List { ordered, items });
            }
            (Frame::Table(rows), _) if !rows.is_empty() => {
                self.blocks().push(Block::Table { rows });
            }
            _ => {}
        }
    }
}

/// Takes blank lines off both ends.
pub(super) fn trim(blocks: &mut Vec<Block>) {
    let is_blank = |block: &Block| matches!(block, Block::Paragraph(inlines) if inlines.is_empty());
    while blocks.last().is_some_and(is_blank) {
        drop(blocks.pop());
    }
    let blank = blocks.iter().take_while(|block| is_blank(block)).count();
    drop(blocks.drain(..blank));
}
