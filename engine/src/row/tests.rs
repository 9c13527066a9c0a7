//! What the parser takes apart, with and without templates that it has met.

use super::{HoleKind, Limits, Parser, Shape, TemplateId};

/// Draws documents of few shapes, with odd spaces and arrays in arrays.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }

    fn space(&mut self) -> &'static str {
        ["", "", "", "", " ", "\n"][self.roll(6)]
    }

    fn value(&mut self, depth: usize) -> String {
        match self.roll(if depth == 0 { 4 } else { 6 }) {
            0 => format!("\"{}\"", ["", "a", "é\\n", "b\\\"c"][self.roll(4)]),
            1 => ["0", "-1.5", "2e9"][self.roll(3)].to_owned(),
            2 => ["true", "null"][self.roll(2)].to_owned(),
            3 => format!("[{}]", self.space()),
            4 => self.array(depth - 1),
            _ => self.object(depth - 1),
        }
    }

    fn array(&mut self, depth: usize) -> String {
        let mut text = format!("[{}", self.space());
        for element in 0..=self.roll(3) {
            if element > 0 {
                text.extend([self.space(), ",", self.space()]);
            }
            text += &self.value(depth);
        }
        text + self.space() + "]"
    }

    fn object(&mut self, depth: usize) -> String {
        let mut text = "{".to_owned();
        for member in 0..self.roll(4) {
            text += if member > 0 { "," } else { "" };
            text.extend([["\"x\":", "\"y\":"][self.roll(2)], self.space()]);
            text += &self.value(depth);
        }
        text + "}"
    }

    /// A document, half of the time with a byte gone or there twice.
    fn document(&mut self) -> Vec<u8> {
        let mut text = self.object(4).into_bytes();
        let at = self.roll(text.len());
        match self.roll(4) {
            0 => drop(text.remove(at)),
            1 => text.insert(at, text[at]),
            _ => {}
        }
        text
    }
}

/// The skeleton of each node and the counts between them.
fn outline(parser: &Parser, shape: &Shape, at: &mut usize, out: &mut Vec<String>) {
    let template = parser.templates.get(TemplateId(shape.nodes[*at]));
    *at += 1;
    out.push(String::from_utf8_lossy(&template.skeleton).into_owned());
    for _array in template.holes.iter().filter(|hole| hole.kind == HoleKind::Array) {
        let count = shape.nodes[*at];
        *at += 1;
        out.push(count.to_string());
        (0..count).for_each(|_| outline(parser, shape, at, out));
    }
}

#[test]
fn what_was_met_before_changes_nothing() {
    let (mut dice, mut warm, mut found) = (Dice(7), Parser::default(), 0);
    for _ in 0..40_000 {
        let document = dice.document();
        let read = |parser: &mut Parser| {
            let mut shape = Shape::default();
            parser.parse(&document, Limits::of(1 << 20), &mut shape).map(|()| {
                let (mut at, mut nodes) = (0, Vec::new());
                outline(parser, &shape, &mut at, &mut nodes);
                assert_eq!(at, shape.nodes.len());
                (nodes, shape.values)
            })
        };
        let expected = read(&mut Parser::default());
        let text = String::from_utf8_lossy(&document);
        assert_eq!(read(&mut warm), expected, "{text}");
        found += usize::from(expected.is_ok_and(|(nodes, _)| nodes.len() > 1));
    }
    assert!(found > 1_000, "{found} with arrays");
}

#[test]
fn arrays_are_nested_as_deep_whether_met_before_or_not() {
    let nested = |depth: usize| {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        format!("{{\"a\":{open}1{close}}}").into_bytes()
    };
    let mut parser = Parser::default();
    let mut shape = Shape::default();
    for depth in [3, Limits::DEPTH - 1, Limits::DEPTH - 1, Limits::DEPTH, 3, Limits::DEPTH] {
        let read = parser.parse(&nested(depth), Limits::of(1 << 20), &mut shape);
        assert_eq!(read.is_ok(), depth < Limits::DEPTH, "{depth}: {read:?}");
    }
}
