//! How a camera was held: the tag `Orientation` of EXIF.

/// By which of eight ways a picture is turned or mirrored to be seen upright.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) enum Turn {
    #[default]
    Upright,
    Mirrored,
    UpsideDown,
    UpsideDownMirrored,
    /// Mirrored, then a quarter to the left.
    LeftMirrored,
    /// A quarter to the right.
    Right,
    /// Mirrored, then a quarter to the right.
    RightMirrored,
    /// A quarter to the left.
    Left,
}

/// The tag, and the kind of number that it is.
const ORIENTATION: u32 = 0x0112;
const SHORT: u32 = 3;

/// The orientation is one of the first few dozen tags of the first directory.
const MOST_TAGS: u32 = 256;

impl Turn {
    /// Of a JPEG file: the first segment of EXIF says it.
    pub(super) fn of_jpeg(bytes: &[u8]) -> Self {
        let mut rest = bytes.get(2..).unwrap_or_default();
        while let [0xFF, marker, high, low, after @ ..] = rest {
            let length = (usize::from(*high) << 8 | usize::from(*low)).saturating_sub(2);
            let (Some(segment), false) = (after.get(..length), matches!(marker, 0xD9 | 0xDA))
            else {
                break;
            };
            if let (0xE1, Some(exif)) = (marker, segment.strip_prefix(b"Exif\0\0")) {
                return Self::of_exif(exif);
            }
            rest = after.get(length..).unwrap_or_default();
        }
        Self::Upright
    }

    /// Of a block of EXIF, which is a TIFF file without a picture.
    pub(super) fn of_exif(exif: &[u8]) -> Self {
        let tiff = Tiff { bytes: exif, is_little: exif.starts_with(b"II") };
        match tiff.orientation() {
            Some(2) => Self::Mirrored,
            Some(3) => Self::UpsideDown,
            Some(4) => Self::UpsideDownMirrored,
            Some(5) => Self::LeftMirrored,
            Some(6) => Self::Right,
            Some(7) => Self::RightMirrored,
            Some(8) => Self::Left,
            _ => Self::Upright,
        }
    }

    /// Width and height as they are seen.
    pub(super) fn seen(self, (width, height): (u32, u32)) -> (u32, u32) {
        match self {
            Self::LeftMirrored | Self::Right | Self::RightMirrored | Self::Left => (height, width),
            _ => (width, height),
        }
    }

    /// The matrix that takes the unit square of an image to a box: its left, bottom, width and height.
    pub(in super::super) fn matrix(self, [x, y, w, h]: [f32; 4]) -> [f32; 6] {
        match self {
            Self::Upright => [w, 0.0, 0.0, h, x, y],
            Self::Mirrored => [-w, 0.0, 0.0, h, x + w, y],
            Self::UpsideDown => [-w, 0.0, 0.0, -h, x + w, y + h],
            Self::UpsideDownMirrored => [w, 0.0, 0.0, -h, x, y + h],
            Self::LeftMirrored => [0.0, -h, -w, 0.0, x + w, y + h],
            Self::Right => [0.0, -h, w, 0.0, x, y + h],
            Self::RightMirrored => [0.0, h, w, 0.0, x, y],
            Self::Left => [0.0, h, -w, 0.0, x + w, y],
        }
    }
}

struct Tiff<'a> {
    bytes: &'a [u8],
    is_little: bool,
}

impl Tiff<'_> {
    fn orientation(&self) -> Option<u32> {
        let directory = self.number(4, 4)?;
        let count = self.number(directory, 2)?.min(MOST_TAGS);
        let entries = (0..count).filter_map(|index| directory.checked_add(2 + index * 12));
        let mut found = entries.filter(|at| self.number(*at, 2) == Some(ORIENTATION));
        let entry = found.next()?;
        let is_short = self.number(entry.checked_add(2)?, 2)? == SHORT;
        self.number(entry.checked_add(8)?, 2).filter(|_| is_short)
    }

    fn number(&self, at: u32, length: usize) -> Option<u32> {
        let bytes = self.bytes.get(usize::try_from(at).ok()?..)?.get(..length)?;
        let join = |number: u32, byte: &u8| number << 8 | u32::from(*byte);
        Some(if self.is_little {
            bytes.iter().rev().fold(0, join)
        } else {
            bytes.iter().fold(0, join)
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// EXIF with one tag besides the orientation.
    pub(in super::super) fn exif(orientation: u8, is_little: bool) -> Vec<u8> {
        let number = |value: u32, length: usize| {
            let mut bytes: Vec<u8> =
                (0..length).map(|at| u8::try_from(value >> (8 * at) & 0xFF).unwrap()).collect();
            if !is_little {
                bytes.reverse();
            }
            bytes
        };
        let mut exif = if is_little { b"II".to_vec() } else { b"MM".to_vec() };
        for (value, length) in [(42, 2), (8, 4), (2, 2)] {
            exif.extend(number(value, length));
        }
        for (tag, value) in [(0x010F, 77), (ORIENTATION, u32::from(orientation))] {
            for (value, length) in [(tag, 2), (SHORT, 2), (1, 4), (value, 2), (0, 2)] {
                exif.extend(number(value, length));
            }
        }
        exif
    }

    /// Where the top left corner of the picture and its top edge's other end come to lie.
    fn corners(turn: Turn) -> [(f32, f32); 2] {
        let m = turn.matrix([0.0, 0.0, 1.0, 1.0]);
        [(0.0, 1.0), (1.0, 1.0)]
            .map(|(x, y)| (m[0] * x + m[2] * y + m[4], m[1] * x + m[3] * y + m[5]))
    }

    #[test]
    fn each_orientation_puts_the_first_row_and_column_where_exif_says() {
        // By the orientation: where the first row's start and end are seen; the origin is below.
        let wanted = [
            [(0.0, 1.0), (1.0, 1.0)],
            [(1.0, 1.0), (0.0, 1.0)],
            [(1.0, 0.0), (0.0, 0.0)],
            [(0.0, 0.0), (1.0, 0.0)],
            [(0.0, 1.0), (0.0, 0.0)],
            [(1.0, 1.0), (1.0, 0.0)],
            [(1.0, 0.0), (1.0, 1.0)],
            [(0.0, 0.0), (0.0, 1.0)],
        ];
        for (orientation, wanted) in (1..).zip(wanted) {
            for is_little in [true, false] {
                let turn = Turn::of_exif(&exif(orientation, is_little));
                assert_eq!(corners(turn), wanted, "{orientation}");
                let is_sideways = turn.seen((3, 2)) == (2, 3);
                assert_eq!(is_sideways, orientation >= 5, "{orientation}");
            }
        }
    }

    #[test]
    fn what_is_no_exif_leaves_the_picture_as_it_is() {
        let whole = exif(6, true);
        for cut in 0..whole.len() - 3 {
            assert_eq!(Turn::of_exif(&whole[..cut]), Turn::Upright, "{cut}");
        }
        let far = [b"II\x2A\0", &[0xFF; 40][..]].concat();
        assert_eq!(Turn::of_exif(&far), Turn::Upright);
        assert_eq!(Turn::of_jpeg(b"\xFF\xD8\xFF\xE1\0"), Turn::Upright);
    }
}
