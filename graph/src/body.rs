//! Bodies, bounded: how much of an answer is in memory, and how many big ones at once.
//!
//! Invariant: with `n` requests in flight at most `n` times [`LARGE`] and one largest answer are in
//! memory: whoever grows beyond [`LARGE`] first takes the one lock there is, and keeps it as long
//! as the body.

use std::sync::Arc;

use bytes::Bytes;
use reqwest::Response;
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::meter::Meter;

/// A page of 250 messages is far smaller, unless it is full of cards.
pub(crate) const LARGE: usize = 4 << 20;

/// A whole body, and the right to be large if it is.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) bytes: Bytes,
    pub(crate) right: Option<OwnedMutexGuard<()>>,
}

/// Why there is no body.
#[derive(Debug)]
pub(crate) enum Fault {
    Broken(reqwest::Error),
    /// It came to an end, but not to the end of its JSON.
    Cut,
    TooLarge,
}

/// Reads a whole JSON body of at most `most` bytes.
pub(crate) async fn whole(
    mut answer: Response,
    most: usize,
    large: &Arc<Mutex<()>>,
    meter: &Meter,
) -> Result<Body, Fault> {
    let expected = answer.content_length().unwrap_or(0);
    if expected > most as u64 {
        return Err(Fault::TooLarge);
    }
    let expected = usize::try_from(expected).unwrap_or(most).min(LARGE);
    let (mut bytes, mut right) = (Vec::with_capacity(expected), None);
    while let Some(part) = answer.chunk().await.map_err(Fault::Broken)? {
        meter.received(part.len());
        let length = bytes.len() + part.len();
        if length > most {
            return Err(Fault::TooLarge);
        }
        if length > LARGE && right.is_none() {
            right = Some(Arc::clone(large).lock_owned().await);
        }
        if length > bytes.capacity() {
            // Doubled, but never beyond what is allowed at all.
            let capacity = (bytes.capacity() * 2).clamp(length, most.max(length));
            bytes.reserve_exact(capacity - bytes.len());
        }
        bytes.extend_from_slice(&part);
    }
    if !is_closed(&bytes) {
        return Err(Fault::Cut);
    }
    Ok(Body { bytes: Bytes::from(bytes), right })
}

/// Does it begin and end as an object does? A `Content-Length` that is too small shows here; what
/// is wrong in between is for the parser to find.
fn is_closed(body: &[u8]) -> bool {
    let body = body.trim_ascii();
    body.first() == Some(&b'{') && body.last() == Some(&b'}')
}

/// The beginning of a body, for answers that say why not.
pub(crate) async fn beginning(mut answer: Response, most: usize) -> reqwest::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while bytes.len() < most {
        let Some(part) = answer.chunk().await? else { break };
        bytes.extend_from_slice(part.get(..most - bytes.len()).unwrap_or(&part));
    }
    Ok(bytes)
}
