//! What of a filter a scan can say: ranges of time, senders, conversations and kinds.
//!
//! A *reach* is a box around the messages that meet a tree: each that meets it is inside. It is
//! exact if nothing else is inside; then the rows need not be looked at any more.

use std::collections::BTreeSet;

use chatvault_base::filter::Operator;
use chatvault_engine::{MessageKind, Scan, TimeRange, Timestamp};

use super::field::Field;
use super::{Comparison, Operand, Tree};
use super::{Filter, Left};
use crate::query::{MAX_ID_BYTES, MAX_VALUES};

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

/// Narrows a scan; gives what is left to be checked row by row.
pub(super) fn narrow(tree: &Tree, scan: &mut Scan) -> Left {
    let reach = of(tree, false);
    let is_exact = reach.exact;
    if !reach.narrow(scan) {
        return Left::NoRow;
    }
    let rest = match tree {
        Tree::All(parts) => {
            let inexact = parts.iter().filter(|part| !of(part, false).exact);
            let mut parts: Vec<Tree> = inexact.cloned().collect();
            if parts.len() < 2 { parts.pop() } else { Some(Tree::All(parts)) }
        }
        tree => (!is_exact).then(|| tree.clone()),
    };
    rest.map_or(Left::EveryRow, |rest| Left::Rows(Filter::of(rest)))
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
    let has_opposite = operator.is_equality() || (field.is_never_null() && *value != Operand::Null);
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
    let (first, last) = match operator {
        Operator::Eq => (at, at),
        Operator::Ne => return Reach::ALL,
        Operator::Gt => (at.saturating_add(1), i64::MAX),
        Operator::Ge => (at, i64::MAX),
        Operator::Lt => (i64::MIN, at.saturating_sub(1)),
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

    /// Puts the reach into a scan; false if no row can be inside of both.
    fn narrow(self, scan: &mut Scan) -> bool {
        let (kinds, is_some) = (self.kinds(), !self.is_none());
        is_some
            && narrow_range(&mut scan.created, self.created)
            && narrow_range(&mut scan.modified, self.modified)
            && narrow_list(&mut scan.senders, self.senders)
            && narrow_list(&mut scan.conversations, self.conversations)
            && narrow_list(&mut scan.kinds, kinds)
    }

    /// The kinds as a scan has them.
    fn kinds(&self) -> Option<BTreeSet<MessageKind>> {
        const BITS: [(MessageKind, Kinds); 3] = [
            (MessageKind::Message, MESSAGE),
            (MessageKind::System, SYSTEM),
            (MessageKind::Other, OTHER),
        ];
        let wanted = BITS.iter().filter(|(_, bit)| self.kinds & bit != 0);
        (self.kinds != ALL_KINDS).then(|| wanted.map(|(kind, _)| *kind).collect())
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

/// False if nothing is in both.
fn narrow_range(range: &mut TimeRange, span: Span) -> bool {
    if span.first > i64::MIN {
        let first = Timestamp::from_ticks(span.first);
        range.from = Some(range.from.map_or(first, |from| from.max(first)));
    }
    if let Some(end) = span.last.checked_add(1).map(Timestamp::from_ticks) {
        range.to = Some(range.to.map_or(end, |to| to.min(end)));
    }
    range.from.is_none_or(|from| range.to.is_none_or(|to| from < to))
}

/// An empty list of a scan is no restriction. False if nothing is in both lists.
fn narrow_list<T: Ord>(own: &mut Vec<T>, wanted: Option<BTreeSet<T>>) -> bool {
    let Some(wanted) = wanted else { return true };
    if own.is_empty() {
        // A list that is too long for a query narrows nothing; the rows are checked anyway.
        if wanted.len() <= MAX_VALUES {
            own.extend(wanted);
        }
        return true;
    }
    own.retain(|one| wanted.contains(one));
    !own.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse_time;
    use chatvault_base::filter::read;

    /// The narrowed scan and what is left to be checked; `None` if no row can meet the filter.
    fn narrowed(filter: &str, scan: &Scan) -> Option<(Scan, String)> {
        let mut scan = scan.clone();
        match narrow(&read(filter).unwrap(), &mut scan) {
            Left::NoRow => None,
            Left::EveryRow => Some((scan, String::new())),
            Left::Rows(rest) => Some((scan, rest.to_string())),
        }
    }

    fn texts(list: &[&str]) -> Vec<String> {
        list.iter().map(|text| (*text).to_owned()).collect()
    }

    fn range(from: &str, to: &str) -> TimeRange {
        let time = |text: &str| (!text.is_empty()).then(|| parse_time("x", text).unwrap());
        TimeRange { from: time(from), to: time(to) }
    }

    #[track_caller]
    fn check(filter: &str, own: &Scan, expected: &Scan, left: &str) {
        let (scan, rest) = narrowed(filter, own).unwrap();
        assert_eq!((format!("{scan:?}"), &*rest), (format!("{expected:?}"), left));
    }

    #[test]
    fn ranges_of_time_are_said_by_the_scan_alone() {
        let filter = "lastModifiedDateTime gt 2020-06-04T18:03:11.591Z and \
            lastModifiedDateTime lt 2020-06-05T21:00:09.413Z and createdDateTime ge 2020-06-01";
        let expected = Scan {
            modified: range("2020-06-04T18:03:11.5910001Z", "2020-06-05T21:00:09.413Z"),
            created: range("2020-06-01", ""),
            ..Scan::default()
        };
        check(filter, &Scan::default(), &expected, "");
        let (_, last) = narrowed(
            "createdDateTime le 9999-12-31T23:59:59.9999999Z and createdDateTime ge 0000-01-01",
            &Scan::default(),
        )
        .unwrap();
        assert_eq!(last, "", "the ends of times are times");
    }

    #[test]
    fn a_range_tightens_the_scans_own() {
        let own = Scan { created: range("2020-06", "2020-07"), ..Scan::default() };
        let filter = "createdDateTime ge 2020-06-10 and createdDateTime le 2021-01-01";
        let expected = Scan { created: range("2020-06-10", "2020-07"), ..Scan::default() };
        check(filter, &own, &expected, "");
        assert!(narrowed("createdDateTime ge 2020-07-01", &own).is_none());
    }

    #[test]
    fn senders_and_kinds_come_from_every_branch() {
        let filter = "(from/user/id eq 'a' or 'b' eq from/user/id) and \
            not (messageType eq 'systemEventMessage' or messageType eq 'typing')";
        let (scan, left) = narrowed(filter, &Scan::default()).unwrap();
        assert_eq!(scan.senders, texts(&["a", "b"]));
        assert_eq!(scan.kinds, [MessageKind::Message, MessageKind::Other]);
        assert_eq!(
            left,
            "(from/user/id eq 'a' or from/user/id eq 'b') and not (messageType eq \
             'systemEventMessage' or messageType eq 'typing')"
                .replace("or from/user/id eq 'b'", "or 'b' eq from/user/id")
        );
        let kinds = vec![MessageKind::Message, MessageKind::Other];
        let expected = Scan { kinds, ..Scan::default() };
        check("messageType ne 'systemEventMessage'", &Scan::default(), &expected, "");
        for filter in ["from/user/id eq 'a' or subject eq 'x'", "from/user/id eq ''"] {
            check(filter, &Scan::default(), &Scan::default(), filter);
        }
    }

    #[test]
    fn branches_with_parts_of_their_own_give_a_box_around_both() {
        let filter = "(from/user/id eq 'a' and createdDateTime lt 2020-02-01) or \
            (from/user/id eq 'b' and createdDateTime lt 2020-03-01 and messageType eq 'message')";
        let (scan, left) = narrowed(filter, &Scan::default()).unwrap();
        assert_eq!(scan.senders, texts(&["a", "b"]));
        assert_eq!(scan.created, range("", "2020-03-01"));
        assert!(scan.kinds.is_empty() && !left.is_empty());
    }

    #[test]
    fn what_cannot_be_met_leaves_no_row() {
        for filter in [
            "createdDateTime lt 2020-01-01 and createdDateTime gt 2020-01-01",
            "createdDateTime eq null",
            "from/user/id eq 'a' and from/user/id eq 'b'",
            "chatId eq 'a' and channelIdentity/channelId eq 'b'",
            "messageType eq 'message' and messageType eq 'systemEventMessage'",
        ] {
            assert!(narrowed(filter, &Scan::default()).is_none(), "{filter}");
        }
        let senders = Scan { senders: texts(&["c"]), ..Scan::default() };
        assert!(narrowed("from/user/id eq 'a'", &senders).is_none());
        let chats = Scan { conversations: texts(&["c"]), ..Scan::default() };
        assert!(narrowed("chatId eq 'a'", &chats).is_none());
        let kinds = Scan { kinds: vec![MessageKind::System], ..Scan::default() };
        assert!(narrowed("messageType eq 'message'", &kinds).is_none());
    }
}
