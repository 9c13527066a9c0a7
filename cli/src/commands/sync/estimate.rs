//! `sync --estimate`: what a first run will cost.

use chatvault_ingest::sync::{Bounds, Estimate};
use serde::Serialize;

use crate::console::Console;
use crate::sync_report::span;
use crate::text;

/// The documented fields.
#[derive(Serialize)]
struct Report {
    accounts: u64,
    sampled: u64,
    without_mailbox: u64,
    latency_ms: u64,
    copies: Bounds,
    requests: Bounds,
    contents: Bounds,
    seconds: Bounds,
    bytes: Bounds,
}

impl From<&Estimate> for Report {
    fn from(estimate: &Estimate) -> Self {
        Self {
            accounts: estimate.accounts,
            sampled: estimate.sampled,
            without_mailbox: estimate.without_mailbox,
            latency_ms: estimate.latency_ms,
            copies: estimate.copies,
            requests: estimate.requests,
            contents: estimate.contents,
            seconds: estimate.seconds,
            bytes: estimate.bytes,
        }
    }
}

pub(super) fn tell(
    estimate: &Estimate,
    json: bool,
    console: &mut Console<'_>,
) -> anyhow::Result<()> {
    console.report(json, &Report::from(estimate), lines(estimate))
}

fn lines(estimate: &Estimate) -> Vec<String> {
    let asked = match estimate.without_mailbox {
        0 => text::count(estimate.sampled),
        none => format!(
            "{}, of {} the service has nothing",
            text::count(estimate.sampled),
            text::count(none)
        ),
    };
    let count = |number| text::count(number);
    let time = |seconds: u64| span(seconds.saturating_mul(1_000));
    text::aligned(&[
        ("accounts", text::count(estimate.accounts)),
        ("  asked", asked),
        ("copies of messages", bounds(estimate.copies, count)),
        ("requests for them", bounds(estimate.requests, count)),
        ("images and files", at_most(estimate.contents, count)),
        ("time", bounds(estimate.seconds, time)),
        ("disk", at_most(estimate.bytes, text::size)),
        ("latency", format!("{} ms an answer", text::count(estimate.latency_ms))),
    ])
}

/// `1,200 (1,000 to 1,400)`.
fn bounds(number: Bounds, tell: impl Fn(u64) -> String) -> String {
    let Bounds { low, likely, high } = number;
    if low == high {
        return tell(likely);
    }
    format!("{} ({} to {})", tell(likely), tell(low), tell(high))
}

/// What copies of one message share is counted with each.
fn at_most(number: Bounds, tell: impl Fn(u64) -> String) -> String {
    format!("at most {}", bounds(number, tell))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn estimate() -> Estimate {
        let bounds = |likely| Bounds { low: likely / 2, likely, high: likely * 2 };
        Estimate {
            accounts: 1_200,
            sampled: 24,
            without_mailbox: 2,
            copies: bounds(2_000_000),
            requests: bounds(16_000),
            contents: bounds(40_000),
            seconds: bounds(3_600),
            bytes: bounds(8 << 30),
            latency_ms: 850,
        }
    }

    #[test]
    fn each_number_has_its_error() {
        let lines = lines(&estimate());
        assert_eq!(lines[1], "  asked             24, of 2 the service has nothing");
        assert_eq!(lines[2], "copies of messages  2,000,000 (1,000,000 to 4,000,000)");
        assert_eq!(lines[5], "time                60 min 00 s (30 min 00 s to 2 h 00 min)");
        assert_eq!(lines[6], "disk                at most 8.0 GiB (4.0 GiB to 16.0 GiB)");
        let exact = Estimate { copies: Bounds { low: 3, likely: 3, high: 3 }, ..estimate() };
        assert!(super::lines(&exact)[2].ends_with("  3"));
    }

    #[test]
    fn programs_get_the_documented_fields() {
        let value = serde_json::to_value(Report::from(&estimate())).unwrap();
        let help = include_str!("help.rs");
        for field in value.as_object().unwrap().keys() {
            assert!(help.contains(field.as_str()), "{field} is not documented");
        }
        assert_eq!(value["seconds"]["likely"], 3_600);
    }
}
