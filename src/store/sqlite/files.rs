//! The files around a database: who may read them, and that only one process has them open.

use std::fs;
use std::fs::DirBuilder;
use std::fs::File;
use std::fs::OpenOptions;
use std::fs::TryLockError;
use std::io;
use std::io::Read;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::process;

use crate::store::Error;

/// A database file that belongs to this process, as long as the value lives.
///
/// The lock is on a file next to the database: SQLite's own locks would keep an operator's `sqlite3` out as well, and
/// closing any other handle of the database file would drop them.
#[derive(Debug)]
pub(super) struct Claim {
    path: PathBuf,
    identity: Option<Identity>,
    lock: File,
}

/// A child process between its fork and its exec still has the file open, so closing alone would not do.
impl Drop for Claim {
    fn drop(&mut self) {
        // If it fails, closing gives the lock up.
        let _ = self.lock.unlock();
    }
}

/// Device and inode.
type Identity = (u64, u64);

impl Claim {
    /// Locks the database, creating the directory and an empty file where they are missing.
    pub(super) fn take(path: &Path) -> Result<Self, Error> {
        if path.is_dir() {
            return Err(Error::File {
                path: path.to_owned(),
                action: "open",
                detail: "it is a directory; name a file in it".to_owned(),
            });
        }
        let path = absolute(path)?;
        let lock = lock(&path)?;
        create(&path)?;
        let identity = identity(&path)?;
        Ok(Self { path, identity, lock })
    }

    /// Locks the database, which has to be there.
    pub(super) fn take_existing(path: &Path) -> Result<Self, Error> {
        fs::metadata(path).map_err(|error| failure(path, "open", &error))?;
        Self::take(path)
    }

    /// The database file, absolute, without symbolic links.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Checks that the path still names the file that was opened.
    pub(super) fn still_holds(&self) -> Result<(), Error> {
        match identity(&self.path) {
            Ok(identity) if identity == self.identity => Ok(()),
            _ => Err(Error::Replaced { path: self.path.clone() }),
        }
    }
}

/// Takes away what rights others have on the files of the database.
///
/// SQLite gives the files that it makes the rights of the database, so this matters once for files that came
/// from elsewhere, a backup for example.
pub(super) fn tighten(database: &Path) -> Result<(), Error> {
    for suffix in ["", "-wal", "-shm"] {
        let path = beside(database, suffix);
        make_private(&path).or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => Ok(()),
            _ => Err(failure(&path, "restrict the permissions of", &error)),
        })?;
    }
    Ok(())
}

/// Gives the database file another name, with what SQLite keeps beside it, and returns that name; `None` if there is
/// no file. Nothing is overwritten.
pub(super) fn set_aside(path: &Path) -> Result<Option<PathBuf>, Error> {
    if !path.is_file() {
        return Ok(None);
    }
    let path = absolute(path)?;
    let _lock = lock(&path)?;
    let name = |number: u32| beside(&path, &format!(".forgotten-{number}"));
    let mut number = 1;
    while name(number).exists() {
        number += 1;
    }
    let aside = name(number);
    // The database last: a log left without it would be replayed into the next file of that name.
    for suffix in ["-wal", "-shm", ""] {
        let (from, to) = (beside(&path, suffix), beside(&aside, suffix));
        fs::rename(&from, &to).or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => Ok(()),
            _ => Err(failure(&from, "rename", &error)),
        })?;
    }
    sync_directory(&path).map_err(|error| failure(&path, "rename", &error))?;
    Ok(Some(aside))
}

/// Resolves the path, so that one file has one lock however it is named, and makes its directory.
fn absolute(path: &Path) -> Result<PathBuf, Error> {
    let resolved = |path: &Path| fs::canonicalize(path).map_err(|error| failure(path, "find", &error));
    if path.exists() {
        return resolved(path);
    }
    let name = path.file_name().ok_or_else(|| Error::File {
        path: path.to_owned(),
        action: "open",
        detail: "it does not name a file".to_owned(),
    })?;
    let directory = match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        _ => Path::new("."),
    };
    private_directories()
        .create(directory)
        .map_err(|error| failure(directory, "create directory", &error))?;
    Ok(resolved(directory)?.join(name))
}

/// Creates an empty file, unless there is one; SQLite would create it for all to read.
fn create(path: &Path) -> Result<(), Error> {
    match private_file().create_new(true).open(path) {
        Ok(_) => sync_directory(path).map_err(|error| failure(path, "create", &error)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(failure(path, "create", &error)),
    }
}

/// Creates an empty file that must not be there yet.
pub(super) fn create_new(path: &Path) -> Result<(), Error> {
    private_file().create_new(true).open(path).map(drop).map_err(|error| failure(path, "create", &error))
}

/// Writes a file and its name to the disk.
pub(super) fn sync(path: &Path) -> Result<(), Error> {
    File::open(path)
        .and_then(|file| file.sync_all())
        .and_then(|()| sync_directory(path))
        .map_err(|error| failure(path, "sync", &error))
}

/// Writes 64 KiB beside the database and removes them again: more than a commit takes.
pub(super) fn try_space(database: &Path) -> Result<(), Error> {
    let path = beside(database, ".space");
    let written = private_file().create(true).truncate(true).open(&path).and_then(|mut file| {
        file.write_all(&[0; 1 << 16])?;
        file.sync_all()
    });
    // Left behind it would be overwritten the next time.
    let _ = fs::remove_file(&path);
    written.map_err(|error| match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Error::Full { path: database.to_owned() }
        }
        _ => failure(&path, "write", &error),
    })
}

fn lock(database: &Path) -> Result<File, Error> {
    let path = beside(database, ".lock");
    let mut file =
        private_file().read(true).create(true).open(&path).map_err(|error| failure(&path, "open", &error))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(Error::InUse { path: database.to_owned(), holder: holder(&mut file) });
        }
        Err(TryLockError::Error(error)) => return Err(failure(&path, "lock", &error)),
    }
    // The number only serves the message above; the lock itself does not depend on it.
    let _ = file.set_len(0).and_then(|()| write!(file, "{}", process::id()));
    Ok(file)
}

/// The process id in a lock file; it may have been read before it was written.
fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(10).read_to_string(&mut text).ok()?;
    text.parse().ok()
}

pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

pub(super) fn failure(path: &Path, action: &'static str, error: &io::Error) -> Error {
    Error::File { path: path.to_owned(), action, detail: error.to_string() }
}

#[cfg(unix)]
fn private_file() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    options
}

#[cfg(not(unix))]
fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    options
}

#[cfg(unix)]
fn private_directories() -> DirBuilder {
    use std::os::unix::fs::DirBuilderExt;
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder
}

#[cfg(not(unix))]
fn private_directories() -> DirBuilder {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    builder
}

#[cfg(unix)]
fn make_private(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mut permissions = fs::metadata(path)?.permissions();
    if permissions.mode() & 0o077 == 0 {
        return Ok(());
    }
    permissions.set_mode(permissions.mode() & 0o700);
    fs::set_permissions(path, permissions)
}

#[cfg(not(unix))]
fn make_private(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn identity(path: &Path) -> Result<Option<Identity>, Error> {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(path)
        .map(|metadata| Some((metadata.dev(), metadata.ino())))
        .map_err(|error| failure(path, "find", &error))
}

#[cfg(not(unix))]
fn identity(path: &Path) -> Result<Option<Identity>, Error> {
    fs::metadata(path).map(|_| None).map_err(|error| failure(path, "find", &error))
}

/// Makes a new name in a directory survive a power cut.
#[cfg(unix)]
fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(not(unix))]
fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}
