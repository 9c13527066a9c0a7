//! Days and clock times as people read them in a transcript, in the zone of the export.

use chatvault_base::time::calendar::Date;
use chatvault_engine::Timestamp;

use super::write::Html;
use crate::entry::Zone;

/// An instant as the clocks of a zone show it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Local {
    /// The day there.
    pub(crate) day: Date,
    clock: [i64; 3],
    /// The distance from UTC, on a day on which it changes.
    mark: Option<chrono::FixedOffset>,
}

impl Local {
    /// `None` for a time outside the years that people write.
    pub(crate) fn of(zone: Zone, time: Timestamp) -> Option<Self> {
        let parts = zone.parts(time)?;
        Some(Self { day: parts.date, clock: parts.clock(), mark: zone.mark(time) })
    }

    /// Whether it is the first instant of a month.
    pub(crate) fn starts_month(&self) -> bool {
        self.day.day == 1 && self.clock == [0; 3]
    }

    /// `Thursday, 3 June 2021`.
    pub(crate) fn write_weekday(&self, html: &mut Html) {
        html.raw(self.day.weekday()).raw(", ");
        write_day(html, self.day);
    }

    /// `14:03:07`, and `02:30:00 +02:00` where clocks are changed on that day.
    fn write_clock(&self, html: &mut Html) {
        let [hour, minute, second] = self.clock;
        html.digits(hour, 2).raw(":").digits(minute, 2).raw(":").digits(second, 2);
        if let Some(mark) = self.mark {
            html.raw(" ").text(&mark.to_string());
        }
    }
}

/// `3 June 2021`.
pub(crate) fn write_day(html: &mut Html, day: Date) {
    html.digits(day.day, 1).raw(" ").raw(day.month_name()).raw(" ").digits(day.year, 4);
}

/// `2021-06-03`, for names.
pub(crate) fn day_name(day: Date) -> String {
    format!("{:04}-{:02}-{:02}", day.year, day.month, day.day)
}

/// How much of a time is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// `14:03:07`: the day stands above.
    Clock,
    /// `3 June 2021, 14:03:07`.
    Full,
}

/// A `<time>` with the exact instant for machines and the local clock for people.
pub(crate) fn write_time(html: &mut Html, zone: Zone, time: Timestamp, shown: Shown) {
    html.raw("<time datetime=\"");
    write_instant(html, time);
    html.raw("\">");
    match (shown, Local::of(zone, time)) {
        (Shown::Clock, Some(local)) => local.write_clock(html),
        _ => write_plain_time(html, zone, time),
    }
    html.raw("</time>");
}

/// `3 June 2021, 14:03:07`, without an element: for texts that have no `<time>`.
pub(crate) fn write_plain_time(html: &mut Html, zone: Zone, time: Timestamp) {
    let Some(local) = Local::of(zone, time) else { return write_instant(html, time) };
    write_day(html, local.day);
    html.raw(", ");
    local.write_clock(html);
}

/// `2021-06-03T12:03:07.120Z`.
pub(crate) fn write_instant(html: &mut Html, time: Timestamp) {
    html.text(&crate::zone::rfc3339(time));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Html)) -> String {
        let mut html = Html::default();
        write(&mut html);
        html.as_str().to_owned()
    }

    #[test]
    fn times_are_exact_for_machines_and_local_for_people() {
        let time = chatvault_query::parse_time("x", "2021-06-03T23:22:47.129Z").unwrap();
        let zone: Zone = "Europe/Berlin".parse().unwrap();
        assert_eq!(
            written(|html| write_time(html, zone, time, Shown::Full)),
            "<time datetime=\"2021-06-03T23:22:47.129Z\">4 June 2021, 01:22:47</time>"
        );
        assert_eq!(
            written(|html| write_time(html, Zone::Utc, time, Shown::Clock)),
            "<time datetime=\"2021-06-03T23:22:47.129Z\">23:22:47</time>"
        );
        let local = Local::of(zone, time).unwrap();
        assert_eq!(written(|html| local.write_weekday(html)), "Friday, 4 June 2021");
        assert_eq!(day_name(local.day), "2021-06-04");
    }

    #[test]
    fn an_hour_that_comes_twice_is_told_apart() {
        let zone: Zone = "Europe/Berlin".parse().unwrap();
        let shown = |text| {
            let time = chatvault_query::parse_time("x", text).unwrap();
            written(|html| write_plain_time(html, zone, time))
        };
        assert_eq!(shown("2025-10-26T00:30:00Z"), "26 October 2025, 02:30:00 +02:00");
        assert_eq!(shown("2025-10-26T01:30:00Z"), "26 October 2025, 02:30:00 +01:00");
    }

    #[test]
    fn a_time_beyond_the_calendar_is_still_written() {
        let shown = written(|html| write_time(html, Zone::Utc, Timestamp::MAX, Shown::Full));
        assert!(shown.contains(&i64::MAX.to_string()), "{shown}");
        assert!(Local::of(Zone::Utc, Timestamp::MIN).is_none());
    }
}
