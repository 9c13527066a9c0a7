//! The life of an archive in one process, with the disk behind each operation: what a crash at
//! that moment may leave.

use std::sync::Arc;

use chatvault_engine::{
    Archive, Custodian, ErrorKind, Host, MessageKey, Options, RecordKind, RunId,
};
use chatvault_support::storage::Volatile;
use chatvault_support::{Draft, Random, SteppingClock, with_cache};

use super::truth::{Allowed, Offer, Truth, commit, step_of};
use crate::kit::{go_on, small};

/// A process's steps are numbered from this times its number on.
const STEPS: u64 = 1_000;

/// The disk that a process works on, as it works on it.
pub(super) type Wrap<'w> = dyn Fn(&Volatile) -> Arc<dyn chatvault_engine::Storage> + 'w;

/// Kinds of lives, told apart by their seed.
pub(super) const KINDS: u64 = 4;

/// What decides how a life goes.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) options: Options,
}

impl Plan {
    /// Tiny memory in one kind of lives, so that seals happen beside commits; no grace in another,
    /// so that files go from the trash; many openings in a third.
    pub(super) fn of(seed: u64) -> Self {
        let mut options = {
            let mut options = small();
            options.environment = Some(with_cache(1 << 20));
            options.recall_bytes = 64 << 10;
            options
        };
        if seed % KINDS == 1 {
            options.memtable_bytes = 5_000;
        }
        if seed % KINDS == 2 {
            options.grace_seconds = 0;
        }
        Self { seed, options }
    }

    /// Another clock and other chance for each process.
    pub(super) fn host(&self, storage: Arc<dyn chatvault_engine::Storage>, process: u64) -> Host {
        let clock = Arc::new(SteppingClock::new(self.seed * 1_000 + process));
        clock.advance_ms(i64::try_from(process).unwrap() * 60_000);
        Host { storage, clock }
    }
}

/// What happened on a disk, moment by moment.
#[derive(Debug)]
pub(super) struct Life {
    pub(super) disk: Volatile,
    /// What may be found before the process had opened the archive.
    before: Allowed,
    /// States from the opening on, with the moments in which they were offered and acknowledged.
    truths: Vec<Arc<Truth>>,
    offered: Vec<usize>,
    acknowledged: Vec<usize>,
}

impl Life {
    /// What may be found on the disk after a cut at a moment.
    pub(super) fn allowed(&self, moment: usize) -> Allowed {
        let until = |moments: &[usize], reached: &dyn Fn(&usize) -> bool| {
            moments.iter().take_while(|at| reached(at)).count()
        };
        let Some(first) = until(&self.acknowledged, &|at| *at <= moment).checked_sub(1) else {
            return self.before.clone();
        };
        let last = until(&self.offered, &|at| *at < moment).saturating_sub(1).max(first);
        Allowed::of(&self.truths, first..=last)
    }

    pub(super) fn moments(&self) -> usize {
        self.disk.moments()
    }
}

/// A process that has an archive open for writing, and writes down what it is promised.
struct Process<'p> {
    plan: &'p Plan,
    number: u64,
    random: Random,
    archive: Option<Archive>,
    run: RunId,
    reader: Option<Archive>,
    step: u64,
    life: Life,
    wrap: &'p Wrap<'p>,
}

/// Makes an archive and does a bit of everything with it.
pub(super) fn first(plan: &Plan, wrap: &Wrap<'_>) -> Life {
    let disk = Volatile::new();
    let empty = Arc::new(Truth::new(plan.options.document_bytes));
    let before = Allowed { truths: vec![empty], or_none: true };
    let mut process = Process::start(plan, wrap, 0, disk, before);
    process.create();
    for _ in 0..14 {
        process.act();
    }
    process.everything_once();
    process.life
}

/// A second process goes on with what is on a disk: two commits, one of them sealed now and then.
pub(super) fn next(plan: &Plan, disk: Volatile, before: Allowed, number: u64) -> Life {
    let wrap = |disk: &Volatile| disk.storage();
    let mut process = Process::start(plan, &wrap, number, disk, before);
    process.open();
    process.commit();
    if process.random.chance(30) {
        process.archive().seal().unwrap();
    }
    process.commit();
    process.life
}

impl<'p> Process<'p> {
    fn start(
        plan: &'p Plan,
        wrap: &'p Wrap<'p>,
        number: u64,
        disk: Volatile,
        before: Allowed,
    ) -> Self {
        disk.record();
        let (truths, offered, acknowledged) = (Vec::new(), Vec::new(), Vec::new());
        let life = Life { disk, before, truths, offered, acknowledged };
        let random = Random::new(plan.seed ^ (number << 32));
        let (archive, reader, run, step) = (None, None, RunId(0), number * STEPS);
        Self { plan, number, random, archive, run, reader, step, life, wrap }
    }

    fn archive(&self) -> &Archive {
        self.archive.as_ref().unwrap()
    }

    fn host(&mut self) -> Host {
        self.number += 1;
        self.plan.host((self.wrap)(&self.life.disk), self.number * 7_919)
    }

    fn now(&self) -> usize {
        self.life.moments() - 1
    }

    fn create(&mut self) {
        let options = self.plan.options.clone();
        self.archive = Some(Archive::create(self.host(), options.clone()).unwrap());
        self.reader = Some(Archive::open_read_only(self.host(), options).unwrap());
        self.began(Arc::clone(&self.life.before.truths[0]));
    }

    /// Opens the archive that is there, or makes one where there may be none.
    fn open(&mut self) {
        let options = self.plan.options.clone();
        let archive = match Archive::open(self.host(), options.clone()) {
            Err(error) => {
                self.life.before.assert_none(&error, "a second process");
                Archive::create(self.host(), options.clone()).unwrap()
            }
            Ok(archive) => archive,
        };
        let truth = self.life.before.with_step(step_of(&archive), "a second process");
        self.archive = Some(archive);
        self.began(truth);
    }

    fn began(&mut self, truth: Arc<Truth>) {
        self.run = self.archive().begin_run("simulated").unwrap();
        self.life.truths.push(truth);
        self.life.offered.push(0);
        let now = self.now();
        self.life.acknowledged.push(now);
    }

    fn act(&mut self) {
        let reopens = if self.plan.seed % KINDS == 3 { 30 } else { 8 };
        match self.random.below(100) {
            die if die < reopens => self.reopen(),
            die if die < reopens + 8 => self.abandon(),
            die if die < reopens + 18 => self.archive().seal().unwrap(),
            die if die < reopens + 25 => self.look(),
            _ => self.commit(),
        }
    }

    /// No life without a seal, a merge of several segments, a reader and a second writer.
    fn everything_once(&mut self) {
        for _ in 0..2 {
            self.commit();
            self.archive().seal().unwrap();
            self.commit();
            self.look();
        }
        self.refuse_a_second_writer();
        assert!(self.archive().compact(&mut go_on).unwrap().finished);
        self.commit();
        self.look();
        self.reopen();
        self.commit();
        self.look();
    }

    fn commit(&mut self) {
        self.step += 1;
        let offer = offer(&mut self.random);
        let offered = self.now();
        let sequence = commit(self.archive(), self.run, &offer, self.step).unwrap();
        let before = self.life.truths.last().unwrap();
        let truth = before.with(&offer, self.step, sequence, self.run);
        self.life.truths.push(Arc::new(truth));
        self.life.offered.push(offered);
        let now = self.now();
        self.life.acknowledged.push(now);
    }

    /// Closes, opens again.
    fn reopen(&mut self) {
        self.archive.take().unwrap().close().unwrap();
        self.open_again();
    }

    /// Leaves everything in the journal.
    fn abandon(&mut self) {
        self.archive = None;
        self.open_again();
    }

    fn open_again(&mut self) {
        let options = self.plan.options.clone();
        self.archive = Some(Archive::open(self.host(), options).unwrap());
        self.run = self.archive().begin_run("simulated").unwrap();
    }

    /// The reader beside the writer shows everything acknowledged, and nothing else.
    fn look(&mut self) {
        let last = self.life.truths.len() - 1;
        let allowed = Allowed::of(&self.life.truths, last..=last);
        let reader = self.reader.as_ref().unwrap();
        let _ = allowed.look(reader, "a reader beside the writer");
        allowed.truths[0].check(self.archive(), "the writer itself");
    }

    fn refuse_a_second_writer(&mut self) {
        let host = self.host();
        let second = Archive::open(host, self.plan.options.clone());
        let kind = second.map(drop).map_err(|error| error.kind());
        assert_eq!(kind, Err(ErrorKind::Locked), "a second writer beside the first");
    }
}

fn custodian(random: &mut Random) -> Custodian {
    match random.below(3) {
        0 => Custodian::user("ada"),
        1 => Custodian::user("ben"),
        _ => Custodian::team("red"),
    }
}

/// One of few documents, so that most were offered before, to somebody else too.
fn document(random: &mut Random) -> Vec<u8> {
    let created = i64::try_from(1_700_000_000_000 + random.below(6) * 1_000).unwrap();
    let draft = Draft::chat(&format!("19:chat{}", random.below(3)), created);
    let text = match random.below(10) {
        0 => return format!("no document {}", random.below(3)).into_bytes(),
        1 => draft.without("id").json(),
        2..4 => draft.edited(created + 500, "changed my mind").json(),
        4 => draft.set("subject", "\"another variant\"").json(),
        _ => draft.text("hello").json(),
    };
    text.into_bytes()
}

fn offer(random: &mut Random) -> Offer {
    let copies = (0..random.below(4)).map(|_| (custodian(random), document(random))).collect();
    let mut offer = Offer { copies, ..Offer::default() };
    if random.chance(25) {
        let key = MessageKey {
            record: RecordKind::Message,
            conversation: "19:chat1".to_owned(),
            reply_to: None,
            id: "1700000001000".to_owned(),
        };
        let bytes = [17, 600, 70_000][random.index(3)];
        let byte = u8::try_from(random.below(3)).unwrap();
        offer.object = Some((key, vec![byte; bytes]));
    }
    if random.chance(30) {
        let value = if random.chance(30) { Vec::new() } else { vec![7; random.index(40)] };
        offer.checkpoint = Some((format!("window {}", random.below(3)), value));
    }
    offer
}
