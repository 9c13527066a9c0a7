//! Keys of the maps: big-endian, so that their bytes order as their values do.
//!
//! Names (conversations, senders, custodians) are 8 bytes of their BLAKE3: short keys without a table of
//! names that every import would have to look into.

use crate::document::Facts;
use crate::peer::{Key, Puts, Table};

/// A name's digest.
pub fn name(text: &str) -> [u8; 8] {
    first(blake3::hash(text.as_bytes()).as_bytes())
}

/// A message's digest.
pub fn message(key: &Key) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    for part in [&key.conversation, key.reply_to.as_deref().unwrap_or_default(), &key.id] {
        let _ = hasher.update(part.as_bytes()).update(&[0]);
    }
    first(hasher.finalize().as_bytes())
}

/// The digest of an address, which is one already.
pub fn address(facts: &Facts) -> [u8; 16] {
    first(&facts.address)
}

/// A time in the order of bytes.
pub fn time(ticks: i64) -> [u8; 8] {
    (ticks.cast_unsigned() ^ 1 << 63).to_be_bytes()
}

/// Everything that starts with `prefix`: from it to what comes behind all of that.
pub fn prefixed(prefix: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mut behind = prefix.to_vec();
    while behind.pop_if(|last| *last == u8::MAX).is_some() {}
    if let Some(last) = behind.last_mut() {
        *last += 1;
    }
    (prefix.to_vec(), behind)
}

/// A new row in all maps.
pub fn put_row(puts: &mut Puts, row: u32, facts: &Facts, packed: &[u8]) {
    let number = row.to_be_bytes();
    puts.put(Table::Rows, &[&number], packed);
    // The newest version is last; of its variants the longest, then the one with the smallest address.
    let smallest = address(facts).map(|byte| !byte);
    let rank = [&facts.version.to_be_bytes()[..], &facts.canonical_bytes.to_be_bytes(), &smallest];
    puts.put(Table::Messages, &[&message(&facts.key), rank[0], rank[1], rank[2]], &number);
    let conversation = name(&facts.key.conversation);
    puts.put(Table::Conversations, &[&conversation, &time(facts.created), &number], &[]);
    if let Some(sender) = &facts.sender {
        puts.put(Table::Senders, &[&name(sender), &time(facts.modified), &number], &[]);
    }
    puts.put(Table::Modified, &[&time(facts.modified), &number], &[]);
}

/// The address in a key of [`Table::Messages`].
pub fn address_in(key: &[u8]) -> [u8; 16] {
    key.last_chunk::<16>().map_or([0; 16], |smallest| smallest.map(|byte| !byte))
}

/// The row number at the end of a key or in a value.
pub fn row_in(bytes: &[u8]) -> u32 {
    bytes.last_chunk().map_or(u32::MAX, |number| u32::from_be_bytes(*number))
}

/// The rows of a page, ascending, as a list of varints of their distances.
pub fn put_page(puts: &mut Puts, custodian: &str, page: u32, mut rows: Vec<u32>) {
    rows.sort_unstable();
    rows.dedup();
    let (mut list, mut before) = (Vec::with_capacity(rows.len() * 2), 0);
    for row in rows {
        let mut distance = row - before;
        while distance > 0x7f {
            list.push(distance.to_le_bytes()[0] | 0x80);
            distance >>= 7;
        }
        list.push(distance.to_le_bytes()[0]);
        before = row;
    }
    puts.put(Table::Sightings, &[&name(custodian), &page.to_be_bytes()], &list);
}

/// Adds the rows of such a list.
pub fn rows_of_page(list: &[u8], rows: &mut Vec<u32>) {
    let (mut row, mut distance, mut shift) = (0_u32, 0_u32, 0);
    for byte in list {
        distance |= u32::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            row += distance;
            rows.push(row);
            (distance, shift) = (0, 0);
        }
    }
}

fn first<const N: usize>(digest: &[u8; 32]) -> [u8; N] {
    std::array::from_fn(|at| digest[at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_of_a_page_come_back_in_order() {
        let mut puts = Puts::default();
        put_page(&mut puts, "ada", 7, vec![70_000, 3, 0, 300, 3]);
        let mut rows = Vec::new();
        puts.of(Table::Sightings).for_each(|(_, list)| rows_of_page(list, &mut rows));
        assert_eq!(rows, [0, 3, 300, 70_000]);
    }

    #[test]
    fn a_prefix_ends_before_the_next_one() {
        assert_eq!(prefixed(&[1, 0xff]), (vec![1, 0xff], vec![2]));
        assert!(time(-1) < time(0) && time(0) < time(1));
    }
}
