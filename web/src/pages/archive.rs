//! `/a/{org}`: what the archive holds, whether it is sound, and what it takes on disk.

use std::path::Path;
use std::sync::Arc;

use askama::Template;
use axum::response::Response;
use chatvault_base::Progress;
use chatvault_engine::{
    Archive, Counts, Custodian, Depth, Host, Options, RecordKind, Scan, Snapshot, Stat,
    VerifyReport,
};
use chatvault_query::search::Index;

use crate::call::{Call, go, page};
use crate::failure::Result;
use crate::frame::Frame;
use crate::known::Known;
use crate::text::{When, count, plural, size};
use crate::work::{Ended, Kind, Seen, State, Work};

#[derive(Template)]
#[template(path = "archive.html")]
struct View {
    frame: Frame,
    link: String,
    /// What was counted, or why it could not be; `None` while it is being counted for the first time.
    numbers: Option<std::result::Result<Shown, String>>,
    troubles: Vec<(&'static str, When, String)>,
    index: String,
    verified: Option<(When, Seen)>,
    folder: String,
}

/// Numbers in words.
struct Shown {
    /// The commit that they are of, if there are later ones.
    as_of: Option<u64>,
    holds: Vec<(&'static str, String)>,
    space: Vec<(String, String)>,
    facts: Vec<(&'static str, String)>,
    quarantined: u64,
    copies: Vec<Copies>,
    more_copies: usize,
}

struct Copies {
    who: String,
    offered: String,
    stored: String,
    duplicates: String,
    quarantined: String,
}

/// Custodians that are listed; more are counted.
const LISTED: usize = 200;

/// What is counted over the whole archive.
#[derive(Debug)]
pub(crate) struct Numbers {
    stat: Stat,
    records: Vec<(&'static str, u64)>,
    /// Those with the most copies, and how many there are beside.
    custodians: Vec<(Custodian, Counts)>,
    more: usize,
}

impl Numbers {
    fn read(archive: &Archive, snapshot: &Snapshot) -> Result<Self> {
        let mut records = Vec::new();
        for (label, record) in [
            ("Copilot interactions", RecordKind::CopilotInteraction),
            ("Recordings", RecordKind::CallRecording),
            ("Transcripts", RecordKind::CallTranscript),
        ] {
            records.push((label, snapshot.count(&Scan { record, ..Scan::default() })?));
        }
        let mut custodians: Vec<_> = snapshot.custodians()?.into_iter().collect();
        custodians.sort_by_key(|(_, counts)| std::cmp::Reverse(counts.offered));
        let more = custodians.len().saturating_sub(LISTED);
        custodians.truncate(LISTED);
        Ok(Self { stat: archive.stat()?, records, custodians, more })
    }

    fn shown(&self, known: &Known) -> Shown {
        let stat = &self.stat;
        let mut holds = vec![
            ("Conversations", count(stat.conversations)),
            ("Messages and records", count(stat.messages)),
            ("Versions", count(stat.versions)),
            ("Variants", count(stat.variants)),
            ("People who wrote", count(stat.senders)),
            ("Custodians", count(stat.custodians)),
            ("Images, files and films", count(stat.objects)),
        ];
        let some = self.records.iter().filter(|(_, number)| *number > 0);
        holds.extend(some.map(|(label, number)| (*label, count(*number))));
        let space = stat.bytes_by_part.iter().filter(|(_, bytes)| **bytes > 0);
        let used: u64 = stat.bytes_by_part.values().sum();
        let copies = self.custodians.iter().map(|(custodian, counts)| Copies {
            who: known.name(custodian.as_str()),
            offered: count(counts.offered),
            stored: count(counts.stored),
            duplicates: count(counts.duplicates),
            quarantined: count(counts.quarantined),
        });
        Shown {
            as_of: None,
            holds,
            space: space.map(|(part, bytes)| (capital(part), size(*bytes))).collect(),
            facts: vec![
                ("As JSON", size(stat.raw_bytes)),
                ("A version on disk", format!("{} bytes", ratio(used, stat.versions))),
                ("Last commit", stat.commit.to_string()),
                ("Copies delivered", count(stat.counts.offered)),
                ("Not stored again", count(stat.counts.duplicates)),
                ("Segments", count(stat.segments)),
                ("Rows in the journal", count(stat.journal_rows)),
            ],
            quarantined: stat.counts.quarantined,
            copies: copies.collect(),
            more_copies: self.more,
        }
    }
}

/// With a capital at its start.
fn capital(text: &str) -> String {
    let mut rest = text.chars();
    let first = rest.next();
    first.into_iter().flat_map(char::to_uppercase).chain(rest).collect()
}

fn ratio(part: u64, whole: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
    let ratio = part as f64 / whole.max(1) as f64;
    format!("{ratio:.1}")
}

/// `GET /a/{org}`. What is counted over the whole archive follows, if that takes longer than a page may.
pub(crate) fn show(call: &Call) -> Result<Response> {
    let org = call.organisation()?;
    let archive = org.reader()?;
    let (index, snapshot) = (org.index(), archive.snapshot()?);
    let known = org.known(&snapshot);
    let at = snapshot.sequence().0;
    let (own, of) = (Arc::clone(&archive), snapshot.clone());
    let counted = org.numbers.of("", at, move || Numbers::read(&own, &of));
    let numbers = counted.map(|counted| match &*counted.read {
        Ok(numbers) => {
            let as_of = (counted.sequence < at).then_some(counted.sequence);
            Ok(Shown { as_of, ..numbers.shown(&known) })
        }
        Err(failure) => Err(failure.line.clone()),
    });
    let troubles = archive.health().troubles.into_iter();
    let verified = call.site.works.last(&org, &Kind::Verify);
    let frame = call.frame("Archive", &org, "archive");
    page(&View {
        frame: Frame { refresh: numbers.is_none().then_some(1), ..frame },
        link: org.link(),
        numbers,
        troubles: troubles
            .map(|one| (one.work.word(), When::new(call.zone, one.since), one.message))
            .collect(),
        index: index_words(index, &snapshot),
        verified: verified.map(|work| (When::new(call.zone, work.started), work.seen())),
        folder: org.folder.display().to_string(),
    })
}

/// How far the search index is, in a sentence.
pub(crate) fn index_words(index: Result<Option<Index>>, snapshot: &Snapshot) -> String {
    match index {
        Err(failure) => format!("{}: build it anew.", capital(&failure.line)),
        Ok(None) => "There is no search index yet.".to_owned(),
        Ok(Some(index)) if index.sequence() < snapshot.sequence() => {
            let behind = snapshot.sequence().0 - index.sequence().0;
            let behind = plural(behind, "commit");
            format!("The search index is {behind} behind; what came later is still found.")
        }
        Ok(Some(index)) => format!("It is up to date, with {}.", plural(index.rows(), "row")),
    }
}

/// `POST /a/{org}/index`.
pub(crate) fn index(call: &Call) -> Result<Response> {
    let org = call.organisation()?;
    let snapshot = org.snapshot()?;
    let storage = Host::disk(&org.folder).storage;
    let job = move |work: &Work| {
        let update = Index::update(&storage, &snapshot, &mut |rows| work.follow(rows))?;
        let state = if update.finished { State::Done } else { State::Stopped };
        let lines = vec![format!("{} added, {} in all", count(update.added), count(update.rows))];
        Ok(Ended { state, lines, next: None })
    };
    let what = (Kind::Index, "Building the search index".to_owned());
    go(call.site.works.start(&org, what, job)?.link())
}

/// `POST /a/{org}/verify`.
pub(crate) fn verify(call: &Call) -> Result<Response> {
    let org = call.organisation()?;
    let is_deep = call.form.has("deep");
    let depth = if is_deep { Depth::Deep } else { Depth::Structure };
    let host = Host::disk(&org.folder);
    let job = move |work: &Work| {
        let (options, mut on) = (Options::default(), |rows: &Progress| work.follow(rows));
        Ok(told(&chatvault_engine::verify(&host, &options, depth, &mut on)?))
    };
    let title = if is_deep { "Verifying every row" } else { "Verifying the files" };
    go(call.site.works.start(&org, (Kind::Verify, title.to_owned()), job)?.link())
}

fn told(report: &VerifyReport) -> Ended {
    let checked = format!(
        "{} with {}, {}",
        plural(report.files, "file"),
        plural(report.rows, "row"),
        size(report.bytes)
    );
    let (state, line) = match (report.finished, report.damages.is_empty()) {
        (_, false) => (State::Failed, format!("Damaged: checked {checked}")),
        (false, _) => (State::Stopped, format!("Stopped; sound so far: {checked}")),
        (true, true) => (State::Done, format!("Sound: {checked}")),
    };
    let mut lines = vec![line];
    lines.extend(report.damages.iter().map(|one| format!("{}: {}", one.file, one.message)));
    if let Some(strangers) = report.strangers.first() {
        lines.push(format!("Not part of the archive, never read: {strangers}"));
    }
    Ended { state, lines, next: None }
}

/// The bytes of an archive's files.
#[expect(clippy::disallowed_methods, reason = "how large a folder is, without opening the archive")]
pub(crate) fn disk_bytes(folder: &Path) -> u64 {
    let entries = |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().flatten();
    let sum = |folder: &Path| -> u64 {
        let files = entries(folder).filter_map(|entry| entry.metadata().ok());
        files.filter(std::fs::Metadata::is_file).map(|file| file.len()).sum()
    };
    let inside: u64 = entries(folder).map(|entry| sum(&entry.path())).sum();
    sum(folder) + inside
}
