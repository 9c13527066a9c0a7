//! LMDB, by way of heed: a named database for each map.

use std::path::Path;

use heed::types::Bytes;
use heed::{
    CompactionOption, Database, Env, EnvFlags, EnvOpenOptions, PutFlags, RoTxn, WithoutTls,
};

use crate::peer::{Entry, Mode, OnEntry, Puts, Reader, Result, Table, Tables};

/// Address space, not disk: the file grows as it is filled.
const MAP_BYTES: usize = 64 << 30;
const MAX_READERS: u32 = 64;
const MAX_MAPS: u32 = 16;

type Map = Database<Bytes, Bytes>;

/// An environment in a folder.
pub struct Lmdb {
    env: Env<WithoutTls>,
    maps: [Map; Table::ALL.len()],
}

impl Tables for Lmdb {
    const NAME: &'static str = "LMDB";
    const SETTINGS: &'static str = "default flags: a commit is written and synced, no WRITEMAP, no NOSYNC; rows are \
        appended (`MDB_APPEND`) where their numbers allow it; `mdb_copy` with compaction to compact. It has it \
        easier: no checksums, and the whole file is mapped, so its cache is the system's and has no limit.";
    const READS_BY_CALLS: bool = false;

    type Reader = LmdbReader;

    fn create(folder: &Path) -> Result<Self> {
        let env = env(folder, EnvFlags::empty())?;
        let mut transaction = env.write_txn()?;
        let mut maps = Vec::new();
        for table in Table::ALL {
            maps.push(env.create_database(&mut transaction, Some(table.name()))?);
        }
        transaction.commit()?;
        Ok(Self { env, maps: maps.try_into().map_err(|_| "a map for each table")? })
    }

    fn open(folder: &Path, mode: Mode) -> Result<Self> {
        let flags = match mode {
            Mode::Read => EnvFlags::READ_ONLY,
            Mode::Write => EnvFlags::empty(),
        };
        let env = env(folder, flags)?;
        let transaction = env.read_txn()?;
        let mut maps = Vec::new();
        for table in Table::ALL {
            let map = env.open_database(&transaction, Some(table.name()))?;
            maps.push(map.ok_or("a map is missing")?);
        }
        transaction.commit()?;
        Ok(Self { env, maps: maps.try_into().map_err(|_| "a map for each table")? })
    }

    fn reader(&self) -> Result<Self::Reader> {
        Ok(LmdbReader { transaction: self.env.clone().static_read_txn()?, maps: self.maps })
    }

    fn write(&mut self, puts: &Puts) -> Result<()> {
        let mut transaction = self.env.write_txn()?;
        for table in Table::ALL {
            let map = self.maps[table as usize];
            let last = map.last(&transaction)?.map(|(key, _)| key.to_vec()).unwrap_or_default();
            for (key, value) in puts.of(table) {
                let append = table == Table::Rows && key > &last[..];
                let flags = if append { PutFlags::APPEND } else { PutFlags::empty() };
                map.put_with_flags(&mut transaction, flags, key, value)?;
            }
        }
        Ok(transaction.commit()?)
    }

    fn close(self) -> Result<()> {
        self.env.prepare_for_closing().wait();
        Ok(())
    }

    fn compact(folder: &Path) -> Result<()> {
        let this = Self::open(folder, Mode::Read)?;
        let copy = folder.join("copy.mdb");
        if copy.exists() {
            std::fs::remove_file(&copy)?;
        }
        let file = this.env.copy_to_path(&copy, CompactionOption::Enabled)?;
        file.sync_all()?;
        this.close()?;
        Ok(std::fs::rename(copy, folder.join("data.mdb"))?)
    }
}

#[expect(
    unsafe_code,
    reason = "the map is sound as long as nobody else changes the file: it is ours"
)]
fn env(folder: &Path, flags: EnvFlags) -> Result<Env<WithoutTls>> {
    let mut options = EnvOpenOptions::new().read_txn_without_tls();
    let _ = options.map_size(MAP_BYTES).max_dbs(MAX_MAPS).max_readers(MAX_READERS);
    // SAFETY: no other process has this folder, and no other environment of this process is open on it.
    unsafe {
        let _ = options.flags(flags);
        Ok(options.open(folder)?)
    }
}

/// A read transaction.
pub struct LmdbReader {
    transaction: RoTxn<'static, WithoutTls>,
    maps: [Map; Table::ALL.len()],
}

impl Reader for LmdbReader {
    fn get(&mut self, table: Table, key: &[u8], on: &mut OnEntry<'_>) -> Result<bool> {
        let value = self.maps[table as usize].get(&self.transaction, key)?;
        value.map(|value| on(key, value)).transpose().map(|done| done.is_some())
    }

    fn range(
        &mut self,
        table: Table,
        (from, to): (&[u8], &[u8]),
        on: &mut OnEntry<'_>,
    ) -> Result<()> {
        for entry in self.maps[table as usize].range(&self.transaction, &bounds(from, to))? {
            let (key, value) = entry?;
            on(key, value)?;
        }
        Ok(())
    }

    fn last(&mut self, table: Table, (from, to): (&[u8], &[u8])) -> Result<Option<Entry>> {
        let map = self.maps[table as usize];
        let last = map.get_lower_than(&self.transaction, to)?.filter(|(key, _)| *key >= from);
        Ok(last.map(|(key, value)| (key.to_vec(), value.to_vec())))
    }

    fn len(&mut self, table: Table) -> Result<u64> {
        Ok(self.maps[table as usize].len(&self.transaction)?)
    }
}

type Bounds<'a> = (std::ops::Bound<&'a [u8]>, std::ops::Bound<&'a [u8]>);

fn bounds<'a>(from: &'a [u8], to: &'a [u8]) -> Bounds<'a> {
    (std::ops::Bound::Included(from), std::ops::Bound::Excluded(to))
}
