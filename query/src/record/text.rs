//! The texts of transcripts, read from their files.

use std::io::Read;

use chatvault_engine::{ContentAddress, MessageKey, Snapshot};

use super::Text;
use crate::error::{Error, Result};

/// A longer file is not read as text: about a day of talk without a break.
pub const MOST_TEXT_BYTES: u64 = 8 << 20;

/// The link of a transcript's file.
const CONTENT: &str = "content";

/// Reads the texts of transcripts as a snapshot has them.
#[derive(Clone, Debug)]
pub struct Texts(Snapshot);

impl Texts {
    /// Of a snapshot.
    pub fn new(snapshot: &Snapshot) -> Self {
        Self(snapshot.clone())
    }

    /// The text of a transcript.
    ///
    /// `Archive` if the archive cannot be read.
    pub fn of(&self, key: &MessageKey) -> Result<Text> {
        self.read(self.file(key)?.as_ref())
    }

    /// Where the file of a transcript is, if the archive has it.
    pub(crate) fn file(&self, key: &MessageKey) -> Result<Option<ContentAddress>> {
        let links = self.0.links(key).map_err(Error::Archive)?;
        Ok(links.into_iter().find(|(name, _)| name == CONTENT).map(|(_, object)| object))
    }

    /// The text in a file.
    pub(crate) fn read(&self, file: Option<&ContentAddress>) -> Result<Text> {
        let Some(file) = file else { return Ok(Text::Missing) };
        match self.0.object_bytes(file).map_err(Error::Archive)? {
            None => return Ok(Text::Missing),
            Some(bytes) if bytes > MOST_TEXT_BYTES => return Ok(Text::TooLong(bytes)),
            Some(_) => {}
        }
        let Some(mut object) = self.0.object(file).map_err(Error::Archive)? else {
            return Ok(Text::Missing);
        };
        let mut bytes = Vec::new();
        let read = object.read_to_end(&mut bytes);
        let _length = read.map_err(|cause| Error::Object { object: file.to_string(), cause })?;
        Ok(Text::Here(String::from_utf8_lossy(&bytes).into()))
    }
}
