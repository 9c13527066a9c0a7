//! The front end that turns a store of ordered maps into a contestant: the same for all of them.

mod import;
mod keys;
mod known;
mod pack;
mod session;

use std::marker::PhantomData;
use std::path::Path;

use crate::peer::{Mode, Peer, Place, Result, Session, Tables};

/// A contestant made of a store of ordered maps.
#[derive(Debug)]
pub struct Front<T>(PhantomData<fn() -> T>);

impl<T> Front<T> {
    /// It keeps nothing.
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T: Tables + 'static> Peer for Front<T> {
    fn name(&self) -> &'static str {
        T::NAME
    }

    fn settings(&self) -> &'static str {
        T::SETTINGS
    }

    fn reads_by_calls(&self) -> bool {
        T::READS_BY_CALLS
    }

    fn import(&self, place: &Place, pages: &Path, abort_after: Option<u64>) -> Result<()> {
        std::fs::create_dir_all(&place.folder)?;
        let dictionary = std::fs::read(&place.dictionary)?;
        import::import(T::create(&place.folder)?, &dictionary, pages, abort_after)
    }

    fn open(&self, place: &Place, mode: Mode) -> Result<Box<dyn Session>> {
        let dictionary = std::fs::read(&place.dictionary)?;
        let tables = T::open(&place.folder, mode)?;
        Ok(Box::new(session::Open::new(tables, dictionary)?))
    }

    fn compact(&self, place: &Place) -> Result<()> {
        T::compact(&place.folder)
    }
}
