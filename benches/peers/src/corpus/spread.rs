//! An export in which every version comes once: of all of them, of a tenth, or ten times as many.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::shift::shift;
use super::survey::{Survey, Version};
use super::{Size, write_pages};
use crate::peer::Result;

/// How often B has each version of A, in another life each time.
pub const LIVES: u32 = 10;

/// Writes page files; of what is given `Size::A` is every version once.
pub fn write(survey: &Survey, size: Size, pages: &Path) -> Result<()> {
    let mut versions = survey.versions.clone();
    if size == Size::Tenth {
        versions.retain(|version| version.conversation.is_multiple_of(10));
    }
    versions.sort_by_key(|version| version.custodian);
    let lives = if size == Size::B { LIVES } else { 1 };
    for own in versions.chunk_by(|a, b| a.custodian == b.custodian) {
        let custodian = &survey.files[own[0].custodian as usize].0;
        let documents =
            own.iter().map(|version| read(survey, version)).collect::<Result<Vec<_>>>()?;
        for life in 0..lives {
            let name = String::from_utf8(shift(custodian.as_bytes(), life))?;
            let shifted: Vec<_> = documents.iter().map(|document| shift(document, life)).collect();
            write_pages(&pages.join(name), &shifted)?;
        }
    }
    Ok(())
}

fn read(survey: &Survey, version: &Version) -> Result<Vec<u8>> {
    let mut document = vec![0; version.length as usize];
    let file = File::open(&survey.files[version.file as usize].1)?;
    file.read_exact_at(&mut document, version.start.into())?;
    Ok(document)
}
