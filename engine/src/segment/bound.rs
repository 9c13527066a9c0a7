//! Bound templates: skeletons whose holes are bound to columns and keys, as segments keep them.
//!
//! A hole takes its value from a *key* of the row (its time, id, version …, rendered), from a
//! *time column* (ticks relative to the row's modified time, rendered), from a *text column*
//! (a dictionary entry, or text of its own), or is an array whose elements follow.
//!
//! Bytes: FORMAT.md, "Templates and columns".

use chatvault_base::time::text::Fraction;

use crate::format::bytes::{Reader, put_block, put_varint};
use crate::format::limits::list;

/// Where a hole's value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Binding {
    Array,
    Text(u32),
    Time(u32, Fraction),
    Created(Fraction),
    Modified(Fraction),
    Id,
    Version,
    Conversation,
    ReplyTo,
    Sender,
}

/// A skeleton cut at its holes: `pieces` has one more entry than `holes`.
#[derive(Clone, Debug)]
pub(crate) struct Bound {
    skeleton: Vec<u8>,
    /// End of each piece in `skeleton`; a piece starts behind the hole mark before it.
    ends: Vec<u32>,
    pub(crate) holes: Vec<Binding>,
}

impl Bound {
    /// `None` if the skeleton has another number of holes.
    pub(crate) fn new(skeleton: &[u8], holes: Vec<Binding>) -> Option<Self> {
        let mut ends = Vec::with_capacity(holes.len() + 1);
        let marks = memchr::memchr2_iter(0, 1, skeleton);
        ends.extend(marks.map(|at| u32::try_from(at).unwrap_or(0)));
        ends.push(u32::try_from(skeleton.len()).ok()?);
        (ends.len() == holes.len() + 1).then(|| Self { skeleton: skeleton.to_vec(), ends, holes })
    }

    /// The whole document as one text value: what no other template renders back.
    pub(crate) fn whole(column: u32) -> Self {
        Self { skeleton: vec![0], ends: vec![0, 1], holes: vec![Binding::Text(column)] }
    }

    /// Bytes that it takes in its section at most.
    pub(crate) fn bytes(&self) -> usize {
        self.skeleton.len() + 8 * (self.holes.len() + 1)
    }

    pub(crate) fn skeleton(&self) -> &[u8] {
        &self.skeleton
    }

    /// The literal bytes in front of hole `index`, or behind the last.
    pub(crate) fn piece(&self, index: usize) -> &[u8] {
        let end = self.ends[index] as usize;
        let start = if index == 0 { 0 } else { self.ends[index - 1] as usize + 1 };
        self.skeleton.get(start..end).unwrap_or_default()
    }

    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        put_block(out, &self.skeleton);
        put_varint(out, self.holes.len() as u64);
        for hole in &self.holes {
            let (code, column) = code(*hole);
            out.push(code);
            if let Some(column) = column {
                put_varint(out, u64::from(column));
            }
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let skeleton = reader.block()?;
        let holes = reader.list(list::HOLES.within(skeleton.len()), binding)?;
        Self::new(skeleton, holes)
    }
}

fn code(hole: Binding) -> (u8, Option<u32>) {
    match hole {
        Binding::Array => (0, None),
        Binding::Text(column) => (1, Some(column)),
        Binding::Time(column, fraction) => (2 + fraction as u8, Some(column)),
        Binding::Created(fraction) => (5 + fraction as u8, None),
        Binding::Modified(fraction) => (8 + fraction as u8, None),
        Binding::Id => (11, None),
        Binding::Version => (12, None),
        Binding::Conversation => (13, None),
        Binding::ReplyTo => (14, None),
        Binding::Sender => (15, None),
    }
}

fn binding(reader: &mut Reader<'_>) -> Option<Binding> {
    let code = reader.u8()?;
    let fraction = |base: u8| Fraction::ALL.get(usize::from(code - base)).copied();
    Some(match code {
        0 => Binding::Array,
        1 => Binding::Text(reader.varint32()?),
        2..=4 => Binding::Time(reader.varint32()?, fraction(2)?),
        5..=7 => Binding::Created(fraction(5)?),
        8..=10 => Binding::Modified(fraction(8)?),
        11 => Binding::Id,
        12 => Binding::Version,
        13 => Binding::Conversation,
        14 => Binding::ReplyTo,
        15 => Binding::Sender,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_comes_back_and_its_pieces_surround_the_holes() {
        let holes = vec![
            Binding::Text(300),
            Binding::Created(Fraction::Three),
            Binding::Time(4, Fraction::Seven),
            Binding::Array,
            Binding::Sender,
        ];
        let bound =
            Bound::new(b"{\"a\":\x00,\"b\":\"\x00\",\x00[\x01]\x00}", holes.clone()).unwrap();
        let mut out = Vec::new();
        bound.put(&mut out);
        let back = Bound::read(&mut Reader::new(&out)).unwrap();
        assert_eq!(back.holes, holes);
        let pieces: Vec<&[u8]> = (0..=5).map(|index| back.piece(index)).collect();
        assert_eq!(pieces, [&b"{\"a\":"[..], b",\"b\":\"", b"\",", b"[", b"]", b"}"]);
        for cut in 0..out.len() {
            assert!(Bound::read(&mut Reader::new(&out[..cut])).is_none());
        }
    }
}
