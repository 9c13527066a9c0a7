//! An export of a made-up tenant, for those who have no real one.

use std::path::Path;

use chatvault_support::generate::{Shape, Tenant};

use super::write_pages;
use crate::peer::Result;

const USERS: usize = 24;
const MESSAGES_PER_CONVERSATION: usize = 100;
/// How many in a hundred copies come in another dress: so it is seen at the service.
const REDRESSED_PERCENT: u64 = 4;
const SEED: u64 = 1;

/// Writes the page files of every user's export.
pub fn write(pages: &Path, messages: usize) -> Result<()> {
    let conversations = (messages / MESSAGES_PER_CONVERSATION).max(20);
    let redressed_percent = REDRESSED_PERCENT;
    let shape = Shape { users: USERS, conversations, messages, redressed_percent };
    let tenant = Tenant::new(SEED, &shape);
    for (user, custodian) in tenant.custodians().iter().enumerate() {
        let copies: Vec<Vec<u8>> = tenant.export(user).into_iter().map(|copy| copy.json).collect();
        let folder = custodian.as_str().trim_start_matches("user:");
        write_pages(&pages.join(folder), &copies)?;
    }
    Ok(())
}
