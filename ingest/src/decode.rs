//! Takes the compression off a file, told by its first bytes and never by its name.

use std::io::{BufRead, BufReader, Chain, Cursor, Read, Result};

use flate2::bufread::GzDecoder;

/// A zstd frame may ask for this much memory (2^27 = 128 MiB, `zstd --long=27`) and no more.
const ZSTD_WINDOW_LOG: u32 = 27;

/// Bytes enough to tell every format below.
pub(crate) const MAGIC_BYTES: usize = 6;

/// How the bytes of a file are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    Plain,
    Gzip,
    Zstd,
}

impl Packing {
    pub(crate) fn of(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, ..] => Self::Gzip,
            // A frame, or a skippable one in front of it.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            _ => Self::Plain,
        }
    }
}

/// What stands in front of a decoder: the bytes read to tell the format, and the rest.
type Whole<R> = Chain<Cursor<Vec<u8>>, R>;

/// `head` and then `rest`, unpacked: all members of a gzip file, all frames of a zstd file.
pub(crate) fn unpack<'r>(
    packing: Packing,
    head: &[u8],
    rest: Box<dyn Read + 'r>,
) -> Result<Box<dyn Read + 'r>> {
    let whole: Whole<_> = Cursor::new(head.to_vec()).chain(rest);
    Ok(match packing {
        Packing::Plain => Box::new(whole),
        Packing::Gzip => Box::new(Members {
            member: Some(GzDecoder::new(BufReader::with_capacity(64 << 10, whole))),
        }),
        Packing::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::new(whole)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG)?;
            Box::new(decoder)
        }
    })
}

/// The members of a gzip file one after the other. Zeros behind the last one are its end: tapes and
/// `dd` fill their blocks with them, and `gzip -d` passes them over, too.
struct Members<R> {
    /// `None` behind the last one.
    member: Option<GzDecoder<R>>,
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, room: &mut [u8]) -> Result<usize> {
        while let Some(member) = &mut self.member {
            let count = member.read(room)?;
            if count > 0 || room.is_empty() {
                return Ok(count);
            }
            self.member =
                self.member.take().map(GzDecoder::into_inner).map(next).transpose()?.flatten();
        }
        Ok(0)
    }
}

/// The member that follows, behind any zeros.
fn next<R: BufRead>(mut rest: R) -> Result<Option<GzDecoder<R>>> {
    loop {
        let bytes = rest.fill_buf()?;
        if bytes.is_empty() {
            return Ok(None);
        }
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        let has_more = zeros < bytes.len();
        rest.consume(zeros);
        if has_more {
            return Ok(Some(GzDecoder::new(rest)));
        }
    }
}

/// What a file that is no JSON seems to be, and what to do about it.
pub(crate) fn explain_stranger(head: &[u8]) -> &'static str {
    match head {
        [b'P', b'K', 3 | 5, ..] => "is a zip file: unpack it first",
        [0xfd, b'7', b'z', b'X', b'Z', ..] => "is xz-compressed: unpack it first",
        [b'B', b'Z', b'h', ..] => "is bzip2-compressed: unpack it first",
        [b'7', b'z', 0xbc, 0xaf, ..] => "is a 7z file: unpack it first",
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "is UTF-16 text: convert it to UTF-8 first",
        [0x1f, 0x8b, ..] | [0x28, 0xb5, 0x2f, 0xfd, ..] => "is compressed twice: unpack it once",
        [b'<', ..] => "is HTML or XML, no JSON: fetch it again, or take it out of the folder",
        _ => "is no JSON: fetch it again, or take it out of the folder",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut encoder = flate2::read::GzEncoder::new(bytes, flate2::Compression::fast());
        let written = encoder.read_to_end(&mut out).unwrap();
        assert_eq!(written, out.len());
        out
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        zstd::encode_all(bytes, 1).unwrap()
    }

    fn unpacked(packed: &[u8], head: usize) -> (Vec<u8>, bool) {
        let (head, rest) = packed.split_at(head.min(packed.len()));
        let mut out = Vec::new();
        let whole =
            unpack(Packing::of(packed), head, Box::new(rest)).unwrap().read_to_end(&mut out);
        (out, whole.is_ok())
    }

    #[test]
    fn all_members_and_frames_are_read() {
        let empty_skippable = [0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0].to_vec();
        let cases = [
            b"one two".to_vec(),
            [gzip(b"one "), gzip(b""), gzip(b"two")].concat(),
            [gzip(b"one "), vec![0; 3], gzip(b"two"), vec![0; 200_000]].concat(),
            [zstd(b"one "), zstd(b""), zstd(b"two")].concat(),
            [empty_skippable, zstd(b"one two")].concat(),
        ];
        for packed in cases {
            assert_eq!(unpacked(&packed, MAGIC_BYTES), (b"one two".to_vec(), true));
        }
    }

    #[test]
    fn what_stands_behind_a_gzip_member_and_is_none_is_an_error() {
        let packed = [gzip(b"one two"), vec![0; 9], b"x".to_vec()].concat();
        assert_eq!(unpacked(&packed, MAGIC_BYTES), (b"one two".to_vec(), false));
    }

    #[test]
    fn a_truncated_file_gives_what_was_decoded_and_an_error() {
        let text: Vec<u8> =
            (0..400_000_u32).flat_map(|n| n.wrapping_mul(n).to_le_bytes()).collect();
        for packed in [gzip(&text), zstd(&text)] {
            let (out, whole) = unpacked(packed.split_at(packed.len() / 2).0, MAGIC_BYTES);
            assert!(!whole);
            assert!(out.len() > 100_000 && text.starts_with(&out), "{}", out.len());
        }
    }

    #[test]
    fn strangers_are_told_by_their_content() {
        assert_eq!(explain_stranger(b"PK\x03\x04"), "is a zip file: unpack it first");
        assert_eq!(explain_stranger(b"\xff\xfe{\0"), "is UTF-16 text: convert it to UTF-8 first");
        assert!(explain_stranger(b"<!DOCTYPE html>").starts_with("is HTML"));
        assert!(explain_stranger(b"hello").starts_with("is no JSON"));
    }
}
