//! The documented forms of a filter, recognised in its tree.
//!
//! Documented are: senders joined by `or`, Copilot app classes joined by `or`, one time range, and
//! these three joined by `and`. Anything else is refused with its place in the text.

use chatvault_base::Timestamp;
use chatvault_base::filter::{self, Operand, Operator, Type, Unexpected};

use super::{ApplicationKind, Filter, Sender, SentRange, TimeField, UserKind};

type Tree = filter::Tree<Field>;
type Comparison = filter::Comparison<Field>;

/// What the service documents filters of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    User,
    UserKind,
    Application,
    ApplicationKind,
    MessageType,
    AppClass,
    Time(TimeField),
}

const FIELDS: [Field; 8] = [
    Field::User,
    Field::UserKind,
    Field::Application,
    Field::ApplicationKind,
    Field::MessageType,
    Field::AppClass,
    Field::Time(TimeField::Modified),
    Field::Time(TimeField::Created),
];

impl filter::Field for Field {
    const EXPECTED: &'static str = "from/user/id, from/user/userIdentityType, \
        from/application/id, from/application/applicationIdentityType, messageType, appClass, \
        lastModifiedDateTime, createdDateTime or an opening bracket";

    fn named(path: &str) -> Option<Self> {
        FIELDS.into_iter().find(|field| field.path() == path)
    }

    fn path(self) -> &'static str {
        match self {
            Self::User => "from/user/id",
            Self::UserKind => "from/user/userIdentityType",
            Self::Application => "from/application/id",
            Self::ApplicationKind => "from/application/applicationIdentityType",
            Self::MessageType => "messageType",
            Self::AppClass => "appClass",
            Self::Time(field) => field.name(),
        }
    }

    fn value_type(self) -> Type {
        if matches!(self, Self::Time(_)) { Type::Time } else { Type::Text }
    }
}

/// The filter that a text is.
pub(super) fn recognise(text: &str) -> Result<Filter, Unexpected> {
    if text.trim().is_empty() {
        return Ok(Filter::default());
    }
    let mut forms = Forms { text, ..Forms::default() };
    forms.conjunction(&filter::read(text)?)?;
    Ok(forms.finish())
}

#[derive(Default)]
struct Forms<'t> {
    text: &'t str,
    filter: Filter,
    field: Option<TimeField>,
    lower: Option<Timestamp>,
    upper: Option<Timestamp>,
}

impl Forms<'_> {
    fn conjunction(&mut self, tree: &Tree) -> Result<(), Unexpected> {
        match tree {
            Tree::All(parts) => parts.iter().try_for_each(|part| self.conjunction(part)),
            Tree::Compare(comparison) => match comparison.of_field() {
                Some((Field::Time(field), operator, Operand::Time(time))) => {
                    self.bound(comparison.at, field, (operator, *time))
                }
                _ => self.group(tree),
            },
            Tree::Any(_) | Tree::Not(_) => self.group(tree),
        }
    }

    fn bound(
        &mut self,
        at: usize,
        field: TimeField,
        (operator, time): (Operator, Timestamp),
    ) -> Result<(), Unexpected> {
        if *self.field.get_or_insert(field) != field {
            return Err(self.refused(at, "both bounds of a range to be of the same field"));
        }
        // The service's own bounds are `gt` and `lt`; the others are the next tick's.
        let (bound, ticks) = match operator {
            Operator::Gt => (&mut self.lower, 0),
            Operator::Ge => (&mut self.lower, -1),
            Operator::Lt => (&mut self.upper, 0),
            Operator::Le => (&mut self.upper, 1),
            Operator::Eq | Operator::Ne => {
                return Err(self.refused(at, "gt, ge, lt or le of a time"));
            }
        };
        match bound.replace(Timestamp::from_ticks(time.ticks().saturating_add(ticks))) {
            None => Ok(()),
            Some(_) => Err(self.refused(at, "one lower and one upper bound of a range")),
        }
    }

    fn group(&mut self, tree: &Tree) -> Result<(), Unexpected> {
        let mut group = Filter::default();
        self.collect(tree, &mut group)?;
        let (senders, classes) = (!group.any_of.is_empty(), !group.app_classes.is_empty());
        if senders && classes {
            return Err(self.refused(place(tree), "senders and app classes to be joined by `and`"));
        }
        if senders && !self.filter.any_of.is_empty()
            || classes && !self.filter.app_classes.is_empty()
        {
            let expected = "clauses about the same thing to be joined by `or`, not `and`";
            return Err(self.refused(place(tree), expected));
        }
        self.filter.any_of.append(&mut group.any_of);
        self.filter.app_classes.append(&mut group.app_classes);
        Ok(())
    }

    /// Clauses joined by `or`.
    fn collect(&self, tree: &Tree, group: &mut Filter) -> Result<(), Unexpected> {
        let expected = match tree {
            Tree::Any(parts) => {
                return parts.iter().try_for_each(|part| self.collect(part, group));
            }
            Tree::Compare(comparison) => return self.clause(comparison, group),
            Tree::All(_) => {
                "clauses that are joined by `or` to be in brackets: `and` inside of `or` is not documented"
            }
            Tree::Not(_) => "a clause without `not`, which is not documented",
        };
        Err(self.refused(place(tree), expected))
    }

    fn clause(&self, comparison: &Comparison, group: &mut Filter) -> Result<(), Unexpected> {
        let expected = match comparison.of_field() {
            Some((Field::Time(_), _, Operand::Time(_))) => {
                "a time range to be joined to the rest by `and`"
            }
            Some((Field::MessageType, operator, Operand::Text(name)))
                if name == "systemEventMessage" && operator.is_equality() =>
            {
                let is_event = operator == Operator::Eq;
                let sender = if is_event { Sender::SystemEvents } else { Sender::NotSystemEvents };
                group.any_of.push(sender);
                return Ok(());
            }
            Some((Field::MessageType, ..)) => {
                "eq or ne 'systemEventMessage', the only type that filters document"
            }
            Some((field, Operator::Eq, Operand::Text(value))) => {
                group.add(field, value);
                return Ok(());
            }
            _ => "eq and a text, or a time range",
        };
        Err(self.refused(comparison.at, expected))
    }

    /// A bound that was not given is the widest: the service wants both.
    fn finish(self) -> Filter {
        let Some(field) = self.field else { return self.filter };
        let SentRange { from, to } = SentRange::WIDEST;
        let window = SentRange { from: self.lower.unwrap_or(from), to: self.upper.unwrap_or(to) };
        self.filter.over(field, window)
    }

    fn refused(&self, at: usize, expected: &'static str) -> Unexpected {
        Unexpected::at_byte(filter::LANGUAGE, (self.text, at), expected)
    }
}

impl Filter {
    /// Adds a clause: a field is equal to a text.
    fn add(&mut self, field: Field, value: &str) {
        self.any_of.push(match field {
            Field::User => Sender::User(value.to_owned()),
            Field::UserKind => Sender::UserKind(UserKind::named(value)),
            Field::Application => Sender::ApplicationId(value.to_owned()),
            Field::ApplicationKind => Sender::Application(ApplicationKind::named(value)),
            Field::AppClass => return self.app_classes.push(value.to_owned()),
            // Of these there are other clauses.
            Field::MessageType | Field::Time(_) => return,
        });
    }
}

/// Where the first comparison of a tree is.
fn place(tree: &Tree) -> usize {
    match tree {
        Tree::Compare(comparison) => comparison.at,
        Tree::All(parts) | Tree::Any(parts) => parts.first().map_or(0, place),
        Tree::Not(inside) => place(inside),
    }
}
