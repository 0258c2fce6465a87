//! The `db` block of ca.json: names of databases; which of them can be opened is settled where they are.

use crate::config::Error;
use crate::config::reader::Object;

/// The `db` block.
#[derive(Clone, PartialEq, Eq)]
pub struct Database {
    /// `badger`, `badgerv1`, `badgerv2`, `bbolt`, `mysql` or `postgresql` of step-ca, or `sqlite`, in any case.
    pub kind: String,
    /// A folder or file; for `mysql` and `postgresql` an address, with a password in it.
    pub data_source: String,
    /// `database`: goes before the one in an address.
    pub name: Option<String>,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// Reads the `db` member; a type that step-ca does not know either is refused.
pub(crate) fn read(root: &Object<'_>) -> Result<Option<Database>, Error> {
    let Some(db) = root.object("db")? else { return Ok(None) };
    let kind = db.text("type")?;
    match kind.to_ascii_lowercase().as_str() {
        "badger" | "badgerv1" | "badgerv2" | "bbolt" | "mysql" | "postgresql" | "sqlite" => {}
        _ => {
            return Err(Error::Invalid(format!(
                "Error opening database of Type {kind}: {kind} database not supported"
            )));
        }
    }
    let name = Some(db.text("database")?).filter(|name| !name.is_empty());
    Ok(Some(Database { kind, data_source: db.text("dataSource")?, name }))
}
