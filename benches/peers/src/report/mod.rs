//! `BENCHMARKS.md` and its plots, made of the results and nothing else.

mod lines;
mod machine;
mod plot;
mod table;

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use crate::args::Options;
use crate::corpus::{Kind, Questions, Size, Source};
use crate::peer::Result;
use crate::rounds::Results;
use crate::stores;
use lines::Per;
use plot::Curve;
use table::{Figure, Line, short};

const NOTES: &str = "\
- Every store does the same job: page files in, split, told apart by content before anything is parsed, packed
  in worker threads, found by conversation, sender, modified time and custodian, exact bytes back, durable.
- The other stores share one front end (`benches/peers/src/front/`): as many workers as the machine has cores
  read, split, take BLAKE3 of each copy and look it up in a map in memory; only bytes that are not known are parsed,
  brought into canonical form and packed, with zstd at level 3 under a dictionary of 110 KiB. One writer
  commits at every 16,384 copies, which is chatvault's own rhythm, each commit synced.
- That is generous to them. Their map has no limit; the dictionary is trained beforehand and not timed; sightings
  are one list for each page; there is no quarantine, no counters of runs, no check of what was written.
- Rows lie in the order of arrival. Clustered by conversation a conversation would be read in fewer pages, and
  everything else would need a second look-up.
- Processor time is user and system time of all threads of the process, background work included; figures are
  medians of the rounds with the least and the most. In a round the stores take turns at every task, a process for
  each task. Files are in the system's page cache.
- *First touch*: the store was opened in a fresh process, and then asked each question once. *Warm*: asked again, the middle of
  three passes. *Just opened*: the store is opened anew before each of ten questions, opening not counted. Questions are
  drawn by chance from the versions, the same for all.
- *Read*: bytes by system calls for one question to a store that was just opened. chatvault's include the dictionaries
  that it then needs, the others read theirs when they are opened. LMDB maps its file, so that its reads are page faults,
  which no counter tells by question.
- What every store gives is held against the others: for each question the number of rows and the sum of their content
  addresses; and each row must be, byte for byte, a copy that came in. A difference ends the run.
- B is A in ten lives: other people, conversations and years, the same texts. That flatters whoever packs many rows
  together, so take sizes from A. Tenth and B have each version once, so their custodians have fewer rows than A's.
";

/// Writes the report: into the project, or a first look into the work folder.
pub fn write(options: &Options, source: &Source, results: &Results) -> Result<()> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (file, plots) = if options.quick {
        (options.work.join("BENCHMARKS.md"), options.work.join("plots"))
    } else {
        (home.join("../../BENCHMARKS.md"), home.join("plots"))
    };
    let mut out = opening(options, source)?;
    for (size, questions) in &results.corpora {
        out.push_str(&of_size(results, *size, questions, &options.peers));
    }
    out.push_str(&lost(results, &options.peers));
    let drawn = draw(results, &options.peers, &plots)?;
    let folder = if options.quick { "plots" } else { "benches/peers/plots" };
    out.push_str(&growth(&options.peers, folder, &drawn));
    fs::write(&file, out)?;
    eprintln!("wrote {}", file.display());
    Ok(())
}

fn opening(options: &Options, source: &Source) -> Result<String> {
    let mut out = String::from(
        "# Benchmarks beside other stores\n\n\
         Written by `cargo run --release` in `benches/peers`, never by hand: see \
         [its README](benches/peers/README.md). Less is better everywhere; the last column is above 1 where chatvault is ahead.\n\n## Machine\n\n",
    );
    if options.quick {
        out = out.replace("(benches/peers/README.md)", "(../../../README.md)");
    }
    out.push_str(&machine::told(&options.work));
    writeln!(out, "- {}\n\n## How\n\n{NOTES}", source.told())?;
    for peer in options.peers.iter().filter_map(|name| stores::named(name)) {
        writeln!(out, "- **{}**: {}", peer.name(), peer.settings())?;
    }
    Ok(out)
}

fn of_size(results: &Results, size: Size, questions: &Questions, peers: &[&str]) -> String {
    let Questions { copies, versions, bytes, .. } = questions;
    let table = |lines| table::table(results, size, lines, peers);
    let mine = results.done.iter().filter(|done| done.size == size);
    let rounds = mine.map(|done| done.round + 1).max().unwrap_or(0);
    format!(
        "\n## {}: {versions} versions in {copies} copies, {} MB of pages; rounds: {rounds}\n\n{}\n\
         ### Processor time\n\n{}\n### Time on the clock\n\n{}\n### Bytes\n\n{}",
        size.name(),
        short(*bytes as f64 / 1e6),
        asked(results, size, questions),
        table(lines::CPU),
        table(lines::WALL),
        table(lines::BYTES),
    )
}

/// How many questions of each kind, and how many rows they give.
fn asked(results: &Results, size: Size, questions: &Questions) -> String {
    let mine = || results.done.iter().filter(|done| done.size == size);
    let kinds = Kind::ALL.into_iter().filter_map(|kind| {
        let name = format!("{} rows", kind.name());
        let rows = mine().find_map(|done| done.measured.numbers.get(&name))?;
        let asked = questions.by_kind.get(&kind)?.len();
        Some(format!("{asked} {} ({rows} rows)", kind.plural()))
    });
    format!("Questions: {}.\n", kinds.collect::<Vec<_>>().join(", "))
}

/// Every line that chatvault loses.
fn lost(results: &Results, peers: &[&str]) -> String {
    let mut rows = String::new();
    for (size, _) in &results.corpora {
        let kinds = [("CPU", lines::CPU), ("clock", lines::WALL), ("bytes", lines::BYTES)];
        for (what, line) in
            kinds.into_iter().flat_map(|(what, lines)| lines.iter().map(move |line| (what, line)))
        {
            let standing = table::standing(results, *size, line, peers);
            let Some(standing) = standing.filter(|standing| standing.ratio < 1.0) else { continue };
            let (size, title, unit, best) =
                (size.name(), line.title, line.unit.name(), &standing.best);
            let [own, other] = [standing.own_median, standing.best_median].map(short);
            let times = short(1.0 / standing.ratio);
            rows.push_str(&format!(
                "| {size} | {what} | {title}, {unit} | {own} | {other} ({best}) | {times} |\n"
            ));
        }
    }
    let table =
        "| size | | | chatvault | best other | times as much |\n|---|---|---|---|---|---|\n";
    let told = if rows.is_empty() { "Nothing.\n".to_owned() } else { format!("{table}{rows}") };
    format!("\n## What chatvault loses\n\n{told}")
}

/// A plot that was written.
struct Drawn {
    title: &'static str,
    file: PathBuf,
    curves: Vec<Curve>,
}

/// Draws what was measured at two sizes or more.
fn draw(results: &Results, peers: &[&str], plots: &Path) -> Result<Vec<Drawn>> {
    fs::create_dir_all(plots)?;
    let mut drawn = Vec::new();
    for (line, per) in lines::GROWTH {
        let curves: Vec<Curve> =
            peers.iter().map(|peer| curve(results, line, *per, peer)).collect();
        if curves.iter().all(|curve| curve.points.len() < 2) {
            continue;
        }
        let file = PathBuf::from(line.name.replace(' ', "-")).with_extension("svg");
        fs::write(plots.join(&file), plot::svg(line.title, line.unit.name(), &curves))?;
        drawn.push(Drawn { title: line.title, file, curves });
    }
    Ok(drawn)
}

fn curve(results: &Results, line: &Line, divisor: Per, peer: &str) -> Curve {
    let point = |(size, questions): &(Size, Questions)| {
        let figure = Figure::of(results, *size, line, peer)?;
        let parts = match divisor {
            Per::One => 1.0,
            Per::Copy => questions.copies as f64,
            Per::Row => rows_a_question(results, *size, questions, line)?,
        };
        Some((questions.versions as f64, figure.median / parts))
    };
    Curve { name: peer.to_owned(), points: results.corpora.iter().filter_map(point).collect() }
}

fn rows_a_question(
    results: &Results,
    size: Size,
    questions: &Questions,
    line: &Line,
) -> Option<f64> {
    let name = line.name.split(' ').next()?;
    let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name);
    let asked = kind.map_or(1, |kind| questions.by_kind.get(&kind).map_or(1, Vec::len));
    let rows = format!("{name} rows");
    let mut mine = results.done.iter().filter(|done| done.size == size);
    let rows = mine.find_map(|done| done.measured.numbers.get(&rows))?;
    Some(rows / asked.max(1) as f64)
}

/// What the largest size costs beside the smallest, and the plots.
fn growth(peers: &[&str], folder: &str, drawn: &[Drawn]) -> String {
    if drawn.is_empty() {
        return String::new();
    }
    let mut out = format!(
        "\n## Growth\n\nProcessor time or bytes at the largest size, as a multiple of those at the smallest: \
         1 is flat.\n\n| | {} |\n|---|{}\n",
        peers.join(" | "),
        "---|".repeat(peers.len())
    );
    for Drawn { title, curves, .. } in drawn {
        let times = |Curve { points, .. }: &Curve| {
            let ends = points.first().zip(points.last()).filter(|_| points.len() > 1);
            ends.map_or("–".to_owned(), |(first, last)| short(last.1 / first.1))
        };
        let cells: Vec<String> = curves.iter().map(times).collect();
        out.push_str(&format!("| {title} | {} |\n", cells.join(" | ")));
    }
    out.push('\n');
    for Drawn { title, file, .. } in drawn {
        out.push_str(&format!("![{title}]({folder}/{})\n", file.display()));
    }
    out
}
