//! A window's messages cut into slices: what one thread reads and renders at a time.
//!
//! Where one slice ends and the next begins depends on the messages alone, not on how the archive
//! keeps them: an export comes out the same after a merge.

use chatvault_engine::{Scan, TimeRange, Timestamp};
use chatvault_query::Record;

/// Messages of a slice, about: many enough that looking for them costs little, few enough that
/// several slices are in memory.
const SLICE_MESSAGES: usize = 1024;
/// The same of transcripts, each of which has the talk of an hour or more in memory.
const SLICE_TRANSCRIPTS: usize = 8;

/// Neighbours in export order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Slice {
    /// What they are.
    pub(super) record: Record,
    /// Their conversations, in order.
    pub(super) chats: Vec<String>,
    /// When they were created: some of a conversation that is more than a slice.
    pub(super) created: TimeRange,
    pub(super) place: Extent,
}

impl Slice {
    /// Leaves only its messages.
    pub(super) fn narrow(&self, scan: &mut Scan) {
        scan.conversations.clone_from(&self.chats);
        let ends = [scan.created.to, self.created.to];
        scan.created.from = scan.created.from.max(self.created.from);
        scan.created.to = ends.into_iter().flatten().min();
    }
}

/// How a slice lies in its conversation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Extent {
    /// It has all of each of its conversations.
    #[default]
    Whole,
    /// It begins one that goes on in the next.
    First,
    /// The conversation goes on on both sides.
    Inside,
    /// It ends one that was begun before.
    Last,
}

/// Cuts messages into slices. Conversations come in order, the messages of one in any.
#[derive(Debug, Default)]
pub(super) struct Slicer {
    record: Record,
    /// A slice has at most so many.
    most: usize,
    slices: Vec<Slice>,
    open: Vec<String>,
    /// Messages of the open slice.
    messages: usize,
    chat: String,
    /// When the messages of the present conversation were created.
    times: Vec<Timestamp>,
}

impl Slicer {
    /// Of one kind.
    pub(super) fn of(record: Record) -> Self {
        let most = if record == Record::Transcript { SLICE_TRANSCRIPTS } else { SLICE_MESSAGES };
        Self { record, most, ..Self::default() }
    }

    pub(super) fn add(&mut self, chat: &str, created: Timestamp) {
        if chat != self.chat {
            self.end_chat();
            chat.clone_into(&mut self.chat);
        }
        self.times.push(created);
    }

    pub(super) fn finish(mut self) -> Vec<Slice> {
        self.end_chat();
        self.end_slice();
        self.slices
    }

    fn end_slice(&mut self) {
        self.messages = 0;
        let chats = std::mem::take(&mut self.open);
        if !chats.is_empty() {
            self.slices.push(Slice { record: self.record, chats, ..Slice::default() });
        }
    }

    fn end_chat(&mut self) {
        if self.times.is_empty() {
            return;
        }
        if self.messages + self.times.len() > self.most {
            self.end_slice();
        }
        self.times.sort_unstable();
        let cuts = cuts(&self.times, self.most);
        if cuts.is_empty() {
            self.messages += self.times.len();
            self.open.push(self.chat.clone());
        } else {
            self.cut(&cuts);
        }
        self.times.clear();
    }

    /// Cuts the present conversation at some times.
    fn cut(&mut self, cuts: &[Timestamp]) {
        let ends = cuts.iter().copied().map(Some).chain([None]);
        let mut from = None;
        for to in ends {
            let place = match (from, to) {
                (None, _) => Extent::First,
                (_, None) => Extent::Last,
                _ => Extent::Inside,
            };
            let (chats, created) = (vec![self.chat.clone()], TimeRange { from, to });
            self.slices.push(Slice { record: self.record, chats, created, place });
            from = to;
        }
    }
}

/// Where a conversation is cut, by the sorted times of its messages, into so many at most. Those of
/// one time stay together.
fn cuts(times: &[Timestamp], most: usize) -> Vec<Timestamp> {
    let mut cuts = Vec::new();
    let mut start = 0;
    while let Some(at) = times.get(start + most).copied() {
        let mut next = times.partition_point(|time| *time < at);
        if next <= start {
            next = times.partition_point(|time| *time <= at);
        }
        cuts.extend(times.get(next).copied());
        start = next;
    }
    cuts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sliced(chats: &[(&str, Vec<i64>)]) -> Vec<Slice> {
        let mut slicer = Slicer::of(Record::Message);
        for (chat, times) in chats {
            for ms in times {
                slicer.add(chat, Timestamp::from_ms(*ms));
            }
        }
        slicer.finish()
    }

    #[test]
    fn small_conversations_share_a_slice() {
        let many: Vec<i64> = (0..500).collect();
        let slices = sliced(&[("a", many.clone()), ("b", many.clone()), ("c", many)]);
        let chats: Vec<_> = slices.iter().map(|slice| slice.chats.join("")).collect();
        assert_eq!(chats, ["ab", "c"]);
        assert!(slices.iter().all(|slice| slice.place == Extent::Whole));
        assert_eq!(sliced(&[]), []);
    }

    #[test]
    fn a_large_conversation_is_cut_between_times_whatever_their_order() {
        let mut times: Vec<i64> = (0..5_000).map(|number| number / 3).collect();
        let slices = sliced(&[("a", vec![1]), ("b", times.clone()), ("c", vec![1])]);
        times.reverse();
        assert_eq!(slices, sliced(&[("a", vec![1]), ("b", times.clone()), ("c", vec![1])]));
        let (first, last) = (&slices[0], &slices[slices.len() - 1]);
        assert_eq!((first.chats.join(""), last.chats.join("")), ("a".into(), "c".into()));
        let of_b = &slices[1..slices.len() - 1];
        assert_eq!((of_b[0].place, of_b[of_b.len() - 1].place), (Extent::First, Extent::Last));
        assert_eq!((of_b[0].created.from, of_b[of_b.len() - 1].created.to), (None, None));
        let mut counted = 0;
        for (slice, next) in of_b.iter().zip(of_b[1..].iter().map(Some).chain([None])) {
            assert!(next.is_none_or(|next| next.created.from == slice.created.to));
            let (from, to) = (slice.created.from, slice.created.to);
            let inside = |ms: &&i64| {
                let at = Timestamp::from_ms(**ms);
                from.is_none_or(|from| from <= at) && to.is_none_or(|to| at < to)
            };
            let count = times.iter().filter(inside).count();
            assert!((1..=SLICE_MESSAGES).contains(&count), "{count}");
            counted += count;
        }
        assert_eq!(counted, times.len());
    }

    #[test]
    fn transcripts_come_a_few_at_a_time() {
        let mut cutter = Slicer::of(Record::Transcript);
        (0..20).for_each(|ms| cutter.add("a", Timestamp::from_ms(ms)));
        let slices = cutter.finish();
        assert_eq!(slices.len(), 3);
        assert!(slices.iter().all(|slice| slice.record == Record::Transcript));
    }

    #[test]
    fn messages_of_one_time_stay_together() {
        assert_eq!(sliced(&[("a", vec![7; 5_000])]).len(), 1);
        let mut times = vec![7; 5_000];
        times.extend([8; 3]);
        let slices = sliced(&[("a", times)]);
        assert_eq!(slices.len(), 2);
        assert_eq!(slices[1].created.from, Some(Timestamp::from_ms(8)));
    }
}
