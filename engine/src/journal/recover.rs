//! Reads the journal back: what was acknowledged, all of it, or an error that says what is lost.
//!
//! A file is read up to the frame that the next file goes on behind. What follows there was never
//! acknowledged: a crash left it, and the writer that opened the archive afterwards went on in the
//! next file. The last file is read to its first bad frame. That is a torn tail, unless a frame
//! behind it says that more had been acknowledged by then.

use super::frames::Chain;
use super::numbers;
use super::walk::{Step, Walk};
use crate::error::{Error, Result};
use crate::format::names::journal;
use crate::storage::Storage;
use crate::types::Sequence;

/// What a journal was found to hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Recovery {
    /// The last commit that was read, or what the sealed files hold if that is later.
    pub(crate) last: Sequence,
    /// The chain value behind the last commit read.
    pub(crate) chain: Chain,
    /// The highest sequence that the journal shows to have been durable when it was written.
    pub(crate) acknowledged: Sequence,
    /// Commits behind it were read whole, but nothing shows that they are durable.
    pub(crate) unproven: bool,
    /// The highest number of a journal file.
    pub(crate) highest: u64,
    /// Where the last file's torn tail begins, if it has one.
    pub(crate) torn: Option<u64>,
    /// Bytes of all files read.
    pub(crate) bytes: u64,
}

/// Which commits somebody wants.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    pub(crate) archive: [u8; 16],
    /// The first journal file that the manifest needs.
    pub(crate) from: u64,
    /// Sealed files hold everything up to here: commits behind it are wanted.
    pub(crate) after: Sequence,
    /// A writer may be adding to the last file.
    pub(crate) live: bool,
}

/// What is done with a commit, given the chain value behind it; an error ends the reading.
pub(crate) type Visit<'a> = dyn FnMut(Sequence, Chain, &[u8]) -> Result<()> + 'a;

/// Visits every commit wanted, in order; the first file must exist.
///
/// With `live` the reader stands beside a running writer: an incomplete frame is the end, and the
/// last commits may be in the system's hands only, as they are for that writer. The writer may
/// remove files while they are read, so after an error a live reader loads the newest manifest
/// and tries again if there is a newer one.
pub(crate) fn recover(
    storage: &dyn Storage,
    wanted: Wanted,
    visit: &mut Visit<'_>,
) -> Result<Recovery> {
    let Wanted { archive, from, after, .. } = wanted;
    let numbers = numbers(storage)?;
    let mut needed = numbers.iter().copied().filter(|number| *number >= from);
    if needed.next() != Some(from) {
        return Err(Error::corrupt("journal file is missing").in_file(journal(from)));
    }
    let mut walk = Walk::open(storage, archive, from)?;
    let mut bytes = walk.bytes();
    check_start(&walk, after)?;
    for number in needed {
        let next = Walk::open(storage, archive, number)?;
        read_until(&mut walk, &next, wanted, visit)?;
        check_start(&next, after.max(walk.last))?;
        bytes += next.bytes();
        walk = next;
    }
    let torn = read_to_end(&mut walk, wanted, visit)?;
    Ok(Recovery {
        last: walk.last.max(after),
        chain: walk.chain,
        acknowledged: walk.acknowledged,
        unproven: walk.acknowledged < walk.last,
        highest: numbers.last().copied().unwrap_or(from),
        torn,
        bytes,
    })
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

/// Reads a file up to where the next one goes on.
fn read_until(walk: &mut Walk, next: &Walk, wanted: Wanted, visit: &mut Visit<'_>) -> Result<()> {
    while walk.chain != next.header.chain {
        if !visit_next(walk, wanted, visit)? {
            return Err(lost_between(walk, next));
        }
    }
    if walk.last > next.header.last { Err(lost_between(walk, next)) } else { Ok(()) }
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

/// Reads the last file; gives where its torn tail begins.
fn read_to_end(walk: &mut Walk, wanted: Wanted, visit: &mut Visit<'_>) -> Result<Option<u64>> {
    loop {
        match next_wanted(walk, wanted, visit)? {
            Step::Commit(_) => {}
            Step::End if walk.only_zeros_follow()? => return Ok(None),
            Step::End => return Err(walk.corrupt("bytes behind the closing frame")),
            Step::Bad if wanted.live => return Ok(None),
            Step::Bad => return judge_tail(walk),
        }
    }
}

fn visit_next(walk: &mut Walk, wanted: Wanted, visit: &mut Visit<'_>) -> Result<bool> {
    Ok(matches!(next_wanted(walk, wanted, visit)?, Step::Commit(_)))
}

fn next_wanted(walk: &mut Walk, wanted: Wanted, visit: &mut Visit<'_>) -> Result<Step> {
    let step = walk.step()?;
    if let Step::Commit(header) = &step
        && header.sequence > wanted.after
    {
        let chain = walk.chain;
        visit(header.sequence, chain, walk.payload(header)?)?;
    }
    Ok(step)
}

/// A bad frame at the end of what is readable: never acknowledged, or lost?
fn judge_tail(walk: &mut Walk) -> Result<Option<u64>> {
    if let Some((offset, acknowledged)) = walk.acknowledged_later()? {
        let message = format!(
            "lost acknowledged data: damaged behind commit {}, offset {offset} says that {} was \
             acknowledged",
            walk.last.0, acknowledged.0
        );
        return Err(walk.corrupt(message));
    }
    Ok(if walk.only_zeros_follow()? { None } else { Some(walk.offset) })
}
