//! Up to which commit the archive's rows were looked through for contents: checkpoint
//! `graph/content`.
//!
//! One number per kind, because a kind can be switched off, or closed by a missing permission, and
//! then has to catch up by itself.

use chatvault_engine::{Archive, Batch, Sequence};
use serde::{Deserialize, Serialize};

use super::missing::{self, Record};
use super::references::Kind;
use crate::sync::SyncError;

const NAME: &str = "graph/content";

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Positions {
    hosted: u64,
    files: u64,
    meetings: u64,
}

impl Positions {
    pub(super) fn read(archive: &Archive) -> Result<Self, SyncError> {
        let value = archive.checkpoint(NAME)?.unwrap_or_default();
        // What cannot be read costs a look through everything, and nothing else.
        Ok(serde_json::from_slice(&value).unwrap_or_default())
    }

    pub(super) fn of(&self, kind: Kind) -> Sequence {
        Sequence(match kind {
            Kind::Hosted => self.hosted,
            Kind::Files => self.files,
            Kind::Meetings => self.meetings,
        })
    }

    pub(super) fn set(&mut self, kind: Kind, to: Sequence) {
        *match kind {
            Kind::Hosted => &mut self.hosted,
            Kind::Files => &mut self.files,
            Kind::Meetings => &mut self.meetings,
        } = to.0;
    }

    pub(super) fn put(&self, batch: &mut Batch) {
        // Three numbers always have a JSON form.
        batch.checkpoint(NAME, &serde_json::to_vec(self).unwrap_or_default());
    }
}

/// Looks through everything again, and tries again what was given up, from the next pass on.
pub(crate) fn forget(archive: &Archive, batch: &mut Batch, now_ms: i64) -> Result<(), SyncError> {
    batch.checkpoint(NAME, &[]);
    missing::visit(archive, &mut |name, record| {
        let again = Record { given_up: false, first_ms: now_ms, ..record };
        batch.checkpoint(&name, &again.to_bytes());
    })
}
