//! What stands above and below the text of every page: the day and the zone, the conversation, the export
//! and the page's number. To those who do not see the page it is nothing.

use chatvault_base::time::calendar::Date;
use chrono::{Datelike, NaiveDate};

use super::entry::{PAGE_WIDTH, grouped};
use super::flow::{Flow, clean};
use super::font::Slot;
use super::line::{Ink, Item, Line, Mark, Reach, Style};
use super::paragraph::{Align, Span};
use super::shape::Shaper;
use crate::entry::Context;

/// Where the number of the page ends and the form with their total begins.
pub(super) const SEAM: f32 = 440.0;

/// The first and the last day of a page.
pub(super) type Days = (NaiveDate, NaiveDate);

/// What many pages share, once it was made.
#[derive(Debug, Default)]
pub(super) struct Frame {
    foot: Option<Line>,
    head: Option<(Days, Line)>,
}

impl Frame {
    /// Which days are on the page, and in which zone its times are.
    pub(super) fn head(
        &mut self,
        shaper: &mut Shaper<'_>,
        context: &Context<'_>,
        days: Days,
    ) -> Line {
        if let Some((known, head)) = &self.head
            && *known == days
        {
            return head.clone();
        }
        let (first, last) = days;
        let mut words = day_words(first);
        if last != first {
            words = format!("{words} to {}", day_words(last));
        }
        let zone = format!("Times in {}", context.options.zone);
        let mut head = Line { height: 12.0, baseline: 9.0, ..Line::default() };
        head.items.extend(fitted(shaper, &words, (0.0, 300.0), Align::Left));
        head.items.extend(fitted(shaper, &zone, (310.0, PAGE_WIDTH - 310.0), Align::End));
        self.head = Some((days, head.clone()));
        head
    }

    /// Conversation, export and page number.
    pub(super) fn foot(
        &mut self,
        shaper: &mut Shaper<'_>,
        context: &Context<'_>,
        number: usize,
    ) -> Line {
        let mut foot = self.foot.get_or_insert_with(|| same_foot(shaper, context)).clone();
        let page = format!("Page {}", grouped(number as u64));
        foot.items.extend(fitted(shaper, &page, (SEAM - 90.0, 90.0), Align::End));
        foot
    }
}

/// What the feet of all pages share.
fn same_foot(shaper: &mut Shaper<'_>, context: &Context<'_>) -> Line {
    let mark = context.options.mark.map(|mark| format!(" \u{2013} {mark}"));
    let left = short(&context.chat.title(), 80) + mark.as_deref().unwrap_or_default();
    let middle = format!("Export {}", short(&context.options.export_id, 40));
    let mut foot = Line { height: 12.0, baseline: 9.0, ..Line::default() };
    let reach = Reach::At(0.0, 0.4);
    foot.marks.push(Mark { x: 0.0, width: PAGE_WIDTH, ink: Ink::Rule, reach });
    foot.items.extend(fitted(shaper, &left, (0.0, 190.0), Align::Left));
    foot.items.extend(fitted(shaper, &middle, (196.0, 178.0), Align::Middle));
    foot
}

/// ` of 312`, or ` of 312+` where more files follow.
pub(super) fn total(shaper: &mut Shaper<'_>, pages: usize, is_last: bool) -> Line {
    let pages = grouped(pages as u64);
    let words = if is_last { format!(" of {pages}") } else { format!(" of {pages}+") };
    let items = fitted(shaper, &words, (0.0, PAGE_WIDTH), Align::Start);
    Line { height: 12.0, baseline: 9.0, items, ..Line::default() }
}

/// A text on one line, shortened until it fits.
fn fitted(shaper: &mut Shaper<'_>, text: &str, (x, width): (f32, f32), align: Align) -> Vec<Item> {
    let style = Style::new(Slot::Regular, 7.0, Ink::Muted);
    let mut most = text.chars().count();
    loop {
        let text = short(text, most);
        let span = [Span { text: &text, style: style.clone() }];
        let mut flow = Flow::new(shaper, x, width);
        flow.aligned(&span, align);
        let (lines, _elements) = flow.into_parts();
        if lines.len() <= 1 || most <= 4 {
            return lines.into_iter().next().map(|line| line.items).unwrap_or_default();
        }
        most -= most / 16 + 1;
    }
}

/// At most so many characters, with a mark where some were left out.
pub(super) fn short(text: &str, most: usize) -> String {
    let text = clean(text).replace('\n', " ");
    if text.chars().count() <= most {
        return text;
    }
    let mut short: String = text.chars().take(most.saturating_sub(1)).collect();
    short.push('\u{2026}');
    short
}

/// `Thursday, 3 June 2021`
pub(super) fn day_words(day: NaiveDate) -> String {
    let date = date(day);
    format!("{}, {} {} {}", date.weekday(), date.day, date.month_name(), date.year)
}

pub(super) fn date(day: NaiveDate) -> Date {
    Date { year: day.year().into(), month: day.month().into(), day: day.day().into() }
}
