//! Lines that are to stand on pages: what stays together, and a message that does without its name.

use super::entry::PAGE_WIDTH;
use super::line::Line;
use super::tag::Elements;

/// At most so many lines are kept together.
const MOST_KEPT: usize = 8;

/// Above a message without a name.
pub(super) const MESSAGE_GAP: f32 = 2.5;

/// Puts time and id of a message to its words: the time to the first line, the id to where the
/// paragraph ends, so that it stands in nobody's way.
pub(super) fn mark_plain((lines, elements): (&mut Vec<Line>, &Elements), (time, id): (Line, Line)) {
    const APART: f32 = 6.0;
    let rest = lines.iter().skip(1);
    let mut last = rest.take_while(|line| line.gap == 0.0 && line.is_plain()).count();
    let Some(first) = lines.first_mut() else { return };
    let tag = elements.paragraph(first.items.first().map(|item| item.tag).unwrap_or_default());
    let [time, id] = [time, id].map(|mut mark| {
        mark.set_tag(tag);
        mark
    });
    first.join(time);
    first.gap = MESSAGE_GAP;
    let starts = id.items.first().map_or(PAGE_WIDTH, |item| item.x);
    if let Some(line) = lines.get_mut(last).filter(|line| line.right() + APART <= starts) {
        return line.join(id);
    }
    if let Some(line) = lines.get_mut(last) {
        line.keep = true;
    }
    last = (last + 1).min(lines.len());
    lines.insert(last, id);
}

/// For each line, the height of what must stay together from it on.
pub(super) fn block_heights(lines: &[Line]) -> Vec<f32> {
    let mut heights: Vec<f32> = Vec::with_capacity(lines.len());
    for (index, line) in lines.iter().enumerate() {
        let mut height = line.height;
        let mut keeps = line.keep;
        for next in lines.iter().skip(index + 1).take(MOST_KEPT) {
            if !keeps {
                break;
            }
            height += next.gap + next.height;
            keeps = next.keep;
        }
        heights.push(height);
    }
    heights
}

/// Lines in pages of so much height.
pub(super) fn cut(lines: Vec<Line>, height: f32) -> Vec<Vec<Line>> {
    let heights = block_heights(&lines);
    let mut pages = vec![Vec::new()];
    let mut used = 0.0;
    for (line, block) in lines.into_iter().zip(heights) {
        if used > 0.0 && used + line.gap + block > height {
            pages.push(Vec::new());
            used = 0.0;
        }
        used += line.height + if used > 0.0 { line.gap } else { 0.0 };
        if let Some(page) = pages.last_mut() {
            page.push(line);
        }
    }
    pages
}
