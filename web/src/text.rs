//! Numbers, sizes and times as people read them.

use std::fmt;

use askama::filters::HtmlSafe;
use chatvault_engine::Timestamp;
use chatvault_export::entry::Zone;
use chatvault_query::format_time;

/// A number with a comma between each three digits.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 message`, `2 messages`.
pub(crate) fn plural(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(number), if number == 1 { "" } else { "s" })
}

/// `1.2 MiB`.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [(&str, u32); 4] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let Some((unit, bits)) = UNITS.into_iter().find(|(_, bits)| bytes >> bits > 0) else {
        return format!("{bytes} B");
    };
    let tenths = (u128::from(bytes) * 10) >> bits;
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

/// `4 min`, for a time that is left.
pub(crate) fn span(seconds: u64) -> String {
    match seconds {
        0..=59 => format!("{seconds} s"),
        60..=3_599 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
    }
}

/// A time: in the viewer's zone, in UTC on hover.
#[derive(Clone, Debug)]
pub(crate) struct When {
    iso: String,
    shown: String,
}

impl When {
    pub(crate) fn new(zone: Zone, time: Timestamp) -> Self {
        let local = zone.local(time).map(|local| local.format("%-d %b %Y, %H:%M").to_string());
        let iso = format_time(time);
        Self { shown: local.unwrap_or_else(|| iso.clone()), iso }
    }

    pub(crate) fn of_ms(zone: Zone, ms: i64) -> Self {
        Self::new(zone, Timestamp::from_ms(ms))
    }

    /// Only the day.
    pub(crate) fn day(zone: Zone, time: Timestamp) -> Self {
        let local = zone.local(time).map(|local| local.format("%-d %b %Y").to_string());
        let iso = format_time(time);
        Self { shown: local.unwrap_or_else(|| iso.clone()), iso }
    }
}

impl fmt::Display for When {
    /// Neither text has a character that HTML knows: digits, letters and signs of a date.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { iso, shown } = self;
        write!(f, "<time datetime=\"{iso}\" title=\"{iso} (UTC)\">{shown}</time>")
    }
}

impl HtmlSafe for When {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_sizes_are_short() {
        assert_eq!([count(999), count(1_234_567)], ["999", "1,234,567"]);
        assert_eq!([plural(1, "part"), plural(0, "part")], ["1 part", "0 parts"]);
        assert_eq!([size(1_023), size(1_300_000), size(5 << 40)], ["1023 B", "1.2 MiB", "5.0 TiB"]);
        assert_eq!([span(59), span(61), span(7_300)], ["59 s", "2 min", "2 h 1 min"]);
    }

    #[test]
    fn a_time_is_the_viewers_with_utc_beside_it() {
        let zone: Zone = "Europe/Berlin".parse().unwrap();
        let shown = When::new(zone, Timestamp::from_ms(1_622_762_567_000)).to_string();
        assert!(shown.ends_with(">4 Jun 2021, 01:22</time>"), "{shown}");
        assert!(shown.contains("title=\"2021-06-03T23:22:47Z (UTC)\""), "{shown}");
    }
}
