//! From a sample to the whole, with its error.

use serde::Serialize;

/// A number that is not known exactly: likely this, and with 95 % between the bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Bounds {
    /// Hardly less.
    pub low: u64,
    /// As the sample says.
    pub likely: u64,
    /// Hardly more.
    pub high: u64,
}

/// Values of some of a number of things.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) all: usize,
    pub(super) values: Vec<f64>,
}

/// Standard errors on both sides of the likely value.
const ERRORS: f64 = 2.0;

/// The sum over all things of all samples.
pub(super) fn scaled(samples: &[Sample]) -> Bounds {
    let (mut sum, mut variance) = (0.0, 0.0);
    for sample in samples.iter().filter(|sample| !sample.values.is_empty()) {
        let (all, count) = (float(sample.all), float(sample.values.len()));
        let mean = sample.values.iter().sum::<f64>() / count;
        sum += all * mean;
        let squares = sample.values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
        // Of a whole that is all sampled there is no error.
        let unseen = (1.0 - count / all.max(count)).max(0.0);
        variance += all * all * unseen * squares / (count - 1.0).max(1.0) / count;
    }
    let error = ERRORS * variance.sqrt();
    Bounds { low: whole((sum - error).max(0.0)), likely: whole(sum), high: whole(sum + error) }
}

/// Counts here are far below four thousand million.
pub(super) fn float(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an estimate: a number that is too large is cut, one below nothing is nothing"
)]
pub(super) fn whole(value: f64) -> u64 {
    value.round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_scaled_with_twice_its_standard_error() {
        let sample = |all, values: &[f64]| Sample { all, values: values.to_vec() };
        let exact = scaled(&[sample(3, &[10.0, 20.0, 60.0])]);
        assert_eq!(exact, Bounds { low: 90, likely: 90, high: 90 });
        // Mean 20, deviation 10, of 4 in 100: 2,000 ± 2 · 100 · √0.96 · 10 / 2.
        let some = scaled(&[sample(100, &[10.0, 30.0, 10.0, 30.0])]);
        assert_eq!((some.likely, some.low, some.high), (2_000, 869, 3_131));
        assert_eq!(scaled(&[sample(100, &[]), sample(0, &[])]), Bounds::default());
        let both = scaled(&[sample(2, &[1.0, 1.0]), sample(3, &[10.0, 20.0, 60.0])]);
        assert_eq!(both.likely, 92);
    }
}
