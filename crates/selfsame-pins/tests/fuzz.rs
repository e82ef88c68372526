//! Locks, packages and settings of Python, npm and Go, from anybody.

use selfsame_core::Platform;
use selfsame_pins::PinsError;
use selfsame_pins::go::{self, BuildInfo, DirHash, GoMod, GoSum};
use selfsame_pins::marker::{Marker, Target};
use selfsame_pins::npm::{Integrity, Npmrc, PackageJson, PackageLock, is_name};
use selfsame_pins::pypi::{IndexPage, Metadata, PipSettings, Record, Requirements, UvLock, resolve_url};
use selfsame_pins::version::Version;
use selfsame_pins::wheel::{FileName, Preference};
use selfsame_pins::zip::{Archive, Limits};
use selfsame_testing::fuzz::{Answer, all, answer, fuzz};

const HASH: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

fn platform() -> Platform {
    "linux/amd64".parse().expect("a platform")
}

fn target() -> Target {
    Target::new(Some("3.11"), &platform()).expect("a target")
}

/// The error and what it stands for: [`PinsError`] has no more behind it.
fn said<T>(result: Result<T, PinsError>) -> Answer {
    answer(result)
}

#[test]
fn fuzz_requirements() {
    let text = format!(
        "# made by hand\n--only-binary :all:\n-r more.txt\nflask[async,dotenv] == 3.1.3 ; python_version >= '3.8' and (os_name == \"posix\" or extra == 'x') \\\n    --hash={HASH} \\\n    --hash={HASH}\nmarkupsafe==2.1.5+local --hash={HASH}  # via jinja2\n"
    );
    let words = [
        "--hash=sha256:",
        "==",
        "===",
        "~=",
        "; ",
        " and ",
        " or ",
        " not in ",
        "python_version",
        "-r ",
        "-e ",
        "--index-url ",
        "\\\n",
        "@ file:///etc/passwd",
        "@ git+ssh://x/y",
        "1!2.0rc1.post2.dev3",
        "[a,b]",
        "${HOME}",
    ];
    fuzz("requirements", &[text.as_bytes()], &words, |bytes| {
        let read = Requirements::parse(&String::from_utf8_lossy(bytes));
        if let Ok(read) = &read {
            let _ = read.pins(&target(), "requirements.txt");
        }
        said(read)
    });
}

#[test]
fn fuzz_uv_lock() {
    let text = format!(
        "version = 1\nrevision = 3\nrequires-python = \">=3.11\"\nresolution-markers = [\"python_full_version >= '3.12'\"]\n\n[[package]]\nname = \"app\"\nversion = \"0.1.0\"\nsource = {{ virtual = \".\" }}\ndependencies = [ {{ name = \"flask\", extra = [\"async\"], marker = \"sys_platform == 'linux'\" }} ]\n\n[[package]]\nname = \"flask\"\nversion = \"3.1.3\"\nsource = {{ registry = \"https://index.example/simple\" }}\ndependencies = [ {{ name = \"app\" }} ]\nsdist = {{ url = \"https://files.example/flask-3.1.3.tar.gz\", hash = \"{HASH}\", size = 12 }}\nwheels = [\n  {{ url = \"https://files.example/flask-3.1.3-py3-none-any.whl\", hash = \"{HASH}\", size = 13 }},\n]\n\n[package.optional-dependencies]\nasync = [ {{ name = \"asgiref\" }} ]\n"
    );
    let words = [
        "[[package]]\n",
        "name = ",
        "source = { git = ",
        "source = { path = \"..\" }",
        "marker = ",
        "wheels = [",
        "hash = ",
        "extra = [",
        "[package.dev-dependencies]\n",
    ];
    fuzz("uv-lock", &[text.as_bytes()], &words, |bytes| {
        said(UvLock::parse(&String::from_utf8_lossy(bytes)).and_then(|lock| lock.pins(&target())))
    });
}

#[test]
fn fuzz_package_lock() {
    let integrity = format!("sha512-{}==", "A".repeat(86));
    let lock = format!(
        "{{\"name\":\"app\",\"lockfileVersion\":3,\"packages\":{{\"\":{{\"name\":\"app\",\"workspaces\":[\"w\"]}},\"w\":{{\"version\":\"0.0.0\"}},\"node_modules/w\":{{\"resolved\":\"w\",\"link\":true}},\"node_modules/@babel/core\":{{\"version\":\"1.0.0\",\"resolved\":\"https://registry.example/@babel/core/-/core-1.0.0.tgz\",\"integrity\":\"{integrity}\",\"os\":[\"!win32\"],\"optional\":true}}}}}}"
    );
    let manifest = "\u{feff}{\"name\":\"@babel/core\",\"version\":\"1.0.0\",\"license\":\"MIT\",\"author\":{\"name\":\"A\"},\"licenses\":[{\"type\":\"ISC\"}],\"dependencies\":{\"a\":\"^1\"}}";
    let words = [
        "\"node_modules/",
        "\"resolved\":\"file:../x\"",
        "\"resolved\":\"git+ssh://x/y\"",
        "\"integrity\":\"sha1-",
        "\"link\":true",
        "\"inBundle\":true",
        "\"packages\":{",
        "\"dependencies\":{",
        "\"lockfileVersion\":1",
    ];
    fuzz("package-lock", &[lock.as_bytes(), manifest.as_bytes(), integrity.as_bytes()], &words, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let _ = (is_name(&text), text.parse::<Integrity>());
        let lock = PackageLock::parse(bytes, &platform());
        for package in lock.iter().flat_map(|lock| &lock.packages) {
            assert!(is_name(&package.name) && !package.file.contains('/'), "{package:?}");
        }
        all([said(lock), said(PackageJson::parse(bytes))])
    });
}

#[test]
fn fuzz_go() {
    let hash = format!("h1:{}=", "A".repeat(43));
    let sum = format!(
        "github.com/BurntSushi/toml v1.0.0 {hash}\ngithub.com/BurntSushi/toml v1.0.0/go.mod {hash}\ngolang.org/x/sys v0.0.0-20220715151400-c0bba94af5f8 {hash}\n"
    );
    let module = "module example.com/app // c\n\ngo 1.22\n\nrequire (\n\t\"github.com/BurntSushi/toml\" v1.0.0 // indirect\n\tgolang.org/x/sys v0.0.0\n)\n\nreplace a => ../a\n\nexclude b v1.0.0\n";
    let settings = "GOPROXY='https://proxy.example|direct'\nset GOFLAGS=-mod=mod\n";
    let words = [
        "/go.mod ",
        " v1.0.0",
        " h1:",
        "require (",
        "replace ",
        "!",
        "..",
        "+incompatible",
        "`",
        "/*",
        "*/",
        "|",
        "direct",
        "off",
    ];
    fuzz("go", &[sum.as_bytes(), module.as_bytes(), settings.as_bytes(), hash.as_bytes()], &words, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let _ = (go::proxies(&text), go::setting(&text, "GOPROXY"), text.trim().parse::<DirHash>());
        let sum = GoSum::parse(&text);
        for module in sum.iter().flat_map(|sum| sum.zips.keys().chain(sum.mods.keys())) {
            let place = module.place(".zip");
            assert!(selfsame_core::RelPath::new(place.clone()).is_ok(), "{place}");
        }
        all([said(sum), said(GoMod::parse(&text))])
    });
}

#[test]
fn fuzz_go_build_info() {
    // A program of one segment, which can be written, with what Go leaves in it.
    let mut program = b"\x7fELF\x02\x01\x01".to_vec();
    program.resize(1024, 0);
    for (at, value) in [(16, 2), (18, 62), (20, 1), (32, 64), (52, 64), (54, 56), (56, 1), (64, 1), (68, 6)] {
        program[at] = value;
    }
    (program[97], program[105]) = (4, 4);
    let frame = "0123456789abcdef";
    let modules = format!("{frame}path\tx\nmod\tx\t(devel)\t\ndep\ta\tv1.0.0\th1:=\n=>\tb\tv1.1.0\th1:=\n{frame}");
    let info = [
        b"\xff Go buildinf:\x08\x02".as_slice(),
        &[0; 16],
        b"\x08go1.27.3",
        &[modules.len() as u8],
        modules.as_bytes(),
    ];
    let info = info.concat();
    program[256..256 + info.len()].copy_from_slice(&info);
    assert!(matches!(BuildInfo::read(program.as_slice()), Ok(Some(found)) if found.modules.len() == 1));
    let words = ["\u{ff} Go buildinf:", "dep\t", "=>\t", "\x7fELF", "build\t", "v1.0.0\t"];
    fuzz("go-build-info", &[&program], &words, |bytes| match BuildInfo::read(bytes) {
        Ok(Some(found)) => Err(format!("modules: {}", "i".repeat(found.modules.len().min(3)))),
        other => answer(other),
    });
}

#[test]
fn fuzz_zip() {
    // As other tools write it: one member stored, one deflated, a comment.
    let seed = include_bytes!("../../../tests/corpus/zip/two-members.zip");
    let words =
        ["PK\x03\x04", "PK\x01\x02", "PK\x05\x06", "PK\x06\x06", "PK\x06\x07", "\x01\0\x10\0", "../", "up\x0d\0"];
    fuzz("zip", &[seed], &words, |bytes| {
        let limits = Limits { size_bytes: 64 << 20, ..Limits::PACKAGE };
        let archive = Archive::open(bytes, limits).map_err(|error| error.to_string())?;
        for member in archive.members() {
            assert!(selfsame_core::RelPath::new(member.name.clone()).is_ok(), "{member:?}");
            archive.read_whole(member, 64 << 20).map_err(|error| error.to_string())?;
        }
        Ok(())
    });
}

#[test]
fn fuzz_wheel() {
    let metadata = "Metadata-Version: 2.4\nName: flask\nVersion: 3.1.3\nLicense-Expression: BSD-3-Clause\nClassifier: License :: OSI Approved\nRequires-Dist: click >=8 ; extra == \"x\" and python_version < \"3.9\"\nAuthor-email: A <a@b.example>\n\ntext\n";
    let record = "flask/a.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\n\"flask/b,c.py\",sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,12\nflask-3.1.3.dist-info/RECORD,,\n";
    let marker = "python_version >= '3.8' and (os_name == \"posix\" or not_a_name in 'x') and extra == 'y'";
    let file = "torch-2.7.0+cu128-1-cp39.cp310-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl";
    let version = "1!2.0rc1.post2.dev3+local.7";
    let seeds = [metadata.as_bytes(), record.as_bytes(), marker.as_bytes(), file.as_bytes(), version.as_bytes()];
    let words = [
        "Requires-Dist: ",
        "sha256=",
        ",",
        " and ",
        " or ",
        "(",
        "python_full_version",
        "===",
        "-py3-none-any.whl",
        ".tar.gz",
        "1!",
        ".dev",
        "+",
    ];
    fuzz("wheel", &seeds, &words, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let target = target();
        if let Some(file) = FileName::parse(&text) {
            let _ = Preference::of(&target).rank(&file);
        }
        let _ = target.fits_python(&text);
        if let Ok(version) = text.parse::<Version>() {
            assert_eq!(version.to_string().parse::<Version>().expect("what is printed is read"), version);
        }
        let marker = Marker::parse(&text);
        if let Ok(marker) = &marker {
            let _ = (marker.holds(&target, &["x"]), marker.may_hold(&target, &[]));
        }
        let metadata = Metadata::parse(bytes);
        if let Ok(metadata) = &metadata {
            let _ = metadata.needs(&target);
        }
        all([said(metadata), said(Record::parse(bytes)), answer(marker)])
    });
}

#[test]
fn fuzz_index() {
    let page = format!(
        "<!DOCTYPE html><html><head><base href=\"../x/\"></head><body><a href=\"flask-3.1.3-py3-none-any.whl#{}\" data-requires-python=\"&gt;=3.9\" data-yanked=\"\">flask-3.1.3-py3-none-any.whl</a><!-- c --></body></html>",
        HASH.replace(':', "=")
    );
    let json = format!(
        "{{\"meta\":{{\"api-version\":\"1.1\"}},\"name\":\"flask\",\"files\":[{{\"filename\":\"flask-3.1.3.tar.gz\",\"url\":\"../x/flask-3.1.3.tar.gz\",\"hashes\":{{\"sha256\":\"{}\"}},\"requires-python\":\">=3.9\",\"yanked\":false,\"size\":12}}]}}",
        &HASH[7..]
    );
    let words = [
        "<a href=\"",
        "</a>",
        "<!--",
        "<base href=",
        "&#x41;",
        "&amp;",
        "#sha256=",
        "data-yanked",
        "\"files\":[",
        "\"yanked\":",
        "//host/",
        "?",
        "file:///",
    ];
    fuzz("index", &[page.as_bytes(), json.as_bytes()], &words, |bytes| {
        let url = "https://index.example/simple/flask/";
        let html = IndexPage::parse(bytes, "text/html", url);
        for file in html.iter().flat_map(|page| &page.files) {
            assert!(file.url.starts_with("https://") || file.url.starts_with("http://"), "{file:?}");
        }
        let _ = resolve_url(url, &String::from_utf8_lossy(bytes));
        said(html).and(said(IndexPage::parse(bytes, "application/vnd.pypi.simple.v1+json", url)))
    });
}

#[test]
fn fuzz_settings() {
    let pip = "[global]\nindex-url = https://user:secret@index.example/simple\nextra-index-url =\n    https://a.example\n    https://b.example\ncert = /etc/ca.pem\n; c\n";
    let npm = "registry=https://registry.example/\n@scope:registry = https://other.example/\n//registry.example/:_authToken=${TOKEN}\n//other.example/:_auth=\"dXNlcjpwdw==\"\ncafile[]=a\n";
    let words = ["[global]\n", "[install]\n", "=", ":_authToken=", "${HOME}", "${", "\n    ", ";", "//", "[]"];
    fuzz("settings", &[pip.as_bytes(), npm.as_bytes()], &words, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let npmrc = Npmrc::parse(&text, |name| (name == "TOKEN").then(|| "secret".to_owned()));
        if let Ok(npmrc) = &npmrc {
            let _ = npmrc.registry("@scope/a").map(|url| npmrc.auth(&url).is_some());
        }
        all([said(npmrc), said(PipSettings::parse(&text))])
    });
}
