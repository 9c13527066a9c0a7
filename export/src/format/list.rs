//! Every format, and what sets it apart.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// What is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// A mail for each message.
    #[default]
    Eml,
    /// The same mails, one mailbox file for each conversation.
    Mbox,
    /// Transcripts with pages.
    Pdf,
    /// A table.
    Csv,
    /// Transcripts for a browser.
    Html,
    /// The stored documents, one a line.
    Jsonl,
    /// Relativity's short message format, a file for each conversation and day.
    Rsmf,
    /// A Concordance load file.
    Dat,
    /// A typed table.
    Parquet,
}

impl Format {
    /// Every name, for help texts and errors.
    pub const NAMES: [&'static str; 9] = {
        let (mut names, mut at) = ([""; 9], 0);
        while at < names.len() {
            names[at] = FORMATS[at].name;
            at += 1;
        }
        names
    };

    /// Its name.
    pub fn name(self) -> &'static str {
        self.nature().name
    }

    /// What sets it apart.
    pub(crate) fn nature(self) -> Nature {
        FORMATS[self as usize]
    }
}

/// What sets a format apart.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "a row of a table")]
pub(crate) struct Nature {
    format: Format,
    name: &'static str,
    /// Its files hold attachments themselves, so that they are no members of their own.
    pub(crate) embeds: bool,
    /// It says how people are called and who takes part.
    pub(crate) names_people: bool,
    /// There is a document, or a file of records, for each conversation.
    pub(crate) is_by_chat: bool,
    /// There is a mail for each message, which is named by it.
    pub(crate) is_by_message: bool,
}

const fn nature(format: Format, name: &'static str, facts: [bool; 4]) -> Nature {
    let [embeds, names_people, is_by_chat, is_by_message] = facts;
    Nature { format, name, embeds, names_people, is_by_chat, is_by_message }
}

/// In the order of [`Format`]: embeds, names people, by chat, by message.
const FORMATS: [Nature; 9] = [
    nature(Format::Eml, "eml", [true, true, false, true]),
    nature(Format::Mbox, "mbox", [true, true, true, true]),
    nature(Format::Pdf, "pdf", [false, true, true, false]),
    nature(Format::Csv, "csv", [false, true, false, false]),
    nature(Format::Html, "html", [false, true, true, false]),
    nature(Format::Jsonl, "jsonl", [false, false, false, false]),
    nature(Format::Rsmf, "rsmf", [true, true, true, false]),
    nature(Format::Dat, "dat", [false, true, false, false]),
    nature(Format::Parquet, "parquet", [false, true, false, false]),
];

impl FromStr for Format {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = FORMATS.iter().find(|row| row.name == text).map(|row| row.format);
        let accepted = "eml, mbox, pdf, csv, html, jsonl, rsmf, dat or parquet";
        let value = text.to_owned();
        found.ok_or(Error::Setting { field: "format", value, accepted })
    }
}
