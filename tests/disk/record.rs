//! What a process did to its files, and what a disk may hold of it when the power is cut.

use std::collections::BTreeMap;
use std::path::Path;

use crate::dice::Dice;

/// Written whole or not at all.
const SECTOR: u64 = 512;

/// Something done to a file, or with the name of the folder, to the names in it.
#[derive(Debug)]
pub(crate) struct Deed {
    path: String,
    act: Act,
    /// The length of the record up to and with this.
    pub(crate) end: u64,
}

#[derive(Debug)]
enum Act {
    Create,
    Write { offset: u64, bytes: Vec<u8> },
    Cut { size: u64 },
    Sync,
    SyncFailed,
    Unlink,
}

/// Reads what the shim has written down.
pub(crate) fn read(path: &Path) -> Vec<Deed> {
    let bytes = std::fs::read(path).unwrap();
    let mut rest = bytes.as_slice();
    let mut deeds = Vec::new();
    while !rest.is_empty() {
        let mut number = || {
            let (number, after) = rest.split_first_chunk::<8>().unwrap();
            rest = after;
            u64::from_ne_bytes(*number)
        };
        let (kind, offset, length, path_length) = (number(), number(), number(), number());
        let mut take = |length: u64| {
            let (taken, after) = rest.split_at(usize::try_from(length).unwrap());
            rest = after;
            taken.to_vec()
        };
        let path = String::from_utf8(take(path_length)).unwrap();
        let act = match u8::try_from(kind).unwrap() {
            b'c' => Act::Create,
            b'w' => Act::Write { offset, bytes: take(length) },
            b't' => Act::Cut { size: offset },
            b's' => Act::Sync,
            b'f' => Act::SyncFailed,
            b'u' => Act::Unlink,
            other => panic!("a record of kind {other}"),
        };
        deeds.push(Deed { path, act, end: (bytes.len() - rest.len()) as u64 });
    }
    deeds
}

/// What of a disk is there for sure, and what may be.
#[derive(Debug)]
pub(crate) struct Disk<'d> {
    folder: String,
    /// By number; a name that is given again stands for another file.
    files: Vec<File<'d>>,
    /// The names as the process sees them.
    names: BTreeMap<String, usize>,
    /// The names when the folder was last synced, and after each change since.
    names_since_sync: Vec<BTreeMap<String, usize>>,
    dice: Dice,
}

#[derive(Debug, Default)]
struct File<'d> {
    safe: Vec<u8>,
    /// In order.
    unsafe_yet: Vec<&'d Act>,
}

/// What becomes of what is not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Lost,
    Kept,
    /// Of each sector by chance: so later ones may be kept and earlier ones lost.
    Torn,
}

impl<'d> Disk<'d> {
    pub(crate) fn new(folder: &Path, dice: Dice) -> Self {
        Self {
            folder: folder.to_str().unwrap().to_owned(),
            files: Vec::new(),
            names: BTreeMap::new(),
            names_since_sync: vec![BTreeMap::new()],
            dice,
        }
    }

    pub(crate) fn apply(&mut self, deed: &'d Deed) {
        if deed.path == self.folder {
            // One that failed may have changed nothing.
            if matches!(deed.act, Act::Sync) {
                self.names_since_sync = vec![self.names.clone()];
            }
            return;
        }
        let number = self.names.get(&deed.path).copied();
        match (&deed.act, number) {
            (Act::Create, _) => {
                self.files.push(File::default());
                self.names.insert(deed.path.clone(), self.files.len() - 1);
                self.names_since_sync.push(self.names.clone());
            }
            (Act::Unlink, Some(_)) => {
                self.names.remove(&deed.path);
                self.names_since_sync.push(self.names.clone());
            }
            (act @ (Act::Write { .. } | Act::Cut { .. }), Some(number)) => {
                self.files[number].unsafe_yet.push(act);
            }
            (Act::Sync, Some(number)) => self.files[number].settle(Fate::Kept, &self.dice),
            // The system forgets that these were to be written: no later sync makes up for it.
            (Act::SyncFailed, Some(number)) => self.files[number].settle(Fate::Torn, &self.dice),
            (act, None) => panic!("{act:?} of {}, which has no name", deed.path),
        }
    }

    /// Writes what the disk holds if the power is cut now, into an empty folder.
    pub(crate) fn cut_power(&self, fate: Fate, into: &Path) {
        let names = match fate {
            Fate::Lost => self.names_since_sync.first(),
            Fate::Kept => self.names_since_sync.last(),
            Fate::Torn => self.names_since_sync.get(self.throw() % self.names_since_sync.len()),
        };
        for (path, number) in names.unwrap() {
            let name = Path::new(path).file_name().unwrap();
            std::fs::write(into.join(name), self.files[*number].after(fate, &self.dice)).unwrap();
        }
    }

    /// Whether anything could be lost.
    pub(crate) fn is_safe(&self) -> bool {
        self.names_since_sync.len() == 1 && self.files.iter().all(|file| file.unsafe_yet.is_empty())
    }

    fn throw(&self) -> usize {
        usize::from(self.dice.throw()[0])
    }
}

impl File<'_> {
    fn settle(&mut self, fate: Fate, dice: &Dice) {
        self.safe = self.after(fate, dice);
        self.unsafe_yet.clear();
    }

    fn after(&self, fate: Fate, dice: &Dice) -> Vec<u8> {
        let mut content = self.safe.clone();
        // From seldom to nearly always.
        let kept_of_256 = dice.throw()[1];
        let is_kept = || match fate {
            Fate::Lost => false,
            Fate::Kept => true,
            Fate::Torn => dice.throw()[2] < kept_of_256,
        };
        for act in &self.unsafe_yet {
            match act {
                Act::Cut { size } if is_kept() => content.resize(usize::try_from(*size).unwrap(), 0),
                Act::Write { offset, bytes } => {
                    let mut rest = bytes.as_slice();
                    let mut at = *offset;
                    while !rest.is_empty() {
                        let length = usize::try_from(SECTOR - at % SECTOR).unwrap().min(rest.len());
                        let (sector, after) = rest.split_at(length);
                        if is_kept() {
                            put(&mut content, at, sector);
                        } else if fate == Fate::Torn && dice.throw()[3] < 16 {
                            // The file has grown, and what it holds there is of another file.
                            let start = usize::try_from(at).unwrap();
                            if start >= content.len() {
                                put(&mut content, at, &vec![dice.throw()[4]; length]);
                            }
                        }
                        (rest, at) = (after, at + length as u64);
                    }
                }
                _ => {}
            }
        }
        content
    }
}

fn put(content: &mut Vec<u8>, at: u64, bytes: &[u8]) {
    let start = usize::try_from(at).unwrap();
    let end = start + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[start..end].copy_from_slice(bytes);
}
