//! A line for each peer over the number of versions, both axes by powers of ten, as an SVG.

use super::table::short;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 104.0;
const TOP: f64 = 36.0;
const BOTTOM: f64 = 40.0;
/// Told apart without seeing red or green; the first is chatvault's.
const COLOURS: [&str; 6] = ["#d55e00", "#0072b2", "#009e73", "#cc79a7", "#56b4e9", "#8a6d00"];

/// A peer's points: versions and a number.
#[derive(Clone, Debug)]
pub struct Curve {
    pub name: String,
    pub points: Vec<(f64, f64)>,
}

/// From values by powers of ten to places.
struct Axis {
    from: f64,
    to: f64,
    start: f64,
    end: f64,
}

impl Axis {
    fn new(values: impl Iterator<Item = f64>, (start, end): (f64, f64)) -> Self {
        let (mut from, mut to) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.filter(|value| *value > 0.0) {
            (from, to) = (from.min(value.log10()), to.max(value.log10()));
        }
        if !from.is_finite() {
            (from, to) = (0.0, 1.0);
        }
        // Room for the points at the ends.
        Self { from: from - 0.1, to: to + 0.1, start, end }
    }

    fn place(&self, value: f64) -> f64 {
        let share = (value.max(f64::MIN_POSITIVE).log10() - self.from) / (self.to - self.from);
        self.start + share * (self.end - self.start)
    }

    /// 1, 2 and 5 of each power of ten, or the powers alone where that is too much.
    fn marks(&self) -> Vec<f64> {
        let steps: &[f64] = if self.to - self.from > 2.5 { &[1.0] } else { &[1.0, 2.0, 5.0] };
        #[expect(clippy::cast_possible_truncation, reason = "powers of ten of what was measured")]
        let powers = self.from.floor() as i32..=self.to.ceil() as i32;
        let marks =
            powers.flat_map(|power| steps.iter().map(move |step| step * 10_f64.powi(power)));
        marks.filter(|mark| (self.from..=self.to).contains(&mark.log10())).collect()
    }
}

/// The picture.
pub fn svg(title: &str, unit: &str, curves: &[Curve]) -> String {
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let x = Axis::new(points().map(|point| point.0), (LEFT, WIDTH - RIGHT));
    let y = Axis::new(points().map(|point| point.1), (HEIGHT - BOTTOM, TOP));
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"12\" fill=\"#333\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n"
    );
    out.push_str(&text((LEFT, 20.0), "start", &format!("{title}, {unit}")));
    out.push_str(&text((WIDTH - RIGHT, HEIGHT - 8.0), "end", "versions"));
    for mark in x.marks() {
        let at = x.place(mark);
        out.push_str(&stroke((at, TOP), (at, HEIGHT - BOTTOM)));
        out.push_str(&text((at, HEIGHT - BOTTOM + 16.0), "middle", &thousands(mark)));
    }
    for mark in y.marks() {
        let at = y.place(mark);
        out.push_str(&stroke((LEFT, at), (WIDTH - RIGHT, at)));
        out.push_str(&text((LEFT - 6.0, at + 4.0), "end", &short(mark)));
    }
    let mut ends: Vec<f64> = Vec::new();
    for (curve, colour) in curves.iter().zip(COLOURS.iter().cycle()) {
        out.push_str(&drawn(curve, colour, (&x, &y), &mut ends));
    }
    out.push_str("</svg>\n");
    out
}

fn drawn(curve: &Curve, colour: &str, (x, y): (&Axis, &Axis), ends: &mut Vec<f64>) -> String {
    let places: Vec<_> =
        curve.points.iter().map(|(at, value)| (x.place(*at), y.place(*value))).collect();
    let Some(&(right, end)) = places.last() else { return String::new() };
    let path: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    let mut out = format!(
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>\n",
        path.join(" ")
    );
    for (x, y) in &places {
        out.push_str(&format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>\n"));
    }
    // Names do not cover each other.
    let mut label = end + 4.0;
    while ends.iter().any(|taken| (taken - label).abs() < 13.0) {
        label += 1.0;
    }
    ends.push(label);
    let (right, name) = (right + 8.0, &curve.name);
    out.push_str(&format!(
        "<text x=\"{right:.1}\" y=\"{label:.1}\" fill=\"{colour}\">{name}</text>\n"
    ));
    out
}

fn text((x, y): (f64, f64), anchor: &str, text: &str) -> String {
    format!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>\n")
}

fn stroke((x1, y1): (f64, f64), (x2, y2): (f64, f64)) -> String {
    format!("<path d=\"M{x1:.1} {y1:.1}L{x2:.1} {y2:.1}\" stroke=\"#ddd\"/>\n")
}

fn thousands(number: f64) -> String {
    match number {
        number if number >= 1e6 => format!("{}M", number / 1e6),
        number if number >= 1e3 => format!("{}k", number / 1e3),
        number => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_goes_from_left_to_right_within_the_picture() {
        let points = vec![(1e3, 2.0), (1e4, 20.0)];
        let picture = svg("Scan", "ms", &[Curve { name: "one".to_owned(), points }]);
        assert_eq!(picture.matches("<circle").count(), 2);
        assert!(picture.contains(">one</text>") && picture.contains(">10k</text>"));
        let axis = Axis::new([1e3, 1e4].into_iter(), (LEFT, WIDTH - RIGHT));
        assert!(LEFT < axis.place(1e3) && axis.place(1e3) < axis.place(1e4));
    }
}
