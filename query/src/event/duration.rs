//! ISO 8601 durations as people say them.

/// The units of a duration, in the order in which they are written, and their names.
const UNITS: [(bool, char, &str); 7] = [
    (false, 'Y', "year"),
    (false, 'M', "month"),
    (false, 'W', "week"),
    (false, 'D', "day"),
    (true, 'H', "hour"),
    (true, 'M', "minute"),
    (true, 'S', "second"),
];

/// A duration such as `PT40M19.26S` in words: `40 minutes 19 seconds`.
///
/// Fractions are cut. `None` if the text is no duration.
pub fn humanized(duration: &str) -> Option<String> {
    let mut rest = duration.trim().strip_prefix('P').filter(|rest| !rest.is_empty())?;
    let (mut words, mut in_time, mut next, mut has_fraction) = (Vec::new(), false, 0, false);
    while !rest.is_empty() {
        if !in_time && let Some(time) = rest.strip_prefix('T').filter(|time| !time.is_empty()) {
            (in_time, rest) = (true, time);
            continue;
        }
        let unit_at = rest.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ',')?;
        let (number, tail) = rest.split_at_checked(unit_at)?;
        let symbol = tail.chars().next()?;
        let is_meant = |unit: &(bool, char, &str)| (unit.0, unit.1) == (in_time, symbol);
        let place = UNITS.iter().position(is_meant).filter(|place| *place >= next)?;
        let (whole, fraction) = number.split_once(['.', ',']).unwrap_or((number, ""));
        has_fraction |= fraction.bytes().any(|digit| digit != b'0');
        words.extend(counted(whole.parse().ok()?, UNITS.get(place)?.2));
        (next, rest) = (place + 1, tail.get(symbol.len_utf8()..)?);
    }
    Some(match (words.is_empty(), has_fraction) {
        (false, _) => words.join(" "),
        (true, true) => "less than a second".to_owned(),
        (true, false) => "0 seconds".to_owned(),
    })
}

fn counted(count: u64, unit: &str) -> Option<String> {
    match count {
        0 => None,
        1 => Some(format!("1 {unit}")),
        _ => Some(format!("{count} {unit}s")),
    }
}
