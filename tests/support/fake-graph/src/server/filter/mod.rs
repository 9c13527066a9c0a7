//! The `$filter` language of the export endpoints, read by its own rules.
//!
//! It accepts what is documented and nothing else: sender and type clauses joined by `or`, a time
//! range with both exclusive bounds joined by `and`, times without quotes.

mod words;

use chatvault_support::parse_time;

use crate::Ms;
use crate::tenant::{Item, Sender, Window};
use words::{Word, words};

/// Which clauses an endpoint knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Chats: senders, message types and the time range.
    Chats,
    /// Channels: the time range only.
    Range,
    /// Targeted messages: the time range and the application's id.
    Targeted,
    /// Copilot: `appClass` and a range of `createdDateTime`.
    Copilot,
    /// Delta: `lastModifiedDateTime gt` only.
    Delta,
    /// Recordings and transcripts: the organizer.
    Meetings,
}

/// Why a filter is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It does not parse, or a time is in quotes.
    Clause,
    /// It parses, and the endpoint does not know it.
    Query,
    /// The time range has one bound only.
    OneSided,
    /// A bound is not exclusive.
    Operator,
}

/// A filter that was read and is allowed.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Filter {
    /// Bounds of the time range, exclusive.
    pub(crate) window: Window,
    /// The organizer a meeting filter names.
    pub(crate) organizer: Option<String>,
    rest: Vec<Expression>,
}

#[derive(Clone, Debug, PartialEq)]
enum Expression {
    All(Vec<Expression>),
    Any(Vec<Expression>),
    Is(Comparison),
}

#[derive(Clone, Debug, PartialEq)]
struct Comparison {
    field: String,
    operator: String,
    value: Literal,
}

#[derive(Clone, Debug, PartialEq)]
enum Literal {
    Text(String),
    /// Milliseconds, and whether there was a fraction of one.
    Time(Ms, bool),
}

/// Brackets inside brackets; deeper is refused, not followed.
const DEEPEST: usize = 40;

impl Filter {
    /// Reads a filter by the rules of an endpoint.
    pub(crate) fn parse(text: &str, dialect: Dialect) -> Result<Self, Refused> {
        let words = words(text).ok_or(Refused::Clause)?;
        let mut parser = Parser { words: &words, depth: 0 };
        let expression = parser.any().ok_or(Refused::Clause)?;
        if !parser.words.is_empty() {
            return Err(Refused::Clause);
        }
        let mut filter = Self::default();
        filter.require(expression, dialect)?;
        filter.check_bounds(dialect)?;
        Ok(filter)
    }

    /// Takes apart what must all hold.
    fn require(&mut self, expression: Expression, dialect: Dialect) -> Result<(), Refused> {
        match expression {
            Expression::All(parts) => {
                parts.into_iter().try_for_each(|part| self.require(part, dialect))
            }
            Expression::Is(comparison) if is_time_field(&comparison.field) => {
                self.bound(&comparison, dialect)
            }
            Expression::Is(comparison) if dialect == Dialect::Meetings => {
                self.set_organizer(comparison)
            }
            other => {
                other.check(dialect)?;
                self.rest.push(other);
                Ok(())
            }
        }
    }

    fn bound(&mut self, comparison: &Comparison, dialect: Dialect) -> Result<(), Refused> {
        let Literal::Time(ms, fraction) = comparison.value else { return Err(Refused::Clause) };
        if !dialect.time_field().is_some_and(|name| name.eq_ignore_ascii_case(&comparison.field)) {
            return Err(Refused::Query);
        }
        let Window { after, before } = &mut self.window;
        match comparison.operator.as_str() {
            "gt" => *after = Some(after.map_or(ms, |have| have.max(ms))),
            "lt" => {
                let ms = ms + i64::from(fraction);
                *before = Some(before.map_or(ms, |have| have.min(ms)));
            }
            "ge" | "le" => return Err(Refused::Operator),
            _ => return Err(Refused::Query),
        }
        Ok(())
    }

    fn set_organizer(&mut self, comparison: Comparison) -> Result<(), Refused> {
        let named = comparison.field.eq_ignore_ascii_case("meetingOrganizer/user/id");
        match comparison.value {
            Literal::Text(id) if named && comparison.operator == "eq" => self.organizer = Some(id),
            _ => return Err(Refused::Query),
        }
        Ok(())
    }

    fn check_bounds(&self, dialect: Dialect) -> Result<(), Refused> {
        match (self.window.after, self.window.before) {
            (Some(_), None) if dialect == Dialect::Delta => Ok(()),
            _ if dialect == Dialect::Delta => Err(Refused::Query),
            (Some(_), None) | (None, Some(_)) => Err(Refused::OneSided),
            _ => Ok(()),
        }
    }

    /// Whether a row of the window passes the rest of the filter.
    pub(crate) fn passes(&self, item: &Item<'_>) -> bool {
        self.rest.iter().all(|expression| expression.holds(item))
    }

    /// Whether there is nothing but a time range.
    pub(crate) fn is_only_a_window(&self) -> bool {
        self.rest.is_empty()
    }
}

impl Dialect {
    fn time_field(self) -> Option<&'static str> {
        match self {
            Self::Copilot => Some("createdDateTime"),
            Self::Meetings => None,
            _ => Some("lastModifiedDateTime"),
        }
    }

    fn knows(self, comparison: &Comparison) -> bool {
        let field = comparison.field.as_str();
        let known = match self {
            Self::Chats => match field {
                "messageType" => return matches!(comparison.operator.as_str(), "eq" | "ne"),
                _ => matches!(
                    field,
                    "from/user/id"
                        | "from/user/userIdentityType"
                        | "from/application/applicationIdentityType"
                ),
            },
            Self::Targeted => field == "from/application/id",
            Self::Copilot => field == "appClass",
            Self::Range | Self::Delta | Self::Meetings => false,
        };
        known && comparison.operator == "eq"
    }
}

impl Expression {
    fn check(&self, dialect: Dialect) -> Result<(), Refused> {
        match self {
            Self::All(parts) | Self::Any(parts) => {
                parts.iter().try_for_each(|part| part.check(dialect))
            }
            Self::Is(comparison) => {
                let text = matches!(comparison.value, Literal::Text(_));
                if text && dialect.knows(comparison) { Ok(()) } else { Err(Refused::Query) }
            }
        }
    }

    fn holds(&self, item: &Item<'_>) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(item)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(item)),
            Self::Is(comparison) => comparison.holds(item),
        }
    }
}

impl Comparison {
    fn holds(&self, item: &Item<'_>) -> bool {
        let Literal::Text(wanted) = &self.value else { return false };
        let found = match (self.field.as_str(), item.sender) {
            ("from/user/id", Sender::User { id, .. })
            | ("from/application/id", Sender::Application { id, .. }) => Some(id.as_str()),
            ("from/user/userIdentityType", Sender::User { kind, .. })
            | ("from/application/applicationIdentityType", Sender::Application { kind, .. }) => {
                Some(*kind)
            }
            ("messageType", _) => Some(item.message_type),
            ("appClass", _) => item.app_class,
            _ => None,
        };
        let equal = found.is_some_and(|found| found.eq_ignore_ascii_case(wanted));
        equal == (self.operator == "eq")
    }
}

fn is_time_field(field: &str) -> bool {
    field.to_ascii_lowercase().ends_with("datetime")
}

struct Parser<'a> {
    words: &'a [Word],
    depth: usize,
}

impl Parser<'_> {
    fn any(&mut self) -> Option<Expression> {
        let mut parts = vec![self.all()?];
        while self.take("or") {
            parts.push(self.all()?);
        }
        one_or(parts, Expression::Any)
    }

    fn all(&mut self) -> Option<Expression> {
        let mut parts = vec![self.one()?];
        while self.take("and") {
            parts.push(self.one()?);
        }
        one_or(parts, Expression::All)
    }

    fn one(&mut self) -> Option<Expression> {
        if !matches!(self.words.first()?, Word::Open) {
            return self.comparison().map(Expression::Is);
        }
        self.words = self.words.get(1..)?;
        self.depth += 1;
        let inner = (self.depth <= DEEPEST).then(|| self.any())??;
        self.depth -= 1;
        let rest = self.words.strip_prefix(&[Word::Close])?;
        self.words = rest;
        Some(inner)
    }

    fn comparison(&mut self) -> Option<Comparison> {
        let [Word::Bare(field), Word::Bare(operator), value, rest @ ..] = self.words else {
            return None;
        };
        let known = matches!(operator.as_str(), "eq" | "ne" | "gt" | "ge" | "lt" | "le");
        let value = known.then(|| literal(value))??;
        self.words = rest;
        Some(Comparison { field: field.clone(), operator: operator.clone(), value })
    }

    fn take(&mut self, word: &str) -> bool {
        match self.words {
            [Word::Bare(found), rest @ ..] if found == word => {
                self.words = rest;
                true
            }
            _ => false,
        }
    }
}

fn one_or(
    mut parts: Vec<Expression>,
    join: fn(Vec<Expression>) -> Expression,
) -> Option<Expression> {
    if parts.len() > 1 { Some(join(parts)) } else { parts.pop() }
}

fn literal(word: &Word) -> Option<Literal> {
    match word {
        Word::Quoted(text) => Some(Literal::Text(text.clone())),
        Word::Bare(text) => {
            let zoned = text.contains(['T', 't']) && text.ends_with(['Z', 'z']);
            let time = zoned.then(|| parse_time(text))??;
            Some(Literal::Time(time.ms(), time.ticks().rem_euclid(10_000) != 0))
        }
        Word::Open | Word::Close => None,
    }
}

#[cfg(test)]
mod tests;
