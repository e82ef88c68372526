//! What is recorded beside what was touched, and what never is.

/// Never recorded, since tools do without them and they tell what else the host has: its choice of languages, its
/// list of character sets, byte code that its installation compiled.
///
/// `ld.so.cache` is recorded in a form of its own ([`crate::ldcache`]).
pub(crate) fn is_left_out(place: &str) -> bool {
    place.starts_with("usr/share/locale/")
        || place == "usr/lib/locale/locale-archive"
        || place == "etc/ld.so.cache"
        || place.ends_with("/gconv/gconv-modules.cache")
        || place.split('/').any(|part| part == "__pycache__")
}

/// Papers: recorded where a tool opened one, but neither a package nor a folder is widened to them.
pub(crate) fn is_paper(place: &str) -> bool {
    const SHARE: [&str; 14] = [
        "bash-completion",
        "bug",
        "doc",
        "doc-base",
        "fish",
        "gtk-doc",
        "help",
        "i18n",
        "info",
        "licenses",
        "lintian",
        "locale",
        "man",
        "zsh",
    ];
    let rest = place.strip_prefix("usr/").map_or(place, |rest| rest.strip_prefix("local/").unwrap_or(rest));
    let mut parts = rest.split('/');
    match (parts.next(), parts.next()) {
        (Some("share"), Some(name)) => SHARE.contains(&name),
        (Some("man" | "doc" | "info"), Some(_)) => rest.len() < place.len(),
        _ => false,
    }
}

/// How a file that no package owns widens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Widening {
    /// To everything below a folder.
    Folder(String),
    /// To the libraries, objects and specifications beside it.
    Libraries(String),
}

/// The folder that a touched file without an owner widens to: an include folder, a compiler's or an interpreter's
/// own folder, a self-contained installation in `/opt/NAME` or `/usr/local/NAME`, or the libraries beside it.
pub(crate) fn widening(place: &str) -> Option<Widening> {
    let parts: Vec<&str> = place.split('/').collect();
    let folders = &parts[..parts.len() - 1];
    let folder = |count: usize| Some(Widening::Folder(parts[..count].join("/")));
    match folders {
        ["opt", _, ..] => return folder(2),
        ["usr", "local", name, ..] if !STANDARD.contains(name) => return folder(3),
        _ => {}
    }
    for (at, name) in folders.iter().enumerate() {
        let in_library_folder = at > 0 && (folders[..at].iter().any(|above| is_library_folder(above)));
        match *name {
            "include" => return folder(at + 1),
            // lib/gcc/TRIPLE/VERSION, libexec/gcc/TRIPLE/VERSION
            "gcc" if in_library_folder && folders.len() > at + 2 => return folder(at + 3),
            // lib/clang/VERSION, lib/llvm-VERSION
            "clang" if in_library_folder && folders.len() > at + 1 => return folder(at + 2),
            "aclocal" | "pkgconfig" | "cmake" => return folder(at + 1),
            interpreter if in_library_folder && OWN_FOLDER.iter().any(|prefix| interpreter.starts_with(prefix)) => {
                return folder(at + 1);
            }
            _ => {}
        }
    }
    let (name, above) = (parts[parts.len() - 1], folders);
    (is_library(name) && above.iter().any(|above| is_library_folder(above)))
        .then(|| Widening::Libraries(above.join("/")))
}

/// The folders of the file system standard below `/usr/local`: others there are installations of their own.
const STANDARD: [&str; 13] =
    ["bin", "etc", "games", "include", "lib", "lib32", "lib64", "libexec", "libx32", "man", "sbin", "share", "src"];

/// Beginnings of the names of folders below `lib` that belong to one tool.
const OWN_FOLDER: [&str; 10] = ["cargo", "erlang", "ghc", "go", "jvm", "llvm", "ocaml", "perl", "python", "tcc"];

fn is_library_folder(name: &str) -> bool {
    name.starts_with("lib")
}

/// Whether a linker or compiler may want a file of this name: `libz.so.1.3`, `libm.a`, `crt1.o`, `musl-gcc.specs`.
pub(crate) fn is_library(name: &str) -> bool {
    let shared = name.contains(".so.") || name.ends_with(".so");
    shared || [".a", ".o", ".la", ".spec", ".specs"].iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unowned_files_widen_to_their_tool() {
        let folder = |place: &str| Some(Widening::Folder(place.to_owned()));
        for (place, expect) in [
            ("usr/local/include/zlib.h", folder("usr/local/include")),
            ("usr/include/x86_64-linux-gnu/bits/types.h", folder("usr/include")),
            ("usr/lib/gcc/x86_64-linux-gnu/12/cc1", folder("usr/lib/gcc/x86_64-linux-gnu/12")),
            (
                "usr/local/libexec/gcc/x86_64-pc-linux-gnu/14/cc1",
                folder("usr/local/libexec/gcc/x86_64-pc-linux-gnu/14"),
            ),
            ("usr/lib/clang/17/include/stddef.h", folder("usr/lib/clang/17")),
            ("usr/lib/llvm-17/bin/clang", folder("usr/lib/llvm-17")),
            ("usr/local/go/bin/go", folder("usr/local/go")),
            ("opt/cross/bin/cc", folder("opt/cross")),
            ("usr/local/lib/python3.12/os.py", folder("usr/local/lib/python3.12")),
            ("usr/lib/x86_64-linux-gnu/crt1.o", Some(Widening::Libraries("usr/lib/x86_64-linux-gnu".to_owned()))),
            ("lib64/libz.so.1", Some(Widening::Libraries("lib64".to_owned()))),
            ("usr/lib/x86_64-linux-gnu/gconv/gconv-modules.cache", None),
            ("usr/bin/gcc", None),
            ("usr/local/bin/gcc", None),
            ("opt/tool", None),
            ("etc/alternatives/cc", None),
        ] {
            assert_eq!(widening(place), expect, "{place}");
        }
    }

    #[test]
    fn papers_and_languages_stay_out() {
        for place in
            ["usr/share/doc/gcc/README", "usr/local/man/man1/cc.1", "usr/share/man/man1/cc.1.gz", "share/doc/x"]
        {
            assert!(is_paper(place), "{place}");
        }
        for place in ["usr/share/perl/5.36/strict.pm", "usr/lib/man/x", "man", "usr/bin/man"] {
            assert!(!is_paper(place), "{place}");
        }
        for place in ["usr/share/locale/de/LC_MESSAGES/gcc.mo", "usr/lib/python3/__pycache__/os.cpython-311.pyc"] {
            assert!(is_left_out(place), "{place}");
        }
        assert!(is_left_out("usr/lib64/gconv/gconv-modules.cache"));
        assert!(!is_left_out("usr/lib/locale/C.utf8/LC_CTYPE"));
    }
}
