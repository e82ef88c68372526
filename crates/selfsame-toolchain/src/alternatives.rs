//! `update-alternatives`: which command stands for which, two links apart (`/usr/bin/cc`, `/etc/alternatives/cc`).
//!
//! No package lists these links, so they are found from the other side: where `/etc/alternatives/NAME` leads to a
//! recorded file, the link and the path that leads to it belong to the toolchain.

use std::collections::BTreeMap;
use std::fs;

use crate::host::Walk;

/// Where dpkg's and chkconfig's tools keep one text file for each group.
const FOLDERS: [&str; 2] = ["var/lib/dpkg/alternatives", "var/lib/alternatives"];
/// The largest such file read.
const MAX_BYTES: u64 = 1 << 20;

/// The public paths of all alternatives of a host: `cc` at `/usr/bin/cc`, masters and slaves alike.
pub(crate) fn links(walk: &Walk<'_>) -> BTreeMap<String, String> {
    let mut links = BTreeMap::new();
    for folder in FOLDERS {
        for name in walk.names(folder) {
            let path = walk.host.path(folder).join(&name);
            if !fs::metadata(&path).is_ok_and(|found| found.is_file() && found.len() <= MAX_BYTES) {
                continue;
            }
            if let Ok(text) = fs::read_to_string(path) {
                links.extend(group(&name, &text));
            }
        }
    }
    links
}

/// `auto`, the master's path, then name and path of each slave, an empty line, and the choices.
fn group(name: &str, text: &str) -> Vec<(String, String)> {
    let mut lines = text.lines().skip(1);
    let Some(path) = lines.next() else { return Vec::new() };
    let mut links = vec![(name.to_owned(), path.to_owned())];
    while let (Some(slave), Some(path)) = (lines.next().filter(|line| !line.is_empty()), lines.next()) {
        links.push((slave.to_owned(), path.to_owned()));
    }
    links.retain(|(name, path)| path.starts_with('/') && !name.contains('/'));
    links
}

#[cfg(test)]
mod tests {
    use super::group;

    #[test]
    fn masters_and_slaves() {
        let text =
            "auto\n/usr/bin/cc\ncc.1.gz\n/usr/share/man/man1/cc.1.gz\n\n/usr/bin/gcc\n20\n/usr/share/man/x.1.gz\n\n";
        let of = |name: &str, path: &str| (name.to_owned(), path.to_owned());
        assert_eq!(group("cc", text), [of("cc", "/usr/bin/cc"), of("cc.1.gz", "/usr/share/man/man1/cc.1.gz")]);
        assert_eq!(group("cc", "auto\n"), []);
        assert_eq!(group("cc", "auto\nrelative\n\n"), []);
    }
}
