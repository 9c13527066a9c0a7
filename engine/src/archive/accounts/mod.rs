//! Accounts: what an archive knows beside its rows, in commits, in ledgers and in quarantine files.
//!
//! Nothing in here takes a lock of the archive: a state is immutable, and who changes it holds `writer`.

pub(super) mod book;
pub(super) mod known;
pub(super) mod late;
pub(super) mod ledger;
pub(super) mod outcasts;
pub(super) mod quarantine;
pub(super) mod ranges;
pub(super) mod sightings;
pub(super) mod stat;
