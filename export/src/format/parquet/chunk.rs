//! The values of one column until their row group is written: packed, without an allocation for each.

use bytes::Bytes;
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::writer::SerializedColumnWriter;

use crate::format::table::{Cell, Kind};

/// What a value can take besides its plain form: an index into a dictionary, two levels, its share of
/// a page's frame.
const MORE_BYTES: u64 = 8;
/// What a column chunk can take besides its values: headers of its first page and its dictionary.
const FIRST_PAGE_BYTES: u64 = 256;
/// A page is at most this large, and each has a header.
const PAGE_BYTES: u64 = 1 << 20;

/// The values of one column.
#[derive(Debug)]
pub(super) enum Chunk {
    /// Texts, one behind the other.
    Texts(Texts),
    /// Lists of texts: how many texts each row has.
    Lists(Texts, Vec<u32>),
    /// Numbers.
    Numbers(Vec<i64>),
    /// Times in milliseconds, and for each row whether it has one.
    Times(Vec<i64>, Vec<i16>),
    /// Flags.
    Flags(Vec<bool>),
}

/// Texts in one buffer, and where each ends.
#[derive(Debug, Default)]
pub(super) struct Texts {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Texts {
    fn push(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
        self.ends.push(self.bytes.len());
    }

    fn append(&mut self, more: &Self) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&more.bytes);
        self.ends.extend(more.ends.iter().map(|end| start + end));
    }

    fn plain_bytes(&self) -> u64 {
        (self.bytes.len() + 4 * self.ends.len()) as u64
    }

    fn into_values(self) -> Vec<ByteArray> {
        let bytes = Bytes::from(self.bytes);
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| bytes.slice(start..*end).into()).collect()
    }
}

impl Chunk {
    pub(super) fn new(kind: Kind) -> Self {
        match kind {
            Kind::Words | Kind::Fixed => Self::Texts(Texts::default()),
            Kind::List => Self::Lists(Texts::default(), Vec::new()),
            Kind::Time => Self::Times(Vec::new(), Vec::new()),
            Kind::Number => Self::Numbers(Vec::new()),
            Kind::Flag => Self::Flags(Vec::new()),
        }
    }

    /// Adds a row's value; the table promises that it is of the column's kind.
    pub(super) fn push(&mut self, cell: Cell<'_>) {
        match (self, cell) {
            (Self::Texts(texts), Cell::Words(text) | Cell::Fixed(text)) => texts.push(text),
            (Self::Lists(texts, counts), Cell::List(items)) => {
                let before = texts.ends.len();
                items.iter().for_each(|item| texts.push(item));
                counts.push(u32::try_from(texts.ends.len() - before).unwrap_or(u32::MAX));
            }
            (Self::Times(values, there), Cell::Time(time)) => {
                there.push(i16::from(time.is_some()));
                values.extend(time.map(chatvault_engine::Timestamp::ms));
            }
            (Self::Numbers(values), Cell::Number(number)) => {
                values.push(i64::try_from(number).unwrap_or(i64::MAX));
            }
            (Self::Flags(values), Cell::Flag(flag)) => values.push(flag),
            (_, _) => debug_assert!(false, "a cell of another kind than its column"),
        }
    }

    pub(super) fn append(&mut self, more: &Self) {
        match (self, more) {
            (Self::Texts(texts), Self::Texts(more)) => texts.append(more),
            (Self::Lists(texts, counts), Self::Lists(more, more_counts)) => {
                texts.append(more);
                counts.extend_from_slice(more_counts);
            }
            (Self::Times(values, there), Self::Times(more, more_there)) => {
                values.extend_from_slice(more);
                there.extend_from_slice(more_there);
            }
            (Self::Numbers(values), Self::Numbers(more)) => values.extend_from_slice(more),
            (Self::Flags(values), Self::Flags(more)) => values.extend_from_slice(more),
            (_, _) => debug_assert!(false, "chunks of two kinds"),
        }
    }

    /// What the values take as they are.
    pub(super) fn plain_bytes(&self) -> u64 {
        match self {
            Self::Texts(texts) => texts.plain_bytes(),
            Self::Lists(texts, counts) => texts.plain_bytes() + counts.len() as u64,
            Self::Numbers(values) => 8 * values.len() as u64,
            Self::Times(values, there) => 8 * values.len() as u64 + there.len() as u64,
            Self::Flags(values) => values.len() as u64,
        }
    }

    fn values(&self) -> u64 {
        let count = match self {
            Self::Texts(texts) => texts.ends.len(),
            Self::Lists(texts, counts) => texts.ends.len() + counts.len(),
            Self::Numbers(values) => values.len(),
            Self::Times(_, there) => there.len(),
            Self::Flags(values) => values.len(),
        };
        count as u64
    }

    /// The most that the values take in a file together with those of another chunk of the column.
    /// zstd makes what it cannot press a little larger.
    pub(super) fn most_bytes_with(&self, more: &Self) -> u64 {
        let plain =
            self.plain_bytes() + more.plain_bytes() + MORE_BYTES * (self.values() + more.values());
        plain + plain / 128 + FIRST_PAGE_BYTES * (1 + plain / PAGE_BYTES)
    }

    /// Writes the values as a column chunk.
    pub(super) fn write(self, column: &mut SerializedColumnWriter<'_>) -> Result<(), ParquetError> {
        let _written = match self {
            Self::Texts(texts) => {
                column.typed::<ByteArrayType>().write_batch(&texts.into_values(), None, None)?
            }
            Self::Lists(texts, counts) => {
                let (there, again) = levels(&counts);
                let values = texts.into_values();
                let column = column.typed::<ByteArrayType>();
                column.write_batch(&values, Some(&there), Some(&again))?
            }
            Self::Times(values, there) => {
                column.typed::<Int64Type>().write_batch(&values, Some(&there), None)?
            }
            Self::Numbers(values) => {
                column.typed::<Int64Type>().write_batch(&values, None, None)?
            }
            Self::Flags(values) => column.typed::<BoolType>().write_batch(&values, None, None)?,
        };
        Ok(())
    }
}

/// Definition and repetition levels of lists: an empty one has one entry, at definition level 0.
fn levels(counts: &[u32]) -> (Vec<i16>, Vec<i16>) {
    let (mut there, mut again) = (Vec::new(), Vec::new());
    for count in counts {
        there.push(i16::from(*count > 0));
        again.push(0);
        for _ in 1..*count {
            there.push(1);
            again.push(1);
        }
    }
    (there, again)
}
