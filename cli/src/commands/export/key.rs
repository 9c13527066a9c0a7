//! Keys that sign and check exports, from files.

use std::io::Read;
use std::path::Path;

use anyhow::Context;
use chatvault_export::sign::{PublicKey, SigningKey};

/// More than any key in PEM has.
const MOST_KEY_BYTES: u64 = 64 << 10;

/// Reads a key that signs.
pub(super) fn signing(file: &Path) -> anyhow::Result<SigningKey> {
    Ok(SigningKey::from_pem(&text(file)?)?)
}

/// Reads a key that checks.
pub(super) fn public(file: &Path) -> anyhow::Result<PublicKey> {
    Ok(PublicKey::from_pem(&text(file)?)?)
}

#[expect(clippy::disallowed_methods, reason = "a file of the user's, in no archive")]
fn text(file: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    let _bytes = std::fs::File::open(file)
        .and_then(|file| file.take(MOST_KEY_BYTES).read_to_string(&mut text))
        .with_context(|| format!("cannot read the key in {}", file.display()))?;
    Ok(text)
}
