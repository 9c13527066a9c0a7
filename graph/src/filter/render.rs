//! Filters as text, exactly as documented.

use std::fmt;

use chatvault_base::Timestamp;
use chatvault_base::filter::quoted;
use chatvault_base::time::text::{Fraction, rendered};

use super::{Filter, Range, Sender, TimeField};

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clause = |class: &String| format!("appClass eq {}", quoted(class));
        let groups = [
            joined(self.any_of.iter().map(Sender::to_string)),
            joined(self.app_classes.iter().map(clause)),
            self.range.map(|range| range.to_string()).unwrap_or_default(),
        ];
        let groups: Vec<String> = groups.into_iter().filter(|group| !group.is_empty()).collect();
        match &groups[..] {
            [one] => f.write_str(one),
            // `and` binds tighter than `or`, so each group needs its brackets.
            several => {
                f.write_str(&several.iter().map(bracketed).collect::<Vec<_>>().join(" and "))
            }
        }
    }
}

impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (field, value) = match self {
            Self::User(id) => ("from/user/id eq", id.as_str()),
            Self::UserKind(kind) => ("from/user/userIdentityType eq", kind.name()),
            Self::Application(kind) => ("from/application/applicationIdentityType eq", kind.name()),
            Self::ApplicationId(id) => ("from/application/id eq", id.as_str()),
            Self::SystemEvents => ("messageType eq", "systemEventMessage"),
            Self::NotSystemEvents => ("messageType ne", "systemEventMessage"),
        };
        write!(f, "{field} {}", quoted(value))
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (field, to) = (self.field.name(), time(self.window.to));
        write!(f, "{} and {field} lt {to}", one_sided(self.field, self.window.from))
    }
}

impl TimeField {
    /// Its name in the service.
    pub fn name(self) -> &'static str {
        match self {
            Self::Modified => "lastModifiedDateTime",
            Self::Created => "createdDateTime",
        }
    }
}

/// What a delta takes: everything behind a time.
pub(crate) fn one_sided(field: TimeField, from: Timestamp) -> String {
    format!("{} gt {}", field.name(), time(from))
}

/// A time literal: no quotes, always three digits of the second's fraction.
pub fn time(at: Timestamp) -> String {
    rendered(at, Fraction::Three)
}

fn joined(clauses: impl Iterator<Item = String>) -> String {
    clauses.collect::<Vec<_>>().join(" or ")
}

fn bracketed(group: &String) -> String {
    format!("({group})")
}
