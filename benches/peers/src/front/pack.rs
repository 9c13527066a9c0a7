//! Documents packed one by one: zstd, level 3, under the corpus's trained dictionary.

use zstd::bulk::{Compressor, Decompressor};
use zstd::dict::EncoderDictionary;
use zstd::zstd_safe::CParameter;

use crate::peer::Result;

/// The level that every peer packs with.
pub const LEVEL: i32 = 3;

/// Packs; one a thread.
pub struct Packer<'d>(Compressor<'d>);

impl<'d> Packer<'d> {
    /// Under a dictionary that was prepared once.
    pub fn new(dictionary: &'d EncoderDictionary<'d>) -> Result<Self> {
        let mut compressor = Compressor::with_prepared_dictionary(dictionary)?;
        // There is one dictionary, and four bytes of its number are two in a hundred.
        compressor.set_parameter(CParameter::DictIdFlag(false))?;
        Ok(Self(compressor))
    }

    /// The packed document.
    pub fn pack(&mut self, document: &[u8]) -> Result<Vec<u8>> {
        Ok(self.0.compress(document)?)
    }
}

/// Unpacks; one a thread.
pub struct Unpacker {
    decompressor: Decompressor<'static>,
    document: Vec<u8>,
}

impl Unpacker {
    /// Under the same dictionary.
    pub fn new(dictionary: &[u8]) -> Result<Self> {
        let decompressor = Decompressor::with_dictionary(dictionary)?;
        Ok(Self { decompressor, document: Vec::new() })
    }

    /// The exact bytes that were packed.
    pub fn unpack(&mut self, packed: &[u8]) -> Result<&[u8]> {
        let bytes =
            Decompressor::upper_bound(packed).ok_or("a packed document without a length")?;
        self.document.clear();
        self.document.reserve(bytes);
        let _ = self.decompressor.decompress_to_buffer(packed, &mut self.document)?;
        Ok(&self.document)
    }
}

/// The dictionary, ready to pack with.
pub fn prepared(dictionary: &[u8]) -> EncoderDictionary<'static> {
    EncoderDictionary::copy(dictionary, LEVEL)
}
