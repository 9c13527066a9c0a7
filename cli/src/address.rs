//! A content address as people type it: whole, or its first digits.

use std::str::FromStr;

use chatvault_engine::{ContentAddress, Scan, Snapshot, Versions};
use chatvault_query::Record;
use chatvault_query::resolve::{Candidate, Unresolved, resolve};

/// The fewest digits that stand for an address.
const LEAST_DIGITS: usize = 4;

/// What was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    Whole(ContentAddress),
    /// In lower case.
    Start(String),
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(whole) = text.parse() {
            return Ok(Self::Whole(whole));
        }
        let fits = (LEAST_DIGITS..64).contains(&text.len());
        if fits && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(Self::Start(text.to_ascii_lowercase()));
        }
        Err(format!("a content address has 64 hexadecimal digits; {LEAST_DIGITS} to begin with do"))
    }
}

/// The address that begins so. Nothing is sorted by addresses, so all of them are computed.
pub(crate) fn find(start: &str, snapshot: &Snapshot) -> anyhow::Result<Option<ContentAddress>> {
    let mut fitting = Vec::new();
    for name in Record::NAMES {
        let Ok(record) = name.parse::<Record>() else { continue };
        let versions = Versions::EveryVariant;
        let scan = Scan { record: record.into(), versions, ..Scan::default() };
        let mut rows = snapshot.scan(&scan)?;
        while let Some(row) = rows.next()? {
            let id = row.document()?.address().to_string();
            if id.starts_with(start) {
                let name = format!("{} in {}", row.id(), row.conversation());
                fitting.push(Candidate { id, names: vec![name], ..Candidate::default() });
            }
        }
    }
    match resolve("message", start, &fitting) {
        Ok(one) => Ok(one.id.parse().ok()),
        Err(Unresolved::Nobody { .. }) => Ok(None),
        Err(several) => Err(several.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_typed_whole_or_in_part() {
        let whole = "ab".repeat(32);
        assert!(matches!(whole.parse(), Ok(Address::Whole(_))));
        assert_eq!("ABcd1".parse(), Ok(Address::Start("abcd1".to_owned())));
        for wrong in ["", "abc", "abcx", "user:ada", &"a".repeat(65)] {
            assert!(wrong.parse::<Address>().is_err(), "{wrong}");
        }
    }
}
