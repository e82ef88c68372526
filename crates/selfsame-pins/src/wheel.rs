//! Names of Python's files: wheels with their tags (PEP 425, 427, 600) and source archives (PEP 625).

use std::collections::BTreeMap;

use crate::marker::Target;
use crate::pypi::normal_name;
use crate::version::Version;

/// The newest C library that chosen wheels may ask for: glibc 2.36, Debian 12's.
pub const GLIBC_MINOR: u32 = 36;
/// The most tags of one file name.
const LIMIT_TAGS: usize = 1024;

/// A file of a package index, by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileName {
    /// Normal (PEP 503): `markupsafe`.
    pub name: String,
    /// Of the package.
    pub version: Version,
    /// A wheel's tags, or a source archive.
    pub kind: FileKind,
}

/// What an index offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// `.whl`
    Wheel {
        /// The number and the rest of a build tag: `1` and `local` of `-1local-`.
        build: (u64, String),
        /// `cp311-cp311-manylinux_2_17_x86_64`, all of them.
        tags: Vec<String>,
    },
    /// `.tar.gz` or `.zip`.
    Source,
}

impl FileName {
    /// Reads a file's name. `None` for what is neither a wheel nor a source archive, eggs and installers for one, and for
    /// what could not be a file's name.
    #[must_use]
    pub fn parse(file: &str) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_graphic() && !b"/\\\"'`$&;<>|*?()[]{}".contains(&byte);
        if file.len() > 255 || file.starts_with(['.', '-']) || !file.bytes().all(plain) {
            return None;
        }
        if let Some(stem) = file.strip_suffix(".whl") {
            return wheel(stem);
        }
        let stem = [".tar.gz", ".zip"].into_iter().find_map(|end| file.strip_suffix(end))?;
        // The name may have dashes in it (older than PEP 625): the version begins behind the last one that works.
        let mut at = stem.len();
        while let Some(dash) = stem[..at].rfind('-') {
            if let Ok(version) = stem[dash + 1..].parse()
                && dash > 0
            {
                return Some(Self { name: normal_name(&stem[..dash]), version, kind: FileKind::Source });
            }
            at = dash;
        }
        None
    }
}

fn wheel(stem: &str) -> Option<FileName> {
    let parts: Vec<&str> = stem.split('-').collect();
    let (&[name, version], rest) = parts.split_first_chunk::<2>()?;
    let (build, &[pythons, abis, platforms]) = match rest {
        [pythons, abis, platforms] => ("", &[*pythons, *abis, *platforms]),
        [build, pythons, abis, platforms] => (*build, &[*pythons, *abis, *platforms]),
        _ => return None,
    };
    if name.is_empty() {
        return None;
    }
    let digits = build.bytes().take_while(u8::is_ascii_digit).count();
    let build = match build {
        "" => (0, String::new()),
        build => (build[..digits].parse().ok()?, build[digits..].to_owned()),
    };
    let count = |list: &str| list.split('.').count();
    if count(pythons).saturating_mul(count(abis)).saturating_mul(count(platforms)) > LIMIT_TAGS {
        return None;
    }
    let mut tags = Vec::new();
    for python in pythons.split('.') {
        for abi in abis.split('.') {
            for platform in platforms.split('.') {
                tags.push(format!("{python}-{abi}-{platform}").to_ascii_lowercase());
            }
        }
    }
    Some(FileName {
        name: normal_name(name),
        version: version.replace('_', "-").parse().ok()?,
        kind: FileKind::Wheel { build, tags },
    })
}

/// Which wheels fit a target, and which of them best: the order of `packaging.tags`, with CPython and glibc 2.36.
#[derive(Clone, Debug)]
pub struct Preference {
    ranks: BTreeMap<String, usize>,
}

impl Preference {
    /// For a target.
    #[must_use]
    pub fn of(target: &Target) -> Self {
        let mut ranks = BTreeMap::new();
        for tag in tags(target) {
            let rank = ranks.len();
            ranks.entry(tag).or_insert(rank);
        }
        Self { ranks }
    }

    /// The rank of a file: lower is better, `None` does not fit. Every source archive fits, behind every wheel.
    #[must_use]
    pub fn rank(&self, file: &FileName) -> Option<(usize, std::cmp::Reverse<(u64, String)>)> {
        match &file.kind {
            FileKind::Wheel { build, tags } => {
                let best = tags.iter().filter_map(|tag| self.ranks.get(tag)).min()?;
                Some((*best, std::cmp::Reverse(build.clone())))
            }
            FileKind::Source => Some((usize::MAX, std::cmp::Reverse((0, String::new())))),
        }
    }
}

fn tags(target: &Target) -> Vec<String> {
    let platforms = platforms(&target.machine);
    let any = ["any".to_owned()];
    let mut tags = Vec::new();
    let mut push = |python: &str, abi: &str, platforms: &[String]| {
        tags.extend(platforms.iter().map(|platform| format!("{python}-{abi}-{platform}")));
    };
    let Some((major, minor)) = target.python else {
        push("py3", "none", &platforms);
        push("py3", "none", &any);
        return tags;
    };
    let own = format!("cp{major}{minor}");
    for abi in [own.as_str(), "abi3", "none"] {
        push(&own, abi, &platforms);
    }
    for older in (2..minor).rev() {
        push(&format!("cp{major}{older}"), "abi3", &platforms);
    }
    let mut pythons = vec![format!("py{major}{minor}"), format!("py{major}")];
    pythons.extend((0..minor).rev().map(|older| format!("py{major}{older}")));
    for python in &pythons {
        push(python, "none", &platforms);
    }
    push(&own, "none", &any);
    for python in &pythons {
        push(python, "none", &any);
    }
    tags
}

/// manylinux tags from the newest C library down, the old names behind the new ones, then plain `linux`.
fn platforms(machine: &str) -> Vec<String> {
    let oldest = if machine == "x86_64" { 5 } else { 17 };
    let mut platforms = Vec::new();
    for minor in (oldest..=GLIBC_MINOR).rev() {
        platforms.push(format!("manylinux_2_{minor}_{machine}"));
        let old = match minor {
            17 => "manylinux2014",
            12 => "manylinux2010",
            5 => "manylinux1",
            _ => continue,
        };
        platforms.push(format!("{old}_{machine}"));
    }
    platforms.push(format!("linux_{machine}"));
    platforms
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn best<'a>(platform: &str, files: &[&'a str]) -> Option<&'a str> {
        let target = Target::new(Some("3.11"), &platform.parse().unwrap()).unwrap();
        let preference = Preference::of(&target);
        let ranked = files.iter().filter_map(|file| Some((preference.rank(&FileName::parse(file)?)?, *file)));
        ranked.min().map(|(_, file)| file)
    }

    #[test]
    fn the_best_wheel_of_many() {
        let files = [
            "markupsafe-3.0.4-cp310-cp310-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
            "markupsafe-3.0.4-cp311-cp311-manylinux2014_aarch64.manylinux_2_17_aarch64.manylinux_2_28_aarch64.whl",
            "markupsafe-3.0.4-cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64.manylinux_2_28_x86_64.whl",
            "markupsafe-3.0.4-cp311-cp311-musllinux_1_2_x86_64.whl",
            "markupsafe-3.0.4-cp313-cp313t-manylinux_2_17_x86_64.whl",
            "markupsafe-3.0.4-py3-none-any.whl",
            "markupsafe-3.0.4.tar.gz",
        ];
        assert_eq!(best("linux/amd64", &files), Some(files[2]));
        assert_eq!(best("linux/arm64", &files), Some(files[1]));
        assert_eq!(best("linux/arm64", &files[4..]), Some(files[5]));
        assert_eq!(best("linux/amd64", &files[6..]), Some(files[6]));
        assert_eq!(best("linux/amd64", &files[3..5]), None);
    }

    #[test]
    fn order_of_the_stable_abi_the_platform_and_the_build() {
        for (better, worse) in [
            ("a-1-cp311-cp311-linux_x86_64.whl", "a-1-cp311-abi3-manylinux_2_28_x86_64.whl"),
            ("a-1-cp310-abi3-manylinux_2_28_x86_64.whl", "a-1-cp37-abi3-manylinux_2_28_x86_64.whl"),
            ("a-1-cp37-abi3-manylinux_2_28_x86_64.whl", "a-1-py3-none-manylinux_2_28_x86_64.whl"),
            ("a-1-cp37-abi3-manylinux_2_28_x86_64.whl", "a-1-cp37-abi3-manylinux2014_x86_64.whl"),
            ("a-1-py3-none-manylinux1_x86_64.whl", "a-1-py3-none-any.whl"),
            ("a-1-2-py3-none-any.whl", "a-1-1-py3-none-any.whl"),
            ("a-1-1-py3-none-any.whl", "a-1-py3-none-any.whl"),
            ("a-1-py2.py3-none-any.whl", "a-1.tar.gz"),
        ] {
            assert_eq!(best("linux/amd64", &[worse, better]), Some(better));
        }
        assert_eq!(best("linux/amd64", &["a-1-cp311-cp311-manylinux_2_37_x86_64.whl"]), None, "a newer C library");
        let any = Preference::of(&Target::new(None, &"linux/amd64".parse().unwrap()).unwrap());
        let rank = |file| any.rank(&FileName::parse(file).unwrap());
        assert!(rank("a-1-py2.py3-none-manylinux1_x86_64.whl") < rank("a-1-py3-none-any.whl"));
        assert_eq!(rank("a-1-cp311-abi3-manylinux1_x86_64.whl"), None, "one Python");
        assert_eq!(best("linux/amd64", &["a-1-cp312-abi3-manylinux1_x86_64.whl"]), None, "a later Python");
    }

    #[test]
    fn names_and_versions() {
        let parse = |file| FileName::parse(file).map(|file| (file.name, file.version.to_string()));
        let some = |name: &str, version: &str| Some((name.to_owned(), version.to_owned()));
        assert_eq!(parse("ruamel.yaml.clib-0.2.8.tar.gz"), some("ruamel-yaml-clib", "0.2.8"));
        assert_eq!(parse("zope-interface-5.0.zip"), some("zope-interface", "5.0"));
        assert_eq!(parse("a_b-1.0_1-py3-none-any.whl"), some("a-b", "1.0.post1"));
        for file in ["a.egg", "a-1.exe", "../a-1.tar.gz", "a-1-py3-none.whl", "-1.tar.gz", "a b-1.tar.gz", "a.tar.gz"] {
            assert_eq!(parse(file), None, "{file}");
        }
        let many = vec!["x"; 40].join(".");
        assert_eq!(FileName::parse(&format!("a-1-{many}-{many}-any.whl")), None);
    }

    proptest! {
        #[test]
        fn never_panics(text in "[a-z0-9._-]{0,60}(\\.whl|\\.tar\\.gz|\\.zip)?") {
            let _ = FileName::parse(&text);
        }
    }
}
