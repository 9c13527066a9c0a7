//! Numbers as decimal digits, two at a time: each division waits for the one before.

/// Appends a number's digits, as few as it has.
pub fn put_decimal(out: &mut Vec<u8>, number: u64) {
    const HALF: u64 = 100_000_000;
    let mut text = [0; 24];
    let (high, low) = (number / HALF, narrow(number % HALF));
    put_digits(&mut text[..8], narrow(high / HALF));
    put_digits(&mut text[8..16], narrow(high % HALF));
    put_digits(&mut text[16..], low);
    let digits = number.checked_ilog10().unwrap_or(0) as usize + 1;
    out.extend_from_slice(&text[text.len() - digits..]);
}

/// Fills `out` with the last digits of a number.
pub fn put_digits(out: &mut [u8], mut number: u32) {
    for places in out.rchunks_mut(2) {
        let pair = u8::try_from(number % 100).unwrap_or(0);
        number /= 100;
        let digits = [b'0' + pair / 10, b'0' + pair % 10];
        places.copy_from_slice(&digits[2 - places.len()..]);
    }
}

fn narrow(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_the_digits_that_it_is_written_with() {
        let mut numbers: Vec<u64> = (0..20).map(|power| 10_u64.pow(power)).collect();
        numbers.extend(numbers.clone().iter().flat_map(|power| [power - 1, power + 7]));
        numbers.extend([u64::MAX, 1_418_343_736_695, 99_999_999, 1_234_567_890_123_456_789]);
        for number in numbers {
            let mut out = b"x".to_vec();
            put_decimal(&mut out, number);
            assert_eq!(out, format!("x{number}").as_bytes());
        }
        let mut out = [0; 5];
        put_digits(&mut out, 1_234_567);
        assert_eq!(&out, b"34567");
    }
}
