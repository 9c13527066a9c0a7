//! A time range as the service takes it: both bounds, both exclusive, whole milliseconds.

use chatvault_base::Timestamp;

/// Two bounds as they are sent: `gt from` and `lt to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SentRange {
    /// Exclusive.
    pub from: Timestamp,
    /// Exclusive.
    pub to: Timestamp,
}

/// The first and last millisecond that the service can write: of the years 1 to 9999.
const FIRST_MS: i64 = -62_135_596_800_000;
const LAST_MS: i64 = 253_402_300_799_999;

impl SentRange {
    /// As wide as can be written.
    pub const WIDEST: Self = Self { from: Timestamp::MIN, to: Timestamp::MAX };

    /// From `start`, inclusive, to `end`, exclusive.
    ///
    /// The service's lower bound is exclusive: this is the one place where an inclusive start is
    /// lowered by a millisecond. A start between two milliseconds is lowered to the one before,
    /// an end is raised to the one behind, so nothing of the range is lost.
    pub fn half_open(start: Timestamp, end: Timestamp) -> Self {
        let before = Timestamp::from_ticks(start.ticks().saturating_sub(1));
        Self { from: before, to: end }.whole()
    }

    /// Both bounds as they are rendered: moved apart to whole milliseconds, in writable years.
    #[must_use]
    pub fn whole(self) -> Self {
        let up = -Timestamp::from_ticks(self.to.ticks().saturating_neg()).ms();
        let whole = |ms: i64| Timestamp::from_ms(ms.clamp(FIRST_MS, LAST_MS));
        Self { from: whole(self.from.ms()), to: whole(up) }
    }

    /// The first and the last moment that it lets through, the last exclusive.
    pub fn half_opened(self) -> (Timestamp, Timestamp) {
        (Timestamp::from_ms(self.from.ms().saturating_add(1)), self.to)
    }

    /// What both let through.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { from: self.from.max(other.from), to: self.to.min(other.to) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_half_open_range_loses_nothing_to_exclusive_bounds() {
        for (start, end, from, to) in [
            (0, 10_000, -1, 1),
            (1, 9_999, 0, 1),
            (9_999, 10_001, 0, 2),
            (10_000, 10_000, 0, 1),
            (i64::MIN, i64::MAX, FIRST_MS, LAST_MS),
        ] {
            let [start, end] = [start, end].map(Timestamp::from_ticks);
            let sent = SentRange::half_open(start, end);
            assert_eq!((sent.from.ms(), sent.to.ms()), (from, to), "{start:?} {end:?}");
            assert_eq!(sent.whole(), sent);
            let (first, end) = sent.half_opened();
            assert_eq!(SentRange::half_open(first, end), sent);
        }
    }

    #[test]
    fn two_windows_let_through_what_is_in_both() {
        let window =
            |from, to| SentRange { from: Timestamp::from_ms(from), to: Timestamp::from_ms(to) };
        assert_eq!(window(0, 9).and(window(5, 20)), window(5, 9));
        assert_eq!(window(5, 9).and(SentRange::WIDEST), window(5, 9));
    }
}
