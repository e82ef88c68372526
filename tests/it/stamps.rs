//! Time stamps from outside: OpenSSL as the authority, asked by a build, believed by a trust file, and failing in its
//! ways.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use selfsame_testing::{Filter, Output, TestEnv, Tier, require};
use serde_json::Value;

use crate::judges::{bundles, judge, judges};
use crate::world::{RELEASE, assert_nothing_left, recorded};

const EXTENSIONS: &str = "\
[ca]\nbasicConstraints = critical, CA:TRUE\nkeyUsage = critical, keyCertSign\nsubjectKeyIdentifier = hash\n
[tsa]\nkeyUsage = critical, digitalSignature\nextendedKeyUsage = critical, timeStamping\nsubjectKeyIdentifier = hash\n
[req]\ndistinguished_name = name\n[name]\n
[ts]\nserial = serial\nsigner_digest = sha256\ndefault_policy = 1.2.3.4.1\ndigests = sha256\naccuracy = secs:1\n
ess_cert_id_alg = sha256\n";

/// Answers as RFC 3161 has it, and counts. `$HOME/mode` says what is wrong with it.
const AUTHORITY: &str = r#"#!/bin/sh -eu
cd "$HOME/tsa"
echo asked >> ../asked
mode=$(cat ../mode)
cat > request.tsq
reply() {
    openssl ts -reply -queryfile "$1" -signer tsa.pem -inkey tsa.key -config x.cnf -section ts -out reply.tsr 2> said
    cat reply.tsr
}
case "$mode" in
good) reply request.tsq ;;
away) echo "the authority is away" >&2; exit 7 ;;
nothing) ;;
garbage) echo "not an answer" ;;
half) reply request.tsq | head -c 100 ;;
more) reply request.tsq; echo ;;
first-again) [ -e first.tsq ] || cp request.tsq first.tsq; reply first.tsq ;;
another) echo x | openssl ts -query -data - -sha256 -cert -out other.tsq 2> said; reply other.tsq ;;
sha1) openssl ts -query -digest 0102030405060708090a0b0c0d0e0f1011121314 -sha1 -out other.tsq; reply other.tsq || true ;;
hangs) exec sleep 86405 ;;
esac
"#;

/// The judges that read time stamps. The reader in Python looks at signatures and logs alone.
const LOOKS_AT_STAMPS: [&str; 2] = ["sigstore-js", "sigstore-rust"];

struct World {
    env: TestEnv,
}

impl World {
    /// A recorded project, its key, a trust file with it and with an authority on a curve.
    fn new() -> Option<Self> {
        let mut env = recorded()?;
        let openssl = Command::new("openssl").arg("version").output();
        let ability = openssl.map(drop).map_err(|error| format!("no `openssl`: {error}"));
        if !require(Tier::Foreign, ability) {
            return None;
        }
        env.selfsame(["keygen", "-o", "../home/release"]).succeeds();
        env.write_executable("../home/ask", AUTHORITY);
        env.write("../home/tsa/x.cnf", EXTENSIONS);
        env.write("../home/tsa/serial", "01\n");
        env.set("SELFSAME_SIGNER_SECONDS", "20");
        let world = Self { env };
        let curve = "-algorithm EC -pkeyopt ec_paramgen_curve:P-384";
        world.openssl(&format!("genpkey -out ca.key {curve}"));
        world.openssl(&format!("genpkey -out tsa.key {curve}"));
        let days = "-days 3650 -sha384 -config x.cnf";
        world.openssl(&format!("req -x509 -key ca.key -out ca.pem -subj /CN=ca -extensions ca {days}"));
        world.openssl("req -new -key tsa.key -out tsa.csr -subj /CN=tsa.example -config x.cnf");
        let by = "-CA ca.pem -CAkey ca.key -CAcreateserial -days 365 -sha384 -extfile x.cnf";
        world.openssl(&format!("x509 -req -in tsa.csr -out tsa.pem -extensions tsa {by}"));
        let chain = ["tsa.pem", "ca.pem"].map(|name| fs::read_to_string(world.env.at("home/tsa").join(name)).unwrap());
        world.env.write("../home/authority.pem", chain.concat());
        world.run(&["trust", "init", "../home/trust.toml", "--key", "../home/release.pub"]).succeeds();
        let add = ["trust", "add", "../home/trust.toml", "../home/authority.pem", "--name", "tsa.example"];
        world.run(&add).succeeds();
        Some(world)
    }

    #[track_caller]
    fn openssl(&self, words: &str) {
        let output = Command::new("openssl").args(words.split(' ')).current_dir(self.env.at("home/tsa")).output();
        let output = output.expect("openssl");
        assert!(output.status.success(), "openssl {words}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn run(&self, words: &[&str]) -> Output {
        self.env.selfsame(words)
    }

    fn build(&self, mode: &str, more: &[&str]) -> Output {
        fs::write(self.env.at("home/mode"), mode).expect("the mode");
        let _ = fs::remove_file(self.env.at("home/asked"));
        let authority = format!("exec:{}", self.env.at("home/ask").display());
        let words = ["build", "--no-check", "--key", "../home/release.key", "--timestamp", &authority];
        self.run(&[&words[..], more].concat())
    }

    fn asked(&self) -> usize {
        fs::read_to_string(self.env.at("home/asked")).map_or(0, |text| text.lines().count())
    }

    fn verify(&self, release: &str, more: &[&str]) -> Output {
        self.run(&[&["verify", release, "--trust", "../home/trust.toml"], more].concat())
    }
}

#[test]
fn sandbox_what_an_authority_stamped_stays_good_when_the_key_is_gone() {
    let Some(world) = World::new() else { return };
    let env = &world.env;
    world.build("good", &["-o", "stamped.release"]).succeeds();
    assert_eq!(world.asked(), 4, "once for each document");
    // Nothing changed, so nobody is asked again.
    world.build("away", &["-o", "stamped.release"]).succeeds();
    assert_eq!(world.asked(), 0);
    let without = ["build", "--no-check", "--key", "../home/release.key", "-o", "plain.release"];
    world.run(&without).succeeds();

    let json = world.verify("stamped.release", &["--json"]).succeeds().json();
    let row = json["checks"].as_array().unwrap().iter().find(|check| check["id"] == "time-stamps").unwrap().clone();
    assert_eq!((&row["outcome"], row["facts"].as_array().unwrap().len()), (&Value::from("passed"), 4));
    assert!(row["facts"][0]["value"].as_str().unwrap().ends_with("Z by tsa.example"), "{row}");
    // The same release as without, by all that is compared.
    let id =
        |release: &str| world.run(&["verify", release, "--key", "../home/release.pub", "--json"]).succeeds().json();
    let (stamped, plain) = (id("stamped.release"), id("plain.release"));
    assert_eq!((&stamped["releaseId"], &stamped["image"]), (&plain["releaseId"], &plain["image"]));
    assert!(stamped["releaseId"].is_string(), "{stamped}");
    // Who rebuilt it has that stamped.
    fs::write(env.at("home/mode"), "good").expect("the mode");
    let authority = format!("exec:{}", env.at("home/ask").display());
    let again =
        ["rebuild-verify", "stamped.release", "--key", "../home/release.pub", "--sign-as", "../home/release.key"];
    world.run(&[&again[..], &["--timestamp", &authority]].concat()).succeeds();
    let statement = fs::read_to_string(env.project().join("rebuild.sigstore.json")).unwrap();
    assert!(statement.contains("\"rfc3161Timestamps\":[{\"signedTimestamp\":\"MII"), "{statement}");

    // Years later the key is retired, then known to be in other hands.
    for (option, then) in [("--retired", "2099-01-01"), ("--compromised", "2098-01-01")] {
        world.run(&["trust", "revoke", "../home/trust.toml", "release", option, then]).succeeds();
        world.verify("stamped.release", &["--at", "2100-01-01"]).succeeds();
        let refused = world.verify("plain.release", &["--at", "2100-01-01"]);
        nothing_shows(refused.exits(1));
    }
    // Without the authority the stamp is worth nothing.
    let text = fs::read_to_string(env.at("home/trust.toml")).unwrap();
    let (from, until) = (text.find("[[timestamp-authority]]").unwrap(), text.find("[[key]]").unwrap());
    env.write("../home/trust.toml", format!("{}{}", &text[..from], &text[until..]));
    nothing_shows(world.verify("stamped.release", &["--at", "2100-01-01"]).exits(1));
}

/// Sigstore's own verifiers, with the trusted root that the trust file gives: log and authority.
#[test]
fn foreign_verifiers_accept_what_is_logged_and_stamped() {
    let Some(world) = World::new() else { return };
    let env = &world.env;
    world.run(&["log", "init", "releases.log", "--origin", "log.example/releases"]).succeeds();
    world.build("good", &["--log", "releases.log"]).succeeds();
    world.run(&["trust", "add", "../home/trust.toml", "releases.log.pub"]).succeeds();
    world.verify("probe-1.0.0.release", &[]).succeeds();
    let exported = world.run(&["trust", "export", "../home/trust.toml", "--format", "trusted-root"]);
    env.write("../root.json", &exported.succeeds().stdout);
    let bundles = bundles(&env.at(RELEASE), env.root());
    let index: Value = serde_json::from_slice(&fs::read(env.at(RELEASE).join("index.json")).unwrap()).unwrap();
    let image = &index["manifests"][0]["digest"].as_str().unwrap()["sha256:".len()..];
    let [root, key] = ["root.json", "home/release.pub"].map(|name| env.at(name));
    // The stamps of two documents exchanged, and none.
    let read = |path: &PathBuf| -> Value { serde_json::from_slice(&fs::read(path).unwrap()).unwrap() };
    let mut exchanged = read(&bundles[0]);
    let stamps = "/verificationMaterial/timestampVerificationData";
    *exchanged.pointer_mut(stamps).unwrap() = read(&bundles[1]).pointer(stamps).unwrap().clone();
    let mut without = read(&bundles[0]);
    without["verificationMaterial"].as_object_mut().unwrap().remove("timestampVerificationData").unwrap();
    env.write("../exchanged.sigstore.json", exchanged.to_string());
    env.write("../without.sigstore.json", without.to_string());
    for (name, words) in judges() {
        let judged = |bundles: &[PathBuf]| judge(&words, &root, &key, image, bundles);
        let (accepted, said) = judged(&bundles);
        assert!(accepted, "{name}: {said}");
        let (accepted, said) = judged(&[env.at("exchanged.sigstore.json")]);
        assert_eq!(accepted, !LOOKS_AT_STAMPS.contains(&name), "{name}: {said}");
        let (accepted, said) = judged(&[env.at("without.sigstore.json")]);
        assert_eq!(accepted, name != "sigstore-js", "only sigstore-js was told to want one: {name}: {said}");
    }
}

#[track_caller]
fn nothing_shows(output: &Output) {
    assert!(output.stdout.contains(", and nothing shows that"), "{}", output.transcript(Filter::NONE));
}

#[test]
fn sandbox_an_authority_that_fails_leaves_no_release() {
    let Some(mut world) = World::new() else { return };
    for (mode, because) in [
        ("away", "`authority` ended with exit status: 7"),
        ("nothing", "`authority` printed nothing"),
        ("garbage", "the time stamp response is not DER"),
        ("half", "the time stamp response is not DER"),
        ("more", "the time stamp response holds more than it should"),
        ("another", "the time stamp is over another signature"),
        ("first-again", "the time stamp is over another signature"),
        ("sha1", "gave no time stamp: its status is 2"),
    ] {
        let _ = fs::remove_file(world.env.at("home/tsa/first.tsq"));
        let output = world.build(mode, &[]);
        output.exits(2).says(because).says("Nothing was published.");
        assert!(!world.env.at(RELEASE).exists(), "{mode}: {}", output.transcript(Filter::NONE));
        assert_nothing_left(&world.env);
    }
    world.env.set("SELFSAME_SIGNER_SECONDS", "1");
    world.build("hangs", &[]).exits(2).says("did not end within 1 s");
    assert!(!world.env.at(RELEASE).exists());
    world
        .run(&["build", "--key", "../home/release.key", "--timestamp", "https://tsa.example.com"])
        .exits(2)
        .says("is no command");
}
