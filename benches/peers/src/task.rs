//! One task for one peer, in a process of its own: what is measured does not depend on what came before.
//!
//! The job comes as an argument; what was measured goes to standard output, one JSON object.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::answers::{self, Answer};
use crate::corpus::{Corpus, Kind};
use crate::measure::{Meter, Spent, folder_bytes, median, peak_bytes};
use crate::peer::{Mode, Peer, Place, Question, Result, Session};
use crate::stores;

/// Something to do with a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Task {
    /// Every page into a new store, which the other tasks are done with.
    Import,
    /// Every version once into a new store.
    Distinct,
    /// Questions of a kind, at first touch and warm.
    Ask(Kind),
    /// Everything, on so many threads, at first touch and warm.
    Scan(usize),
    /// How many there are.
    Count,
    /// Single questions, the store opened anew for each.
    Cold(Kind),
    /// Opening for questions, and for commits after it was closed.
    Open(Opening),
    /// All questions once more, for a hash of what they give.
    Answers,
    /// What the store can do about its size.
    Compact,
    /// Commits of a hundred.
    Commits,
    /// An import that aborts half way.
    Abort,
}

/// How a store is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Opening {
    Read,
    Write,
    AfterAbort,
}

/// Warm passes; the middle one counts.
const WARM_PASSES: usize = 3;
/// Cold questions of a kind.
const COLD: usize = 10;
const COMMIT_DOCUMENTS: usize = 100;
/// Whose export the commits are.
const COMMITTER: &str = "00000000-0000-4000-8000-000000000001";

/// A task, for whom, with what.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    pub task: Task,
    pub peer: String,
    pub corpus: Corpus,
    /// The peer's own folder for this corpus.
    pub folder: PathBuf,
}

/// What was measured, by name.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Measured {
    pub numbers: BTreeMap<String, f64>,
    /// Of [`Task::Answers`].
    pub answers: BTreeMap<String, Answer>,
}

impl Measured {
    fn spent(&mut self, name: &str, spent: &Spent) {
        self.number(format!("{name} cpu"), spent.cpu_s);
        self.number(format!("{name} wall"), spent.wall_s);
    }

    fn number(&mut self, name: String, number: f64) {
        let _ = self.numbers.insert(name, number);
    }
}

impl Job {
    /// Does it.
    pub fn run(&self) -> Result<Measured> {
        let peer = stores::named(&self.peer).ok_or_else(|| format!("no peer {}", self.peer))?;
        let mut measured = Measured::default();
        let out = &mut measured;
        match self.task {
            Task::Import => self.import(peer, &self.place("store"), out, "import")?,
            Task::Distinct => {
                self.import(peer, &self.place("distinct"), out, "distinct")?;
                std::fs::remove_dir_all(self.folder.join("distinct"))?;
            }
            Task::Ask(kind) => self.ask(peer, kind, out)?,
            Task::Scan(threads) => self.scan(peer, threads, out)?,
            Task::Count => self.count(peer, out)?,
            Task::Cold(kind) => self.cold(peer, kind, out)?,
            Task::Open(opening) => self.open(peer, opening, out)?,
            Task::Answers => {
                let mut session = peer.open(&self.place("store"), Mode::Read)?;
                measured.answers = answers::all(&mut *session, &self.corpus)?;
                session.close()?;
            }
            Task::Compact => {
                let meter = Meter::start()?;
                peer.compact(&self.place("store"))?;
                out.spent("compact", &meter.spent()?);
                out.number("compact peak".to_owned(), peak_bytes()? as f64);
                size(peer, &self.place("store"), out, "compact")?;
            }
            Task::Commits => self.commits(peer, out)?,
            Task::Abort => self.abort(peer)?,
        }
        Ok(measured)
    }

    fn place(&self, name: &str) -> Place {
        Place { folder: self.folder.join(name), dictionary: self.corpus.dictionary() }
    }

    fn import(&self, peer: &dyn Peer, place: &Place, out: &mut Measured, name: &str) -> Result<()> {
        let distinct = name == "distinct";
        let pages = if distinct { self.corpus.distinct_pages() } else { self.corpus.pages() };
        std::fs::create_dir_all(&self.folder)?;
        let meter = Meter::start()?;
        peer.import(place, &pages, None)?;
        let spent = meter.spent()?;
        out.spent(name, &spent);
        out.number(format!("{name} written"), spent.written_bytes as f64);
        out.number(format!("{name} peak"), peak_bytes()? as f64);
        size(peer, place, out, name)
    }

    fn questions(&self, kind: Kind) -> Result<Vec<Question>> {
        Ok(self.corpus.questions()?.by_kind.remove(&kind).unwrap_or_default())
    }

    fn ask(&self, peer: &dyn Peer, kind: Kind, out: &mut Measured) -> Result<()> {
        let questions = self.questions(kind)?;
        let mut session = peer.open(&self.place("store"), Mode::Read)?;
        touch_and_warm(kind.name(), questions.len(), out, &mut || {
            let mut rows = 0;
            for question in &questions {
                rows += ask(&mut *session, question)?;
            }
            Ok(Some(rows))
        })?;
        session.close()
    }

    fn scan(&self, peer: &dyn Peer, threads: usize, out: &mut Measured) -> Result<()> {
        let mut session = peer.open(&self.place("store"), Mode::Read)?;
        let name = format!("scan-{threads}");
        touch_and_warm(&name, 1, out, &mut || {
            let rows = std::sync::atomic::AtomicU64::new(0);
            let scanned = session.scan(threads, &|document| {
                let _ = std::hint::black_box(document);
                let _ = rows.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            })?;
            Ok(scanned.then(|| rows.into_inner()))
        })?;
        session.close()
    }

    fn count(&self, peer: &dyn Peer, out: &mut Measured) -> Result<()> {
        let mut session = peer.open(&self.place("store"), Mode::Read)?;
        touch_and_warm("count", 1, out, &mut || session.count().map(Some))?;
        session.close()
    }

    /// The middle of some questions, each the first one to a store that was just opened.
    fn cold(&self, peer: &dyn Peer, kind: Kind, out: &mut Measured) -> Result<()> {
        let (mut cpu, mut wall, mut read) = (Vec::new(), Vec::new(), Vec::new());
        for question in self.questions(kind)?.iter().take(COLD) {
            let mut session = peer.open(&self.place("store"), Mode::Read)?;
            let meter = Meter::start()?;
            let _ = ask(&mut *session, question)?;
            let spent = meter.spent()?;
            session.close()?;
            cpu.push(spent.cpu_s);
            wall.push(spent.wall_s);
            read.push(spent.read_bytes as f64);
        }
        let name = format!("{} cold", kind.name());
        out.number(format!("{name} cpu"), median(&mut cpu));
        out.number(format!("{name} wall"), median(&mut wall));
        if peer.reads_by_calls() {
            out.number(format!("{name} read"), median(&mut read));
        }
        Ok(())
    }

    fn open(&self, peer: &dyn Peer, opening: Opening, out: &mut Measured) -> Result<()> {
        let (store, mode, name) = match opening {
            Opening::Read => ("store", Mode::Read, "open-read"),
            Opening::Write => ("store", Mode::Write, "open-write"),
            Opening::AfterAbort => ("aborted", Mode::Write, "open-aborted"),
        };
        let meter = Meter::start()?;
        let session = peer.open(&self.place(store), mode)?;
        out.spent(name, &meter.spent()?);
        session.close()?;
        if opening == Opening::AfterAbort {
            std::fs::remove_dir_all(self.folder.join("aborted"))?;
        }
        Ok(())
    }

    fn commits(&self, peer: &dyn Peer, out: &mut Measured) -> Result<()> {
        let fresh = self.corpus.fresh()?;
        let mut session = peer.open(&self.place("store"), Mode::Write)?;
        let rows = session.count()?;
        let (mut cpu, mut wall, mut written) = (Vec::new(), Vec::new(), 0.0);
        for documents in fresh.chunks(COMMIT_DOCUMENTS) {
            let meter = Meter::start()?;
            session.commit(COMMITTER, documents)?;
            let spent = meter.spent()?;
            cpu.push(spent.cpu_s);
            wall.push(spent.wall_s);
            written += spent.written_bytes as f64;
        }
        session.close()?;
        let mut session = peer.open(&self.place("store"), Mode::Read)?;
        let added = session.count()? - rows;
        session.close()?;
        if added != fresh.len() as u64 {
            let all = fresh.len();
            let why = "if a stopped run had committed them: remove the stores and resume";
            return Err(format!("{all} documents were committed, {added} came in; {why}").into());
        }
        out.number("commit written".to_owned(), written / wall.len().max(1) as f64);
        out.number("commit cpu".to_owned(), median(&mut cpu));
        out.number("commit wall".to_owned(), median(&mut wall));
        Ok(())
    }

    fn abort(&self, peer: &dyn Peer) -> Result<()> {
        use rustix::process::{Resource, Rlimit, setrlimit};
        setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
        let half = self.corpus.questions()?.copies / 2;
        peer.import(&self.place("aborted"), &self.corpus.pages(), Some(half))?;
        Err("the import should have aborted half way".into())
    }
}

/// The rows that a question gives; their bytes are looked at.
fn ask(session: &mut dyn Session, question: &Question) -> Result<u64> {
    let mut rows = 0;
    session.ask(question, &mut |document| {
        let _ = std::hint::black_box(document);
        rows += 1;
    })?;
    Ok(rows)
}

/// Does something at first touch and then warm; per question, and how many rows it gave.
fn touch_and_warm(
    name: &str,
    questions: usize,
    out: &mut Measured,
    pass: &mut dyn FnMut() -> Result<Option<u64>>,
) -> Result<()> {
    let (mut cpu, mut wall, each) = (Vec::new(), Vec::new(), questions.max(1) as f64);
    for number in 0..=WARM_PASSES {
        let meter = Meter::start()?;
        let Some(rows) = pass()? else { return Ok(()) };
        let Spent { cpu_s, wall_s, .. } = meter.spent()?;
        if number == 0 {
            out.number(format!("{name} rows"), rows as f64);
            out.number(format!("{name} first cpu"), cpu_s / each);
            out.number(format!("{name} first wall"), wall_s / each);
        } else {
            cpu.push(cpu_s / each);
            wall.push(wall_s / each);
        }
    }
    out.number(format!("{name} warm cpu"), median(&mut cpu));
    out.number(format!("{name} warm wall"), median(&mut wall));
    Ok(())
}

fn size(peer: &dyn Peer, place: &Place, out: &mut Measured, name: &str) -> Result<()> {
    let bytes = folder_bytes(&place.folder, peer.passing_folders())?;
    out.number(format!("{name} size"), bytes as f64);
    Ok(())
}
