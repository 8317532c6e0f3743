//! A folder of the operating system.

use super::{Disk, Folder};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// A folder of the operating system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OsFolder(PathBuf);

impl OsFolder {
    /// The folder at `path`; it need not be there yet.
    pub fn new(path: &Path) -> Self {
        Self(path.to_path_buf())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

struct OsFile(File);

impl Write for OsFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Disk for OsFile {
    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }
}

impl Folder for OsFolder {
    fn list(&self, below: &str) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(self.0.join(below)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            if let (true, Some(name)) = (entry.file_type()?.is_file(), name.to_str()) {
                names.push(if below.is_empty() { name.into() } else { format!("{below}/{name}") });
            }
        }
        names.sort();
        Ok(names)
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(File::open(self.0.join(name))?))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn Disk>> {
        let path = self.0.join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        Ok(Box::new(OsFile(OpenOptions::new().create_new(true).write(true).open(path)?)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.0.join(from), self.0.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.0.join(name))
    }

    fn sync_names(&self, name: &str) -> io::Result<()> {
        let path = self.0.join(name);
        path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    }
}
