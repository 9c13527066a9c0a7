//! Numbers of all peers for one thing: medians, spreads, and who is ahead.

use crate::corpus::Size;
use crate::measure::median;
use crate::rounds::Results;

/// How a number is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Seconds,
    Millis,
    Micros,
    Megabytes,
    Kilobytes,
    /// Divided by the corpus's distinct versions.
    BytesPerVersion,
}

impl Unit {
    /// As it stands in a table's first column.
    pub fn name(self) -> &'static str {
        match self {
            Self::Seconds => "s",
            Self::Millis => "ms",
            Self::Micros => "µs",
            Self::Megabytes => "MB",
            Self::Kilobytes => "KB",
            Self::BytesPerVersion => "bytes a version",
        }
    }

    fn scale(self, versions: u64) -> f64 {
        match self {
            Self::Seconds => 1.0,
            Self::Millis => 1e3,
            Self::Micros => 1e6,
            Self::Megabytes => 1e-6,
            Self::Kilobytes => 1e-3,
            Self::BytesPerVersion => 1.0 / versions.max(1) as f64,
        }
    }
}

/// Something that was measured, for a reader.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    pub title: &'static str,
    /// Its name among the results.
    pub name: &'static str,
    pub unit: Unit,
}

/// The middle of all rounds, and the ends.
#[derive(Clone, Copy, Debug)]
pub struct Figure {
    pub median: f64,
    pub least: f64,
    pub most: f64,
}

impl Figure {
    /// A peer's, in the line's unit.
    pub fn of(results: &Results, size: Size, line: &Line, peer: &str) -> Option<Self> {
        let versions = results.corpora.iter().find(|(each, _)| *each == size)?.1.versions;
        let mine = results.done.iter().filter(|done| done.size == size && done.peer == peer);
        let mut numbers: Vec<f64> = mine
            .filter_map(|done| done.measured.numbers.get(line.name))
            .map(|number| number * line.unit.scale(versions))
            .collect();
        let median = median(&mut numbers);
        Some(Self { median, least: *numbers.first()?, most: *numbers.last()? })
    }

    /// `middle (least to most)`, or the one number if there was one round.
    fn cell(&self) -> String {
        let [median, least, most] = [self.median, self.least, self.most].map(short);
        if least == most { median } else { format!("{median} ({least}–{most})") }
    }
}

/// Three digits that matter.
pub fn short(number: f64) -> String {
    let power = if number == 0.0 { 0.0 } else { number.abs().log10().floor() };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 9")]
    let digits = (2.0 - power).clamp(0.0, 9.0) as usize;
    format!("{number:.digits$}")
}

/// How chatvault does beside the best of the others.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Above 1 chatvault is ahead.
    pub ratio: f64,
    pub best: String,
    pub best_median: f64,
    pub own_median: f64,
}

/// The name that the others are compared to.
pub const OURS: &str = "chatvault";

/// For a line that chatvault and somebody else have.
pub fn standing(results: &Results, size: Size, line: &Line, peers: &[&str]) -> Option<Standing> {
    let own_median = Figure::of(results, size, line, OURS)?.median;
    let others = peers.iter().filter(|peer| **peer != OURS);
    let medians =
        others.filter_map(|peer| Some((Figure::of(results, size, line, peer)?.median, *peer)));
    let (best_median, best) = medians.min_by(|a, b| a.0.total_cmp(&b.0))?;
    let ratio = best_median / own_median;
    Some(Standing { ratio, best: best.to_owned(), best_median, own_median })
}

/// A table of some lines; those that nobody has are left out.
pub fn table(results: &Results, size: Size, lines: &[Line], peers: &[&str]) -> String {
    let mut out = format!("| | {} | best other / chatvault |\n|---|", peers.join(" | "));
    out.push_str(&"---|".repeat(peers.len() + 1));
    out.push('\n');
    for line in lines {
        let figures: Vec<_> =
            peers.iter().map(|peer| Figure::of(results, size, line, peer)).collect();
        if figures.iter().all(Option::is_none) {
            continue;
        }
        let cell = |figure: &Option<Figure>| figure.as_ref().map_or("–".to_owned(), Figure::cell);
        let cells: Vec<String> = figures.iter().map(cell).collect();
        let ratio = match standing(results, size, line, peers) {
            Some(standing) if standing.ratio < 1.0 => {
                format!("**{} loses**", short(standing.ratio))
            }
            Some(standing) => short(standing.ratio),
            None => "–".to_owned(),
        };
        let (title, unit) = (line.title, line.unit.name());
        out.push_str(&format!("| {title}, {unit} | {} | {ratio} |\n", cells.join(" | ")));
    }
    out
}
