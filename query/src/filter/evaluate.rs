//! Whether a message meets a tree, decided on its document.
//!
//! As in OData a comparison is true or false, never null: null equals only itself, and `gt`, `ge`,
//! `lt` and `le` with a null are false. None of the fields is a boolean, so OData's third value
//! cannot come up elsewhere either, and `not` turns true and false around.

use std::borrow::Cow;

use chatvault_base::filter::{Field as _, Operator};
use chatvault_engine::{Document, MessageKind, Path, Row, Timestamp};

use super::field::Field;
use super::{Comparison, Operand, Tree};

/// What a filter looks at: a message, and what the archive's index says of it.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// When it was created.
    pub created: Timestamp,
    /// When it was last modified.
    pub modified: Timestamp,
    /// What kind of message it is.
    pub kind: MessageKind,
    /// The message.
    pub document: &'a Document<'a>,
}

impl<'a> Facts<'a> {
    /// A row, with what it says.
    pub fn of(row: &Row<'_>, document: &'a Document<'_>) -> Self {
        let (created, modified, kind) = (row.created(), row.modified(), row.kind());
        Self { created, modified, kind, document }
    }
}

/// The fields that a tree needs from the document, with their paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted(Vec<(Path, Field)>);

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
        Self(fields.into_iter().map(|field| (Path::new(field.path()), field)).collect())
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.0.iter().map(|(path, _)| path)
    }
}

/// The values of a message.
struct Values<'a> {
    facts: Facts<'a>,
    fields: [Option<chatvault_engine::Value<'a>>; Field::COUNT],
}

/// A value that is not null.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Value<'v> {
    Text(Cow<'v, str>),
    Time(Timestamp),
}

/// Does a message meet a tree?
pub(super) fn meets(tree: &Tree, wanted: &Wanted, facts: Facts<'_>) -> bool {
    let mut values = Values { facts, fields: [None; Field::COUNT] };
    for (path, field) in &wanted.0 {
        if let Some(place) = values.fields.get_mut(*field as usize) {
            *place = facts.document.get(path);
        }
    }
    values.meet(tree)
}

impl<'a> Values<'a> {
    fn text(&self, field: Field) -> Option<Cow<'a, str>> {
        self.fields.get(field as usize).copied()??.text()
    }

    fn meet(&self, tree: &Tree) -> bool {
        match tree {
            Tree::All(parts) => parts.iter().all(|part| self.meet(part)),
            Tree::Any(parts) => parts.iter().any(|part| self.meet(part)),
            Tree::Not(inside) => !self.meet(inside),
            Tree::Compare(comparison) => self.compare(comparison),
        }
    }

    fn compare(&self, Comparison { left, operator, right, .. }: &Comparison) -> bool {
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
            Operand::Text(text) => Some(Value::Text(text.into())),
            Operand::Time(time) => Some(Value::Time(*time)),
        }
    }

    fn field(&self, field: Field) -> Option<Value<'_>> {
        match field {
            Field::Created => Some(Value::Time(self.facts.created)),
            Field::Modified => Some(Value::Time(self.facts.modified)),
            Field::Edited | Field::Deleted => self.text(field)?.parse().ok().map(Value::Time),
            Field::MessageType => self.message_type().map(Value::Text),
            Field::Channel | Field::Team
                if self.text(Field::Chat).is_some_and(|chat| !chat.is_empty()) =>
            {
                None
            }
            _ => self.text(field).map(Value::Text),
        }
    }

    /// Without the header that asks for it the service writes `unknownFutureValue` for events; its
    /// own filter sees what they are, and so does this one.
    fn message_type(&self) -> Option<Cow<'a, str>> {
        match self.facts.kind {
            MessageKind::Message => Some("message".into()),
            MessageKind::System => Some("systemEventMessage".into()),
            _ => self.text(Field::MessageType),
        }
    }
}
