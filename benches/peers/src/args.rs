//! The command line.

use std::path::{Path, PathBuf};

use crate::corpus::Size;
use crate::peer::{Peer, Result};
use crate::stores;

/// What to say to `--help` and to a wrong word.
pub const USAGE: &str = "\
cargo run --release -- [options]      in benches/peers

  --quick            a first look: a small made-up tenant, one round, BENCHMARKS.md in the work folder
  --rounds N         rounds; medians and spread are of these (5)
  --sizes LIST       of tenth,A,B (all)
  --peers LIST       of chatvault,SQLite,LMDB,redb,fjall (all)
  --only LIST        only tasks whose names begin so: distinct,conversation,day,sender,
                     small-custodian,large-custodian,present,absent,scan,count,cold,open,
                     compact,commits,abort (all; imports and hashes of answers always)
  --messages N       of the made-up tenant (100000)
  --work DIR         for corpora, stores and results (target/peers)
  --resume           go on with an unfinished run of the same options
  --report           write the report of what was measured, measure nothing

CHATVAULT_CORPUS names a folder whose pages/ is a real export: a folder of page files for each
custodian. Without it a tenant is made up.
";

/// What was asked for.
#[derive(Clone, Debug)]
pub struct Options {
    pub quick: bool,
    pub rounds: usize,
    pub sizes: Vec<Size>,
    pub peers: Vec<&'static str>,
    pub only: Vec<String>,
    pub messages: usize,
    pub work: PathBuf,
    pub resume: bool,
    pub report: bool,
}

impl Options {
    /// From the words of a command line.
    pub fn of(words: impl Iterator<Item = String>) -> Result<Self> {
        let home = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut options = Self {
            quick: false,
            rounds: 5,
            sizes: Size::ALL.to_vec(),
            peers: stores::PEERS.map(Peer::name).to_vec(),
            only: Vec::new(),
            messages: 100_000,
            work: home.join("target/peers"),
            resume: false,
            report: false,
        };
        let mut words = words;
        while let Some(word) = words.next() {
            match word.as_str() {
                "--quick" => options.quicken(),
                "--resume" => options.resume = true,
                "--report" => options.report = true,
                _ => options.set(&word, &words.next().unwrap_or_default())?,
            }
        }
        Ok(options)
    }

    fn quicken(&mut self) {
        self.quick = true;
        self.rounds = 1;
        self.sizes = vec![Size::Tenth, Size::A];
        self.messages = 4_000;
        self.work.push("quick");
    }

    fn set(&mut self, word: &str, value: &str) -> Result<()> {
        match word {
            "--rounds" => self.rounds = value.parse()?,
            "--messages" => self.messages = value.parse()?,
            "--work" => self.work = value.into(),
            "--only" => self.only = value.split(',').map(str::to_owned).collect(),
            "--sizes" => self.sizes = chosen(value, &Size::ALL, Size::name)?,
            "--peers" => {
                let names = stores::PEERS.map(Peer::name);
                self.peers = chosen(value, &names, |name| name)?;
            }
            _ => return Err(format!("{word}: no such option\n\n{USAGE}").into()),
        }
        Ok(())
    }

    /// Is a task of this name wanted?
    pub fn wants(&self, task: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| task.starts_with(name.as_str()))
    }
}

fn chosen<T: Copy>(list: &str, all: &[T], name: impl Fn(T) -> &'static str) -> Result<Vec<T>> {
    let find = |word: &str| all.iter().copied().find(|each| name(*each).eq_ignore_ascii_case(word));
    list.split(',')
        .map(|word| find(word).ok_or_else(|| format!("there is no {word}").into()))
        .collect()
}
