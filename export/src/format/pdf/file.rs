//! The bytes of a PDF file: objects one behind the other, and at the end where each of them is.
//!
//! Objects are written once and never touched again; what is kept is where they are. A number can be
//! taken before its object is written, so a page can name its parent and the fonts that are only
//! known at the end. Small objects, of which tags make many, are written many together in a stream.

use std::fmt::Write as _;

use crate::zip::deflate::zlib;

/// The number of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Id(u32);

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} 0 R", self.0)
    }
}

/// A file in the making.
#[derive(Debug)]
pub(super) struct File {
    bytes: Vec<u8>,
    places: Vec<ObjectPlace>,
    /// Small objects that wait for more: their numbers and where they begin in the text.
    small: Vec<(u32, usize)>,
    small_text: String,
}

/// Where an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ObjectPlace {
    /// Not written.
    Nowhere,
    At(u64),
    /// In a stream of objects with this number, as its so-and-so-manieth.
    In(u32, u16),
}

/// Small objects of one stream: enough to pack well, few enough to be unpacked for one of them.
const TOGETHER: usize = 200;

/// The bytes of an object's place in the table: what it is, an offset or number, a number in the stream.
const FIELDS: [usize; 3] = [1, 5, 2];

/// The four bytes tell tools that this is no text.
const HEADER: &[u8] = b"%PDF-1.7\n%\xE2\xE3\xCF\xD3\n";

impl File {
    pub(super) fn new() -> Self {
        Self {
            bytes: HEADER.to_vec(),
            places: Vec::new(),
            small: Vec::new(),
            small_text: String::new(),
        }
    }

    /// About how long it is so far.
    pub(super) fn len(&self) -> usize {
        self.bytes.len() + self.small_text.len() / 2
    }

    /// At most how long the table at its end will be.
    pub(super) fn table_len(&self) -> usize {
        self.places.len() * FIELDS.iter().sum::<usize>() + 300
    }

    /// A number for an object that will be written.
    pub(super) fn take(&mut self) -> Id {
        self.places.push(ObjectPlace::Nowhere);
        Id(u32::try_from(self.places.len()).unwrap_or(u32::MAX))
    }

    /// Writes an object whose body is given.
    pub(super) fn object(&mut self, id: Id, body: &str) {
        self.begin(id);
        self.bytes.extend_from_slice(body.as_bytes());
        self.bytes.extend_from_slice(b"\nendobj\n");
    }

    /// Writes an object that is no stream, together with others.
    pub(super) fn small(&mut self, id: Id, write: impl FnOnce(&mut String)) {
        self.small.push((id.0, self.small_text.len()));
        write(&mut self.small_text);
        self.small_text.push('\n');
        if self.small.len() >= TOGETHER {
            self.write_small();
        }
    }

    fn write_small(&mut self) {
        let (small, text) = (std::mem::take(&mut self.small), std::mem::take(&mut self.small_text));
        if small.is_empty() {
            return;
        }
        let stream = self.take();
        let mut content = String::with_capacity(text.len() + small.len() * 14);
        for ((number, start), index) in small.iter().zip(0_u16..) {
            // Writing to a `String` cannot fail.
            let _written = write!(content, "{number} {start} ");
            self.put(Id(*number), ObjectPlace::In(stream.0, index));
        }
        let dictionary = format!("/Type/ObjStm/N {}/First {}", small.len(), content.len());
        content.push_str(&text);
        self.packed(stream, &dictionary, content.as_bytes());
    }

    /// Writes a stream. `dictionary`: its entries besides `Length`.
    pub(super) fn stream(&mut self, id: Id, dictionary: &str, content: &[u8]) {
        self.begin(id);
        let head = format!("<<{dictionary}/Length {}>>\nstream\n", content.len());
        self.bytes.extend_from_slice(head.as_bytes());
        self.bytes.extend_from_slice(content);
        self.bytes.extend_from_slice(b"\nendstream\nendobj\n");
    }

    /// Writes a stream that is compressed here.
    pub(super) fn packed(&mut self, id: Id, dictionary: &str, content: &[u8]) {
        let packed = pack(content);
        self.stream(id, &format!("{dictionary}/Filter/FlateDecode"), &packed);
    }

    fn begin(&mut self, id: Id) {
        self.put(id, ObjectPlace::At(self.bytes.len() as u64));
        self.bytes.extend_from_slice(format!("{} 0 obj\n", id.0).as_bytes());
    }

    fn put(&mut self, id: Id, place: ObjectPlace) {
        let index = usize::try_from(id.0).ok().and_then(|id| id.checked_sub(1));
        if let Some(slot) = index.and_then(|index| self.places.get_mut(index)) {
            *slot = place;
        }
    }

    /// Writes the table of objects and ends the file. Numbers never used are marked free.
    pub(super) fn finish(mut self, catalog: Id, info: Id, file_id: &[u8; 16]) -> Vec<u8> {
        self.write_small();
        let table = self.take();
        let start = self.bytes.len();
        self.put(table, ObjectPlace::At(start as u64));
        let mut rows = vec![0, 0, 0, 0, 0, 0, 0xFF, 0xFF];
        for place in &self.places {
            let (kind, number, index) = match *place {
                ObjectPlace::Nowhere => (0, 0, 0),
                ObjectPlace::At(offset) => (1, offset, 0),
                ObjectPlace::In(stream, index) => (2, u64::from(stream), index),
            };
            rows.push(kind);
            rows.extend([32, 24, 16, 8, 0].map(|shift| (number >> shift & 0xFF) as u8));
            rows.extend([(index >> 8) as u8, (index & 0xFF) as u8]);
        }
        let file_id = super::entry::hex(file_id).to_ascii_uppercase();
        let [kind, number, index] = FIELDS;
        let dictionary = format!(
            "/Type/XRef/Size {}/W[{kind} {number} {index}]/Root {catalog}/Info {info}\
             /ID[<{file_id}><{file_id}>]",
            self.places.len() + 1
        );
        self.packed(table, &dictionary, &rows);
        self.bytes.extend_from_slice(format!("startxref\n{start}\n%%EOF\n").as_bytes());
        self.bytes
    }
}

/// Compresses as a PDF's `FlateDecode` expects it.
pub(super) fn pack(content: &[u8]) -> Vec<u8> {
    // Drawing commands are short and alike: more effort costs twice the time for a tenth less.
    const LEVEL: u32 = 3;
    zlib(content, LEVEL)
}

/// A text string: UTF-16 with a mark, in hexadecimal, so that nothing in it needs an escape.
pub(super) fn text_string(text: &str) -> String {
    let mut hex = String::with_capacity(text.len() * 4 + 6);
    hex.push_str("<FEFF");
    push_utf16(&mut hex, text);
    hex.push('>');
    hex
}

/// Appends text as the hexadecimal digits of its UTF-16.
pub(super) fn push_utf16(hex: &mut String, text: &str) {
    for unit in text.encode_utf16() {
        for shift in [12, 8, 4, 0] {
            let digit = u32::from(unit >> shift & 0xF);
            hex.push(char::from_digit(digit, 16).unwrap_or('0').to_ascii_uppercase());
        }
    }
}

/// A string of bytes in parentheses.
pub(super) fn push_literal(out: &mut Vec<u8>, bytes: impl Iterator<Item = u8>) {
    out.push(b'(');
    for byte in bytes {
        match byte {
            b'(' | b')' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\r' => out.extend_from_slice(b"\\r"),
            byte => out.push(byte),
        }
    }
    out.push(b')');
}

/// A number with at most three digits behind the point.
#[expect(clippy::cast_possible_truncation, reason = "places on a page are far below 2^31")]
pub(super) fn push_number(out: &mut Vec<u8>, value: f32) {
    push_thousandths(out, (value * 1000.0).round() as i32);
}

/// A number given in thousandths.
pub(super) fn push_thousandths(out: &mut Vec<u8>, thousandths: i32) {
    if thousandths < 0 {
        out.push(b'-');
    }
    let value = thousandths.unsigned_abs();
    push_integer(out, value / 1000);
    let mut rest = value % 1000;
    if rest == 0 {
        return;
    }
    out.push(b'.');
    let mut unit = 100;
    while rest > 0 {
        out.push(b'0' + u8::try_from(rest / unit).unwrap_or(0));
        rest %= unit;
        unit /= 10;
    }
}

pub(super) fn push_integer(out: &mut Vec<u8>, value: u32) {
    let mut digits = [0_u8; 10];
    let mut rest = value;
    let mut count = 0;
    for slot in digits.iter_mut().rev() {
        *slot = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        count += 1;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[digits.len() - count..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(value: f32) -> String {
        let mut out = Vec::new();
        push_number(&mut out, value);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_are_short_and_exact_to_a_thousandth() {
        let cases = [(0.0, "0"), (1.0, "1"), (-1.5, "-1.5"), (0.05, "0.05"), (595.276, "595.276")];
        for (value, text) in cases {
            assert_eq!(shown(value), text);
        }
        assert_eq!(shown(-0.0004), "0");
        assert_eq!(shown(841.89), "841.89");
    }

    #[test]
    fn strings_cannot_end_early() {
        let mut out = Vec::new();
        push_literal(&mut out, b"a)(\\\r\nb".iter().copied());
        assert_eq!(out, b"(a\\)\\(\\\\\\r\nb)");
        assert_eq!(text_string(")>\u{1F44D}"), "<FEFF0029003ED83DDC4D>");
    }

    #[test]
    fn what_is_packed_comes_back_whatever_was_packed_before() {
        use std::io::Read as _;
        let noise: Vec<u8> =
            (0_u64..200_000).map(|n| (n * 2_654_435_761).to_le_bytes()[2]).collect();
        let first = pack(b"hello");
        let same = vec![7; 100_000];
        for content in [&noise[..], b"", b"hello", &same] {
            let file = pack(content);
            let mut back = Vec::new();
            let read = flate2::read::ZlibDecoder::new(&file[..]).read_to_end(&mut back);
            assert!(read.is_ok() && back == content, "{} bytes", content.len());
        }
        assert_eq!(pack(b"hello"), first);
    }

    #[test]
    fn every_object_is_found_where_the_table_says() {
        let mut file = File::new();
        let (one, never, two) = (file.take(), file.take(), file.take());
        file.packed(one, "", b"hello");
        let small: Vec<Id> = (0..TOGETHER * 2 + 7).map(|_| file.take()).collect();
        for (number, id) in small.iter().enumerate() {
            file.small(*id, |body| write!(body, "<</Number {number}>>").unwrap());
        }
        file.object(two, "<</Type/Catalog>>");
        let document = lopdf::Document::load_mem(&file.finish(two, one, &[7; 16])).unwrap();
        let object = |id: Id| document.get_object((id.0, 0));
        assert!(object(never).is_err());
        let stream = object(one).unwrap().as_stream().unwrap();
        assert_eq!(stream.decompressed_content().unwrap(), b"hello");
        assert_eq!(
            document.catalog().unwrap().get(b"Type").unwrap().as_name().unwrap(),
            b"Catalog"
        );
        for (number, id) in (0..).zip(&small) {
            let object = object(*id).unwrap().as_dict().unwrap();
            assert_eq!(object.get(b"Number").unwrap().as_i64().unwrap(), number);
        }
    }
}
