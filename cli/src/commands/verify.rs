//! `verify`: proves that an archive is whole, or names what is damaged.

use std::path::PathBuf;

use chatvault_engine::{Damage, Depth, VerifyReport};
use clap::Args;
use serde::Serialize;

use crate::console::Console;
use crate::failure::Outcome;
use crate::progress::Progress;
use crate::report::Copies;
use crate::text;

const EXAMPLES: &str = "\
Examples:
  chatvault verify team.cvault            every file: name, checksums, chain, counts
  chatvault verify team.cvault --deep     also every message: given back, its address recomputed

With --deep it also proves that every delivered copy is accounted for, custodian by custodian.

Exit code 0: sound. 1: damaged (each damage on a line), or stopped by Ctrl-C before the end. \
Files that are none of the archive's are listed; they are no damage and are never read.

JSON fields: sound, finished, deep, files, bytes, rows, custodians, copies, stored, variants, \
duplicates, quarantined, damages (list of file, offset, message, conversations), strangers.";

/// Check that an archive is whole, and name what is damaged
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The archive's folder
    archive: PathBuf,
    /// Also render every row and recompute every content address (reads everything, takes longer)
    #[arg(long)]
    deep: bool,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

/// The documented fields.
#[derive(Serialize)]
struct Report<'a> {
    sound: bool,
    finished: bool,
    deep: bool,
    files: u64,
    bytes: u64,
    rows: u64,
    custodians: u64,
    #[serde(flatten)]
    counts: Copies,
    damages: Vec<Finding<'a>>,
    strangers: &'a [String],
}

#[derive(Serialize)]
struct Finding<'a> {
    file: &'a str,
    offset: Option<u64>,
    message: &'a str,
    conversations: &'a [String],
}

impl<'a> From<&'a Damage> for Finding<'a> {
    fn from(damage: &'a Damage) -> Self {
        let Damage { file, offset, message, conversations } = damage;
        Self { file, offset: *offset, message, conversations }
    }
}

pub(crate) fn run(arguments: &Arguments, console: &mut Console<'_>) -> anyhow::Result<Outcome> {
    let archive = super::open_to_read(&arguments.archive)?;
    let depth = if arguments.deep { Depth::Deep } else { Depth::Structure };
    let report = check(&archive, depth, console)?;
    if arguments.json {
        console.json(&as_json(&report, arguments.deep))?;
    } else {
        print(&report, console)?;
    }
    let is_sound = report.finished && report.damages.is_empty();
    Ok(if is_sound { Outcome::Done } else { Outcome::Failed })
}

/// Verifies with a bar, until the end or Ctrl-C.
pub(super) fn check(
    archive: &chatvault_engine::Archive,
    depth: Depth,
    console: &Console<'_>,
) -> anyhow::Result<VerifyReport> {
    let progress = Progress::start(console, "verifying", "rows");
    console.stop.heed();
    let mut seen = |done, total| {
        progress.set(done, Some(total));
        !console.stop.asked()
    };
    Ok(archive.verify(depth, &mut seen)?)
}

fn as_json(report: &VerifyReport, deep: bool) -> Report<'_> {
    Report {
        sound: report.finished && report.damages.is_empty(),
        finished: report.finished,
        deep,
        files: report.files,
        bytes: report.bytes,
        rows: report.rows,
        custodians: report.custodians,
        counts: report.counts.into(),
        damages: report.damages.iter().map(Finding::from).collect(),
        strangers: &report.strangers,
    }
}

/// The result for people.
pub(super) fn print(report: &VerifyReport, console: &mut Console<'_>) -> anyhow::Result<()> {
    for damage in &report.damages {
        console.line(damage_line(damage))?;
    }
    for stranger in &report.strangers {
        console.line(format!("not part of the archive, never read: {stranger}"))?;
    }
    let checked = format!(
        "{} with {}, {}",
        text::plural(report.files, "file"),
        text::plural(report.rows, "row"),
        text::size(report.bytes)
    );
    if !report.finished {
        console.line(format!("stopped before the end; checked so far: {checked}"))?;
        console.remark("not finished: start it again to check the rest")?;
    } else if report.damages.is_empty() {
        console.line(format!("sound: {checked}"))?;
    } else {
        let count = u64::try_from(report.damages.len())?;
        console.line(format!("damaged: {} found in {checked}", text::plural(count, "damage")))?;
        console.remark("keep the damaged files, and restore them from a copy of the archive")?;
    }
    Ok(())
}

/// `damage: file, offset: what; conversations: …`
fn damage_line(damage: &Damage) -> String {
    let mut line = format!("damage: {}: ", damage.file);
    if let Some(offset) = damage.offset {
        line = format!("{line}offset {offset}: ");
    }
    line += &damage.message;
    if !damage.conversations.is_empty() {
        line = format!("{line}; conversations: {}", damage.conversations.join(", "));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damage_names_file_offset_and_conversations() {
        let mut damage = Damage {
            file: "segments/000017.seg".to_owned(),
            offset: Some(4096),
            message: "checksum is 1, should be 2".to_owned(),
            conversations: vec!["19:a".to_owned(), "19:b".to_owned()],
        };
        assert_eq!(
            damage_line(&damage),
            "damage: segments/000017.seg: offset 4096: checksum is 1, should be 2; \
             conversations: 19:a, 19:b"
        );
        (damage.offset, damage.conversations) = (None, Vec::new());
        assert_eq!(damage_line(&damage), "damage: segments/000017.seg: checksum is 1, should be 2");
    }

    #[test]
    fn an_unfinished_check_is_not_called_sound() {
        let report = VerifyReport { finished: false, ..VerifyReport::default() };
        assert!(!as_json(&report, false).sound);
    }
}
