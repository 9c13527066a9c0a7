//! Finding every damaged frame of a segment file, once its hash says that there is damage.

use std::ops::Range;

use super::layout::{Group, HEADER_BYTES, Kind, Place, SECTIONS, TRAILER_BYTES};
use super::open::{Segment, read_at};
use super::pages::{LISTS, List, number_name};
use super::sets::read_sets_of;
use crate::error::{Error, Result, Touched};
use crate::format::frame;

/// A frame whose bytes are wrong.
#[derive(Debug)]
pub(crate) struct FrameDamage {
    pub(crate) error: Error,
    /// The row group that it is of; `None` for what all groups share.
    pub(crate) group: Option<usize>,
}

/// A frame, and whose it is.
#[derive(Clone, Debug)]
struct Part {
    place: Place,
    kind: Kind,
    group: Option<usize>,
    rows: Range<u32>,
}

/// The frames of a row group.
fn group_parts(number: usize, group: &Group) -> Vec<Part> {
    let rows = group.first_row..group.end_row();
    let mut parts = Vec::with_capacity(group.chunks.len() + 2);
    let mut add = |place, kind, rows| parts.push(Part { place, kind, group: Some(number), rows });
    add(group.keys, Kind::Keys, rows.clone());
    add(group.columns, Kind::Columns, rows.clone());
    let (mut offset, mut row) = (group.text, rows.start);
    for chunk in &group.chunks {
        let end = row.saturating_add(chunk.rows);
        add(Place { offset, bytes: chunk.bytes }, Kind::Text, row..end);
        (offset, row) = (offset + u64::from(chunk.bytes), end);
    }
    parts
}

impl Segment {
    /// Every damaged frame, the copies of the footer, header and trailer included: one does not
    /// hide another. Each error says what it takes with it.
    pub(crate) fn damaged_frames(&self) -> Vec<FrameDamage> {
        let damage = |part: Part| {
            let error = self.check_frame(&part).err()?.touching(self.touched(&part));
            Some(FrameDamage { error, group: part.group })
        };
        let edge =
            |error: &Error| FrameDamage { error: error.clone().in_file(&*self.path), group: None };
        self.edges.iter().map(edge).chain(self.parts().into_iter().filter_map(damage)).collect()
    }

    /// The rows of a group that cannot be read, each range with the reason.
    pub(crate) fn unreadable(&self, group: usize) -> Vec<(Range<u32>, Error)> {
        let parts = self.meta.groups.get(group).map(|found| group_parts(group, found));
        let mut unreadable = Vec::new();
        for part in parts.into_iter().flatten() {
            if let Err(error) = self.check_frame(&part) {
                let error = error.touching(self.touched(&part));
                unreadable.push((part.rows, error));
            }
        }
        unreadable
    }

    /// Where the file's bytes are proved right: frames whose checksums hold, and its ends.
    pub(crate) fn whole_parts(&self) -> Vec<Range<usize>> {
        let range = |place: Place| {
            let start = usize::try_from(place.offset).unwrap_or(usize::MAX);
            start..start.saturating_add(place.bytes as usize)
        };
        let parts = self.parts().into_iter().filter(|part| self.check_frame(part).is_ok());
        let mut whole: Vec<Range<usize>> = parts.map(|part| range(part.place)).collect();
        if self.edges.is_empty() {
            let end = usize::try_from(self.file.bytes().unwrap_or(0)).unwrap_or(0);
            whole.extend([0..HEADER_BYTES, end.saturating_sub(TRAILER_BYTES)..end]);
        }
        whole
    }

    /// Fails unless every list can be read and the lists agree with each other.
    pub(crate) fn check_lists(&self) -> Result<()> {
        self.look_at_lists()?;
        let forms = self.forms()?;
        let lengths = &mut forms.prediction_bytes();
        let others = || Error::corrupt("predictions are not those of their columns");
        self.whole_list(List::Predictions, &mut |page| {
            let same = page.iter().all(|item| lengths.next() == Some(item.len()));
            same.then_some(()).ok_or_else(others)
        })?;
        self.check_custodians()
    }

    /// Fails unless each custodian has the sets that he is in, and no other.
    fn check_custodians(&self) -> Result<()> {
        let wrong = || Error::corrupt("custodians have other sets than those that they are in");
        let tables = self.tables()?;
        let mut left = tables.sets.custodians().count();
        self.whole_list(List::Custodians, &mut |page| {
            for item in page.iter() {
                let (name, theirs) = item.split_at_checked(4).ok_or_else(wrong)?;
                for number in read_sets_of(theirs)? {
                    let set = tables.sets.get(number as usize).unwrap_or_default();
                    let is_it = |(custodian, _): &(u32, u64)| number_name(*custodian)[..].cmp(name);
                    let _ = set.binary_search_by(is_it).map_err(|_missing| wrong())?;
                    left = left.checked_sub(1).ok_or_else(wrong)?;
                }
            }
            Ok(())
        })?;
        if left == 0 { Ok(()) } else { Err(wrong()) }
    }

    fn touched(&self, part: &Part) -> Touched {
        let conversations = self.conversations(part.rows.clone());
        let group = part.group.and_then(|number| self.meta.groups.get(number));
        let all = group.map(|group| group.touched(conversations.clone()));
        let rows = Some(u64::from(part.rows.end - part.rows.start));
        Touched { rows, ..all.unwrap_or(Touched { conversations, ..Touched::default() }) }
    }

    fn parts(&self) -> Vec<Part> {
        let meta = &self.meta;
        let groups = meta.groups.iter().enumerate();
        let mut parts: Vec<Part> =
            groups.flat_map(|(number, group)| group_parts(number, group)).collect();
        let shared = |(kind, place): (&Kind, &Place)| Part {
            place: *place,
            kind: *kind,
            group: None,
            rows: 0..meta.rows,
        };
        for list in LISTS {
            let pages = &meta.list(list).pages;
            parts.extend(pages.iter().map(|page| shared((&list.kind(), &page.place))));
        }
        parts.extend(SECTIONS.iter().zip(&meta.sections).map(shared));
        parts.extend(self.footers());
        parts
    }

    /// The copies of the footer stand between the last section and the trailer.
    fn footers(&self) -> Vec<Part> {
        let start = self.meta.end();
        let end = self.file.bytes().unwrap_or(0).saturating_sub(TRAILER_BYTES as u64);
        let bytes = u32::try_from(end.saturating_sub(start) / 2).unwrap_or(u32::MAX);
        let place = |copy: u64| Place { offset: start + copy * u64::from(bytes), bytes };
        let copies = [0, 1].map(place).into_iter();
        copies.map(|place| Part { place, kind: Kind::Footer, group: None, rows: 0..0 }).collect()
    }

    fn check_frame(&self, part: &Part) -> Result<()> {
        let located = |error: Error| error.in_file(&*self.path).at(part.place.offset);
        let bytes = read_at(&*self.file, part.place).map_err(located)?;
        let (frame, rest) = frame::split(&bytes).map_err(located)?;
        if rest.is_empty() && frame.kind == part.kind as u8 {
            return Ok(());
        }
        Err(located(Error::corrupt(format!("frame is no {:?} frame", part.kind))))
    }
}
