//! Whether a message meets a tree, decided on its JSON.
//!
//! As in OData a comparison is true or false, never null: null equals only itself, and `gt`, `ge`,
//! `lt` and `le` with a null are false. None of the fields is a boolean, so OData's third value
//! cannot come up elsewhere either, and `not` turns true and false around.

use std::borrow::Cow;

use chatvault_engine::{MessageKind, Row, Stored, Timestamp};

use super::field::Field;
use super::tree::{Comparison, Operand, Operator, Tree};
use crate::json::{self, Raw};
use crate::time::read_stamp;

/// What a filter looks at: a message, and what the archive's index says of it.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// When it was created.
    pub created: Timestamp,
    /// When it was last modified.
    pub modified: Timestamp,
    /// What kind of message it is.
    pub kind: MessageKind,
    /// The exact message.
    pub json: &'a [u8],
}

impl<'a> From<&Row<'a>> for Facts<'a> {
    fn from(row: &Row<'a>) -> Self {
        let (created, modified, kind) = (row.created(), row.modified(), row.kind());
        Self { created, modified, kind, json: row.json() }
    }
}

impl<'a> From<&'a Stored> for Facts<'a> {
    fn from(row: &'a Stored) -> Self {
        let (created, modified, kind) = (row.created, row.modified, row.kind);
        Self { created, modified, kind, json: &row.json }
    }
}

/// The fields that a tree needs from the JSON, with their paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted(Vec<(&'static str, Field)>);

impl Wanted {
    pub(super) fn of(tree: &Tree) -> Self {
        let mut fields = Vec::new();
        tree.each_field(&mut |field| {
            fields.push(field);
            // Only a message of no chat is one of a channel.
            if matches!(field, Field::Channel | Field::Team) {
                fields.push(Field::Chat);
            }
        });
        fields.sort_unstable();
        fields.dedup();
        fields.retain(|field| !field.is_never_null());
        Self(fields.into_iter().map(|field| (field.path(), field)).collect())
    }
}

/// The values of a message.
struct Values<'a> {
    facts: Facts<'a>,
    texts: [Option<Cow<'a, str>>; Field::COUNT],
}

/// A value that is not null.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Value<'v> {
    Text(&'v str),
    Time(Timestamp),
}

/// Does a message meet a tree?
pub(super) fn meets(tree: &Tree, wanted: &Wanted, facts: Facts<'_>) -> bool {
    let mut values = Values { facts, texts: [const { None }; Field::COUNT] };
    if !wanted.0.is_empty() {
        values.read(facts.json, &wanted.0);
    }
    values.meet(tree)
}

impl<'a> Values<'a> {
    /// Reads the wanted fields, each by the path that is left below this object.
    fn read(&mut self, object: &'a [u8], wanted: &[(&'static str, Field)]) {
        json::members(object, &mut |key, value| {
            for (path, field) in wanted {
                self.read_member(path.as_bytes().strip_prefix(key), *field, path, value);
            }
        });
    }

    fn read_member(
        &mut self,
        rest: Option<&[u8]>,
        field: Field,
        path: &'static str,
        value: Raw<'a>,
    ) {
        match rest {
            Some([]) => self.put(field, json::text(value)),
            Some([b'/', rest @ ..]) => {
                // The last of equal members counts, also where it has less.
                self.put(field, None);
                let below = path.get(path.len() - rest.len()..).unwrap_or_default();
                self.read(value.get(), &[(below, field)]);
            }
            _ => {}
        }
    }

    fn put(&mut self, field: Field, text: Option<Cow<'a, str>>) {
        if let Some(place) = self.texts.get_mut(field as usize) {
            *place = text;
        }
    }

    fn text(&self, field: Field) -> Option<&str> {
        self.texts.get(field as usize)?.as_deref()
    }

    fn meet(&self, tree: &Tree) -> bool {
        match tree {
            Tree::All(parts) => parts.iter().all(|part| self.meet(part)),
            Tree::Any(parts) => parts.iter().any(|part| self.meet(part)),
            Tree::Not(inside) => !self.meet(inside),
            Tree::Compare(comparison) => self.compare(comparison),
        }
    }

    fn compare(&self, Comparison { left, operator, right }: &Comparison) -> bool {
        match (self.value(left), self.value(right)) {
            (Some(left), Some(right)) => operator.holds(left.cmp(&right)),
            (None, None) => *operator == Operator::Eq,
            _ => *operator == Operator::Ne,
        }
    }

    fn value<'v>(&'v self, operand: &'v Operand) -> Option<Value<'v>> {
        match operand {
            Operand::Field(field) => self.field(*field),
            Operand::Null => None,
            Operand::Text(text) => Some(Value::Text(text)),
            Operand::Time(time) => Some(Value::Time(*time)),
        }
    }

    fn field(&self, field: Field) -> Option<Value<'_>> {
        match field {
            Field::Created => Some(Value::Time(self.facts.created)),
            Field::Modified => Some(Value::Time(self.facts.modified)),
            Field::Edited | Field::Deleted => {
                self.text(field).and_then(read_stamp).map(Value::Time)
            }
            Field::MessageType => self.message_type().map(Value::Text),
            Field::Channel | Field::Team if self.text(Field::Chat).is_some_and(is_some) => None,
            _ => self.text(field).map(Value::Text),
        }
    }

    /// Without the header that asks for it the service writes `unknownFutureValue` for events; its
    /// own filter sees what they are, and so does this one.
    fn message_type(&self) -> Option<&str> {
        match self.facts.kind {
            MessageKind::Message => Some("message"),
            MessageKind::System => Some("systemEventMessage"),
            _ => self.text(Field::MessageType),
        }
    }
}

fn is_some(text: &str) -> bool {
    !text.is_empty()
}
