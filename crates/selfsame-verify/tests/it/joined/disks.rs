//! A release for several platforms on a disk that fails.

use super::*;

/// A disk that fails says nothing about a release: that is no no.
#[test]
fn what_cannot_be_read_is_no_answer() {
    struct Failing<'a>(&'a Files, &'a str);
    impl selfsame_verify::ReleaseFiles for Failing<'_> {
        fn read(&self, name: &str, limit: u64) -> std::io::Result<Option<Vec<u8>>> {
            if name == self.1 { Err(std::io::Error::other("the disk failed")) } else { self.0.read(name, limit) }
        }
        fn open(&self, name: &str) -> std::io::Result<Option<Box<dyn std::io::Read + Send + '_>>> {
            if name == self.1 { Err(std::io::Error::other("the disk failed")) } else { self.0.open(name) }
        }
        fn names(&self) -> std::io::Result<Vec<String>> {
            self.0.names()
        }
    }
    let files = Whole::of(&both()).lay_out();
    for name in files.keys().filter(|name| *name != layout::INDEX_FILE) {
        let verdict = verify_joined(
            &Failing(&files, name),
            &Trust::in_keys(vec![key("signer").public()]),
            &options(Depth::Content),
        );
        let verdict = verdict.expect("an index");
        let unused = name.ends_with(".sigstore.json");
        assert_eq!(
            verdict.class(),
            if unused { Class::Verified } else { Class::Unanswered },
            "{name}: {:?}",
            table_of(&verdict)
        );
        // And where something is wrong besides, that is what is said.
        let mut bent = files.clone();
        bent.insert("stray".to_owned(), Vec::new());
        if !unused {
            let verdict = verify_joined(
                &Failing(&bent, name),
                &Trust::in_keys(vec![key("signer").public()]),
                &options(Depth::Content),
            );
            assert_ne!(verdict.expect("an index").class(), Class::Verified, "{name}");
        }
    }
}

fn table_of(verdict: &JoinedVerdict) -> Vec<&str> {
    verdict.faults().collect()
}
