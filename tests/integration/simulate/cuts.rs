//! Crashes at every moment of a life: what is found afterwards, by whom, and what goes on then.

use std::panic::{AssertUnwindSafe, catch_unwind};

use chatvault_engine::{Archive, Sequence};
use chatvault_support::Random;
use chatvault_support::storage::{Survival, Volatile};

use super::life::{self, Life, Plan};
use super::truth::{Allowed, Offer, Truth, commit};

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    /// Disks that were opened after a cut and compared.
    pub(super) states: u64,
    /// Of these: cut again while they were opened.
    pub(super) in_recovery: u64,
    /// Of these: cut after a second process had gone on.
    pub(super) gone_on: u64,
    /// Of these: with a reader that had looked before the cut.
    pub(super) looked_at: u64,
    /// Moments at which something was wrong: what, was told where it panicked.
    pub(super) failures: u64,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.states += other.states;
        self.in_recovery += other.in_recovery;
        self.gone_on += other.gone_on;
        self.looked_at += other.looked_at;
        self.failures += other.failures;
    }
}

/// What a reader showed before a cut.
type Shown = Option<(u64, Sequence)>;

pub(super) struct Sweep<'s> {
    plan: &'s Plan,
    random: Random,
    tally: Tally,
}

/// Cuts the power at every moment of a life, in every model, until `most` moments have failed.
pub(super) fn sweep(plan: &Plan, life: &Life, most: u64) -> Tally {
    let mut sweep = Sweep { plan, random: Random::new(plan.seed), tally: Tally::default() };
    for moment in 0..life.moments() {
        let passed = catch_unwind(AssertUnwindSafe(|| sweep.cut_at(life, moment)));
        sweep.tally.failures += u64::from(passed.is_err());
        if sweep.tally.failures >= most {
            break;
        }
    }
    sweep.tally
}

impl Sweep<'_> {
    fn cut_at(&mut self, life: &Life, moment: usize) {
        for model in 0..Survival::MODELS {
            self.cut(life, moment, model);
        }
        self.cut_in_recovery(life, moment);
        for _ in 0..super::SECOND_PROCESSES {
            self.cut_after_a_second_process(life, moment);
        }
    }

    /// A cut; before it, now and then, a reader looks at what the system holds.
    fn cut(&mut self, life: &Life, moment: usize, model: u64) {
        let allowed = life.allowed(moment);
        let place = format!("seed {}, moment {moment}, model {model}", self.plan.seed);
        let (disk, looks) = match self.random.below(3) {
            0 => (life.disk.at(moment), true),
            1 => (life.disk.at(moment).after_kill(), true),
            _ => (life.disk.at(moment), false),
        };
        let shown = if looks { self.look(&disk, &allowed, &place) } else { None };
        let after = disk.after_power_cut(Survival::model(model, self.random.split()));
        self.check(&after, &allowed, shown, &place);
    }

    fn look(&mut self, disk: &Volatile, allowed: &Allowed, place: &str) -> Shown {
        let host = self.plan.host(disk.storage(), 77);
        match Archive::open_read_only(host, self.plan.options.clone()) {
            Ok(reader) => {
                self.tally.looked_at += 1;
                Some(allowed.look(&reader, &format!("{place}, a reader before the cut")))
            }
            Err(error) => {
                allowed.assert_none(&error, place);
                None
            }
        }
    }

    /// Opens what a cut left, compares everything, and commits.
    fn check(&mut self, disk: &Volatile, allowed: &Allowed, shown: Shown, place: &str) {
        self.tally.states += 1;
        let options = self.plan.options.clone();
        let host = || self.plan.host(disk.storage(), 88);
        let archive = match Archive::open(host(), options.clone()) {
            Ok(archive) => archive,
            Err(error) => {
                allowed.assert_none(&error, place);
                Archive::create(host(), options).unwrap()
            }
        };
        let found = allowed.find(&archive, place);
        let run = archive.begin_run("after a crash").unwrap();
        let sequence = commit(&archive, run, &Offer::default(), 999_999).unwrap();
        check_shown(allowed, &found, shown, sequence, place);
    }

    /// A cut, and another one while what it left is opened.
    fn cut_in_recovery(&mut self, life: &Life, moment: usize) {
        let allowed = life.allowed(moment);
        let model = self.random.below(Survival::MODELS);
        let disk = life.disk.at(moment);
        let disk = disk.after_power_cut(Survival::model(model, self.random.split()));
        disk.record();
        let host = self.plan.host(disk.storage(), 66);
        if Archive::open(host, self.plan.options.clone()).is_err() {
            return;
        }
        let second = self.random.index(disk.moments());
        let again = self.random.below(Survival::MODELS);
        let after = disk.at(second);
        let after = after.after_power_cut(Survival::model(again, self.random.split()));
        let place = format!(
            "seed {}, moment {moment}, model {model}, recovery {second}, model {again}",
            self.plan.seed
        );
        self.tally.in_recovery += 1;
        self.check(&after, &allowed, None, &place);
    }

    /// The process is killed, another one goes on and is told of commits, then the power goes.
    fn cut_after_a_second_process(&mut self, life: &Life, moment: usize) {
        let killed = life.disk.at(moment).after_kill();
        let number = 1 + self.random.below(1_000);
        let second = life::next(self.plan, killed, life.allowed(moment), number);
        let at = self.random.index(second.moments());
        let model = self.random.below(Survival::MODELS);
        let after = second.disk.at(at);
        let after = after.after_power_cut(Survival::model(model, self.random.split()));
        let place = format!(
            "seed {}, killed at {moment}, process {number} cut at {at}, model {model}",
            self.plan.seed
        );
        self.tally.gone_on += 1;
        self.check(&after, &second.allowed(at), None, &place);
    }
}

/// What a reader showed is there, or its number is never used for anything else.
fn check_shown(allowed: &Allowed, found: &Truth, shown: Shown, next: Sequence, place: &str) {
    let Some((step, sequence)) = shown else { return };
    let index = |step| allowed.truths.iter().position(|truth| truth.step == step);
    let is_there = index(step) <= index(found.step);
    assert!(
        is_there || next > sequence,
        "{place}: a reader showed commit {step} as {sequence:?}, it is lost and {next:?} is new"
    );
}
