//! OpenSSL as the authority: it certifies, it stamps, and it reads what is asked here.

use std::fs;
use std::process::Command;

use selfsame_testing::{Tier, require};
use selfsame_timestamp::{Authority, Request, Token};

use crate::{MESSAGE, refused};

const EXTENSIONS: &str = "\
[ca]\nbasicConstraints = critical, CA:TRUE\nkeyUsage = critical, keyCertSign\nsubjectKeyIdentifier = hash\n
[tsa]\nkeyUsage = critical, digitalSignature\nextendedKeyUsage = critical, timeStamping\nsubjectKeyIdentifier = hash\n
authorityKeyIdentifier = keyid\n
[web]\nextendedKeyUsage = serverAuth\n
[req]\ndistinguished_name = name\n[name]\n
[ts]\nserial = serial\nsigner_digest = sha256\ndefault_policy = 1.2.3.4.1\ndigests = sha1, sha256, sha512\n
accuracy = secs:1, millisecs:500\nordering = yes\ntsa_name = yes\ness_cert_id_chain = yes\ness_cert_id_alg = sha256\n
[old]\nserial = serial\nsigner_digest = sha256\ndefault_policy = 1.2.3.4.1\ndigests = sha256\ness_cert_id_alg = sha1\n";

struct World {
    folder: tempfile::TempDir,
}

impl World {
    #[track_caller]
    fn openssl(&self, words: &str) {
        let output = Command::new("openssl").args(words.split(' ')).current_dir(self.folder.path()).output();
        let output = output.expect("openssl");
        assert!(output.status.success(), "openssl {words}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn at(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// An authority with a key of this kind, and the certificates behind it.
    fn new(kind: &str) -> Self {
        let world = Self { folder: tempfile::tempdir().expect("a folder") };
        fs::write(world.at("x.cnf"), EXTENSIONS).expect("a file");
        fs::write(world.at("serial"), "01\n").expect("a file");
        for name in ["ca", "tsa"] {
            world.openssl(&format!("genpkey -out {name}.key {kind}"));
        }
        let days = "-days 3650 -sha384 -config x.cnf";
        world.openssl(&format!("req -x509 -key ca.key -out ca.pem -subj /CN=ca -extensions ca {days}"));
        world.openssl("req -new -key tsa.key -out tsa.csr -subj /CN=tsa.example -config x.cnf");
        let by = "-CA ca.pem -CAkey ca.key -CAcreateserial -days 365 -sha384 -extfile x.cnf";
        world.openssl(&format!("x509 -req -in tsa.csr -out tsa.pem -extensions tsa {by}"));
        world
    }

    fn authority(&self) -> Result<Authority, selfsame_timestamp::AuthorityError> {
        let read = |name: &str| fs::read_to_string(self.at(name)).expect("a certificate");
        Authority::parse(&(read("tsa.pem") + &read("ca.pem")))
    }

    fn stamped(&self, request: &Request, section: &str) -> Vec<u8> {
        fs::write(self.at("request.tsq"), request.to_der()).expect("a request");
        self.openssl("ts -query -in request.tsq -text -out request.txt");
        let reply = format!(
            "ts -reply -queryfile request.tsq -signer tsa.pem -inkey tsa.key -out reply.tsr -config x.cnf -section {section}"
        );
        self.openssl(&reply);
        fs::read(self.at("reply.tsr")).expect("a reply")
    }
}

fn openssl() -> bool {
    let ability = Command::new("openssl").arg("version").output().map(drop).map_err(|error| error.to_string());
    require(Tier::Foreign, ability)
}

#[test]
fn foreign_openssl_stamps_and_is_believed() {
    if !openssl() {
        return;
    }
    for curve in ["P-256", "P-384"] {
        let world = World::new(&format!("-algorithm EC -pkeyopt ec_paramgen_curve:{curve}"));
        let authority = world.authority().unwrap();
        let request = Request::new(MESSAGE, [7; 8]);
        let answer = world.stamped(&request, "ts");
        let text = fs::read_to_string(world.at("request.txt")).unwrap();
        for line in ["Hash Algorithm: sha256", "Nonce: 0x4707070707070707", "Certificate required: yes"] {
            assert!(text.contains(line), "{text}");
        }
        let token = Token::parse(&answer).unwrap();
        let stamp = token.verify(&authority, MESSAGE).unwrap();
        assert_eq!(token.answers(&request).unwrap(), stamp);
        assert_eq!(stamp.latest - stamp.time, 2, "one and a half seconds");
        refused(token.verify(&authority, b"another"), "over another signature");
        refused(token.answers(&Request::new(MESSAGE, [8; 8])), "its nonce is another");
        // Another authority of the same names, and one that stands in for it.
        let other = World::new(&format!("-algorithm EC -pkeyopt ec_paramgen_curve:{curve}"));
        assert!(!token.names(&other.authority().unwrap()));
        refused(token.verify(&other.authority().unwrap(), MESSAGE), "of another authority");
        // OpenSSL verifies its own answer to what was asked here.
        world.openssl("ts -verify -queryfile request.tsq -in reply.tsr -CAfile ca.pem -untrusted tsa.pem");
        refused(Token::parse(&world.stamped(&request, "old")), "is named by the hash SHA-1");
    }
}

#[test]
fn foreign_openssl_without_ecdsa_or_use_is_refused_by_name() {
    if !openssl() {
        return;
    }
    let rsa = World::new("-algorithm RSA -pkeyopt rsa_keygen_bits:2048");
    refused(rsa.authority(), "is of the algorithm 1.2.840.113549.1.1.12; ECDSA with P-256 or P-384");
    let token = Token::parse(&rsa.stamped(&Request::new(MESSAGE, [7; 8]), "ts")).unwrap();
    let ecdsa = World::new("-algorithm EC -pkeyopt ec_paramgen_curve:P-256");
    assert!(!token.names(&ecdsa.authority().unwrap()));
    let by = "-CA ca.pem -CAkey ca.key -CAcreateserial -days 365 -sha384 -extfile x.cnf";
    ecdsa.openssl(&format!("x509 -req -in tsa.csr -out tsa.pem -extensions web {by}"));
    refused(ecdsa.authority(), "`tsa.example` is not for time stamping");
}
