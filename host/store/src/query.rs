//! Short words for SQLite: every statement is prepared once a connection, every record is JSON.

use rusqlite::{Connection, Params, Row};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::{Error, Fault};

/// A result inside the store.
pub(super) type Result<T> = std::result::Result<T, Fault>;

/// Runs a statement that answers no rows; how many rows it changed.
pub(super) fn run(c: &Connection, sql: &str, params: impl Params) -> Result<usize> {
    Ok(c.prepare_cached(sql)?.execute(params)?)
}

/// All rows.
pub(super) fn all<T>(
    c: &Connection,
    sql: &str,
    params: impl Params,
    read: impl Fn(&Row<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let mut statement = c.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(read(row)?);
    }
    Ok(all)
}

/// What an item of a list counts for beside its texts.
const ITEM: usize = 16;

/// All rows, if they have not more than so many bytes. No more is read than that.
pub(super) fn within<T>(
    c: &Connection,
    sql: &str,
    params: impl Params,
    read: impl Fn(&Row<'_>) -> Result<T>,
    most: usize,
    size: impl Fn(&T) -> usize,
) -> Result<Option<Vec<T>>> {
    let mut statement = c.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let (mut all, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let item = read(row)?;
        bytes += ITEM + size(&item);
        if bytes > most {
            return Ok(None);
        }
        all.push(item);
    }
    Ok(Some(all))
}

/// The refusal of a list that has more.
pub(super) fn too_long(what: &str, most: usize) -> Error {
    Error::TooLong(format!("{what} has more than {most} bytes: ask for less, or for one key at a time"))
}

/// The first row.
pub(super) fn one<T>(
    c: &Connection,
    sql: &str,
    params: impl Params,
    read: impl Fn(&Row<'_>) -> Result<T>,
) -> Result<Option<T>> {
    let mut statement = c.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    rows.next()?.map(read).transpose()
}

/// A number that a query without a condition on the rows answers.
pub(super) fn count(c: &Connection, sql: &str, params: impl Params) -> Result<usize> {
    Ok(usize::try_from(c.prepare_cached(sql)?.query_row(params, |row| row.get::<_, i64>(0))?).unwrap_or(0))
}

/// Writes a record.
pub(super) fn json(record: &impl Serialize) -> Result<String> {
    serde_json::to_string(record).map_err(|e| Error::Invalid(format!("a record can't be written: {e}")).into())
}

/// Reads the record in the column `record`.
pub(super) fn record<T: DeserializeOwned>(row: &Row<'_>) -> Result<T> {
    let text = row.get_ref("record")?.as_str().map_err(|e| unreadable::<T>(&e))?;
    serde_json::from_str(text).map_err(|e| unreadable::<T>(&e))
}

/// Reads a checked text.
pub(super) fn text<T: TryFrom<String, Error = words::Error>>(text: String) -> Result<T> {
    T::try_from(text).map_err(|e| unreadable::<T>(&e))
}

/// Says which kind of record was written by no Pontoon.
pub(super) fn unreadable<T>(why: &dyn std::fmt::Display) -> Fault {
    let kind = std::any::type_name::<T>().rsplit("::").next().unwrap_or_default().to_lowercase();
    Fault::Record(format!("a record of kind {kind} can't be read ({why})"))
}

/// The text after every text that starts with `prefix`: no key holds U+10FFFF.
pub(super) fn after(prefix: &str) -> String {
    format!("{prefix}\u{10ffff}")
}
