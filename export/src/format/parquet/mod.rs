//! Parquet: the columns of the CSV, typed, for tools that count and join.
//!
//! - One row a message, or one a version; the same rows as in CSV, in the same order. Text is as it
//!   was stored: nothing can be a formula here, so there is no guard and no `guarded` column.
//! - Times are `TIMESTAMP(MILLIS, UTC)`, lists are `LIST` of strings, numbers are `INT64`; no text is
//!   null. What `DuckDB`, pandas, Spark and Power BI read without being told.
//! - zstd, row groups of at most [`GROUP_ROWS`] rows and about [`GROUP_BYTES`]: that much is in memory
//!   twice, and besides it the finished row groups of one file.
//! - A Parquet file ends with its table of contents, so it cannot be cut anywhere. It stays in memory
//!   until it is finished: ask [`File::size_with`] before adding a message, and [`File::is_full`]
//!   after it.

mod chunk;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::sync::Arc;

use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::TypePtr;

use self::chunk::Chunk;
use crate::entry::{Context, Entry, RenderOptions};
use crate::format::table::{self, COLUMNS, Kind, WIDTH};

/// The most rows of a row group.
pub(crate) const GROUP_ROWS: u64 = 65_536;
/// A row group is closed when its values take this much.
pub(crate) const GROUP_BYTES: u64 = 16 << 20;
/// A file that has reached this size should be finished: it is in memory until then.
pub(crate) const FILE_BYTES: u64 = 64 << 20;

/// The most that the description of one column chunk takes: its name, statistics cut at 64 bytes,
/// offsets, encodings.
const CHUNK_DESCRIPTION_BYTES: u64 = 400;
/// The most that the schema and the frame of the file take.
const FRAME_BYTES: u64 = 6 << 10;

/// Makes the rows of one conversation's messages, on any thread.
#[derive(Debug)]
pub(crate) struct Records<'a>(table::Rows<'a>);

/// The rows of one message.
#[derive(Debug)]
pub(crate) struct Rows {
    chunks: Vec<Chunk>,
    rows: u64,
}

/// A file that is being written.
pub(crate) struct File {
    writer: SerializedFileWriter<Vec<u8>>,
    pending: Rows,
    groups: u64,
    rows: u64,
    metadata_bytes: u64,
}

impl<'a> Records<'a> {
    /// For the messages of one conversation.
    pub(crate) fn new(context: Context<'a>) -> Self {
        Self(table::Rows::new(context))
    }

    /// Attachments get rows of their own, behind the message that has them.
    #[must_use]
    pub(crate) fn with_attachment_rows(self) -> Self {
        Self(self.0.with_attachments())
    }

    /// The rows of a message; none for a system event that is to be left out.
    pub(crate) fn record(&self, entry: &Entry) -> Rows {
        let mut made = Rows::empty();
        self.0.each(entry, &mut |row| {
            made.rows += 1;
            made.chunks.iter_mut().zip(row.cells()).for_each(|(chunk, cell)| chunk.push(cell));
        });
        made
    }
}

impl Rows {
    fn empty() -> Self {
        Self { chunks: COLUMNS.iter().map(|column| Chunk::new(column.kind)).collect(), rows: 0 }
    }

    fn plain_bytes(&self) -> u64 {
        self.chunks.iter().map(Chunk::plain_bytes).sum()
    }

    fn append(&mut self, more: &Self) {
        self.rows += more.rows;
        self.chunks.iter_mut().zip(&more.chunks).for_each(|(chunk, more)| chunk.append(more));
    }
}

impl File {
    /// A file without rows. It names the export and the tenant it is from.
    pub(crate) fn new(tenant: &str, options: &RenderOptions) -> io::Result<Self> {
        let about = [
            ("export_id", options.export_id.clone()),
            ("as_of", crate::zone::rfc3339(options.as_of)),
            ("tenant_id", tenant.to_owned()),
        ];
        let metadata_bytes =
            about.iter().map(|(name, value)| (name.len() + value.len() + 32) as u64);
        let metadata_bytes = metadata_bytes.sum();
        let about = about.map(|(name, value)| KeyValue::new(name.to_owned(), value)).to_vec();
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_created_by("chatvault".to_owned())
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_offset_index_disabled(true)
            .set_key_value_metadata(Some(about))
            .build();
        let schema = schema().map_err(failed)?;
        let writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties));
        let writer = writer.map_err(failed)?;
        Ok(Self { writer, pending: Rows::empty(), groups: 0, rows: 0, metadata_bytes })
    }

    /// The most that the file has if these rows are added and nothing else.
    pub(crate) fn size_with(&self, rows: &Rows) -> u64 {
        let is_open = self.pending.rows + rows.rows > 0;
        let chunks = (self.groups + u64::from(is_open)) * WIDTH as u64;
        let together = self.pending.chunks.iter().zip(&rows.chunks);
        let open_bytes: u64 = together.map(|(chunk, more)| chunk.most_bytes_with(more)).sum();
        self.writer.bytes_written() as u64
            + if is_open { open_bytes } else { 0 }
            + chunks * CHUNK_DESCRIPTION_BYTES
            + self.metadata_bytes
            + FRAME_BYTES
    }

    /// Whether it is as large as files should become.
    pub(crate) fn is_full(&self) -> bool {
        self.writer.bytes_written() as u64 + self.pending.plain_bytes() >= FILE_BYTES
    }

    /// Adds the rows of a message. Where row groups end depends on the rows alone.
    pub(crate) fn push(&mut self, rows: &Rows) -> io::Result<()> {
        self.pending.append(rows);
        self.rows += rows.rows;
        let is_whole = self.pending.rows >= GROUP_ROWS || self.pending.plain_bytes() >= GROUP_BYTES;
        if is_whole { self.close_group().map_err(failed) } else { Ok(()) }
    }

    /// The whole file.
    pub(crate) fn finish(mut self) -> io::Result<Vec<u8>> {
        if self.pending.rows > 0 {
            self.close_group().map_err(failed)?;
        }
        self.writer.into_inner().map_err(failed)
    }

    fn close_group(&mut self) -> Result<(), ParquetError> {
        let full = std::mem::replace(&mut self.pending, Rows::empty());
        let mut group = self.writer.next_row_group()?;
        for chunk in full.chunks {
            let missing = || ParquetError::General("the schema has too few columns".to_owned());
            let mut column = group.next_column()?.ok_or_else(missing)?;
            chunk.write(&mut column)?;
            column.close()?;
        }
        let _description = group.close()?;
        self.groups += 1;
        Ok(())
    }
}

fn failed(cause: ParquetError) -> io::Error {
    io::Error::other(cause)
}

/// The schema, made from the table's columns.
fn schema() -> Result<TypePtr, ParquetError> {
    let mut text = "message chatvault {\n".to_owned();
    for column in COLUMNS {
        let name = column.name;
        let field = match column.kind {
            Kind::Words | Kind::Fixed => format!("required binary {name} (STRING);"),
            Kind::Time => format!("optional int64 {name} (TIMESTAMP(MILLIS,true));"),
            Kind::Number => format!("required int64 {name};"),
            Kind::Flag => format!("required boolean {name};"),
            Kind::List => format!(
                "required group {name} (LIST) {{ repeated group list {{ \
                 required binary element (STRING); }} }}"
            ),
        };
        text.push_str(&field);
        text.push('\n');
    }
    text.push('}');
    parse_message_type(&text).map(Arc::new)
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("File");
        shown.field("rows", &self.rows).field("groups", &self.groups).finish_non_exhaustive()
    }
}
