//! The whole export is made again, and each part compared with the one that is there.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use chatvault_engine::Storage;

use super::{CheckReport, Problem};
use crate::error::Result;
use crate::job::Progress;
use crate::manifest::{Index, PartRecord};
use crate::part::{Settings, Twin, Writer};
use crate::zip::read::Archive;

/// How far a check is.
#[derive(Clone, Copy, Debug)]
pub enum Step<'a> {
    /// A part is read, of this size.
    Reading(&'a str, u64),
    /// The export is made again.
    Rendering(&'a Progress),
}

/// Is told how far a check is; `Break` stops it.
pub type Watch<'w> = &'w mut dyn FnMut(Step<'_>) -> ControlFlow<()>;

/// An export that is made again.
pub(crate) struct Again<'a> {
    folder: &'a Arc<dyn Storage>,
    index: &'a Index,
    twin: Arc<Twin>,
    /// Parts of which the index says something else.
    others: Arc<Mutex<Vec<String>>>,
}

impl<'a> Again<'a> {
    /// `scratch` takes what has no place in a part yet; nothing stays there.
    pub(crate) fn new(
        (folder, scratch): (&'a Arc<dyn Storage>, &Arc<dyn Storage>),
        (export, index): (&str, &'a Index),
    ) -> Self {
        let twin = Arc::new(Twin::new(folder, scratch, (export, index)));
        Self { folder, index, twin, others: Arc::default() }
    }

    /// What takes the parts.
    pub(crate) fn writer(&self, settings: Settings) -> Result<Writer<'a>> {
        let others = Arc::clone(&self.others);
        let on_other = move |before: &PartRecord, _: &PartRecord| {
            others.lock().unwrap_or_else(PoisonError::into_inner).push(before.name.clone());
        };
        let twin: Arc<dyn Storage> = Arc::<Twin>::clone(&self.twin);
        Writer::again(twin, settings, self.index, Box::new(on_other))
    }

    /// Says what differs; `made` is the index of what was made.
    pub(crate) fn compare(&self, made: &Index, report: &mut CheckReport) {
        let differences = self.twin.differences();
        for (name, offset) in &differences {
            let member = self.member_at(name, *offset);
            report.add(Some(name), member.as_deref(), Problem::OtherBytes { offset: *offset });
        }
        let others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        for name in others.iter().filter(|name| !differences.contains_key(*name)) {
            report.add(Some(name), None, Problem::OtherRecord);
        }
        let (here, archive) = (self.index.parts.len() as u64, made.parts.len() as u64);
        if here != archive {
            report.add(None, None, Problem::OtherParts { here, archive });
        } else if report.is_good() && made != self.index {
            report.add(None, None, Problem::OtherRecord);
        }
    }

    /// The member at a place in a part, if the part can be opened.
    fn member_at(&self, part: &str, offset: u64) -> Option<String> {
        let archive = Archive::open(self.folder.open(part).ok()?).ok()?;
        let before = archive.entries.into_iter().filter(|entry| u64::from(entry.offset) <= offset);
        before.max_by_key(|entry| entry.offset).map(|entry| entry.name)
    }
}
