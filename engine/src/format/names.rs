//! The names of files: FORMAT.md, "Names". Whatever is not exactly one of them is reported and
//! never read.

/// The folder of what is not needed any more.
pub(crate) const TRASH: &str = "trash";
/// The folder of the journal's files.
pub(crate) const JOURNAL: &str = "journal";
/// The folder of the manifests.
pub(crate) const MANIFEST: &str = "manifest";
/// The writer's lock.
pub(crate) const LOCK: &str = "LOCK";
/// What went wrong in the background.
pub(crate) const HEALTH: &str = "HEALTH";
const DIGITS: usize = 16;

/// What a file that manifests name holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum FileKind {
    /// Rows.
    Segment,
    /// Sightings and counters.
    Ledger,
    /// Chunks of binary objects.
    Pack,
    /// What could not be keyed.
    Quarantine,
    /// What the text of segments repeats.
    Dictionary,
}

impl FileKind {
    pub(crate) const ALL: [Self; 5] =
        [Self::Segment, Self::Ledger, Self::Pack, Self::Quarantine, Self::Dictionary];

    /// The folder of its files.
    pub(crate) fn folder(self) -> &'static str {
        match self {
            Self::Pack => "objects",
            _ => "segments",
        }
    }

    fn suffix(self) -> &'static str {
        match self {
            Self::Segment => "seg",
            Self::Ledger => "led",
            Self::Pack => "pack",
            Self::Quarantine => "qtn",
            Self::Dictionary => "dic",
        }
    }

    /// The name inside its folder, which is also part of its name in `trash/`.
    pub(crate) fn name(self, number: u64) -> String {
        format!("{number:0DIGITS$}.{}", self.suffix())
    }

    /// The path of a file of this kind.
    pub(crate) fn path(self, number: u64) -> String {
        format!("{}/{}", self.folder(), self.name(number))
    }
}

/// The path of a journal file.
pub(crate) fn journal(number: u64) -> String {
    format!("{JOURNAL}/{number:0DIGITS$}.log")
}

/// The path of a manifest.
pub(crate) fn manifest(number: u64) -> String {
    format!("{MANIFEST}/{number:0DIGITS$}.mft")
}

/// A path of the archive, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    /// What the archive is.
    Format,
    /// The writer's lock.
    Lock,
    /// What went wrong in the background.
    Health,
    /// A manifest.
    Manifest(u64),
    /// A journal file.
    Journal(u64),
    /// A file that manifests name.
    File(FileKind, u64),
    /// None of ours.
    Stranger,
}

impl Name {
    /// Takes a path apart, strictly.
    pub(crate) fn parse(path: &str) -> Self {
        match path.split_once('/') {
            None if path == super::head::PATH => Self::Format,
            None if path == LOCK => Self::Lock,
            None if path == HEALTH => Self::Health,
            Some((folder, name)) => Self::inside(folder, name).unwrap_or(Self::Stranger),
            None => Self::Stranger,
        }
    }

    fn inside(folder: &str, name: &str) -> Option<Self> {
        match folder {
            MANIFEST => parse_number(name, "mft").map(Self::Manifest),
            JOURNAL => parse_number(name, "log").map(Self::Journal),
            _ => {
                let (kind, number) = parse_file(name)?;
                (kind.folder() == folder).then_some(Self::File(kind, number))
            }
        }
    }
}

/// The kind and number in a bare file name.
pub(crate) fn parse_file(name: &str) -> Option<(FileKind, u64)> {
    let parse = |kind: FileKind| parse_number(name, kind.suffix()).map(|number| (kind, number));
    FileKind::ALL.into_iter().find_map(parse)
}

fn parse_number(name: &str, suffix: &str) -> Option<u64> {
    let digits = name.strip_suffix(suffix)?.strip_suffix('.')?;
    let strict = digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    if strict { digits.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_ours_comes_back() {
        for number in [0, 1, 17, 9_999_999_999_999_999] {
            for kind in FileKind::ALL {
                assert_eq!(Name::parse(&kind.path(number)), Name::File(kind, number));
            }
            assert_eq!(Name::parse(&journal(number)), Name::Journal(number));
            assert_eq!(Name::parse(&manifest(number)), Name::Manifest(number));
        }
        assert_eq!(FileKind::Segment.path(17), "segments/0000000000000017.seg");
        let own = ["FORMAT", "LOCK", "HEALTH"].map(Name::parse);
        assert_eq!(own, [Name::Format, Name::Lock, Name::Health]);
    }

    #[test]
    fn everything_else_is_a_stranger() {
        let strangers = [
            "",
            "format",
            "FORMAT.tmp",
            "segments/17.seg",
            "segments/0000000000000017.seg.tmp",
            "segments/0000000000000017.pack",
            "segments/+000000000000017.seg",
            "segments/00000000000000017.seg",
            "segments/0000000000000017seg",
            "objects/0000000000000017.seg",
            "journal/0000000000000017.mft",
            "0000000000000017.seg",
            "segments/x/0000000000000017.seg",
            "segments/0000000000000017.SEG",
        ];
        for path in strangers {
            assert_eq!(Name::parse(path), Name::Stranger, "{path}");
        }
    }
}
