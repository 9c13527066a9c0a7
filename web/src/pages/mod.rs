//! One file per view: what it reads, and the template that shows it.

pub(crate) mod accounts;
pub(crate) mod archive;
pub(crate) mod chat;
pub(crate) mod chats;
pub(crate) mod connection;
pub(crate) mod downloads;
pub(crate) mod meetings;
pub(crate) mod message;
pub(crate) mod organisations;
pub(crate) mod quarantine;
pub(crate) mod runs;
pub(crate) mod search;
pub(crate) mod work;
