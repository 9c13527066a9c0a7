//! fjall, the LSM tree among the peers: a keyspace for each map.

use std::path::Path;

use fjall::config::CompressionPolicy;
use fjall::{CompressionType, Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use crate::peer::{CACHE_BYTES, Entry, Mode, OnEntry, Puts, Reader, Result, Table, Tables};

/// The least that it takes: all of it is read when the database is opened.
const JOURNAL_BYTES: u64 = 64 << 20;

/// A database in a folder.
pub struct Fjall {
    database: Database,
    maps: Vec<Keyspace>,
}

impl Tables for Fjall {
    const NAME: &'static str = "fjall";
    const SETTINGS: &'static str = "each commit is one batch with `PersistMode::SyncAll`; a block cache of 64 MiB; no \
        compression of rows, which are packed already, defaults elsewhere; journals of 64 MiB, its least, since all of \
        that is read when it is opened; memtables are written out at the end of an import; it counts rows by walking over their \
        keys; a major compaction of every keyspace to compact. Blocks are checksummed.";

    type Reader = FjallReader;

    fn create(folder: &Path) -> Result<Self> {
        Self::connect(folder)
    }

    fn open(folder: &Path, _: Mode) -> Result<Self> {
        // There is one way to open it.
        Self::connect(folder)
    }

    fn reader(&self) -> Result<Self::Reader> {
        Ok(FjallReader { maps: self.maps.clone() })
    }

    fn write(&mut self, puts: &Puts) -> Result<()> {
        let mut batch = self.database.batch().durability(Some(PersistMode::SyncAll));
        for table in Table::ALL {
            let map = &self.maps[table as usize];
            puts.of(table).for_each(|(key, value)| batch.insert(map, key, value));
        }
        Ok(batch.commit()?)
    }

    fn close(self) -> Result<()> {
        self.database.persist(PersistMode::SyncAll)?;
        Ok(())
    }

    fn flush(&self) -> Result<()> {
        self.maps.iter().try_for_each(|map| Ok(map.rotate_memtable_and_wait()?))
    }

    fn compact(folder: &Path) -> Result<()> {
        let this = Self::connect(folder)?;
        this.flush()?;
        this.maps.iter().try_for_each(Keyspace::major_compact)?;
        this.close()
    }
}

impl Fjall {
    fn connect(folder: &Path) -> Result<Self> {
        let database = Database::builder(folder)
            .cache_size(CACHE_BYTES as u64)
            .max_journaling_size(JOURNAL_BYTES)
            .open()?;
        let mut maps = Vec::new();
        for table in Table::ALL {
            maps.push(database.keyspace(table.name(), || options(table))?);
        }
        Ok(Self { database, maps })
    }
}

fn options(table: Table) -> KeyspaceCreateOptions {
    let options = KeyspaceCreateOptions::default();
    if table != Table::Rows {
        return options;
    }
    options.data_block_compression_policy(CompressionPolicy::all(CompressionType::None))
}

/// Reads the newest state; nobody writes meanwhile.
pub struct FjallReader {
    maps: Vec<Keyspace>,
}

impl Reader for FjallReader {
    fn get(&mut self, table: Table, key: &[u8], on: &mut OnEntry<'_>) -> Result<bool> {
        let value = self.maps[table as usize].get(key)?;
        value.map(|value| on(key, &value)).transpose().map(|done| done.is_some())
    }

    fn range(
        &mut self,
        table: Table,
        (from, to): (&[u8], &[u8]),
        on: &mut OnEntry<'_>,
    ) -> Result<()> {
        for entry in self.maps[table as usize].range(from..to) {
            let (key, value) = entry.into_inner()?;
            on(&key, &value)?;
        }
        Ok(())
    }

    fn last(&mut self, table: Table, (from, to): (&[u8], &[u8])) -> Result<Option<Entry>> {
        let last = self.maps[table as usize].range(from..to).next_back();
        let Some(entry) = last else { return Ok(None) };
        let (key, value) = entry.into_inner()?;
        Ok(Some((key.to_vec(), value.to_vec())))
    }

    fn len(&mut self, table: Table) -> Result<u64> {
        Ok(self.maps[table as usize].len()? as u64)
    }
}
