//! Writes files so that they are whole, private where they hold secrets, and never overwrite a key.

use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use time::OffsetDateTime;

use crate::cli::failure::Failure;
use crate::duration::format_rfc3339;

/// Whether others may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Only its owner: 0600.
    Private,
    /// Everybody: 0644.
    Public,
}

/// Makes a folder and those above it, private to the owner where new.
pub(super) fn create_folder(path: &Path) -> Result<(), Failure> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|error| Failure::file("make folder", path, &error))
}

/// Writes a new file; one that exists is an error and stays as it is.
pub(super) fn write_new(path: &Path, bytes: &[u8], access: Access) -> Result<(), Failure> {
    let temporary = write_temporary(path, bytes, access)?;
    // A link never replaces what is there, unlike a rename.
    let linked = std::fs::hard_link(&temporary, path);
    let _ = std::fs::remove_file(&temporary);
    linked.map_err(|error| Failure::file("write", path, &error))?;
    sync_folder(path);
    Ok(())
}

/// Writes a file whole, in place of one that may be there.
pub(super) fn replace(path: &Path, bytes: &[u8], access: Access) -> Result<(), Failure> {
    let temporary = write_temporary(path, bytes, access)?;
    if let Err(error) = std::fs::rename(&temporary, path) {
        let _ = std::fs::remove_file(&temporary);
        return Err(Failure::file("write", path, &error));
    }
    sync_folder(path);
    Ok(())
}

/// Writes a file whole in place of one that is there, with the same owner and mode.
pub(super) fn replace_keeping(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let temporary = write_temporary(path, bytes, Access::Private)?;
    let renamed = keep_access(path, &temporary).and_then(|()| std::fs::rename(&temporary, path));
    if let Err(error) = renamed {
        let _ = std::fs::remove_file(&temporary);
        return Err(Failure::file("write", path, &error));
    }
    sync_folder(path);
    Ok(())
}

/// Writes what a file holds beside it, with the same owner and mode, and tells where: `ca.json.bak-20261124T101500Z`.
pub(super) fn keep_copy(path: &Path, bytes: &[u8], now: OffsetDateTime) -> Result<PathBuf, Failure> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let time = format_rfc3339(now.replace_nanosecond(0).unwrap_or(now)).replace(['-', ':'], "");
    let free = |number: u32| {
        let more = if number == 0 { String::new() } else { format!("-{number}") };
        Some(path.with_file_name(format!("{name}.bak-{time}{more}"))).filter(|copy| !copy.exists())
    };
    let copy = (0..1000).find_map(free).unwrap_or_else(|| path.with_file_name(format!("{name}.bak")));
    write_new(&copy, bytes, Access::Private)?;
    keep_access(path, &copy).map_err(|error| Failure::file("write", &copy, &error))?;
    Ok(copy)
}

/// Renames a file, if there is one, to the first free of `<name>.<suffix>-1`, `-2` and so on.
pub(super) fn put_aside(path: &Path, suffix: &str) -> Result<(), Failure> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let numbered = |number: u32| path.with_file_name(format!("{name}.{suffix}-{number}"));
    let Some(free) = (1..=u32::MAX).map(numbered).find(|path| !path.exists()) else { return Ok(()) };
    match std::fs::rename(path, &free) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Failure::file("move away", path, &error))
        }
        _ => Ok(()),
    }
}

/// Gives `to` the owner and mode of `from`.
fn keep_access(from: &Path, to: &Path) -> std::io::Result<()> {
    let data = std::fs::metadata(from)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let own = std::fs::metadata(to)?;
        if (data.uid(), data.gid()) != (own.uid(), own.gid()) {
            std::os::unix::fs::chown(to, Some(data.uid()), Some(data.gid()))?;
        }
    }
    std::fs::set_permissions(to, data.permissions())?;
    std::fs::File::open(to)?.sync_all()
}

fn write_temporary(path: &Path, bytes: &[u8], access: Access) -> Result<PathBuf, Failure> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        let mode = if access == Access::Private { 0o600 } else { 0o644 };
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    }
    #[cfg(not(unix))]
    let _ = access;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut number = 0_u32;
    // In a container every process has the same id, and one that was killed may have left its file behind.
    let (temporary, mut file) = loop {
        let temporary = path.with_file_name(format!(".{name}.{}-{number}.new", std::process::id()));
        match options.open(&temporary) {
            Ok(file) => break (temporary, file),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && number < 1000 => number += 1,
            Err(error) => return Err(Failure::file("write", path, &error)),
        }
    };
    match file.write_all(bytes).and_then(|()| file.sync_all()) {
        Ok(()) => Ok(temporary),
        Err(error) => {
            let _ = std::fs::remove_file(&temporary);
            Err(Failure::file("write", path, &error))
        }
    }
}

/// Makes a new name last through a power failure; where folders cannot be synced the file is whole anyway.
pub(super) fn sync_folder(path: &Path) {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if let Ok(folder) = std::fs::File::open(folder) {
        let _ = folder.sync_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_process_of_the_same_id_left_is_in_nobodys_way() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let left = write_temporary(&path, b"half", Access::Private).unwrap();
        write_new(&path, b"whole", Access::Private).unwrap();
        replace(&path, b"another", Access::Private).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"another");
        assert_eq!(std::fs::read(&left).unwrap(), b"half");
    }
}
