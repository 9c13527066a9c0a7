//! The documented forms of a filter, recognised in an expression.
//!
//! Documented are: senders joined by `or`, Copilot app classes joined by `or`, one time range, and
//! these three joined by `and`. Anything else is refused with its place in the text.

use chatvault_engine::Timestamp;

use super::parse::{Clause, Side, Tree};
use super::{Filter, FilterError, Sender, SentRange, TimeField};

/// The filter that an expression is.
pub(super) fn recognise(tree: Tree) -> Result<Filter, FilterError> {
    let mut forms = Forms::default();
    forms.conjunction(tree)?;
    Ok(forms.finish())
}

#[derive(Default)]
struct Forms {
    filter: Filter,
    field: Option<TimeField>,
    lower: Option<Timestamp>,
    upper: Option<Timestamp>,
}

impl Forms {
    fn conjunction(&mut self, tree: Tree) -> Result<(), FilterError> {
        match tree {
            Tree::All(parts) => parts.into_iter().try_for_each(|part| self.conjunction(part)),
            Tree::Leaf(at, Clause::Bound(field, side, time)) => self.bound(at, field, (side, time)),
            group => self.group(group),
        }
    }

    fn bound(
        &mut self,
        at: usize,
        field: TimeField,
        (side, time): (Side, Timestamp),
    ) -> Result<(), FilterError> {
        if *self.field.get_or_insert(field) != field {
            return Err(refused(at, "both bounds of a range are of the same field"));
        }
        let bound = if side == Side::Lower { &mut self.lower } else { &mut self.upper };
        match bound.replace(time) {
            None => Ok(()),
            Some(_) => Err(refused(at, "a range has one lower and one upper bound")),
        }
    }

    fn group(&mut self, tree: Tree) -> Result<(), FilterError> {
        let at = tree.at();
        let mut group = Group::default();
        group.collect(tree)?;
        let mixed = !group.senders.is_empty() && !group.app_classes.is_empty();
        let second = (!group.senders.is_empty() && !self.filter.any_of.is_empty())
            || (!group.app_classes.is_empty() && !self.filter.app_classes.is_empty());
        if mixed {
            return Err(refused(at, "senders and app classes are not joined by `or`"));
        }
        if second {
            return Err(refused(at, "clauses about the same thing are joined by `or`, not `and`"));
        }
        self.filter.any_of.append(&mut group.senders);
        self.filter.app_classes.append(&mut group.app_classes);
        Ok(())
    }

    /// A bound that was not given is the widest: the service wants both.
    fn finish(self) -> Filter {
        let Some(field) = self.field else { return self.filter };
        let SentRange { from, to } = SentRange::WIDEST;
        let window = SentRange { from: self.lower.unwrap_or(from), to: self.upper.unwrap_or(to) };
        self.filter.over(field, window)
    }
}

/// Clauses joined by `or`.
#[derive(Default)]
struct Group {
    senders: Vec<Sender>,
    app_classes: Vec<String>,
}

impl Group {
    fn collect(&mut self, tree: Tree) -> Result<(), FilterError> {
        match tree {
            Tree::Any(parts) => return parts.into_iter().try_for_each(|part| self.collect(part)),
            Tree::Leaf(_, Clause::Sender(sender)) => self.senders.push(sender),
            Tree::Leaf(_, Clause::AppClass(class)) => self.app_classes.push(class),
            Tree::Leaf(at, Clause::Bound(..)) => {
                return Err(refused(at, "a time range is joined to the rest by `and`"));
            }
            Tree::All(_) => {
                let message = "`and` inside of `or` is not documented: put the clauses that are \
                    joined by `or` into brackets";
                return Err(refused(tree.at(), message));
            }
        }
        Ok(())
    }
}

impl Tree {
    /// Where its first clause is.
    fn at(&self) -> usize {
        match self {
            Self::Leaf(at, _) => *at,
            Self::All(parts) | Self::Any(parts) => parts.first().map_or(0, Self::at),
        }
    }
}

fn refused(at: usize, message: &str) -> FilterError {
    FilterError { at, message: message.to_owned() }
}
