//! The bytes of a load file: its fields in their order, and the delimiters around them.

use std::borrow::Cow;

/// What marks a file as UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
/// Between two fields.
const SEPARATOR: u8 = 0x14;
/// On both sides of a field.
const QUALIFIER: &str = "\u{FE}";
/// Stands for a line break inside a field.
const NEWLINE: &str = "\u{AE}";
const END: &[u8] = b"\r\n";

/// The fields, in their order; the text behind the usual ones.
pub(super) const FIELDS: [&str; 30] = [
    "BEGDOC",
    "ENDDOC",
    "BEGATTACH",
    "ENDATTACH",
    "CUSTODIAN",
    "ALLCUSTODIANS",
    "CONVERSATION_ID",
    "CONVERSATION_NAME",
    "CONVERSATION_TYPE",
    "FAMILY_ID",
    "DATESENT",
    "TIMESENT",
    "DATELASTMOD",
    "FROM",
    "TO",
    "SUBJECT",
    "PARTICIPANTS",
    "MESSAGE_COUNT",
    "CONTAINS_EDITED",
    "CONTAINS_DELETED",
    "DOCTYPE",
    "FILENAME",
    "FILEEXT",
    "FILESIZE",
    "SHA256HASH",
    "MD5HASH",
    "NATIVEPATH",
    "TEXTPATH",
    "PAGECOUNT",
    "EXTRACTEDTEXT",
];

/// How days are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Dates {
    /// `YYYYMMDD`: cannot be mistaken, and what load files have had for decades.
    #[default]
    Compact,
    /// `YYYY-MM-DD`.
    Iso,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Written {
    /// How many records there are.
    pub records: u64,
    /// How many characters were replaced because they are delimiters.
    pub replaced: u64,
}

/// The values of a record. MD5, text path and page count are not known here and stay empty.
#[derive(Debug, Default)]
pub(super) struct Values<'v> {
    pub(super) number: &'v str,
    pub(super) family: &'v str,
    pub(super) family_end: &'v str,
    pub(super) custodian: &'v str,
    pub(super) custodians: &'v str,
    pub(super) conversation: &'v str,
    pub(super) conversation_name: &'v str,
    pub(super) conversation_type: &'v str,
    pub(super) date_sent: String,
    pub(super) time_sent: String,
    pub(super) date_modified: String,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) subject: &'v str,
    pub(super) participants: &'v str,
    pub(super) message_count: &'static str,
    pub(super) contains_edited: bool,
    pub(super) contains_deleted: bool,
    pub(super) document_type: &'static str,
    pub(super) file_name: Cow<'v, str>,
    pub(super) file_extension: Cow<'v, str>,
    pub(super) file_size: String,
    pub(super) sha256: String,
    pub(super) native_path: Cow<'v, str>,
    pub(super) text: Cow<'v, str>,
}

impl Values<'_> {
    /// In the order of [`FIELDS`].
    fn in_order(&self) -> [&str; FIELDS.len()] {
        [
            self.number,
            self.number,
            self.family,
            self.family_end,
            self.custodian,
            self.custodians,
            self.conversation,
            self.conversation_name,
            self.conversation_type,
            self.family,
            &self.date_sent,
            &self.time_sent,
            &self.date_modified,
            &self.from,
            &self.to,
            self.subject,
            self.participants,
            self.message_count,
            yes_or_no(self.contains_edited),
            yes_or_no(self.contains_deleted),
            self.document_type,
            &self.file_name,
            &self.file_extension,
            &self.file_size,
            &self.sha256,
            "",
            &self.native_path,
            "",
            "",
            &self.text,
        ]
    }
}

fn yes_or_no(is_so: bool) -> &'static str {
    if is_so { "Y" } else { "N" }
}

/// The first record of every file: the names of the fields, behind a byte order mark.
pub(crate) fn header() -> Vec<u8> {
    let mut bytes = BYTE_ORDER_MARK.to_vec();
    Line::new(&mut bytes).record(&FIELDS);
    bytes
}

/// Appends records and counts what it had to do.
pub(super) struct Line<'o> {
    out: &'o mut Vec<u8>,
    written: Written,
}

impl<'o> Line<'o> {
    pub(super) fn new(out: &'o mut Vec<u8>) -> Self {
        Self { out, written: Written::default() }
    }

    pub(super) fn written(&self) -> Written {
        self.written
    }

    pub(super) fn write(&mut self, values: &Values<'_>) {
        self.record(&values.in_order());
        self.written.records += 1;
    }

    fn record(&mut self, fields: &[&str]) {
        for (index, field) in fields.iter().enumerate() {
            if index > 0 {
                self.out.push(SEPARATOR);
            }
            self.out.extend_from_slice(QUALIFIER.as_bytes());
            self.value(field);
            self.out.extend_from_slice(QUALIFIER.as_bytes());
        }
        self.out.extend_from_slice(END);
    }

    /// A value that cannot break its record.
    fn value(&mut self, text: &str) {
        // Both delimiters begin with C3 or C2 in UTF-8: text without these and without controls is fine.
        let is_plain = |byte: u8| byte >= 0x20 && byte != 0x7F && byte != 0xC2 && byte != 0xC3;
        if text.bytes().all(is_plain) {
            self.out.extend_from_slice(text.as_bytes());
            return;
        }
        let mut rest = text.chars().peekable();
        while let Some(c) = rest.next() {
            match c {
                '\r' if rest.peek() == Some(&'\n') => {}
                '\r' | '\n' => self.out.extend_from_slice(NEWLINE.as_bytes()),
                '\u{FE}' => self.replace("th"),
                '\u{AE}' => self.replace("(R)"),
                '\t' => self.out.push(b'\t'),
                c if c.is_control() => {}
                c => self.out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
    }

    fn replace(&mut self, with: &str) {
        self.out.extend_from_slice(with.as_bytes());
        self.written.replaced += 1;
    }
}
