//! Cases as files.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use selfsame_corpus::{Case, Content};

use crate::report::{Answer, Exit, Report};

/// Writes all of them, each into a folder of its name.
pub(super) fn corpus(cases: &[Case], folder: &Path) -> Answer<()> {
    new_folder(folder)?;
    cases.iter().try_for_each(|case| self::case(case, &folder.join(&case.name)))
}

/// Makes a folder where nothing is.
pub(super) fn new_folder(folder: &Path) -> Answer<()> {
    fs::create_dir(folder).map_err(|error| {
        let report = Report::new(Exit::Unanswered, format!("cannot create `{}`: {error}", folder.display()));
        report.consequence("Nothing was changed.").into()
    })
}

/// Writes one case into its folder.
pub(super) fn case(case: &Case, folder: &Path) -> Answer<()> {
    let write = |name: &str, content: &Content| -> io::Result<()> {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        file(&path, content)
    };
    case.folder().iter().try_for_each(|(name, content)| {
        write(name, content).map_err(|error| {
            let path = folder.join(name);
            Report::new(Exit::Unanswered, format!("cannot write `{}`: {error}", path.display())).into()
        })
    })
}

fn file(path: &Path, content: &Content) -> io::Result<()> {
    match content {
        Content::Bytes(bytes) => fs::write(path, bytes),
        Content::Sparse { head, size_bytes } => {
            let mut file = File::create(path)?;
            file.write_all(head)?;
            file.set_len(*size_bytes)
        }
        Content::Repeated { head, unit, times, tail } => {
            let mut file = BufWriter::new(File::create(path)?);
            file.write_all(head)?;
            for _ in 0..*times {
                file.write_all(unit)?;
            }
            file.write_all(tail)?;
            file.flush()
        }
        Content::Link(target) => std::os::unix::fs::symlink(target, path),
        Content::Folder => fs::create_dir(path),
        Content::Pipe => {
            use rustix::fs::{CWD, FileType, Mode, mknodat};
            Ok(mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o600), 0)?)
        }
    }
}
