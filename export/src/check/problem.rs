//! What can be wrong with an export, in words.

use std::fmt;

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The part's file name; `None`: the export as a whole.
    pub part: Option<String>,
    /// The member; `None`: the part as a whole.
    pub member: Option<String>,
    /// What it is.
    pub problem: Problem,
}

/// What can be wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// The export was not brought to its end: resume it.
    Unfinished,
    /// A part, or a list beside the parts, is not there.
    Missing,
    /// A part is larger than parts may be.
    TooLarge {
        /// The cap.
        cap: u64,
        /// Its size.
        found: u64,
    },
    /// Something is not what the index, the manifest or the sums say.
    Differs {
        /// What.
        what: &'static str,
        /// What it should be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// A field of a manifest is not what the index says.
    Field {
        /// Which.
        what: String,
        /// What it should be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// A part that cannot be read as a zip file of ours.
    Unreadable(String),
    /// A part that can be read but was not left so by a part writer.
    Rewritten(String),
    /// A member that the manifest lists is not in the part.
    Lost,
    /// A part with this export's id that its index does not list.
    NotListed,
    /// A signature that the key's owner did not make of this index.
    OtherSignature,
    /// From this byte on, a part has others than the archive gives.
    OtherBytes {
        /// The first of them.
        offset: u64,
    },
    /// The index says something else than the archive gives.
    OtherRecord,
    /// The archive gives another number of parts.
    OtherParts {
        /// Parts in the index.
        here: u64,
        /// Parts that the archive gives.
        archive: u64,
    },
    /// A member that no manifest lists.
    Foreign,
    /// A member, or a path in several parts, that is there more than once.
    Doubled,
    /// A member's bytes cannot be had.
    Damaged(String),
    /// The slices of a cut content do not make the whole.
    Slices(String),
    /// The archive has other versions than the part says it has.
    OtherSubjects {
        /// Versions in the part.
        here: u64,
        /// Versions that the archive has in their place.
        archive: u64,
    },
    /// The archive has the same versions, in another order.
    OtherOrder,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.part, &self.member) {
            (Some(part), Some(member)) => write!(f, "{part}: {member}: {}", self.problem),
            (Some(name), None) | (None, Some(name)) => write!(f, "{name}: {}", self.problem),
            (None, None) => write!(f, "export: {}", self.problem),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unfinished => f.write_str("the export is not finished"),
            Self::Missing => f.write_str("missing"),
            Self::TooLarge { cap, found } => write!(f, "{found} bytes, more than the cap of {cap}"),
            Self::Differs { what, expected, found } => {
                write!(f, "{what} is {found}, should be {expected}")
            }
            Self::Field { what, expected, found } => {
                write!(f, "{what} is {found}, should be {expected}")
            }
            Self::Unreadable(why) => write!(f, "cannot be read: {why}"),
            Self::Rewritten(how) => write!(f, "was rewritten: {how}"),
            Self::Lost => f.write_str("lost: the manifest lists it, the part does not have it"),
            Self::Foreign => f.write_str("foreign: the manifest does not list it"),
            Self::NotListed => {
                f.write_str("it has this export's id, and the index does not list it")
            }
            Self::OtherSignature => f.write_str("not the key's signature of this index"),
            Self::OtherBytes { offset } => {
                write!(f, "not what the archive gives, from byte {offset} of the part on")
            }
            Self::OtherRecord => {
                f.write_str("the index says something else than the archive gives")
            }
            Self::OtherParts { here, archive } => {
                write!(f, "{here} parts, where the archive gives {archive}")
            }
            Self::Doubled => f.write_str("there more than once"),
            Self::Damaged(why) => write!(f, "damaged: {why}"),
            Self::Slices(why) => write!(f, "its slices do not make the whole: {why}"),
            Self::OtherSubjects { here, archive } => write!(
                f,
                "other messages than the archive has: {here} versions here, {archive} there"
            ),
            Self::OtherOrder => f.write_str("the archive has the same versions in another order"),
        }
    }
}

impl Problem {
    /// `Some` if two values that should be equal are not.
    pub(super) fn unless_equal<T: PartialEq + fmt::Debug>(
        what: &'static str,
        expected: &T,
        found: &T,
    ) -> Option<Self> {
        /// Enough to recognise a value; a finding stays one line.
        const SHOWN_CHARS: usize = 200;
        let text = |value: &T| format!("{value:?}").chars().take(SHOWN_CHARS).collect();
        (expected != found).then(|| Self::Differs {
            what,
            expected: text(expected),
            found: text(found),
        })
    }
}
