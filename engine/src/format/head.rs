//! `FORMAT`: what the archive is, for people and for every program that opens it.
//!
//! Invariants: it is written once, when the archive is made; its first and its last line are the
//! same in every format to come, so that damage and newer formats can be told apart.
//!
//! Bytes: FORMAT.md, "`FORMAT`".

use crate::error::{Error, ErrorKind, Result};
use crate::storage::{Storage, whole};

/// The file's path.
pub(crate) const PATH: &str = "FORMAT";
/// The format that this program writes, and the newest it reads.
pub(crate) const VERSION: u32 = 1;
/// The draft of format 1 that this program writes and reads: until format 1 is released each
/// change of bytes makes another one, and none reads the others.
const DRAFT: &str = "draft-10";
/// Required by manifests in whose past rows were folded.
pub(crate) const FOLDS: &str = "folds";
/// The required features that this program knows.
const KNOWN_FEATURES: [&str; 2] = [DRAFT, FOLDS];
const MAGIC: &str = "chatvault archive";
const MAX_BYTES: u64 = 64 << 10;
const MAX_NAME_BYTES: usize = 64;

/// What an archive says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) archive: [u8; 16],
    pub(crate) required_features: Vec<String>,
    pub(crate) optional_features: Vec<String>,
}

impl Head {
    /// A new archive's head.
    pub(crate) fn new(archive: [u8; 16]) -> Self {
        let required_features = vec![DRAFT.to_owned()];
        Self { archive, required_features, optional_features: Vec::new() }
    }

    /// Writes the file durably; `Exists` if there is one. The caller holds the writer's lock.
    pub(crate) fn create(&self, storage: &dyn Storage) -> Result<()> {
        whole::write_new(storage, PATH, self.encode().as_bytes())
    }

    /// Reads the file.
    pub(crate) fn load(storage: &dyn Storage) -> Result<Self> {
        let bytes = whole::read(storage, PATH, MAX_BYTES)?;
        Self::decode(&bytes).map_err(|error| error.in_file(PATH))
    }

    pub(crate) fn encode(&self) -> String {
        let archive = hex(&self.archive);
        let (required, optional) = (list(&self.required_features), list(&self.optional_features));
        let body = format!(
            "{MAGIC}\nformat {VERSION}\narchive {archive}\n\
             required{required}\noptional{optional}\n"
        );
        let sum = blake3::hash(body.as_bytes()).to_hex();
        format!("{body}checksum {sum}\n")
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self> {
        let damaged = || Error::corrupt("is damaged or no archive's FORMAT");
        let text = std::str::from_utf8(bytes).map_err(|cause| damaged().caused_by(cause))?;
        let body = checked_body(text).ok_or_else(damaged)?;
        let mut lines = body.lines();
        let magic = lines.next() == Some(MAGIC);
        let version = lines.next().and_then(|line| line.strip_prefix("format "));
        let version: u32 = version.and_then(|text| text.parse().ok()).ok_or_else(damaged)?;
        if magic && version > VERSION {
            let message = format!("format {version}, this program knows up to {VERSION}");
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        let head = Self::fields(&mut lines).ok_or_else(damaged)?;
        if head.encode() != text {
            return Err(damaged());
        }
        check_draft(&head.required_features)?;
        check_features(&head.required_features)?;
        Ok(head)
    }

    fn fields<'a>(lines: &mut impl Iterator<Item = &'a str>) -> Option<Self> {
        Some(Self {
            archive: unhex(lines.next()?.strip_prefix("archive ")?)?,
            required_features: names(lines.next()?.strip_prefix("required")?)?,
            optional_features: names(lines.next()?.strip_prefix("optional")?)?,
        })
    }
}

/// Refuses what another draft of the format wrote.
fn check_draft(required: &[String]) -> Result<()> {
    if required.iter().any(|name| name == DRAFT) {
        return Ok(());
    }
    let other = required.iter().find_map(|name| name.strip_prefix("draft-")).unwrap_or("1");
    let message = format!(
        "written by draft {other} of format 1, this program reads {DRAFT}: export it with the \
         version that wrote it, or import its sources again"
    );
    Err(Error::new(ErrorKind::Unsupported, message))
}

/// Refuses the first feature that this program does not know, by its name.
pub(crate) fn check_features(required: &[String]) -> Result<()> {
    match required.iter().find(|name| !KNOWN_FEATURES.contains(&name.as_str())) {
        Some(name) => {
            let message = format!("needs the feature {name:?} of a newer version");
            Err(Error::new(ErrorKind::Unsupported, message))
        }
        None => Ok(()),
    }
}

/// The text above the checksum line, if that holds.
fn checked_body(text: &str) -> Option<&str> {
    let start = text.strip_suffix('\n')?.rfind('\n')?.checked_add(1)?;
    let (body, line) = text.split_at_checked(start)?;
    let sum = line.strip_prefix("checksum ")?.strip_suffix('\n')?;
    (blake3::hash(body.as_bytes()).to_hex().as_str() == sum).then_some(body)
}

/// Names behind a space each, ascending.
fn names(text: &str) -> Option<Vec<String>> {
    let Some(text) = text.strip_prefix(' ') else { return text.is_empty().then(Vec::new) };
    let names: Vec<String> = text.split(' ').map(str::to_owned).collect();
    let valid = names.iter().all(|name| is_name(name)) && names.is_sorted_by(|a, b| a < b);
    valid.then_some(names)
}

fn is_name(name: &str) -> bool {
    let valid = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    !name.is_empty() && name.len() <= MAX_NAME_BYTES && name.bytes().all(valid)
}

fn list(names: &[String]) -> String {
    names.iter().flat_map(|name| [" ", name.as_str()]).collect()
}

fn hex(bytes: &[u8; 16]) -> String {
    format!("{:032x}", bytes.iter().fold(0_u128, |number, byte| (number << 8) | u128::from(*byte)))
}

fn unhex(text: &str) -> Option<[u8; 16]> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let pair = |pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let bytes: Option<Vec<u8>> = pairs.iter().map(|two| pair(two)).collect();
    if rest.is_empty() { bytes?.try_into().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::Memory;

    fn head() -> Head {
        let mut head = Head::new([0x01, 0x23, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 0xff]);
        head.optional_features = vec!["a-1".into(), "b".into()];
        head
    }

    /// A body with a good checksum line.
    fn signed(body: &str) -> Vec<u8> {
        format!("{body}checksum {}\n", blake3::hash(body.as_bytes()).to_hex()).into_bytes()
    }

    fn kind(bytes: &[u8]) -> ErrorKind {
        Head::decode(bytes).unwrap_err().kind()
    }

    #[test]
    fn the_file_reads_as_documented() {
        let text = head().encode();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[..5],
            [
                "chatvault archive",
                "format 1",
                "archive 01230405060708090a0b0c0d0e0f10ff",
                "required draft-10",
                "optional a-1 b"
            ]
        );
        assert_eq!(Head::decode(text.as_bytes()).unwrap(), head());
    }

    #[test]
    fn any_flipped_bit_and_any_cut_is_noticed() {
        let bytes = head().encode().into_bytes();
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(kind(&damaged), ErrorKind::Corrupt, "bit {bit}");
        }
        for end in 0..bytes.len() {
            assert_eq!(kind(&bytes[..end]), ErrorKind::Corrupt, "cut at {end}");
        }
    }

    #[test]
    fn newer_formats_and_unknown_required_features_are_refused_by_name() {
        assert_eq!(
            kind(&signed("chatvault archive\nformat 2\nsomething new\n")),
            ErrorKind::Unsupported
        );
        let mut head = head();
        head.required_features.push("time-travel".into());
        let error = Head::decode(head.encode().as_bytes()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("time-travel"), "{error}");
    }

    #[test]
    fn another_draft_of_the_format_is_refused_by_its_number() {
        for (features, draft) in [(vec![], "draft 1 "), (vec!["draft-8".into()], "draft 8 ")] {
            let other = Head { required_features: features, ..head() };
            let error = Head::decode(other.encode().as_bytes()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            assert!(error.to_string().contains(draft), "{error}");
        }
    }

    #[test]
    fn only_the_one_spelling_of_a_value_is_valid() {
        let archive = "archive 000102030405060708090a0b0c0d0e0f";
        let bodies = [
            format!("chatvault archive\nformat 01\n{archive}\nrequired\noptional\n"),
            format!(
                "chatvault archive\nformat 1\n{}\nrequired\noptional\n",
                archive.to_uppercase()
            ),
            format!("chatvault archive\nformat 1\n{archive}\nrequired\noptional b a\n"),
            format!("chatvault archive\nformat 1\n{archive}\nrequired\noptional  a\n"),
            format!("chatvault archive\nformat 1\n{archive}\nrequired\noptional A\n"),
            format!("chatvault archive\nformat 1\n{archive}\nrequired\noptional\nmore\n"),
            format!("other archive\nformat 1\n{archive}\nrequired\noptional\n"),
        ];
        for body in bodies {
            assert_eq!(kind(&signed(&body)), ErrorKind::Corrupt, "{body}");
        }
    }

    #[test]
    fn it_is_made_once_and_missing_is_not_damaged() {
        let storage = Memory::new();
        storage.make_folder("").unwrap();
        assert_eq!(Head::load(&storage).unwrap_err().kind(), ErrorKind::NotFound);
        head().create(&storage).unwrap();
        assert_eq!(Head::load(&storage).unwrap(), head());
        assert_eq!(head().create(&storage).unwrap_err().kind(), ErrorKind::Exists);
    }
}
