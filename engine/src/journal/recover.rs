//! Reads the journal back: what was acknowledged, all of it, or an error that says what is lost.
//!
//! A file is read up to the frame that the next file goes on behind. What follows there was never
//! acknowledged: a crash left it, and the writer that opened the archive afterwards went on in the
//! next file. The last file is read to its first bad frame. That is a torn tail, unless a frame
//! behind it says that more had been acknowledged by then.

use std::collections::VecDeque;

use super::frames::{Chain, FrameHeader, Recorded};
use super::walk::{Step, Walk};
use super::{MAX_IN_FLIGHT, numbers};
use crate::error::{Error, Result};
use crate::format::names::{self, JOURNAL, LOCK, journal};
use crate::manifest::{self, Manifest};
use crate::storage::Storage;
use crate::types::Sequence;

/// Bytes behind the last whole frame of the journal, which opening an archive leaves out: they
/// were never acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DroppedTail {
    /// The journal file inside the archive.
    pub file: String,
    /// Where in it they begin.
    pub offset: u64,
    /// How many they are, without the zeros that are written ahead.
    pub bytes: u64,
}

/// Whole commits that nothing shows to be durable yet, so that a reader leaves them out: a writer
/// is at work, or the storage cannot make them durable for a reader.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unproven {
    /// The journal file inside the archive.
    pub file: String,
    /// How many commits.
    pub commits: u64,
    /// Bytes of their frames.
    pub bytes: u64,
}

/// What a journal was found to hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Recovery {
    /// The last commit that was visited, or what the sealed files hold if that is later.
    pub(crate) last: Sequence,
    /// The chain value behind the last commit read.
    pub(crate) chain: Chain,
    /// The highest sequence that is known to have been durable when the journal was written.
    pub(crate) acknowledged: Sequence,
    /// Commits behind it that were read whole. A live reader has not visited them.
    pub(crate) unproven: Option<Unproven>,
    /// Numbers up to this one may have been given to commits.
    pub(crate) base: Sequence,
    /// The archive was closed in order: nothing was in flight.
    pub(crate) closed: bool,
    /// The highest number of a journal file.
    pub(crate) highest: u64,
    /// What the last file's torn tail is, if it has one.
    pub(crate) torn: Option<DroppedTail>,
    /// Bytes of all files read.
    pub(crate) bytes: u64,
}

impl Recovery {
    /// What the numbers of new commits go on behind. Unless the archive was closed in order,
    /// so many more may have been given to commits that are lost, and somebody may have seen them.
    pub(super) fn next_base(&self) -> Sequence {
        let lost = if self.closed || planted!("reuse a sequence") { 0 } else { MAX_IN_FLIGHT };
        Sequence(self.base.max(self.last).0.saturating_add(lost))
    }
}

/// Which commits somebody wants, and what the manifest knows of the journal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    pub(crate) archive: [u8; 16],
    /// The first journal file that the manifest needs.
    pub(crate) from: u64,
    /// The newest journal file that the manifest names.
    pub(crate) to: u64,
    /// Sealed files hold everything up to here: commits behind it are wanted.
    pub(crate) after: Sequence,
    /// The manifest itself, and the hash of the one before.
    pub(crate) manifest: Recorded,
    pub(crate) previous: [u8; 32],
    /// A writer may be adding to the last file: only what is durable is wanted.
    pub(crate) live: bool,
}

impl Wanted {
    /// What is behind a manifest, whose hash is given.
    pub(crate) fn behind(manifest: &Manifest, hash: [u8; 32], live: bool) -> Self {
        Self {
            archive: manifest.archive,
            from: manifest.journal_from,
            to: manifest.journal_to,
            after: manifest.sequence,
            manifest: Recorded { number: manifest.number, hash },
            previous: manifest.previous,
            live,
        }
    }
}

/// What is done with a commit, given the chain value behind it; an error ends the reading.
pub(crate) type Visit<'a> = dyn FnMut(Sequence, Chain, &[u8]) -> Result<()> + 'a;

/// Visits every commit wanted, in order; the first file must exist.
///
/// With `live` the reader stands beside a running writer: an incomplete frame is the end, and
/// commits are visited once a later frame shows that they are durable. If nobody writes, the
/// reader makes the rest durable itself. The writer may remove files while they are read, so
/// after an error a live reader loads the newest manifest and tries again if there is a newer one.
pub(crate) fn recover(
    storage: &dyn Storage,
    wanted: Wanted,
    visit: &mut Visit<'_>,
) -> Result<Recovery> {
    let mut left = needed(storage, &wanted)?.into_iter();
    let mut walk = Walk::open(storage, wanted.archive, wanted.from)?;
    check_start(&walk, wanted.after)?;
    let (mut bytes, mut base) = (walk.bytes(), walk.header.base);
    let mut reading = Reading { wanted, visit, pending: VecDeque::new() };
    let closed = loop {
        let Some(number) = left.next() else {
            match reading.read_last(&mut walk)? {
                Step::GoesOn => left = following(storage, &walk)?.into_iter(),
                end => break matches!(end, Step::Closed),
            }
            continue;
        };
        let next = Walk::open(storage, wanted.archive, number)?;
        reading.until(&mut walk, &next)?;
        check_start(&next, wanted.after.max(walk.last))?;
        bytes += next.bytes();
        base = base.max(next.header.base);
        walk = next;
    };
    if walk.last < wanted.after {
        return Err(lost(&walk, wanted.after, &names::manifest(wanted.manifest.number)));
    }
    check_manifest(storage, &wanted, walk.recorded)?;
    let torn = Some(walk.bytes_left()?).filter(|bytes| *bytes > 0);
    let torn =
        torn.map(|bytes| DroppedTail { file: walk.path.clone(), offset: walk.offset, bytes });
    reading.finish(
        storage,
        &walk,
        Recovery {
            last: walk.last.max(wanted.after),
            chain: walk.chain,
            acknowledged: walk.acknowledged.max(wanted.after),
            unproven: None,
            base,
            closed,
            highest: walk.header.number,
            torn,
            bytes,
        },
    )
}

/// The numbers of the files behind the first; both that the manifest names must be there.
fn needed(storage: &dyn Storage, wanted: &Wanted) -> Result<Vec<u64>> {
    let mut numbers = numbers(storage)?;
    if let Some(gone) = [wanted.from, wanted.to].into_iter().find(|one| !numbers.contains(one)) {
        // Perhaps it is the newest manifest that is missing, and this one is out of date.
        if let Some(newest) = numbers.last() {
            let recorded = recorded_in(storage, wanted.archive, *newest)?;
            if recorded.number > wanted.manifest.number {
                check_manifest(storage, wanted, recorded)?;
            }
        }
        let message =
            format!("journal file is missing, manifest {} names it", wanted.manifest.number);
        return Err(Error::corrupt(message).in_file(journal(gone)));
    }
    numbers.retain(|number| *number > wanted.from);
    Ok(numbers)
}

/// The newest manifest that a journal file records.
fn recorded_in(storage: &dyn Storage, archive: [u8; 16], number: u64) -> Result<Recorded> {
    let mut walk = Walk::open(storage, archive, number)?;
    while matches!(walk.step()?, Step::Commit(_) | Step::Aside) {}
    Ok(walk.recorded)
}

/// The number of the newest manifest that the newest journal file records, if that can be read.
pub(crate) fn newest_recorded(storage: &dyn Storage, archive: [u8; 16]) -> Option<u64> {
    let newest = *numbers(storage).ok()?.last()?;
    recorded_in(storage, archive, newest).ok().map(|recorded| recorded.number)
}

/// The files behind one that says that the journal goes on.
fn following(storage: &dyn Storage, walk: &Walk) -> Result<Vec<u64>> {
    let next = walk.header.number + 1;
    let mut numbers = numbers(storage)?;
    numbers.retain(|number| *number >= next);
    if numbers.first() == Some(&next) {
        return Ok(numbers);
    }
    let message = format!("journal file is missing, {} goes on in it", walk.path);
    Err(Error::corrupt(message).in_file(journal(next)))
}

/// Does the journal know the manifest as the newest? Its record is synced before anything is
/// removed because of a manifest, so the very next one may be without.
fn check_manifest(storage: &dyn Storage, wanted: &Wanted, recorded: Recorded) -> Result<()> {
    let newest = wanted.manifest;
    let path = names::manifest(newest.number);
    if newest.number < recorded.number && !planted!("believe any manifest") {
        let there = manifest::numbers(storage)?.last().copied();
        if there >= Some(recorded.number) {
            // A writer has published since: what this manifest names is what is being read.
            return Ok(());
        }
        let message = format!("manifest is missing, the journal records it: the newest is {path}");
        return Err(Error::corrupt(message).in_file(names::manifest(recorded.number)));
    }
    let same = newest == recorded;
    let next = recorded.number.checked_add(1) == Some(newest.number);
    if same || planted!("believe any manifest") || (next && wanted.previous == recorded.hash) {
        return Ok(());
    }
    let message = format!(
        "does not belong to this journal, which records manifest {} as the newest: files of two \
         times or archives are mixed, as in a copy that was taken while somebody wrote",
        recorded.number
    );
    Err(Error::corrupt(message).in_file(path))
}

/// A file goes on behind a sequence: everything up to there must be here already.
fn check_start(walk: &Walk, held: Sequence) -> Result<()> {
    if walk.header.last <= held {
        return Ok(());
    }
    let message = format!(
        "lost acknowledged data: journal goes on behind commit {}, the archive holds up to {}",
        walk.header.last.0, held.0
    );
    Err(walk.corrupt(message))
}

/// A file ends before the place where the one after it goes on.
fn lost_between(walk: &Walk, next: &Walk) -> Error {
    let follower = walk.header.number + 1;
    if follower != next.header.number {
        let message = "lost acknowledged data: journal file is missing";
        return Error::corrupt(message).in_file(journal(follower));
    }
    walk.corrupt(format!(
        "lost acknowledged data: ends behind commit {}, file {follower} goes on behind commit {}",
        walk.last.0, next.header.last.0
    ))
}

/// A file ends before a commit that something says was acknowledged.
fn lost(walk: &Walk, acknowledged: Sequence, who: &str) -> Error {
    walk.corrupt(format!(
        "lost acknowledged data: damaged behind commit {}, {who} says that all up to {} is durable",
        walk.last.0, acknowledged.0
    ))
}

/// Commits on their way to the visitor.
struct Reading<'v, 'f> {
    wanted: Wanted,
    visit: &'v mut Visit<'f>,
    /// Commits of the present file that nothing shows to be durable.
    pending: VecDeque<Pending>,
}

struct Pending {
    sequence: Sequence,
    chain: Chain,
    offset: u64,
    bytes: u64,
    /// Where a live reader keeps it; others have visited it already.
    payload: Option<Vec<u8>>,
}

impl Reading<'_, '_> {
    /// Reads a file up to where the next one goes on, which says that all of it is durable.
    fn until(&mut self, walk: &mut Walk, next: &Walk) -> Result<()> {
        while walk.chain != next.header.chain {
            let step = walk.step()?;
            if !matches!(step, Step::Commit(_) | Step::Aside) {
                return Err(lost_between(walk, next));
            }
            self.take(walk, &step)?;
        }
        if walk.last > next.header.last {
            return Err(lost_between(walk, next));
        }
        self.show(&walk.path, next.header.last)
    }

    /// Reads the last file; gives what it ends with.
    fn read_last(&mut self, walk: &mut Walk) -> Result<Step> {
        loop {
            let mut step = walk.step()?;
            if matches!(step, Step::Bad)
                && !planted!("take damage for the end")
                && let Some((offset, proof)) = walk.proof_later()?
            {
                // By now all of it is written, if it was being written before.
                step = walk.step_again()?;
                if matches!(step, Step::Bad) {
                    return Err(lost(walk, proof.acknowledged, &format!("offset {offset}")));
                }
            }
            self.take(walk, &step)?;
            match step {
                Step::Commit(_) | Step::Aside => {}
                Step::Bad => return Ok(step),
                Step::Closed | Step::GoesOn if walk.bytes_left()? == 0 => return Ok(step),
                Step::Closed | Step::GoesOn => {
                    return Err(walk.corrupt("bytes behind the closing frame"));
                }
            }
        }
    }

    /// Takes the frame that was just read, and shows what it proves.
    fn take(&mut self, walk: &mut Walk, step: &Step) -> Result<()> {
        if let Step::Commit(header) = step
            && header.sequence > self.wanted.after
        {
            self.take_commit(walk, header)?;
        }
        let seen = planted!("show unsynced commits");
        self.show(&walk.path, if seen { walk.last } else { walk.acknowledged })
    }

    fn take_commit(&mut self, walk: &mut Walk, header: &FrameHeader) -> Result<()> {
        let (sequence, bytes) = (header.sequence, header.frame_bytes() as u64);
        let (offset, chain) = (walk.offset - bytes, walk.chain);
        let payload = walk.payload(header)?;
        let payload = if self.wanted.live {
            Some(payload.to_vec())
        } else {
            let visited = (self.visit)(sequence, chain, payload);
            visited.map_err(|error| error.in_file(&walk.path).at(offset))?;
            None
        };
        self.pending.push_back(Pending { sequence, chain, offset, bytes, payload });
        Ok(())
    }

    /// Visits what is durable: everything up to a sequence.
    fn show(&mut self, path: &str, durable: Sequence) -> Result<()> {
        while let Some(pending) = self.pending.pop_front_if(|next| next.sequence <= durable) {
            if let Some(payload) = pending.payload {
                let visited = (self.visit)(pending.sequence, pending.chain, &payload);
                visited.map_err(|error| error.in_file(path).at(pending.offset))?;
            }
        }
        Ok(())
    }

    /// Decides about what nothing proves, and whether what is torn is being written.
    fn finish(mut self, storage: &dyn Storage, walk: &Walk, found: Recovery) -> Result<Recovery> {
        let settled = found.torn.is_none() && self.pending.is_empty();
        let beside_a_writer =
            self.wanted.live && !settled && storage.is_locked(LOCK).unwrap_or(true);
        let torn = found.torn.clone().filter(|_| !beside_a_writer);
        let mut found = Recovery { torn, ..found };
        let shown = self.wanted.live && !beside_a_writer && !self.pending.is_empty();
        if shown && sync(storage, &walk.path).is_ok() {
            self.show(&walk.path, walk.last)?;
        }
        if !self.pending.is_empty() {
            found.unproven = Some(Unproven {
                file: walk.path.clone(),
                commits: self.pending.len() as u64,
                bytes: self.pending.iter().map(|pending| pending.bytes).sum(),
            });
            if self.wanted.live {
                found.last = found.acknowledged;
            }
        }
        Ok(found)
    }
}

/// Makes a file and its name durable, for a reader.
fn sync(storage: &dyn Storage, path: &str) -> std::io::Result<()> {
    storage.sync_file(path)?;
    storage.sync_folder(JOURNAL)
}
