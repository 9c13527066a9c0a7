//! Is an organisation's private-chat backup on? A person decides that once, before any account.

use chatvault_engine::Archive;

use super::{SyncError, store};

/// Are private chats backed up into this archive? They are unless somebody switched it off.
///
/// `Archive` if the archive cannot be read.
pub fn private_chats(archive: &Archive) -> Result<bool, SyncError> {
    Ok(store::get(archive, store::PRIVATE_CHATS)?.unwrap_or(true))
}

/// Switches the backup of private chats on or off; durable on return.
///
/// While it is off no account can be activated and [`sync`](super::sync) refuses to run. What is in the
/// archive stays.
///
/// `Archive` if the archive takes no commits.
pub fn set_private_chats(archive: &Archive, on: bool) -> Result<(), SyncError> {
    let mut batch = archive.batch(archive.begin_run("private chats")?);
    store::put(&mut batch, store::PRIVATE_CHATS, &on)?;
    drop(batch.commit()?);
    Ok(())
}

/// An error that says what to do if it is off.
pub(super) fn need(archive: &Archive) -> Result<(), SyncError> {
    if private_chats(archive)? {
        return Ok(());
    }
    let line = "private-chat backup is off for this organisation: switch it on first, on the page of \
                `chatvault serve` under Organisations";
    Err(SyncError::Input(line.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chatvault_engine::{Custodian, Host, Memory, Options};

    use super::*;
    use crate::sync::{Which, activate};

    #[test]
    fn nobody_is_activated_before_private_chats_are_switched_on() {
        let host = Host::new(Arc::new(Memory::default()));
        let archive = Archive::create(host, Options::default()).unwrap();
        let ann = Which::These(vec![Custodian::user("ann")]);
        assert!(private_chats(&archive).unwrap(), "nobody said no");
        set_private_chats(&archive, false).unwrap();
        let refused = activate(&archive, &ann, true).unwrap_err().to_string();
        assert!(refused.contains("switch it on"), "{refused}");
        set_private_chats(&archive, true).unwrap();
        assert_eq!(activate(&archive, &ann, true).unwrap().len(), 1);
        set_private_chats(&archive, false).unwrap();
        assert_eq!(activate(&archive, &ann, false).unwrap().len(), 1, "an end is always possible");
    }
}
