//! What of a filter a plain query can say: ranges of time, senders, conversations and kinds.
//!
//! A *reach* is a box around the messages that meet a tree: each that meets it is inside. It is
//! exact if nothing else is inside; then the rows need not be looked at any more.

use std::collections::BTreeSet;

use chatvault_engine::Timestamp;

use super::field::Field;
use super::tree::{Comparison, Operand, Operator, Tree};
use crate::names::Kind;
use crate::query::{MAX_ID_BYTES, MAX_VALUES, Query};
use crate::time::{format_time, parse_time};

/// The last time that has a text: a bound behind it could not be written into a query.
const LAST_TEXT: i64 = 2_534_023_007_999_999_999;

/// Ticks from the first to the last, both inclusive; none if they are the other way around.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    first: i64,
    last: i64,
}

/// Names that a field may have; `None` is no restriction.
type Names = Option<BTreeSet<String>>;

/// One bit for each kind.
type Kinds = u8;

const MESSAGE: Kinds = 1;
const SYSTEM: Kinds = 2;
const OTHER: Kinds = 4;
const ALL_KINDS: Kinds = MESSAGE | SYSTEM | OTHER;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Reach {
    created: Span,
    modified: Span,
    senders: Names,
    conversations: Names,
    kinds: Kinds,
    exact: bool,
}

/// Narrows a query; gives what is left to be checked row by row.
pub(super) fn narrow(tree: &Tree, query: &mut Query) -> Option<Tree> {
    let reach = of(tree, false);
    let is_exact = reach.exact;
    if !reach.narrow(query) {
        // Nothing can match: an empty range would be refused as a mistake in the query.
        query.limit = Some(0);
        return None;
    }
    match tree {
        Tree::All(parts) => {
            let mut left: Vec<Tree> =
                parts.iter().filter(|part| !of(part, false).exact).cloned().collect();
            if left.len() < 2 { left.pop() } else { Some(Tree::All(left)) }
        }
        tree => (!is_exact).then(|| tree.clone()),
    }
}

/// The reach of a tree, or of its opposite.
fn of(tree: &Tree, negated: bool) -> Reach {
    match tree {
        Tree::Not(inside) => of(inside, !negated),
        Tree::All(parts) | Tree::Any(parts) => {
            let is_all = matches!(tree, Tree::All(_)) != negated;
            let join = if is_all { Reach::and } else { Reach::or };
            parts.iter().map(|part| of(part, negated)).reduce(join).unwrap_or(Reach::ALL)
        }
        Tree::Compare(comparison) => of_comparison(comparison, negated),
    }
}

fn of_comparison(comparison: &Comparison, negated: bool) -> Reach {
    let Some((field, operator, value)) = comparison.of_field() else { return Reach::ALL };
    // The opposite of `eq` is `ne` for null too; of the others only where both sides are there.
    let has_opposite = matches!(operator, Operator::Eq | Operator::Ne)
        || (field.is_never_null() && *value != Operand::Null);
    if negated && !has_opposite {
        return Reach::ALL;
    }
    let operator = if negated { operator.inverted() } else { operator };
    match (field, value) {
        (Field::Created | Field::Modified, Operand::Time(time)) => of_time(field, operator, *time),
        (Field::Created | Field::Modified, Operand::Null) if operator != Operator::Ne => {
            Reach { kinds: 0, exact: true, ..Reach::ALL }
        }
        (Field::MessageType, Operand::Text(name)) => of_kind(operator, name),
        (Field::User, Operand::Text(id)) if operator == Operator::Eq && is_id(id) => {
            Reach { senders: Some([id.clone()].into()), ..Reach::ALL }
        }
        (Field::Chat | Field::Channel, Operand::Text(id))
            if operator == Operator::Eq && is_id(id) =>
        {
            Reach { conversations: Some([id.clone()].into()), ..Reach::ALL }
        }
        _ => Reach::ALL,
    }
}

fn of_time(field: Field, operator: Operator, time: Timestamp) -> Reach {
    let at = time.ticks();
    if at >= LAST_TEXT {
        return Reach::ALL;
    }
    let (first, last) = match operator {
        Operator::Eq => (at, at),
        Operator::Ne => return Reach::ALL,
        Operator::Gt => (at + 1, i64::MAX),
        Operator::Ge => (at, i64::MAX),
        Operator::Lt => (i64::MIN, at - 1),
        Operator::Le => (i64::MIN, at),
    };
    let (span, all) = (Span { first, last }, Span::ALL);
    let (created, modified) = if field == Field::Created { (span, all) } else { (all, span) };
    Reach { created, modified, exact: true, ..Reach::ALL }
}

fn of_kind(operator: Operator, name: &str) -> Reach {
    let kinds = match name {
        "message" => MESSAGE,
        "systemEventMessage" => SYSTEM,
        _ => OTHER,
    };
    match operator {
        Operator::Eq => Reach { kinds, exact: kinds != OTHER, ..Reach::ALL },
        Operator::Ne if kinds != OTHER => {
            Reach { kinds: ALL_KINDS & !kinds, exact: true, ..Reach::ALL }
        }
        _ => Reach::ALL,
    }
}

fn is_id(text: &str) -> bool {
    (1..=MAX_ID_BYTES).contains(&text.len())
}

impl Span {
    const ALL: Self = Self { first: i64::MIN, last: i64::MAX };

    fn is_none(self) -> bool {
        self.first > self.last
    }

    fn and(self, other: Self) -> Self {
        Self { first: self.first.max(other.first), last: self.last.min(other.last) }
    }

    fn hull(self, other: Self) -> Self {
        Self { first: self.first.min(other.first), last: self.last.max(other.last) }
    }
}

impl Reach {
    const ALL: Self = Self {
        created: Span::ALL,
        modified: Span::ALL,
        senders: None,
        conversations: None,
        kinds: ALL_KINDS,
        exact: false,
    };

    fn is_none(&self) -> bool {
        let none = |names: &Names| names.as_ref().is_some_and(BTreeSet::is_empty);
        self.created.is_none()
            || self.modified.is_none()
            || self.kinds == 0
            || none(&self.senders)
            || none(&self.conversations)
    }

    fn and(self, other: Self) -> Self {
        Self {
            created: self.created.and(other.created),
            modified: self.modified.and(other.modified),
            senders: common(self.senders, other.senders),
            conversations: common(self.conversations, other.conversations),
            kinds: self.kinds & other.kinds,
            exact: self.exact && other.exact,
        }
    }

    fn or(self, other: Self) -> Self {
        // What nothing can meet widens nothing.
        if self.is_none() {
            return other;
        }
        if other.is_none() {
            return self;
        }
        let exact = self.exact && other.exact && self.is_of_kinds() && other.is_of_kinds();
        Self {
            created: self.created.hull(other.created),
            modified: self.modified.hull(other.modified),
            senders: either(self.senders, other.senders),
            conversations: either(self.conversations, other.conversations),
            kinds: self.kinds | other.kinds,
            exact,
        }
    }

    /// Does it restrict nothing but kinds? Only then two boxes together are a box again.
    fn is_of_kinds(&self) -> bool {
        Self { kinds: ALL_KINDS, exact: false, ..self.clone() } == Self::ALL
    }

    /// Puts the reach into a query; false if nothing can match.
    fn narrow(self, query: &mut Query) -> bool {
        if self.is_none() {
            return false;
        }
        let created = (&query.created_from, &query.created_to);
        let modified = (&query.modified_from, &query.modified_to);
        let Some(created) = tightened(self.created, created) else { return false };
        let Some(modified) = tightened(self.modified, modified) else { return false };
        (query.created_from, query.created_to) = created;
        (query.modified_from, query.modified_to) = modified;
        narrow_names(&mut query.senders, self.senders)
            && narrow_names(&mut query.chats, self.conversations)
            && narrow_kinds(&mut query.kinds, self.kinds)
    }
}

fn common(left: Names, right: Names) -> Names {
    match (left, right) {
        (Some(left), Some(right)) => Some(left.intersection(&right).cloned().collect()),
        (left, right) => left.or(right),
    }
}

fn either(left: Names, right: Names) -> Names {
    let (Some(mut left), Some(right)) = (left, right) else { return None };
    left.extend(right);
    Some(left)
}

type Bounds = (Option<String>, Option<String>);

/// The bounds of both; `None` if nothing is between them. Bounds that are no times, or contradict
/// each other, stay: the query's check tells what is wrong.
fn tightened(span: Span, (from, to): (&Option<String>, &Option<String>)) -> Option<Bounds> {
    let ticks = |text: &Option<String>| {
        text.as_deref().and_then(|text| parse_time("filter", text).ok()).map(Timestamp::ticks)
    };
    let (own_from, own_to) = (ticks(from), ticks(to));
    let is_sound = own_from.is_none_or(|from| own_to.is_none_or(|to| from < to));
    let (mut first, mut end) = (own_from, own_to);
    if span.first > i64::MIN {
        first = Some(first.map_or(span.first, |first| first.max(span.first)));
    }
    if span.last < i64::MAX {
        end = Some(end.map_or(span.last + 1, |end| end.min(span.last + 1)));
    }
    if is_sound && first.is_some_and(|first| end.is_some_and(|end| first >= end)) {
        return None;
    }
    let text = |ticks: Option<i64>, own: Option<i64>, text: &Option<String>| {
        let is_own = ticks == own || !is_sound || (text.is_some() && own.is_none());
        if is_own { text.clone() } else { ticks.map(|at| format_time(Timestamp::from_ticks(at))) }
    };
    Some((text(first, own_from, from), text(end, own_to, to)))
}

fn narrow_names(own: &mut Vec<String>, names: Names) -> bool {
    let Some(names) = names else { return true };
    if own.is_empty() {
        // A list that is too long for a query narrows nothing; the rows are checked anyway.
        if names.len() <= MAX_VALUES {
            own.extend(names);
        }
        return true;
    }
    own.retain(|name| names.contains(name));
    !own.is_empty()
}

fn narrow_kinds(own: &mut Vec<Kind>, kinds: Kinds) -> bool {
    let all = [(Kind::Message, MESSAGE), (Kind::System, SYSTEM), (Kind::Other, OTHER)];
    let has = |kind: Kind| all.iter().any(|(known, bit)| *known == kind && kinds & bit != 0);
    if own.is_empty() {
        if kinds != ALL_KINDS {
            own.extend(all.iter().map(|(kind, _)| *kind).filter(|kind| has(*kind)));
        }
        return true;
    }
    own.retain(|kind| has(*kind));
    !own.is_empty()
}

#[cfg(test)]
mod tests {
    use super::super::parse::parse;
    use super::*;

    fn narrowed(filter: &str, query: Query) -> (Query, String) {
        let mut query = query;
        let left = narrow(&parse(filter).unwrap(), &mut query);
        (query, left.map_or_else(String::new, |left| left.to_string()))
    }

    fn texts(list: &[&str]) -> Vec<String> {
        list.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn ranges_of_time_are_said_by_the_query_alone() {
        let filter = "lastModifiedDateTime gt 2020-06-04T18:03:11.591Z and \
            lastModifiedDateTime lt 2020-06-05T21:00:09.413Z and createdDateTime ge 2020-06-01";
        let (query, left) = narrowed(filter, Query::default());
        let expected = Query {
            modified_from: Some("2020-06-04T18:03:11.5910001Z".to_owned()),
            modified_to: Some("2020-06-05T21:00:09.413Z".to_owned()),
            created_from: Some("2020-06-01T00:00:00Z".to_owned()),
            ..Query::default()
        };
        assert_eq!((query, &*left), (expected, ""));
    }

    #[test]
    fn a_range_tightens_the_querys_own() {
        let own = Query {
            created_from: Some("2020-06".to_owned()),
            created_to: Some("2020-07".to_owned()),
            ..Query::default()
        };
        let filter = "createdDateTime ge 2020-06-10 and createdDateTime le 2021-01-01";
        let (query, left) = narrowed(filter, own.clone());
        let expected = Query { created_from: Some("2020-06-10T00:00:00Z".into()), ..own.clone() };
        assert_eq!((query, &*left), (expected, ""));
        let (query, left) = narrowed("createdDateTime ge 2020-07-01", own.clone());
        assert_eq!((query, &*left), (Query { limit: Some(0), ..own }, ""));
    }

    #[test]
    fn senders_and_kinds_come_from_every_branch() {
        let filter = "(from/user/id eq 'a' or 'b' eq from/user/id) and \
            not (messageType eq 'systemEventMessage' or messageType eq 'typing')";
        let (query, left) = narrowed(filter, Query::default());
        assert_eq!(query.senders, texts(&["a", "b"]));
        assert_eq!(query.kinds, [Kind::Message, Kind::Other]);
        assert_eq!(
            left,
            "(from/user/id eq 'a' or from/user/id eq 'b') and not (messageType eq \
             'systemEventMessage' or messageType eq 'typing')"
                .replace("or from/user/id eq 'b'", "or 'b' eq from/user/id")
        );
        let (query, left) = narrowed("messageType ne 'systemEventMessage'", Query::default());
        assert_eq!((query.kinds, &*left), (vec![Kind::Message, Kind::Other], ""));
        let (query, _) = narrowed("from/user/id eq 'a' or subject eq 'x'", Query::default());
        assert_eq!(query, Query::default());
        let (query, _) = narrowed("from/user/id eq ''", Query::default());
        assert_eq!(query, Query::default());
    }

    #[test]
    fn branches_with_parts_of_their_own_give_a_box_around_both() {
        let filter = "(from/user/id eq 'a' and createdDateTime lt 2020-02-01) or \
            (from/user/id eq 'b' and createdDateTime lt 2020-03-01 and messageType eq 'message')";
        let (query, left) = narrowed(filter, Query::default());
        assert_eq!(query.senders, texts(&["a", "b"]));
        assert_eq!(query.created_to.as_deref(), Some("2020-03-01T00:00:00Z"));
        assert!(query.kinds.is_empty() && !left.is_empty());
    }

    #[test]
    fn what_cannot_be_met_asks_for_no_row() {
        for filter in [
            "createdDateTime lt 2020-01-01 and createdDateTime gt 2020-01-01",
            "createdDateTime eq null",
            "from/user/id eq 'a' and from/user/id eq 'b'",
            "messageType eq 'message' and messageType eq 'systemEventMessage'",
        ] {
            let (query, left) = narrowed(filter, Query::default());
            assert_eq!((query.limit, &*left), (Some(0), ""), "{filter}");
        }
        let own = Query { senders: texts(&["c"]), ..Query::default() };
        assert_eq!(narrowed("from/user/id eq 'a'", own).0.limit, Some(0));
    }

    #[test]
    fn a_wrong_query_stays_wrong() {
        let own = Query { created_from: Some("noon".to_owned()), ..Query::default() };
        assert_eq!(narrowed("createdDateTime ge 2020-01-01", own.clone()).0, own);
        let (from, to) = (Some("2021".to_owned()), Some("2020-01".to_owned()));
        let own = Query { created_from: from, created_to: to, ..Query::default() };
        let (query, _) = narrowed("createdDateTime ge 2020-01-01", own);
        assert!(query.scan().is_err());
    }

    #[test]
    fn the_end_of_times_is_not_written_into_a_query() {
        for filter in [
            "createdDateTime le 9999-12-31T23:59:59.9999999Z",
            "createdDateTime gt 9999-12-31T23:59:59.9999999Z",
        ] {
            let (query, left) = narrowed(filter, Query::default());
            assert_eq!((query, &*left), (Query::default(), filter), "{filter}");
        }
    }
}
