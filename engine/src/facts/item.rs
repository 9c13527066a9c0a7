//! The facts of a conversation as a segment has them.
//!
//! ```text
//! item := base z, unit, count, { shared, rest, first - base, last - first, times }
//! ```
//!
//! Facts are in the order of their keys. A key stands there without a step's time, which is its first, and
//! without what it shares with the key before.

use super::{Facts, TIME_BYTES, WHEN_BYTES, When, fact, ordered, step_place};
use crate::format::bytes::{Reader, put_block, put_signed, put_varint};
use crate::format::limits::{decoded, list};

/// Ticks of a millisecond: what times are counted in, if all of an item are whole ones.
const MILLISECOND: u64 = 10_000;

/// Appends an item; false, and nothing appended, if they are too many for one.
pub(crate) fn put(facts: &Facts, out: &mut Vec<u8>) -> bool {
    let Facts(all) = facts;
    if all.len() > list::FACTS.items || facts.bytes() > decoded::FACTS {
        return false;
    }
    let base = all.iter().map(|(_, when)| when.first).min().unwrap_or(0);
    let is_whole = |at: i64| at.abs_diff(base).is_multiple_of(MILLISECOND);
    let are_whole = all.iter().all(|(_, when)| is_whole(when.first) && is_whole(when.last));
    let unit = if are_whole { MILLISECOND } else { 1 };
    put_signed(out, base);
    put_varint(out, unit);
    put_varint(out, all.len() as u64);
    let (mut before, mut key) = (Vec::new(), Vec::new());
    for (whole, when) in all {
        key.clear();
        key.extend_from_slice(whole);
        if let Some(at) = step_place(whole) {
            drop(key.drain(at..at + TIME_BYTES));
        }
        let shared = before.iter().zip(&key).take_while(|(a, b)| a == b).count();
        put_varint(out, shared as u64);
        put_block(out, key.get(shared..).unwrap_or_default());
        put_varint(out, when.first.abs_diff(base) / unit);
        put_varint(out, when.last.abs_diff(when.first) / unit);
        put_varint(out, when.times);
        std::mem::swap(&mut before, &mut key);
    }
    true
}

/// Calls `on` for each fact of an item; `None` if it is damaged.
pub(super) fn read(item: &[u8], on: &mut dyn FnMut(&[u8], When)) -> Option<()> {
    let reader = &mut Reader::new(item);
    let base = reader.signed()?;
    let unit = reader.varint().filter(|unit| matches!(*unit, 1 | MILLISECOND))?;
    let (mut key, mut whole, mut before) = (Vec::new(), Vec::new(), Vec::new());
    let mut bytes = 0_usize;
    for _ in 0..reader.count(list::FACTS)? {
        let shared = usize::try_from(reader.varint()?).ok()?;
        key.truncate(Some(shared).filter(|shared| *shared <= key.len())?);
        key.extend_from_slice(reader.block()?);
        let mut later = |at: i64| at.checked_add_unsigned(reader.varint()?.checked_mul(unit)?);
        let first = later(base)?;
        let when = When { first, last: later(first)?, times: reader.varint()? };
        whole.clone_from(&key);
        if let Some(at) = step_place(&key) {
            let _none = whole.splice(at..at, ordered(first));
        }
        let _is_right = fact(&whole, when).filter(|_| before < whole)?;
        on(&whole, when);
        bytes = bytes.checked_add(whole.len() + WHEN_BYTES)?;
        let _fits = Some(bytes).filter(|bytes| *bytes <= decoded::FACTS)?;
        std::mem::swap(&mut before, &mut whole);
    }
    reader.is_empty().then_some(())
}

/// Is it an item as [`put`] makes them?
pub(crate) fn is_whole(item: &[u8]) -> bool {
    read(item, &mut |_, _| ()).is_some()
}
