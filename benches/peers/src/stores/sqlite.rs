//! `SQLite`, built in: a table for each map.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use crate::peer::{CACHE_BYTES, Entry, Mode, OnEntry, Puts, Reader, Result, Table, Tables};

/// A database file in a folder.
pub struct Sqlite {
    connection: Connection,
    path: std::path::PathBuf,
}

impl Tables for Sqlite {
    const NAME: &'static str = "SQLite";
    const SETTINGS: &'static str = "WAL, `synchronous=FULL`: a commit is synced; pages of 4 KiB; rows in a table by \
        integer key, the other maps `WITHOUT ROWID` by blob, so that no map needs a second tree; prepared \
        statements; a cache of 64 MiB and no mmap; `VACUUM` to compact. No checksums.";

    type Reader = SqliteReader;

    fn create(folder: &Path) -> Result<Self> {
        let this = Self::connect(folder, OpenFlags::default())?;
        this.connection.pragma_update(None, "journal_mode", "WAL")?;
        for table in Table::ALL {
            let name = table.name();
            this.connection.execute_batch(&match table {
                Table::Rows => {
                    format!("CREATE TABLE {name}(k INTEGER PRIMARY KEY, v BLOB NOT NULL)")
                }
                _ => format!(
                    "CREATE TABLE {name}(k BLOB PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID"
                ),
            })?;
        }
        Ok(this)
    }

    fn open(folder: &Path, mode: Mode) -> Result<Self> {
        // A reader of a WAL writes to its index file, so both open the same way.
        let _ = mode;
        Self::connect(folder, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)
    }

    fn reader(&self) -> Result<Self::Reader> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        set_up(&connection)?;
        // One transaction for all questions: otherwise each statement locks the WAL anew.
        connection.execute_batch("BEGIN")?;
        let _: i64 =
            connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))?;
        let sql = |table: Table| {
            let select = |what, rest| format!("SELECT {what} FROM {} WHERE {rest}", table.name());
            let between = "k >= ?1 AND k < ?2 ORDER BY k";
            Sql {
                get: select("v", "k = ?1"),
                range: select("k, v", between),
                last: select("k, v", &format!("{between} DESC LIMIT 1")),
                len: select("count(*)", "true"),
            }
        };
        Ok(SqliteReader { connection, sql: Table::ALL.map(sql) })
    }

    fn write(&mut self, puts: &Puts) -> Result<()> {
        let transaction = self.connection.transaction()?;
        for table in Table::ALL {
            let sql = format!("INSERT OR REPLACE INTO {} VALUES (?1, ?2)", table.name());
            let mut insert = transaction.prepare_cached(&sql)?;
            for (key, value) in puts.of(table) {
                let _ = match table {
                    Table::Rows => insert.execute(params![row_number(key), value])?,
                    _ => insert.execute(params![key, value])?,
                };
            }
        }
        Ok(transaction.commit()?)
    }

    fn close(self) -> Result<()> {
        self.connection.close().map_err(|(_, error)| error.into())
    }

    fn compact(folder: &Path) -> Result<()> {
        let this = Self::open(folder, Mode::Write)?;
        this.connection.execute_batch("VACUUM")?;
        this.close()
    }
}

impl Sqlite {
    fn connect(folder: &Path, flags: OpenFlags) -> Result<Self> {
        let path = folder.join("messages.sqlite");
        let connection = Connection::open_with_flags(&path, flags)?;
        set_up(&connection)?;
        // Read the schema now: that is part of opening.
        let _: i64 =
            connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))?;
        Ok(Self { connection, path })
    }
}

fn set_up(connection: &Connection) -> Result<()> {
    connection.set_prepared_statement_cache_capacity(64);
    let cache = CACHE_BYTES >> 10;
    Ok(connection.execute_batch(&format!("PRAGMA synchronous=FULL; PRAGMA cache_size=-{cache}"))?)
}

/// The number that a key of [`Table::Rows`] is.
fn row_number(key: &[u8]) -> i64 {
    key.iter().fold(0, |number, byte| number << 8 | i64::from(*byte))
}

/// A read transaction on a connection of its own.
pub struct SqliteReader {
    connection: Connection,
    sql: [Sql; Table::ALL.len()],
}

/// The statements of a table.
struct Sql {
    get: String,
    range: String,
    last: String,
    len: String,
}

impl Reader for SqliteReader {
    fn get(&mut self, table: Table, key: &[u8], on: &mut OnEntry<'_>) -> Result<bool> {
        let mut select = self.connection.prepare_cached(&self.sql[table as usize].get)?;
        let mut rows = match table {
            Table::Rows => select.query([row_number(key)])?,
            _ => select.query([key])?,
        };
        let Some(row) = rows.next()? else { return Ok(false) };
        on(key, row.get_ref(0)?.as_blob()?)?;
        Ok(true)
    }

    fn range(
        &mut self,
        table: Table,
        (from, to): (&[u8], &[u8]),
        on: &mut OnEntry<'_>,
    ) -> Result<()> {
        let mut select = self.connection.prepare_cached(&self.sql[table as usize].range)?;
        if table == Table::Rows {
            let mut rows = select.query([row_number(from), row_number(to)])?;
            while let Some(row) = rows.next()? {
                let key = u32::try_from(row.get::<_, i64>(0)?)?.to_be_bytes();
                on(&key, row.get_ref(1)?.as_blob()?)?;
            }
            return Ok(());
        }
        let mut rows = select.query([from, to])?;
        while let Some(row) = rows.next()? {
            on(row.get_ref(0)?.as_blob()?, row.get_ref(1)?.as_blob()?)?;
        }
        Ok(())
    }

    fn last(&mut self, table: Table, (from, to): (&[u8], &[u8])) -> Result<Option<Entry>> {
        let mut select = self.connection.prepare_cached(&self.sql[table as usize].last)?;
        if table == Table::Rows {
            let entry = |row: &rusqlite::Row<'_>| {
                Ok((row.get::<_, u32>(0)?.to_be_bytes().to_vec(), row.get(1)?))
            };
            return Ok(select.query_row([row_number(from), row_number(to)], entry).optional()?);
        }
        let entry = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        Ok(select.query_row([from, to], entry).optional()?)
    }

    fn len(&mut self, table: Table) -> Result<u64> {
        let mut select = self.connection.prepare_cached(&self.sql[table as usize].len)?;
        Ok(select.query_row([], |row| row.get::<_, i64>(0))?.cast_unsigned())
    }
}
