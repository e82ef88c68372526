//! The start of a sandbox against bubblewrap, runc and plain clone+exec, interleaved in one run.
//!
//! `cargo bench -p selfsame --bench start -- [ROUNDS]`. Every contender runs the same static program, which ends at
//! once, in the same root folder. A peer that is not installed is left out and said so.
#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "a benchmark needs the clock and a terminal")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use selfsame_sandbox::{Level, Limits, OutputEntry, OutputSink, Spec, Variation};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// The release binary, which is also the helper.
const PROGRAM: &str = env!("CARGO_BIN_EXE_selfsame");
const ROUNDS: usize = 100;

fn main() -> Outcome<()> {
    let rounds = std::env::args().skip(1).find_map(|text| text.parse().ok()).unwrap_or(ROUNDS);
    let folder = tempfile::tempdir()?;
    let root = root_folder(folder.path())?;
    let contenders = contenders(folder.path(), &root)?;
    let mut times: Vec<Vec<f64>> = vec![Vec::new(); contenders.len()];
    for round in 0..=rounds {
        for (contender, times) in contenders.iter().zip(&mut times) {
            let start = Instant::now();
            (contender.run)()?;
            let elapsed = start.elapsed().as_secs_f64() * 1e3;
            // The first round fills caches.
            if round > 0 {
                times.push(elapsed);
            }
        }
    }
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("{rounds} rounds, interleaved; load {}", load.split(' ').next().unwrap_or_default());
    println!("{:<34} {:>9} {:>9} {:>9}   over clone+exec of the helper", "milliseconds", "min", "median", "p90");
    times.iter_mut().for_each(|times| times.sort_by(f64::total_cmp));
    let at = |times: &[f64], part: f64| times[((times.len() - 1) as f64 * part) as usize];
    let (floor_min, floor_median) = (at(&times[1], 0.0), at(&times[1], 0.5));
    for (contender, times) in contenders.iter().zip(&times) {
        let (min, median) = (at(times, 0.0), at(times, 0.5));
        println!(
            "{:<34} {min:>9.2} {median:>9.2} {:>9.2}   {:+.2} min, {:+.2} median",
            contender.name,
            at(times, 0.9),
            min - floor_min,
            median - floor_median,
        );
    }
    Ok(())
}

struct Contender {
    name: &'static str,
    run: Box<dyn Fn() -> Outcome<()>>,
}

fn contenders(folder: &Path, root: &Path) -> Outcome<Vec<Contender>> {
    let scratch = folder.join("scratch");
    fs::create_dir(&scratch)?;
    let program = root.join("bin/true");
    let mut all = vec![
        Contender { name: "clone+exec of the program", run: ends_with(&[&program], 0)? },
        // Without a channel the helper ends at once, with its own status.
        Contender {
            name: "clone+exec of the helper",
            run: ends_with(&[Path::new(PROGRAM), Path::new(selfsame_sandbox::HELPER_ARG)], 70)?,
        },
    ];
    for (name, level) in [("selfsame, isolated", Level::Isolated), ("selfsame, normalized", Level::Normalized)] {
        let spec = specification(root, &scratch, level);
        all.push(Contender {
            name,
            run: Box::new(move || {
                let outcome = selfsame_sandbox::run(&spec, &mut |_, _| {}, &mut Nothing, &AtomicBool::new(false))?;
                if outcome.end.is_success() { Ok(()) } else { Err(outcome.end.to_string().into()) }
            }),
        });
    }
    if installed("bwrap") {
        let text = root.to_str().ok_or("a path that is not UTF-8")?;
        let words = ["bwrap", "--unshare-all", "--die-with-parent", "--ro-bind", text, "/", "--proc", "/proc"];
        let words = [&words[..], &["--dev", "/dev", "--tmpfs", "/tmp", "/bin/true"]].concat();
        let words: Vec<&Path> = words.into_iter().map(Path::new).collect();
        all.push(Contender { name: "bubblewrap --unshare-all", run: ends_with(&words, 0)? });
    } else {
        println!("bubblewrap is not installed: left out");
    }
    for (tool, name) in [("runc", "runc run"), ("crun", "crun run")] {
        if !installed(tool) {
            println!("{tool} is not installed: left out");
            continue;
        }
        let bundle = bundle(folder, root, tool)?;
        let state = folder.join(format!("{tool}-state"));
        let words = [Path::new(tool), Path::new("--root"), &state, Path::new("run"), Path::new("--bundle"), &bundle];
        let words = [&words[..], &[Path::new("selfsame-bench")]].concat();
        let run = ends_with(&words, 0)?;
        match run() {
            Ok(()) => all.push(Contender { name, run }),
            Err(error) => println!("{tool} does not run here ({error}): left out"),
        }
    }
    Ok(all)
}

fn installed(tool: &str) -> bool {
    Command::new(tool).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

fn ends_with(words: &[&Path], status: i32) -> Outcome<Box<dyn Fn() -> Outcome<()>>> {
    let (program, arguments) = words.split_first().ok_or("no command")?;
    let (program, arguments) = (program.to_path_buf(), arguments.iter().map(|word| word.to_path_buf()));
    let arguments: Vec<PathBuf> = arguments.collect();
    Ok(Box::new(move || {
        let mut command = Command::new(&program);
        command.args(&arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let ended = command.status()?;
        if ended.code() == Some(status) { Ok(()) } else { Err(format!("{}: {ended}", program.display()).into()) }
    }))
}

/// A root with one static program, and the folders that peers mount on.
fn root_folder(folder: &Path) -> Outcome<PathBuf> {
    let root = folder.join("root");
    for name in ["bin", "dev", "proc", "sys", "tmp"] {
        fs::create_dir_all(root.join(name))?;
    }
    let source = folder.join("true.c");
    fs::write(&source, "int main(void) { return 0; }\n")?;
    let program = root.join("bin/true");
    let status = Command::new("cc").args(["-O2", "-static", "-o"]).arg(&program).arg(&source).status()?;
    if status.success() { Ok(root) } else { Err("cc makes no static program here".into()) }
}

fn specification(root: &Path, scratch: &Path, level: Level) -> Spec {
    Spec {
        program: PathBuf::from(PROGRAM),
        identity: selfsame_sandbox::Identity::Build,
        level,
        observe: false,
        lowers: vec![root.to_owned()],
        binds: Vec::new(),
        scratch_dirs: vec!["/build".to_owned(), "/tmp".to_owned()],
        scratch_dir: scratch.to_owned(),
        scratch_bytes: 1 << 30,
        placements: Vec::new(),
        owners: Vec::new(),
        argv: vec!["/bin/true".to_owned()],
        env: BTreeMap::new(),
        cwd: "/build".to_owned(),
        stdout_to: None,
        outputs: Vec::new(),
        limits: Limits { timeout_ms: 60_000, tasks: Limits::TASKS, memory_bytes: None },
        relax: BTreeSet::new(),
        variation: Variation::none(),
    }
}

struct Nothing;

impl OutputSink for Nothing {
    fn entry(&mut self, _: OutputEntry, _: &mut dyn Read) -> std::io::Result<()> {
        Ok(())
    }
}

/// An OCI bundle: the tool's own default, with our root and program. Rootless where we are.
fn bundle(folder: &Path, root: &Path, tool: &str) -> Outcome<PathBuf> {
    let bundle = folder.join(format!("{tool}-bundle"));
    fs::create_dir(&bundle)?;
    let mut command = Command::new(tool);
    command.arg("spec").current_dir(&bundle);
    if !rustix::process::geteuid().is_root() {
        command.arg("--rootless");
    }
    if !command.status()?.success() {
        return Err(format!("{tool} spec failed").into());
    }
    let path = bundle.join("config.json");
    let mut config: serde_json::Value = serde_json::from_slice(&fs::read(&path)?)?;
    config["process"]["terminal"] = false.into();
    config["process"]["args"] = serde_json::json!(["/bin/true"]);
    config["root"]["path"] = root.to_str().ok_or("a path that is not UTF-8")?.into();
    fs::write(&path, serde_json::to_vec(&config)?)?;
    Ok(bundle)
}
