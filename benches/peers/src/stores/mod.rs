//! The contestants, one file for each store.

mod chatvault;
mod fjall;
mod lmdb;
mod redb;
mod sqlite;

use crate::front::Front;
use crate::peer::Peer;

/// All of them, chatvault first: the others are compared to it.
pub const PEERS: [&dyn Peer; 5] = [
    &chatvault::Chatvault,
    &Front::<sqlite::Sqlite>::new(),
    &Front::<lmdb::Lmdb>::new(),
    &Front::<redb::Redb>::new(),
    &Front::<fjall::Fjall>::new(),
];

/// The one of a name.
pub fn named(name: &str) -> Option<&'static dyn Peer> {
    PEERS.into_iter().find(|peer| peer.name() == name)
}
