//! redb: a table for each map in one file.

use std::path::Path;

use redb::{
    Builder, Database, Durability, ReadOnlyDatabase, ReadOnlyTable, ReadTransaction,
    ReadableDatabase, ReadableTableMetadata, TableDefinition,
};

use crate::peer::{CACHE_BYTES, Entry, Mode, OnEntry, Puts, Reader, Result, Table, Tables};

/// A database file in a folder.
pub enum Redb {
    Write(Database),
    Read(ReadOnlyDatabase),
}

type Map = TableDefinition<'static, &'static [u8], &'static [u8]>;

const fn map(name: &'static str) -> Map {
    TableDefinition::new(name)
}

impl Tables for Redb {
    const NAME: &'static str = "redb";
    const SETTINGS: &'static str = "`Durability::Immediate`: a commit is synced; one-phase commits, which redb's \
        checksums of every page make safe; a cache of 64 MiB; `Database::compact` until it has nothing left to do.";

    type Reader = RedbReader;

    fn create(folder: &Path) -> Result<Self> {
        let database = builder().create(file(folder))?;
        let transaction = database.begin_write()?;
        for table in Table::ALL {
            drop(transaction.open_table(map(table.name()))?);
        }
        transaction.commit()?;
        Ok(Self::Write(database))
    }

    fn open(folder: &Path, mode: Mode) -> Result<Self> {
        Ok(match mode {
            Mode::Read => Self::Read(builder().open_read_only(file(folder))?),
            Mode::Write => Self::Write(builder().open(file(folder))?),
        })
    }

    fn reader(&self) -> Result<Self::Reader> {
        let transaction = match self {
            Self::Write(database) => database.begin_read()?,
            Self::Read(database) => database.begin_read()?,
        };
        RedbReader::new(&transaction)
    }

    fn write(&mut self, puts: &Puts) -> Result<()> {
        let Self::Write(database) = self else { return Err("it is open for reading".into()) };
        let mut transaction = database.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        for table in Table::ALL {
            let mut into = transaction.open_table(map(table.name()))?;
            for (key, value) in puts.of(table) {
                drop(into.insert(key, value)?);
            }
        }
        Ok(transaction.commit()?)
    }

    fn close(self) -> Result<()> {
        match self {
            Self::Write(database) => Ok(database.close()?),
            Self::Read(database) => Ok(database.close()?),
        }
    }

    fn compact(folder: &Path) -> Result<()> {
        let mut database = builder().open(file(folder))?;
        while database.compact()? {}
        Ok(database.close()?)
    }
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    let _ = builder.set_cache_size(CACHE_BYTES);
    builder
}

fn file(folder: &Path) -> std::path::PathBuf {
    folder.join("messages.redb")
}

/// A read transaction's tables.
pub struct RedbReader {
    tables: Vec<ReadOnlyTable<&'static [u8], &'static [u8]>>,
}

impl RedbReader {
    fn new(transaction: &ReadTransaction) -> Result<Self> {
        let open = |table: Table| transaction.open_table(map(table.name()));
        Ok(Self {
            tables: Table::ALL.into_iter().map(open).collect::<std::result::Result<_, _>>()?,
        })
    }
}

impl Reader for RedbReader {
    fn get(&mut self, table: Table, key: &[u8], on: &mut OnEntry<'_>) -> Result<bool> {
        let value = self.tables[table as usize].get(key)?;
        value.map(|value| on(key, value.value())).transpose().map(|done| done.is_some())
    }

    fn range(
        &mut self,
        table: Table,
        (from, to): (&[u8], &[u8]),
        on: &mut OnEntry<'_>,
    ) -> Result<()> {
        for entry in self.tables[table as usize].range(from..to)? {
            let (key, value) = entry?;
            on(key.value(), value.value())?;
        }
        Ok(())
    }

    fn last(&mut self, table: Table, (from, to): (&[u8], &[u8])) -> Result<Option<Entry>> {
        let last = self.tables[table as usize].range(from..to)?.next_back().transpose()?;
        Ok(last.map(|(key, value)| (key.value().to_vec(), value.value().to_vec())))
    }

    fn len(&mut self, table: Table) -> Result<u64> {
        Ok(self.tables[table as usize].len()?)
    }
}
