//! Rounds: every task by every peer in turn, so that whatever the machine does meanwhile meets them all.
//!
//! Each result is a line in `results.jsonl`; `--resume` goes on behind the last one.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use crate::args::Options;
use crate::corpus::{Corpus, Kind, Questions, Size, Source, prepare};
use crate::peer::Result;
use crate::task::{Job, Measured, Opening, Task};

/// What one task of one peer gave in one round.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Done {
    pub size: Size,
    pub round: usize,
    pub task: Task,
    pub peer: String,
    pub measured: Measured,
}

/// Everything that was measured.
#[derive(Clone, Debug)]
pub struct Results {
    pub done: Vec<Done>,
    pub corpora: Vec<(Size, Questions)>,
}

/// Does all rounds.
pub fn run(options: &Options, source: &Source) -> Result<Results> {
    let corpora = prepare(&options.work, source, &options.sizes)?;
    let mut log = Log::open(options)?;
    if !options.report {
        for (size, corpus) in &corpora {
            for round in 0..options.rounds {
                one_round(options, (*size, corpus), round, &mut log)?;
            }
            remove(&stores(options, *size))?;
        }
    }
    let questions = |(size, corpus): &(Size, Corpus)| Ok((*size, corpus.questions()?));
    let corpora = corpora.iter().map(questions).collect::<Result<_>>()?;
    Ok(Results { done: log.done, corpora })
}

/// The tasks of a round in their order: what changes a store comes last.
fn tasks(size: Size, round: usize) -> Vec<(String, Task)> {
    let mut tasks = vec![("import".to_owned(), Task::Import)];
    if round == 0 {
        tasks.push(("answers".to_owned(), Task::Answers));
    }
    if size == Size::A {
        tasks.push(("distinct".to_owned(), Task::Distinct));
    }
    let kinds = || Kind::ALL.into_iter();
    tasks.extend(kinds().map(|kind| (kind.name().to_owned(), Task::Ask(kind))));
    tasks.extend([1, 2].map(|threads| (format!("scan-{threads}"), Task::Scan(threads))));
    tasks.push(("count".to_owned(), Task::Count));
    tasks.extend(kinds().map(|kind| (format!("cold {}", kind.name()), Task::Cold(kind))));
    tasks.push(("open-read".to_owned(), Task::Open(Opening::Read)));
    tasks.push(("open-write".to_owned(), Task::Open(Opening::Write)));
    tasks.push(("compact".to_owned(), Task::Compact));
    tasks.push(("commits".to_owned(), Task::Commits));
    tasks.push(("abort".to_owned(), Task::Abort));
    tasks.push(("abort, open".to_owned(), Task::Open(Opening::AfterAbort)));
    tasks
}

fn one_round(
    options: &Options,
    (size, corpus): (Size, &Corpus),
    round: usize,
    log: &mut Log,
) -> Result<()> {
    let always = |task| matches!(task, Task::Import | Task::Answers);
    let wanted = |(name, task): &(String, Task)| always(*task) || options.wants(name);
    let tasks: Vec<_> = tasks(size, round).into_iter().filter(wanted).collect();
    for (at, (name, task)) in tasks.iter().enumerate() {
        let mut peers = options.peers.clone();
        // Nobody is always the first one.
        peers.rotate_left((round + at) % options.peers.len().max(1));
        for peer in peers {
            let folder = stores(options, size).join(peer);
            let is_import = *task == Task::Import;
            let left = || tasks.iter().any(|(_, task)| !log.has(size, round, *task, peer));
            let lost = is_import && !folder.join("store").exists() && left();
            if log.has(size, round, *task, peer) && !lost {
                continue;
            }
            eprintln!("{} round {}/{} {name}: {peer}", size.name(), round + 1, options.rounds);
            if is_import {
                remove(&folder)?;
            }
            let job = Job { task: *task, peer: peer.to_owned(), corpus: corpus.clone(), folder };
            let measured = child(&job)?;
            log.add(Done { size, round, task: *task, peer: peer.to_owned(), measured })?;
            log.compare(size, round, *task)?;
        }
    }
    Ok(())
}

fn stores(options: &Options, size: Size) -> PathBuf {
    options.work.join("stores").join(size.name())
}

fn remove(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    Ok(())
}

/// Does a job in a process of its own.
fn child(job: &Job) -> Result<Measured> {
    use std::os::unix::process::ExitStatusExt;
    // What a run left that was stopped here.
    match job.task {
        Task::Abort => remove(&job.folder.join("aborted"))?,
        Task::Distinct => remove(&job.folder.join("distinct"))?,
        _ => {}
    }
    let program = std::env::current_exe()?;
    let words = [crate::JOB.to_owned(), serde_json::to_string(job)?];
    let output = Command::new(program).args(words).stderr(Stdio::inherit()).output()?;
    if job.task == Task::Abort && output.status.signal().is_some() {
        return Ok(Measured::default());
    }
    if !output.status.success() {
        return Err(format!("{}, {:?}: {}", job.peer, job.task, output.status).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// The results so far, in memory and in their file.
struct Log {
    path: PathBuf,
    done: Vec<Done>,
}

impl Log {
    fn open(options: &Options) -> Result<Self> {
        let path = options.work.join("results.jsonl");
        if !options.resume && !options.report {
            fs::write(&path, "")?;
        }
        let text = fs::read_to_string(&path).unwrap_or_default();
        let done = text.lines().map(serde_json::from_str).collect::<std::result::Result<_, _>>()?;
        Ok(Self { path, done })
    }

    fn has(&self, size: Size, round: usize, task: Task, peer: &str) -> bool {
        self.of(size, round, task).any(|done| done.peer == peer)
    }

    fn of(&self, size: Size, round: usize, task: Task) -> impl Iterator<Item = &Done> {
        let same = move |done: &&Done| (done.size, done.round, done.task) == (size, round, task);
        self.done.iter().filter(same)
    }

    fn add(&mut self, done: Done) -> Result<()> {
        let line = serde_json::to_string(&done)?;
        let mut file = OpenOptions::new().append(true).create(true).open(&self.path)?;
        writeln!(file, "{line}")?;
        self.done.push(done);
        Ok(())
    }

    /// The newest result against those before it: a benchmark of wrong answers is worth nothing.
    fn compare(&self, size: Size, round: usize, task: Task) -> Result<()> {
        let Some(last) = self.of(size, round, task).last() else { return Ok(()) };
        for before in self.of(size, round, task) {
            let told = |name: &str, a: &str, b: &str| -> Result<()> {
                let (size, here, there) = (size.name(), &before.peer, &last.peer);
                Err(format!("{size}, {name}: {here} gives {a}, {there} gives {b}").into())
            };
            let (before, last) = (&before.measured, &last.measured);
            for (name, answer) in &last.answers {
                match before.answers.get(name) {
                    Some(other) if other != answer => {
                        return told(name, &format!("{other:?}"), &format!("{answer:?}"));
                    }
                    _ => {}
                }
            }
            for (name, rows) in last.numbers.iter().filter(|(name, _)| name.ends_with(" rows")) {
                match before.numbers.get(name) {
                    Some(other) if other.total_cmp(rows).is_ne() => {
                        return told(name, &other.to_string(), &rows.to_string());
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }
}
