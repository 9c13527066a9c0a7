//! A card as a box: its title bold, its facts in two columns, its buttons with where they lead.

use chatvault_query::body::CardPart;

use super::document::linked;
use super::flow::{Flow, clean};
use super::line::{Ink, Style};
use super::paragraph::Span;

/// Writes a card; nothing for one that says nothing.
pub(super) fn write(flow: &mut Flow<'_, '_>, parts: &[CardPart], style: &Style) {
    if parts.is_empty() {
        return;
    }
    flow.gap(3.0);
    flow.grounded(Ink::Shade, |flow| {
        for (number, shown) in parts.iter().enumerate() {
            part(flow, shown, number == 0, style);
        }
    });
    flow.gap(3.0);
}

/// A part of a card: the title is bold, a fact stands in two columns, a button says where it leads.
fn part(flow: &mut Flow<'_, '_>, shown: &CardPart, is_title: bool, style: &Style) {
    match shown {
        CardPart::Text(words) if is_title => {
            let (title, rest) = words.split_once('\n').unwrap_or((words, ""));
            flow.plain(&clean(title), &style.clone().bold());
            if !rest.is_empty() {
                flow.plain(clean(rest).trim_end(), style);
            }
        }
        CardPart::Text(words) => flow.plain(clean(words).trim_end(), style),
        CardPart::Fact(name, value) => fact(flow, (name, value), style),
        CardPart::Button(words, target) => {
            let button = format!("[{words}]");
            let look = target.as_deref().map_or_else(|| style.clone(), |url| linked(url, style));
            let address = target.as_deref().filter(|url| url != words);
            let address = address.map(|url| format!(" <{url}>")).unwrap_or_default();
            let small = Style { size: style.size * 0.86, ink: Ink::Muted, ..style.clone() };
            let (button, address) = (clean(&button), clean(&address));
            flow.text(&[
                Span { text: &button, style: look },
                Span { text: &address, style: small },
            ]);
        }
    }
}

/// The name of a fact beside what it says.
fn fact(flow: &mut Flow<'_, '_>, (name, value): (&str, &str), style: &Style) {
    const SHARE: f32 = 0.28;
    let (left, width) = (flow.left(), flow.width());
    let muted = Style { ink: Ink::Muted, ..style.clone() };
    let (name, value) = (clean(name), clean(value));
    let mut lines = flow.beside(left, width * SHARE - 6.0, |flow| flow.plain(&name, &muted));
    let values = flow.beside(left + width * SHARE, width * (1.0 - SHARE), |flow| {
        flow.plain(&value, style);
    });
    let mut values = values.into_iter();
    for (line, other) in lines.iter_mut().zip(values.by_ref()) {
        line.join(other);
    }
    lines.extend(values);
    flow.extend(lines);
}
