//! Follows a program's steps through the columns of a row.

use chatvault_base::decimal::put_decimal;
use chatvault_base::time::text::Fraction;

use super::bind::Context;
use super::block::{Block, Cursor, Lookup, MAX_DEPTH, Text, narrow};
use super::columns::{FIRST_ENTRY, INLINE, PREDICTED};
use super::keys::Keys;
use super::program::{Run, Step};
use super::recent::Key;
use crate::error::{Error, Result};
use crate::format::bytes::unzigzag;
use crate::types::Timestamp;

/// A row on its way out of a block.
pub(super) struct Walk<'w, V> {
    pub(super) block: &'w Block,
    pub(super) view: &'w V,
    pub(super) keys: &'w Keys,
    pub(super) text: Option<&'w Text>,
    pub(super) cursor: &'w mut Cursor,
    pub(super) row: usize,
    /// Where the output ends at the latest.
    pub(super) limit: usize,
}

impl<'w, V: Lookup> Walk<'w, V> {
    pub(super) fn node(&mut self, steps: &'w [Step], out: &mut Vec<u8>) -> Result<()> {
        for step in steps {
            if out.len() > self.limit {
                return Err(Error::corrupt("document is over the limit"));
            }
            match step {
                Step::Literal(bytes, _) => out.extend_from_slice(bytes),
                Step::Text(place, context) => {
                    let text = self.value(place.column, *context)?;
                    out.extend_from_slice(text);
                }
                Step::Time(place, fraction) => {
                    let ticks = unzigzag(self.code(place.column)?);
                    self.time(ticks, *fraction, out);
                }
                Step::Ticks(ticks, fraction) => self.time(*ticks, *fraction, out),
                Step::Own(column, context) => {
                    if *context {
                        self.cursor.last.push((*column, INLINE));
                    }
                    let text = self.inline()?;
                    out.extend_from_slice(text);
                }
                Step::Array => {
                    for _ in 0..self.block.take_inner(self.cursor) {
                        let element = self.block.take_inner(self.cursor);
                        let element = self.block.programs.get(element)?;
                        self.node(element.steps(self.view, &self.block.room)?, out)?;
                    }
                }
                Step::Predicted(column) => {
                    let code = self.predicted(*column)?;
                    out.extend_from_slice(self.view.entry(*column, code)?);
                }
                Step::Remember(column, code) => self.cursor.last.push((*column, *code)),
                Step::Run(run) => self.run(run, out)?,
                Step::Pass(step) => self.block.take(*step, self.cursor, MAX_DEPTH)?,
                Step::Hidden(column) => self.hidden(*column)?,
                other => self.key(other, out)?,
            }
        }
        Ok(())
    }

    fn time(&mut self, ticks: i64, fraction: Fraction, out: &mut Vec<u8>) {
        let at = self.keys.modified(self.row).wrapping_add(ticks);
        self.cursor.printer.print(Timestamp::from_ticks(at), fraction, out);
    }

    fn run(&mut self, run: &'w Run, out: &mut Vec<u8>) -> Result<()> {
        let mut key = Key { run: run.number, ..Key::default() };
        if run.by_sender {
            key.sender = self.keys.sender(self.row);
        }
        for (code, place) in key.codes.iter_mut().zip(&run.columns) {
            let slot = self.block.slot(place.column);
            let next = self.cursor.next.get(slot).copied().unwrap_or(u32::MAX);
            let column = self.block.varying.get(slot);
            let there = column.and_then(|column| column.get(next as usize)).unwrap_or(INLINE);
            let elsewhere = there == PREDICTED && (place.is_apart || place.is_context);
            match u32::try_from(there) {
                Ok(there) if u64::from(there) != INLINE && !elsewhere => *code = there,
                _ => return self.node(&run.steps, out),
            }
        }
        if let Some(text) = self.cursor.recent.get(&key) {
            out.extend_from_slice(text);
            for (code, place) in key.codes.iter().zip(&run.columns) {
                self.cursor.next[self.block.slot(place.column)] += 1;
                if place.is_context {
                    self.cursor.last.push((place.column, u64::from(*code)));
                }
            }
            return Ok(());
        }
        let start = out.len();
        self.node(&run.steps, out)?;
        self.cursor.recent.put(&key, out.get(start..).unwrap_or_default());
        Ok(())
    }

    /// A value that the row's keys give.
    fn key(&mut self, step: &Step, out: &mut Vec<u8>) -> Result<()> {
        let (keys, row) = (self.keys, self.row);
        match step {
            Step::Created(fraction) => {
                self.cursor.printer.print(Timestamp::from_ticks(keys.created[row]), *fraction, out);
            }
            Step::Modified(fraction) => {
                self.cursor.printer.print(
                    Timestamp::from_ticks(keys.modified(row)),
                    *fraction,
                    out,
                );
            }
            Step::Id => keys.put_id(row, out),
            Step::Version => put_decimal(out, keys.version(row)),
            Step::Conversation => {
                let number = self.conversation()?;
                out.extend_from_slice(self.view.conversation(number)?);
            }
            Step::ReplyTo => {
                let _ = keys.put_reply_to(row, out);
            }
            Step::Sender => {
                let number = keys.sender(row).checked_sub(1);
                let number = number.ok_or_else(|| Error::corrupt("row without its sender"))?;
                out.extend_from_slice(self.view.sender(number)?);
            }
            _ => {}
        }
        Ok(())
    }

    /// The number of the row's conversation: mostly that of the row before.
    fn conversation(&mut self) -> Result<u32> {
        let row = self.block.first_row + narrow(self.row);
        let spot = self.cursor.conversation;
        if !(spot.start..spot.end).contains(&row) {
            self.cursor.conversation = self.view.spot(row)?;
        }
        Ok(self.cursor.conversation.number)
    }

    fn code(&mut self, column: u32) -> Result<u64> {
        let code = self.block.code(column, self.cursor);
        code.ok_or_else(|| Error::corrupt("column ends too early"))
    }

    /// The next value of a text column.
    fn value(&mut self, column: u32, context: bool) -> Result<&'w [u8]> {
        let view = self.view;
        let code = self.text_code(column)?;
        if context {
            self.cursor.last.push((column, code));
        }
        if code == INLINE { self.inline() } else { view.entry(column, code) }
    }

    /// Passes the next value of a text column that is a context.
    fn hidden(&mut self, column: u32) -> Result<()> {
        let code = self.text_code(column)?;
        self.cursor.last.push((column, code));
        self.cursor.at.text += u32::from(code == INLINE);
        Ok(())
    }

    fn text_code(&mut self, column: u32) -> Result<u64> {
        let code = self.code(column)?;
        if code == PREDICTED { self.predicted(column) } else { Ok(code) }
    }

    fn predicted(&self, column: u32) -> Result<u64> {
        let context = match self.view.contexts().get(column as usize) {
            Some(Context::Sender) => u64::from(self.keys.sender(self.row)),
            Some(Context::Column(id)) => {
                let last = self.cursor.last.iter().rev().find(|(column, _)| column == id);
                last.map_or(0, |(_, code)| *code)
            }
            Some(Context::None) | None => 0,
        };
        let code = self.view.prediction(column, context)?;
        if code < FIRST_ENTRY {
            return Err(Error::corrupt("value without a prediction"));
        }
        Ok(code)
    }

    /// The row's next own text.
    fn inline(&mut self) -> Result<&'w [u8]> {
        self.cursor.wants_text |= self.text.is_none();
        let piece = self.text.and_then(|text| text.piece(self.cursor.at.text as usize));
        self.cursor.at.text += 1;
        piece.ok_or_else(|| Error::corrupt("text ends too early"))
    }
}
