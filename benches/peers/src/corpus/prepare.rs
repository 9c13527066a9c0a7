//! Makes a corpus ready, once for each work folder: pages, dictionary, questions, documents for commits.

use std::fs;
use std::path::{Path, PathBuf};

use super::shift::shift;
use super::survey::Survey;
use super::{Corpus, Questions, Size, made_up, page_json, spread};
use crate::peer::Result;

/// What chatvault's and other archives take for a dictionary of one-message frames.
const DICTIONARY_BYTES: usize = 110 << 10;
const DICTIONARY_SAMPLES: usize = 5_000;
/// Thirty commits of a hundred.
const FRESH: usize = 3_000;
/// A life that no corpus has.
const FRESH_LIFE: u32 = spread::LIVES + 1;

/// Where the export comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// A folder of a folder of page files for each custodian.
    Pages(PathBuf),
    /// Made up, with that many messages.
    MadeUp(usize),
}

impl Source {
    /// `pages/` in the folder that `CHATVAULT_CORPUS` names, or made up.
    pub fn find(messages: usize) -> Self {
        std::env::var_os("CHATVAULT_CORPUS")
            .map_or(Self::MadeUp(messages), |folder| Self::Pages(Path::new(&folder).join("pages")))
    }

    /// For the report.
    pub fn told(&self) -> String {
        match self {
            Self::Pages(_) => "the export that `CHATVAULT_CORPUS` names".to_owned(),
            Self::MadeUp(messages) => {
                format!("a made-up tenant of `tests/support`: {messages} messages, seed 1")
            }
        }
    }
}

/// The corpora of these sizes, in folders of their names below `work`.
pub fn prepare(work: &Path, source: &Source, sizes: &[Size]) -> Result<Vec<(Size, Corpus)>> {
    let given = match source {
        Source::Pages(pages) => Some(pages.clone()),
        Source::MadeUp(_) => None,
    };
    let corpus = |size: Size| Corpus {
        folder: work.join(size.name()),
        given: given.clone().filter(|_| size == Size::A),
    };
    let wanted: Vec<_> = sizes.iter().map(|size| (*size, corpus(*size))).collect();
    let made_of = fs::read_to_string(work.join("source")).unwrap_or_default();
    if made_of != format!("{source:?}") {
        for size in Size::ALL {
            remove(&work.join(size.name()))?;
        }
        fs::create_dir_all(work)?;
        fs::write(work.join("source"), format!("{source:?}"))?;
    }
    if wanted.iter().all(|(_, corpus)| is_ready(corpus)) {
        return Ok(wanted);
    }
    let a = corpus(Size::A);
    let survey = survey(&a, source)?;
    for (size, corpus) in wanted.iter().filter(|(_, corpus)| !is_ready(corpus)) {
        eprintln!("{}: writing pages", size.name());
        if *size == Size::A {
            remove(&corpus.distinct_pages())?;
            spread::write(&survey, Size::A, &corpus.distinct_pages())?;
            learn(corpus, &survey)?;
            continue;
        }
        remove(&corpus.pages())?;
        spread::write(&survey, *size, &corpus.pages())?;
        learn(corpus, &Survey::of(&corpus.pages())?)?;
    }
    Ok(wanted)
}

fn is_ready(corpus: &Corpus) -> bool {
    corpus.folder.join("ready").exists()
}

fn remove(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    Ok(())
}

fn survey(a: &Corpus, source: &Source) -> Result<Survey> {
    if let Source::MadeUp(messages) = source
        && !is_ready(a)
    {
        eprintln!("A: making up {messages} messages");
        remove(&a.pages())?;
        made_up::write(&a.pages(), *messages)?;
    }
    eprintln!("A: looking at its pages");
    Survey::of(&a.pages())
}

/// Writes what is known of a corpus beside its pages, the mark that it is ready last.
fn learn(corpus: &Corpus, survey: &Survey) -> Result<()> {
    let questions = Questions::of(survey);
    fs::create_dir_all(&corpus.folder)?;
    let file = |name: &str| corpus.folder.join(name);
    fs::write(file("questions.json"), serde_json::to_vec(&questions)?)?;
    let raw: Vec<u8> = survey.raw.iter().flat_map(|digest| digest.to_le_bytes()).collect();
    fs::write(file("copies"), raw)?;
    let documents: Vec<&[u8]> = survey.samples.iter().map(|(_, bytes)| bytes.as_slice()).collect();
    let samples = &documents[..documents.len().min(DICTIONARY_SAMPLES)];
    fs::write(file("dictionary"), zstd::dict::from_samples(samples, DICTIONARY_BYTES)?)?;
    let fresh = documents.iter().take(FRESH).map(|document| shift(document, FRESH_LIFE));
    fs::write(file("fresh.json"), page_json(&fresh.collect::<Vec<_>>()))?;
    fs::write(file("ready"), "")?;
    Ok(())
}
