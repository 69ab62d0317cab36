//! One checkpoint in a directory of its own: locked, written atomically, read whole or refused.
//!
//! No thread, no clock and no retry: whoever calls decides when. A failed write leaves the checkpoint before
//! it as it was. Noting what a scrape showed never waits for a checkpoint that is being written.
//!
//! | file | what |
//! |---|---|
//! | `lock` | empty; locked as long as the process lives |
//! | `checkpoint` | the last one that is whole and on the disk |
//! | `checkpoint.new` | one being written; what a crash left of it is overwritten |
//! | `checkpoint.refused` | the last one that could not be used, for whoever wants to know why |
//! | `shown` | how far the logs had been read when the last scrape was answered |

use super::seal::{self, Kind, Reason, SEAL_BYTES};
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The directory `state_dir`, ours alone while this lives. All methods may be called from several threads.
#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
    /// The locked file, once we have it. Held for moments only.
    lock: Mutex<Option<File>>,
    /// One checkpoint is written at a time.
    saving: Mutex<()>,
    /// One note is written at a time; apart from `saving`, which a slow disk may hold for long.
    noting: Mutex<()>,
}

/// Another process has the directory.
#[derive(Debug, thiserror::Error)]
#[error(
    "state_dir {} is in use: another process holds {}; give each process a state_dir of its own, or stop the other one",
    dir.display(), dir.join(LOCK).display()
)]
pub struct InUse {
    dir: PathBuf,
}

/// A checkpoint that is there and is not used.
#[derive(Debug, thiserror::Error)]
#[error("{} is not used, since {reason}; {}", file.display(), self.consequence())]
pub struct Refused {
    /// Not a `source`: it is part of the message already.
    pub reason: Reason,
    file: PathBuf,
    /// Where it is now, unless it could not be moved.
    kept: Option<PathBuf>,
}

const LOCK: &str = "lock";
const CHECKPOINT: &str = "checkpoint";
const CHECKPOINT_NEW: &str = "checkpoint.new";
const CHECKPOINT_REFUSED: &str = "checkpoint.refused";
const SHOWN: &str = "shown";
const SHOWN_NEW: &str = "shown.new";

// === impl Store ===

impl Store {
    /// Takes the directory for this process, and makes it (mode 0700) if it can.
    ///
    /// # Errors
    ///
    /// Only when another process has it. A directory that is missing, read-only or without permission is
    /// tried again at each `save`, since a disk in trouble must not keep anything from being counted.
    pub fn open(dir: &Path) -> Result<Self, InUse> {
        let store = Self {
            dir: dir.to_path_buf(),
            lock: Mutex::new(None),
            saving: Mutex::new(()),
            noting: Mutex::new(()),
        };
        match store.hold() {
            Err(Trouble::InUse(in_use)) => Err(in_use),
            Err(Trouble::Other(_)) | Ok(()) => Ok(store),
        }
    }

    /// The payload of the last checkpoint, `None` if there is none.
    ///
    /// # Errors
    ///
    /// When there is one that cannot be used. It is moved to `checkpoint.refused` first, as the next `save`
    /// would overwrite it.
    pub fn load(&self) -> Result<Option<Vec<u8>>, Refused> {
        match read(&self.dir.join(CHECKPOINT), Kind::Checkpoint) {
            Ok(payload) => Ok(Some(payload)),
            Err(Reason::Read(error)) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(reason) => Err(self.refuse(reason)),
        }
    }

    /// Keeps the checkpoint aside, so that the next `save` does not overwrite it. Also for whoever decodes
    /// the payload and finds that it makes no sense.
    pub fn refuse(&self, reason: Reason) -> Refused {
        let file = self.dir.join(CHECKPOINT);
        let aside = self.dir.join(CHECKPOINT_REFUSED);
        let kept = fs::rename(&file, &aside).is_ok().then_some(aside);
        Refused { reason, file, kept }
    }

    /// Replaces the checkpoint and returns once it is on the disk, with its bytes.
    ///
    /// # Errors
    ///
    /// With what could not be done to which file. The checkpoint before it then still stands, and the next
    /// call begins anew.
    pub fn save(&self, payload: &[u8]) -> io::Result<u64> {
        let _one_at_a_time = locked(&self.saving);
        self.hold()?;
        let new = self.dir.join(CHECKPOINT_NEW);
        let written = write(&new, Kind::Checkpoint, payload)
            .and_then(|file| file.sync_all().map_err(|error| explain("write", &new, &error)));
        if let Err(error) = written {
            // A full disk must not stay full with what is of no use.
            drop(fs::remove_file(&new));
            return Err(error);
        }
        replace(&new, &self.dir.join(CHECKPOINT))?;
        sync_directory(&self.dir)?;
        Ok((SEAL_BYTES + payload.len()) as u64)
    }

    /// Notes what a scrape is about to show. It survives the end of the process, however sudden, and for
    /// speed's sake not that of the machine: scrapes must not wait for the disk.
    ///
    /// # Errors
    ///
    /// As `save`; the note before it then still stands.
    pub fn note_shown(&self, note: &[u8]) -> io::Result<()> {
        let _one_at_a_time = locked(&self.noting);
        self.hold()?;
        let new = self.dir.join(SHOWN_NEW);
        write(&new, Kind::Shown, note)?;
        replace(&new, &self.dir.join(SHOWN))
    }

    /// The last note, `None` if there is none or it is damaged.
    pub fn shown(&self) -> Option<Vec<u8>> {
        read(&self.dir.join(SHOWN), Kind::Shown).ok()
    }

    /// Makes sure that the directory is there and ours. Looks every time: one that was removed and made
    /// again, or mounted over, has another lock.
    fn hold(&self) -> Result<(), Trouble> {
        let mut lock = locked(&self.lock);
        let path = self.dir.join(LOCK);
        if lock.as_ref().is_some_and(|held| is_same_file(held, &path)) {
            return Ok(());
        }
        *lock = None;
        let mut builder = DirBuilder::new();
        builder
            .recursive(true)
            .mode(0o700)
            .create(&self.dir)
            .map_err(|error| explain("make", &self.dir, &error))?;
        let file = open_lock(&path).map_err(|error| explain("open", &path, &error))?;
        match file.try_lock() {
            Ok(()) => {
                *lock = Some(file);
                Ok(())
            }
            Err(TryLockError::WouldBlock) => Err(Trouble::InUse(InUse { dir: self.dir.clone() })),
            Err(TryLockError::Error(error)) => Err(explain("lock", &path, &error).into()),
        }
    }
}

// === impl Refused ===

impl Refused {
    fn consequence(&self) -> String {
        let kept = match &self.kept {
            Some(path) => format!("it is kept as {}", path.display()),
            None => "it could not be moved out of the way".to_owned(),
        };
        let advice = match &self.reason {
            Reason::Version { .. } => "to go on from it, start the version of the program that wrote it",
            Reason::Damaged(_) => "if this comes again, look at the disk",
            Reason::Read(_) => "see that this user may read it",
        };
        format!("{kept}, counters start at 0 and the logs are read as if for the first time; {advice}")
    }
}

/// Why the directory is not ours, for now or at all.
enum Trouble {
    InUse(InUse),
    Other(io::Error),
}

// === impl Trouble ===

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Other(error)
    }
}

impl From<Trouble> for io::Error {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::InUse(in_use) => Self::new(io::ErrorKind::ResourceBusy, in_use),
            Trouble::Other(error) => error,
        }
    }
}

/// A lock can be taken on a file that is open for reading, which is what a read-only disk allows.
fn open_lock(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    options.open(path).or_else(|error| File::open(path).map_err(|_| error))
}

fn is_same_file(held: &File, path: &Path) -> bool {
    match (held.metadata(), fs::metadata(path)) {
        (Ok(held), Ok(there)) => (held.dev(), held.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

/// A file of its own with mode 0600, in place of whatever a crash may have left.
fn write(path: &Path, kind: Kind, payload: &[u8]) -> io::Result<File> {
    let write = || {
        drop(fs::remove_file(path));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(&seal::seal(kind, payload))?;
        file.write_all(payload)?;
        Ok(file)
    };
    write().map_err(|error| explain("write", path, &error))
}

fn replace(new: &Path, old: &Path) -> io::Result<()> {
    fs::rename(new, old).map_err(|error| explain("replace", old, &error))
}

/// Makes a rename last. Some network file systems know no such thing; there it lasts as they please.
fn sync_directory(dir: &Path) -> io::Result<()> {
    match File::open(dir).and_then(|dir| dir.sync_all()) {
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => {
            Ok(())
        }
        done => done.map_err(|error| explain("sync", dir, &error)),
    }
}

fn read(path: &Path, kind: Kind) -> Result<Vec<u8>, Reason> {
    let mut bytes = Vec::new();
    File::open(path)?.read_to_end(&mut bytes)?;
    seal::unseal(kind, &bytes)?;
    bytes.drain(..SEAL_BYTES);
    Ok(bytes)
}

fn explain(verb: &str, path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot {verb} {}: {error}", path.display()))
}

/// Nothing is broken by a panic while these locks are held: they guard no value but the lock's file.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
