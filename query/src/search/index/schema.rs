//! What the index has for each row, and what it says about itself.

use chatvault_engine::{ContentAddress, MessageKind, RecordKind, Row};
use serde::{Deserialize, Serialize};
use tantivy::TantivyDocument;
use tantivy::schema::{
    Field, IndexRecordOption, NumericOptions, Schema, Term, TextFieldIndexing, TextOptions,
};
use tantivy::tokenizer::{Token, TokenStream, Tokenizer, TokenizerManager};

use crate::error::{Error, Result};
use crate::record::{Text, has_file};
use crate::search::character::PART_BREAK;
use crate::search::content::{Content, Part};
use crate::search::token::tokens;

/// To be counted up with every change of tokens, of what is searched in a message, or of fields:
/// an index with another number is built anew.
pub(super) const FORMAT: u32 = 5;

const TOKENIZER: &str = "chatvault";
pub(super) const ROW: &str = "row";
pub(super) const CREATED: &str = "created";
pub(super) const CONVERSATION: &str = "conversation";
const RAW: &str = "raw";

/// The fields of a row: its words, and how it is found in the archive.
#[derive(Clone, Debug)]
pub(super) struct Fields {
    pub(super) schema: Schema,
    /// The words of all parts.
    text: Field,
    /// Those of rare parts once more, so that searching for them is cheap.
    subject: Field,
    attachment: Field,
    /// What else is known of it, as the numbers of [`Fact`]s.
    facts: Field,
    row: Field,
    created: Field,
    conversation: Field,
}

/// What a row is asked for beside its words. Each has a posting list: several of them, and words, are
/// an intersection.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fact<'f> {
    Record(RecordKind),
    Kind(MessageKind),
    Conversation(&'f str),
    Sender(&'f str),
    /// It has a file.
    File,
}

impl Fact<'_> {
    /// Tells facts apart well enough: who agrees with one by chance is looked at in vain.
    fn number(self) -> u64 {
        match self {
            Self::Record(record) => mixed(record_number(record)),
            Self::Kind(MessageKind::Message) => 1,
            Self::Kind(MessageKind::System) => 2,
            Self::Kind(_) => 3,
            Self::Conversation(id) => text_sum(mixed(4), id),
            Self::Sender(id) => text_sum(mixed(5), id),
            Self::File => 6,
        }
    }
}

impl Fields {
    pub(super) fn new() -> Self {
        let mut builder = Schema::builder();
        let indexing = TextFieldIndexing::default()
            .set_tokenizer(TOKENIZER)
            .set_fieldnorms(false)
            .set_index_option(IndexRecordOption::WithFreqsAndPositions);
        let words = TextOptions::default().set_indexing_options(indexing);
        let number = NumericOptions::default().set_fast();
        let term = NumericOptions::default().set_indexed();
        let name = TextOptions::default().set_fast(RAW);
        Self {
            text: builder.add_text_field("text", words.clone()),
            subject: builder.add_text_field("subject", words.clone()),
            attachment: builder.add_text_field("attachment", words),
            facts: builder.add_u64_field("facts", term),
            row: builder.add_u64_field(ROW, number.clone()),
            created: builder.add_i64_field(CREATED, number),
            conversation: builder.add_text_field(CONVERSATION, name),
            schema: builder.build(),
        }
    }

    /// The field with the words of a part, and whether it has only those.
    pub(super) fn of_part(&self, part: Option<Part>) -> (Field, bool) {
        match part {
            None => (self.text, true),
            Some(Part::Subject) => (self.subject, true),
            Some(Part::Attachment) => (self.attachment, true),
            Some(_) => (self.text, false),
        }
    }

    /// What is asked for to find the rows of a fact.
    pub(super) fn term(&self, fact: Fact<'_>) -> Term {
        Term::from_field_u64(self.facts, fact.number())
    }

    /// Of a row; of a transcript with its text and where that was read from.
    pub(super) fn document(
        &self,
        (record, row): (RecordKind, &Row<'_>),
        spoken: Option<(&Text, &ContentAddress)>,
    ) -> Result<TantivyDocument> {
        let said = row.document().map_err(Error::Archive)?;
        let content = Content::of(record, &said, spoken.map_or(&Text::None, |(text, _)| text));
        let mut document = TantivyDocument::new();
        let mut text = String::new();
        for part in Part::ALL {
            let words = content.part(part);
            if !words.is_empty() {
                if !text.is_empty() {
                    text.push(PART_BREAK);
                }
                text.push_str(words);
            }
        }
        for (field, words) in [
            (self.text, &*text),
            (self.subject, content.part(Part::Subject)),
            (self.attachment, content.part(Part::Attachment)),
        ] {
            if !words.is_empty() {
                document.add_text(field, words);
            }
        }
        let number = row_number(row);
        let number = spoken.map_or(number, |(_, file)| text_number(number, file));
        document.add_u64(self.row, number);
        let facts =
            [Fact::Record(record), Fact::Kind(row.kind()), Fact::Conversation(row.conversation())];
        let sender = row.sender().map(Fact::Sender);
        let file = has_file(&said).then_some(Fact::File);
        for fact in facts.into_iter().chain(sender).chain(file) {
            document.add_u64(self.facts, fact.number());
        }
        document.add_i64(self.created, row.created().ticks());
        document.add_text(self.conversation, row.conversation());
        Ok(document)
    }
}

/// A number that tells rows apart well enough: who agrees with one by chance is looked at in vain.
///
/// It may depend only on what never changes about a row.
pub(super) fn row_number(row: &Row<'_>) -> u64 {
    let mut number = mixed(row.version());
    number = mixed(number ^ row.created().ticks().cast_unsigned());
    number = mixed(number ^ row.modified().ticks().cast_unsigned());
    text_sum(number, row.id())
}

/// Adds a text to a number.
fn text_sum(number: u64, text: &str) -> u64 {
    text.as_bytes().chunks(8).fold(number, |number, eight| {
        let mut bytes = [0; 8];
        bytes.iter_mut().zip(eight).for_each(|(to, from)| *to = *from);
        mixed(number ^ u64::from_le_bytes(bytes))
    })
}

/// The same of a row with a text, by where that is: another text, another number.
pub(super) fn text_number(row: u64, file: &ContentAddress) -> u64 {
    file.0.iter().take(8).fold(row, |number, byte| mixed(number ^ u64::from(*byte)))
}

/// The number that stands for a kind in an index.
fn record_number(record: RecordKind) -> u64 {
    RecordKind::ALL.iter().position(|one| *one == record).map_or(u64::MAX, |at| at as u64)
}

/// Spreads a number over all bits (splitmix64).
fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// What the index says about itself, with each commit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct About {
    pub(super) format: u32,
    /// Whose rows it has.
    pub(super) archive: String,
    /// Every row that arrived up to this commit is in it, and no other.
    pub(super) sequence: u64,
    /// How many these are.
    pub(super) rows: u64,
    /// That commit with the hash of its past: see [`CommitId`](chatvault_engine::CommitId).
    pub(super) commit: String,
}

/// The tokenizers that the fields name.
pub(super) fn tokenizers() -> TokenizerManager {
    let manager = TokenizerManager::default();
    manager.register(TOKENIZER, Words::default());
    manager
}

/// Our tokens, in tantivy's words.
#[derive(Clone, Debug, Default)]
struct Words {
    /// All terms, one behind the other.
    texts: String,
    /// The end of each term in `texts`, and its position.
    ends: Vec<(usize, u32)>,
}

impl Tokenizer for Words {
    type TokenStream<'a> = Stream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Stream<'a> {
        self.texts.clear();
        self.ends.clear();
        tokens(text, &mut |term, position, _| {
            self.texts.push_str(term);
            self.ends.push((self.texts.len(), position));
        });
        Stream { words: self, next: 0, start: 0, token: Token::default() }
    }
}

#[derive(Debug)]
struct Stream<'a> {
    words: &'a Words,
    next: usize,
    start: usize,
    token: Token,
}

impl TokenStream for Stream<'_> {
    fn advance(&mut self) -> bool {
        let Some((end, position)) = self.words.ends.get(self.next) else { return false };
        self.token.text.clear();
        self.token.text.push_str(self.words.texts.get(self.start..*end).unwrap_or_default());
        self.token.position = *position as usize;
        (self.token.offset_from, self.token.offset_to) = (self.start, *end);
        (self.start, self.next) = (*end, self.next + 1);
        true
    }

    fn token(&self) -> &Token {
        &self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.token
    }
}
