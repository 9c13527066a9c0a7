//! Mailboxes as another program reads them.

use chatvault_engine::ContentAddress;
use mail_parser::MessageParser;
use mail_parser::mailbox::mbox::MessageIterator;

use super::*;
use crate::format::eml::testing::{Case, lines, stored};

#[test]
fn lines_that_look_like_a_new_mail_get_a_mark() {
    let mut out = Vec::new();
    quote(b"From x\r\n>From y\r\n>>From z\r\n From\r\nFromage\r\n> From\r\n", &mut out);
    assert_eq!(out, b">From x\n>>From y\n>>>From z\n From\nFromage\n> From\n");
}

#[test]
fn the_line_before_a_mail_has_the_time_as_c_writes_it() {
    let time = Timestamp::from_ms(1_622_762_567_123);
    assert_eq!(from_line(time), "From teams-archive Thu Jun  3 23:22:47 2021\n");
    assert_eq!(from_line(Timestamp::MIN), "From teams-archive Thu Jan  1 00:00:00 1970\n");
}

#[test]
fn every_mail_of_a_mailbox_is_found_with_its_text_and_files() {
    let texts = ["hello", "From me\n>From you\n.\nFrom", "漢字 漢字\n\nFrom x", ""];
    let file: Vec<u8> = (0..99_999_u32).map(|at| (at % 253) as u8).collect();
    let mut bytes = Vec::new();
    for text in texts {
        let mut case = Case::text(text);
        case.attach(stored("file:f", Some(0), "a.bin", "application/octet-stream"), &file);
        let record = Mailbox::new(case.context()).record(&case.entry);
        let written = record.to_vec(&case.objects).unwrap();
        assert_eq!(written.len() as u64, record.size());
        assert!(!written.contains(&b'\r'));
        bytes.extend(written);
    }
    let read: Vec<_> = MessageIterator::new(bytes.as_slice()).map(Result::unwrap).collect();
    assert_eq!(read.len(), texts.len());
    for (mail, text) in read.iter().zip(texts) {
        let mail = MessageParser::default().parse(mail.contents()).unwrap();
        assert_eq!(lines(&mail), text);
        assert_eq!(mail.attachments().next().unwrap().contents(), file);
    }
}

#[test]
fn a_record_without_files_is_in_memory() {
    let case = Case::text("hello");
    let Content::Bytes(bytes) = Mailbox::new(case.context()).record(&case.entry) else {
        panic!("a stream")
    };
    assert!(bytes.starts_with(b"From teams-archive Thu Jun  3 23:22:47 2021\nDate: "));
    assert!(bytes.ends_with(b"hello\n\n"));
    assert_ne!(case.entry.versions[0].address, ContentAddress([0; 32]));
}
