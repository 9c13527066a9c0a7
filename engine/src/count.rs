//! Counts of what is in memory, as files and keys have them: in 32 bits.

/// The number of a row, a page or a file, or how many there are. Limits keep them below 2^32, so one that
/// is not is a fault of this program.
pub(crate) fn narrow(number: usize) -> u32 {
    let narrow = u32::try_from(number);
    assert!(narrow.is_ok(), "number {number} is within 32 bits");
    narrow.unwrap_or_default()
}
