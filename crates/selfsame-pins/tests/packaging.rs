//! pip's own library of versions, markers and tags as the judge. Tier `foreign`.
#![expect(clippy::disallowed_methods, reason = "tests run in a real environment")]

use std::io::Write as _;
use std::process::{Command, Stdio};

use selfsame_pins::marker::{Marker, Target};
use selfsame_pins::version::Version;
use selfsame_pins::wheel::{FileName, Preference};
use selfsame_testing::{Tier, require};

/// What python says with this program, given these lines; nothing where the tier is not to be had.
#[track_caller]
fn python(program: &str, lines: &str) -> Option<Vec<String>> {
    let required = std::env::var("SELFSAME_REQUIRE").unwrap_or_default();
    let asked = required.split(',').any(|tier| matches!(tier.trim(), "foreign" | "all"));
    let there =
        Command::new("python3").args(["-c", "import pip._vendor.packaging.tags"]).stderr(Stdio::null()).status();
    let there = there.is_ok_and(|status| status.success());
    if !asked || !there {
        let why = if there { "SELFSAME_REQUIRE does not name it" } else { "python3 has no pip" };
        _ = require(Tier::Foreign, Err(why.to_owned()));
        return None;
    }
    let mut child = Command::new("python3");
    let child = child.args(["-c", program]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = child.unwrap();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    Some(String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect())
}

#[test]
fn versions_are_ordered_and_printed_alike() {
    let mut versions = Vec::new();
    for release in ["0", "1.0", "1.0.1", "1.10", "2!0.5", "2024.1.1"] {
        for pre in ["", "a1", ".ALPHA2", "b", "-rc.3", "c1"] {
            for post in ["", ".post1", "-2", "rev3"] {
                for rest in ["", ".dev1", "+local.1", "+Abc-2", ".dev2+1"] {
                    versions.push(format!("{release}{pre}{post}{rest}"));
                }
            }
        }
    }
    let program = "import sys\nfrom pip._vendor.packaging.version import Version\n\
                   lines = [line.strip() for line in sys.stdin]\n\
                   for line in sorted(lines, key=lambda line: (Version(line), line)): print(line, Version(line))";
    let Some(theirs) = python(program, &versions.join("\n")) else { return };
    let mut ours: Vec<(Version, String)> = versions.iter().map(|text| (text.parse().unwrap(), text.clone())).collect();
    ours.sort();
    let ours: Vec<String> = ours.iter().map(|(version, text)| format!("{text} {version}")).collect();
    assert_eq!(ours.len(), 720);
    for (one, other) in ours.iter().zip(&theirs) {
        assert_eq!(one, other);
    }
}

#[test]
fn markers_are_judged_alike() {
    let comparisons = [
        "python_version >= '3.9'",
        "python_version < '3.11'",
        "python_version == '3.11.*'",
        "python_version != '3.11'",
        "python_version ~= '3.8'",
        "'3.11' == python_version",
        "'3.12' > python_version",
        "python_full_version >= '3.11.5'",
        "python_full_version < '3.11.7.post1'",
        "sys_platform == 'linux'",
        "sys_platform != \"win32\"",
        "os_name in 'posix nt'",
        "os_name not in 'nt'",
        "platform_machine == 'x86_64'",
        "platform_machine != 'arm64'",
        "platform_system == 'Windows'",
        "implementation_name == 'cpython'",
        "platform_python_implementation != 'PyPy'",
        "implementation_version >= '3.11'",
        "extra == 'socks-x'",
    ];
    let mut markers: Vec<String> = comparisons.map(str::to_owned).to_vec();
    for one in comparisons {
        for other in comparisons {
            markers.push(format!("{one} and {other} or ({other} and (sys_platform == 'darwin' or {one}))"));
        }
    }
    let program = "import sys\nfrom pip._vendor.packaging.markers import Marker\n\
        environment = dict(python_version='3.11', python_full_version='3.11.7', implementation_version='3.11.7', sys_platform='linux', os_name='posix',\n\
          platform_machine='x86_64', platform_system='Linux', implementation_name='cpython', platform_python_implementation='CPython', extra='socks-x')\n\
        for line in sys.stdin: print(Marker(line.strip()).evaluate(environment))";
    let Some(theirs) = python(program, &markers.join("\n")) else { return };
    let target = Target::new(Some("3.11.7"), &"linux/amd64".parse().unwrap()).unwrap();
    assert_eq!(markers.len(), theirs.len());
    for (marker, theirs) in markers.iter().zip(&theirs) {
        let ours = Marker::parse(marker).unwrap().holds(&target, &["socks-x"]);
        assert_eq!(ours, Some(theirs == "True"), "{marker}");
    }
}

#[test]
fn tags_have_the_same_order() {
    for (machine, platform) in [("x86_64", "linux/amd64"), ("aarch64", "linux/arm64")] {
        // The C library is said to be 2.36, whatever this machine has.
        let program = format!(
            "from pip._vendor.packaging import tags, _manylinux as m\n\
             m._get_glibc_version = lambda: m._GLibCVersion(2, 36)\n\
             m._have_compatible_abi = lambda *_: True\n\
             m._is_compatible = lambda *_: True\n\
             arch = ['{machine}']\n\
             try: platforms = list(m.platform_tags('linux_{machine}', '{machine}'))\n\
             except TypeError: platforms = list(m.platform_tags(arch))\n\
             platforms = [p for p in platforms if p.endswith('{machine}')] + ['linux_{machine}']\n\
             for tag in tags.cpython_tags((3, 11), ['cp311'], platforms): print(tag)\n\
             for tag in tags.compatible_tags((3, 11), 'cp311', platforms): print(tag)"
        );
        let Some(theirs) = python(&program, "") else { return };
        let preference = Preference::of(&Target::new(Some("3.11"), &platform.parse().unwrap()).unwrap());
        assert!(theirs.len() > 200, "{}", theirs.len());
        for (index, tag) in theirs.iter().enumerate() {
            let file = FileName::parse(&format!("a-1-{tag}.whl")).unwrap();
            assert_eq!(preference.rank(&file).map(|rank| rank.0), Some(index), "{tag}");
        }
    }
}
