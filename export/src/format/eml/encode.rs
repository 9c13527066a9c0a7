//! Bodies in seven bits: quoted-printable where most of it is ASCII, base64 where not.
//!
//! Always holds, for every byte sequence: lines end in CRLF and have at most 76 characters, all of
//! them printable ASCII; no line starts with `From ` or is a lone dot, so neither an mbox nor SMTP
//! changes it; `=_` never occurs, since a `=` is followed by two hex digits or ends its line in the
//! one and base64 has no `_`. So no body can hold a boundary that starts with `=_`.

use crate::content::{LineEnd, base64_lines};

/// The longest line.
const LINE: usize = 76;

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    QuotedPrintable,
    Base64,
}

impl Encoding {
    /// The shorter one: a byte beyond ASCII has 3 characters in the first, 4 of 3 in the second.
    pub(super) fn for_text(text: &str) -> Self {
        let beyond_ascii = text.bytes().filter(|byte| !byte.is_ascii()).count();
        if beyond_ascii <= text.len() / 6 { Self::QuotedPrintable } else { Self::Base64 }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::QuotedPrintable => "quoted-printable",
            Self::Base64 => "base64",
        }
    }

    /// Appends a text whose lines end in `\n` or `\r\n`; they become CRLF.
    pub(super) fn encode(self, text: &str, out: &mut Vec<u8>) {
        match self {
            Self::QuotedPrintable => quoted_printable(text, out),
            Self::Base64 => base64_lines(with_crlf(text).as_bytes(), LineEnd::Crlf, out),
        }
    }
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line))
}

fn with_crlf(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 32 + 2);
    for line in lines(text) {
        out.push_str(line);
        out.push_str("\r\n");
    }
    out
}

fn quoted_printable(text: &str, out: &mut Vec<u8>) {
    out.reserve(text.len() + text.len() / 8 + 2);
    for line in lines(text) {
        quoted_line(line.as_bytes(), out);
        out.extend_from_slice(b"\r\n");
    }
}

fn quoted_line(line: &[u8], out: &mut Vec<u8>) {
    let mut column = 0;
    let mut rest = line;
    while let Some((&byte, tail)) = rest.split_first() {
        let must_hide = column == 0 && (rest.starts_with(b"From ") || rest == b".");
        let run = if must_hide { 0 } else { plain_run(rest) };
        if run > 0 {
            // One column stays free for the `=` of a soft line end, unless the line ends here.
            let room = LINE - column - usize::from(run < rest.len() || column + run > LINE);
            let (now, later) = rest.split_at(run.min(room));
            out.extend_from_slice(now);
            column += now.len();
            rest = later;
            if !rest.is_empty() && column + 4 > LINE {
                soft_end(out, &mut column);
            }
        } else {
            let width = 3 + usize::from(!tail.is_empty());
            if column + width > LINE {
                soft_end(out, &mut column);
            }
            quote(byte, out);
            column += 3;
            rest = tail;
        }
    }
}

/// How many bytes from the start stand for themselves, as far as a line can have them. A space or
/// tab does unless the line ends behind it: mail servers cut those off.
fn plain_run(line: &[u8]) -> usize {
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'<' | b'>'..=b'~' | b'\t');
    // One more than fits: no more is asked of the rest, so that a long line takes linear time.
    let ahead = line.get(..LINE + 1).unwrap_or(line);
    let run = ahead.iter().position(|byte| !is_plain(byte)).unwrap_or(ahead.len());
    let ends_in_space = run == line.len() && matches!(line.last(), Some(b' ' | b'\t'));
    run - usize::from(ends_in_space)
}

fn soft_end(out: &mut Vec<u8>, column: &mut usize) {
    out.extend_from_slice(b"=\r\n");
    *column = 0;
}

fn quote(byte: u8, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |value: u8| DIGITS[usize::from(value & 15)];
    out.extend_from_slice(&[b'=', digit(byte >> 4), digit(byte)]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(encoding: Encoding, text: &str) -> String {
        let mut out = Vec::new();
        encoding.encode(text, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn decoded(encoding: Encoding, text: &str) -> Vec<u8> {
        let head = format!(
            "Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: {}\r\n\r\n{}",
            encoding.name(),
            encoded(encoding, text)
        );
        let message = mail_parser::MessageParser::default().parse(head.as_bytes()).unwrap();
        message.parts[0].contents().to_vec()
    }

    #[test]
    fn lines_are_cut_where_readers_join_them() {
        let quoted = |text: &str| encoded(Encoding::QuotedPrintable, text);
        assert_eq!(quoted("a=b\nc "), "a=3Db\r\nc=20\r\n");
        assert_eq!(quoted("From me\n.\n.x"), "=46rom me\r\n=2E\r\n.x\r\n");
        assert_eq!(quoted(&"x".repeat(76)), format!("{}\r\n", "x".repeat(76)));
        assert_eq!(quoted(&"x".repeat(77)), format!("{}=\r\nxx\r\n", "x".repeat(75)));
        assert_eq!(quoted(""), "\r\n");
    }

    #[test]
    fn a_long_line_is_looked_at_a_line_ahead() {
        let long = vec![b'x'; 1 << 20];
        assert_eq!(plain_run(&long), LINE + 1);
        let text = format!("{} ", "x".repeat(LINE));
        assert_eq!(plain_run(text.as_bytes()), LINE, "a space at the very end is seen");
    }

    #[test]
    fn the_shorter_encoding_is_taken() {
        assert_eq!(Encoding::for_text("plain, mostly: ä"), Encoding::QuotedPrintable);
        assert_eq!(Encoding::for_text("漢字漢字"), Encoding::Base64);
    }

    proptest! {
        #[test]
        fn every_text_survives_in_short_printable_lines(text in "(\\PC|[ \t\r\n=._]|From |=_){0,400}") {
            for encoding in [Encoding::QuotedPrintable, Encoding::Base64] {
                let written = encoded(encoding, &text);
                prop_assert!(!written.contains("=_"));
                for line in written.split_terminator("\r\n") {
                    prop_assert!(line.len() <= LINE, "{line:?}");
                    prop_assert!(!line.starts_with("From ") && line != ".");
                    prop_assert!(line.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t')));
                }
                let expected = with_crlf(&text);
                let read = String::from_utf8(decoded(encoding, &text)).unwrap();
                prop_assert_eq!(read.trim_end(), expected.trim_end());
            }
        }
    }
}
