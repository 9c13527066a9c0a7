//! Whom or what people mean: an id for what they typed.
//!
//! People know an address, a name or the first characters of an id; conditions take ids. What fits
//! nobody, or several, is an error that lists who could be meant: never an answer that is empty.

use std::fmt;

/// An id, and what people call it by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Candidate {
    /// What a condition takes: `user:ID`, `team:ID`, or a bare id.
    pub id: String,
    /// Addresses. One that fits whole goes before names.
    pub addresses: Vec<String>,
    /// Names and topics, the one to show first.
    pub names: Vec<String>,
}

/// Why a text names nobody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unresolved {
    /// Nothing is called so: name one that is there.
    #[error("no {kind} is called {text:?}{}", Similar(similar))]
    Nobody {
        /// What was looked for, as people call it.
        kind: &'static str,
        /// What was typed.
        text: String,
        /// Who is called nearly so, the nearest first.
        similar: Vec<Candidate>,
    },
    /// Several are called so: name one by its id.
    #[error("{text:?} can be more than one {kind}: {}", Listed(fitting))]
    Several {
        /// What was looked for, as people call it.
        kind: &'static str,
        /// What was typed.
        text: String,
        /// Who is called so.
        fitting: Vec<Candidate>,
    },
}

/// The least characters of an id that stand for it.
const PREFIX_CHARS: usize = 4;
/// So many candidates are told in an error.
const TOLD: usize = 5;
/// How near a name has to be to be told: 1 is the same.
const NEAR: f64 = 0.85;

/// Who can be meant: whatever has an id and is called something.
pub trait Called {
    /// What a condition takes.
    fn id(&self) -> &str;

    /// Is an address of theirs meant?
    fn is_any_address(&self, is_meant: &mut dyn FnMut(&str) -> bool) -> bool;

    /// Is a name of theirs meant?
    fn is_any_name(&self, is_meant: &mut dyn FnMut(&str) -> bool) -> bool;

    /// For an error that lists who could be meant.
    fn to_candidate(&self) -> Candidate;
}

impl Called for Candidate {
    fn id(&self) -> &str {
        &self.id
    }

    fn is_any_address(&self, is_meant: &mut dyn FnMut(&str) -> bool) -> bool {
        self.addresses.iter().any(|address| is_meant(address))
    }

    fn is_any_name(&self, is_meant: &mut dyn FnMut(&str) -> bool) -> bool {
        self.names.iter().any(|name| is_meant(name))
    }

    fn to_candidate(&self) -> Candidate {
        self.clone()
    }
}

impl<C: Called> Called for &C {
    fn id(&self) -> &str {
        C::id(self)
    }

    fn is_any_address(&self, is_meant: &mut dyn FnMut(&str) -> bool) -> bool {
        C::is_any_address(self, is_meant)
    }

    fn is_any_name(&self, is_meant: &mut dyn FnMut(&str) -> bool) -> bool {
        C::is_any_name(self, is_meant)
    }

    fn to_candidate(&self) -> Candidate {
        C::to_candidate(self)
    }
}

/// Finds the one whom a text means: by whole id, whole address, whole name, or the first characters
/// of an id (four or more), in this order, in upper or lower case. An id that was cut in the middle,
/// `0057ab97-5…6082f4e8c7`, stands for those that begin and end so.
///
/// [`Unresolved`] says that there is none, and who is near it, or that there are several.
pub fn resolve<T: Called>(
    kind: &'static str,
    text: &str,
    candidates: impl IntoIterator<Item = T> + Clone,
) -> Result<T, Unresolved> {
    let wanted = text.trim().to_lowercase();
    // The candidates of the first way that fits any.
    let mut best = WAYS.len();
    let mut fitting: Vec<T> = Vec::new();
    for one in candidates.clone() {
        let Some(way) = WAYS.iter().take(best + 1).position(|fits| fits(&one, &wanted)) else {
            continue;
        };
        if way < best {
            fitting.clear();
            best = way;
        }
        fitting.push(one);
    }
    let Some(first) = fitting.first() else {
        let similar = similar(&wanted, candidates);
        return Err(Unresolved::Nobody { kind, text: text.to_owned(), similar });
    };
    if fitting.iter().all(|one| one.id() == first.id()) {
        return Ok(fitting.swap_remove(0));
    }
    let mut fitting: Vec<Candidate> = fitting.iter().map(T::to_candidate).collect();
    fitting.sort_by(|left, right| left.id.cmp(&right.id));
    fitting.dedup_by(|left, right| left.id == right.id);
    Err(Unresolved::Several { kind, text: text.to_owned(), fitting })
}

/// How a text can mean somebody, the surest way first.
const WAYS: [fn(&dyn Called, &str) -> bool; 4] = [has_id, has_address, has_name, has_part_of_id];

/// Without `user:` or `team:`, which stand before the id of a custodian.
fn bare(id: &str) -> &str {
    id.strip_prefix("user:").or_else(|| id.strip_prefix("team:")).unwrap_or(id)
}

/// Is a text this one in lower case?
fn is_same(text: &str, lower: &str) -> bool {
    if text.is_ascii() { text.eq_ignore_ascii_case(lower) } else { text.to_lowercase() == lower }
}

fn has_id(one: &dyn Called, wanted: &str) -> bool {
    is_same(one.id(), wanted) || is_same(bare(one.id()), wanted)
}

fn has_address(one: &dyn Called, wanted: &str) -> bool {
    one.is_any_address(&mut |address| is_same(address, wanted))
}

fn has_name(one: &dyn Called, wanted: &str) -> bool {
    one.is_any_name(&mut |name| is_same(name, wanted))
}

fn has_part_of_id(one: &dyn Called, wanted: &str) -> bool {
    if bare(wanted).chars().count() < PREFIX_CHARS {
        return false;
    }
    let (head, tail) = wanted.split_once('…').unwrap_or((wanted, ""));
    let fits = |id: &str| {
        id.len() >= head.len() + tail.len() && id.starts_with(head) && id.ends_with(tail)
    };
    let id = one.id().to_lowercase();
    fits(&id) || fits(bare(&id))
}

/// Those with a word that begins so, or that are nearly called so; the nearest first.
fn similar<T: Called>(wanted: &str, candidates: impl IntoIterator<Item = T>) -> Vec<Candidate> {
    if wanted.is_empty() {
        return Vec::new();
    }
    let nearest = |one: T| {
        let mut nearest = nearness(bare(one.id()), wanted);
        let mut look = |word: &str| {
            nearest = nearest.max(nearness(word, wanted));
            false
        };
        let _none = one.is_any_name(&mut look) || one.is_any_address(&mut look);
        (nearest, one)
    };
    let near = candidates.into_iter().map(nearest).filter(|(nearness, _)| *nearness >= NEAR);
    let mut near: Vec<(f64, T)> = near.collect();
    near.sort_by(|left, right| {
        right.0.total_cmp(&left.0).then_with(|| left.1.id().cmp(right.1.id()))
    });
    near.dedup_by(|left, right| left.1.id() == right.1.id());
    near.iter().take(TOLD).map(|(_, one)| one.to_candidate()).collect()
}

fn nearness(own: &str, wanted: &str) -> f64 {
    let own = own.to_lowercase();
    let begins = own.split(|c: char| !c.is_alphanumeric()).any(|word| word.starts_with(wanted));
    if begins { 1.0 } else { strsim::jaro_winkler(&own, wanted) }
}

impl fmt::Display for Candidate {
    /// `Ann Lee <ann@contoso.com> (user:1f…)`, as far as it is known.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.names.first(), self.addresses.first()) {
            (Some(name), Some(address)) => write!(f, "{name} <{address}> ({})", self.id),
            (Some(word), None) | (None, Some(word)) => write!(f, "{word} ({})", self.id),
            (None, None) => f.write_str(&self.id),
        }
    }
}

struct Similar<'a>(&'a [Candidate]);

impl fmt::Display for Similar<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, "; did you mean {}?", Listed(self.0)) }
    }
}

struct Listed<'a>(&'a [Candidate]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, one) in self.0.iter().take(TOLD).enumerate() {
            write!(f, "{}{one}", if at == 0 { "" } else { ", " })?;
        }
        let more = self.0.len().saturating_sub(TOLD);
        if more == 0 { Ok(()) } else { write!(f, " and {more} more") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(id: &str, address: &str, name: &str) -> Candidate {
        let list = |text: &str| Vec::from_iter((!text.is_empty()).then(|| text.to_owned()));
        Candidate { id: id.to_owned(), addresses: list(address), names: list(name) }
    }

    fn known() -> Vec<Candidate> {
        vec![
            candidate("user:1fab0000-11", "Ann@contoso.com", "Ann Lee"),
            candidate("user:1fab0000-22", "ben@contoso.com", "Ben Okri"),
            candidate("team:3dcc0000-33", "", "Sales"),
            candidate("team:4c000000-44", "", "Ben Okri"),
            candidate("user:5ebb0000-55", "", "3dcc0000-33"),
        ]
    }

    fn told(text: &str) -> String {
        match resolve("custodian", text, &known()) {
            Ok(one) => one.id.clone(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn an_id_an_address_a_name_or_the_start_of_an_id_means_one() {
        for (text, id) in [
            ("user:1fab0000-11", "user:1fab0000-11"),
            ("1FAB0000-11", "user:1fab0000-11"),
            ("3dcc0000-33", "team:3dcc0000-33"),
            ("ANN@contoso.com", "user:1fab0000-11"),
            (" sales ", "team:3dcc0000-33"),
            ("3dcc", "team:3dcc0000-33"),
            ("team:4c00", "team:4c000000-44"),
            ("1fab…-22", "user:1fab0000-22"),
            ("user:1f…11", "user:1fab0000-11"),
        ] {
            assert_eq!(told(text), id, "{text}");
        }
    }

    #[test]
    fn what_means_several_lists_them() {
        assert_eq!(
            told("ben okri"),
            "\"ben okri\" can be more than one custodian: Ben Okri (team:4c000000-44), \
             Ben Okri <ben@contoso.com> (user:1fab0000-22)"
        );
        assert!(told("1fab0000").starts_with("\"1fab0000\" can be more than one"));
        let many: Vec<Candidate> =
            (0..9).map(|number| candidate(&number.to_string(), "", "Ann")).collect();
        let error = resolve("sender", "ann", &many).unwrap_err().to_string();
        assert!(error.ends_with("Ann (4) and 4 more"), "{error}");
    }

    #[test]
    fn what_means_nobody_tells_who_is_called_nearly_so() {
        assert_eq!(
            told("Anne Lee"),
            "no custodian is called \"Anne Lee\"; did you mean Ann Lee <Ann@contoso.com> \
             (user:1fab0000-11)?"
        );
        assert!(told("okri").contains("Ben Okri <ben@contoso.com> (user:1fab0000-22)"));
        for text in ["zzz", "", "3dc", "user:3dcc0000-33", "team:1f"] {
            assert!(told(text).starts_with("no custodian is called"), "{text}: {}", told(text));
        }
        assert_eq!(told("zzz"), "no custodian is called \"zzz\"");
    }
}
