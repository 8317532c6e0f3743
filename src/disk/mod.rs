//! Layer 2, what outlives the process: files in a folder, behind two small traits, so that a
//! simulator can have disks that fail.
//!
//! [`OsFolder`] is the operating system's, [`MemoryFolder`] one in memory that fails when told to.

mod memory;
mod os;

pub use memory::{Fault, MemoryFolder};
pub use os::OsFolder;

use std::fmt::Debug;
use std::io::{self, Read, Write};

/// A file that is written from its beginning to its end.
pub trait Disk: Write + Send {
    /// Puts everything written on stable storage.
    ///
    /// # Errors
    /// The device's. It is never tried again: after a failed sync nobody knows what is on the disk.
    fn sync(&mut self) -> io::Result<()>;
}

impl Disk for Vec<u8> {
    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A folder of files. Names are relative to it and may have one `/`.
pub trait Folder: Debug + Send + Sync {
    /// Names of the files in `below` (empty: in this folder), sorted, each with `below/` before it.
    ///
    /// # Errors
    /// It cannot be read; a folder that is not there is empty.
    fn list(&self, below: &str) -> io::Result<Vec<String>>;

    /// Opens a file at its beginning.
    ///
    /// # Errors
    /// `NotFound`, or the device's.
    fn open(&self, name: &str) -> io::Result<Box<dyn Read + Send>>;

    /// Makes a new file, and the folder that it is in.
    ///
    /// # Errors
    /// `AlreadyExists`, or the device's.
    fn create(&self, name: &str) -> io::Result<Box<dyn Disk>>;

    /// Gives a file another name of the same folder; a file of that name is gone then.
    ///
    /// # Errors
    /// The device's; the names are as before or as asked for.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// `NotFound`, or the device's.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Puts the names in the folder of `name` on stable storage.
    ///
    /// # Errors
    /// The device's.
    fn sync_names(&self, name: &str) -> io::Result<()>;

    /// A whole file.
    ///
    /// # Errors
    /// As [`Self::open`].
    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        self.open(name)?.read_to_end(&mut content)?;
        Ok(content)
    }

    /// Replaces a small file as a whole, on stable storage when this returns. Whatever fails, the
    /// file is the old one or the new one.
    ///
    /// # Errors
    /// The device's.
    fn replace(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let partial = format!("{name}.partial");
        match self.remove(&partial) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = self.create(&partial)?;
        file.write_all(content)?;
        file.sync()?;
        self.rename(&partial, name)?;
        self.sync_names(name)
    }
}
