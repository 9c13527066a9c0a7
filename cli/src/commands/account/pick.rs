//! Which account people mean.

use chatvault_ingest::sync::Account;
use chatvault_query::resolve::{Candidate, Unresolved, resolve};

use crate::meant;

/// The account of a typed or bare id or its first characters, an address, or a name that only one has.
pub(in crate::commands) fn pick<'a>(
    accounts: &'a [Account],
    text: &str,
) -> Result<&'a Account, Unresolved> {
    let candidates: Vec<Candidate> = accounts.iter().map(meant::account).collect();
    let id = &resolve("account", text, &candidates)?.id;
    let found = accounts.iter().find(|account| account.custodian.as_str() == id);
    found.ok_or_else(|| Unresolved::Nobody {
        kind: "account",
        text: text.to_owned(),
        similar: Vec::new(),
    })
}
