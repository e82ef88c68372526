//! Several commands in turn, A B C A B C …, with wall time, CPU time and the first one's share of each other's.
//!
//! `cargo bench -p selfsame --bench compare -- [--rounds N] [--after COMMAND] NAME=COMMAND...`. Commands are run by
//! `sh -c`; `--after` is run after each of them and not counted. One uncounted round comes first. On a machine with
//! other work the minimum and the CPU time say more than the median. If the first command fails, so does this; another that
//! fails is left out, with what it said.
#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "a benchmark needs the clock and a terminal")]

use std::fs;
use std::process::{Command, Stdio};
use std::time::Instant;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let (mut rounds, mut after, mut commands) = (5_usize, None, Vec::new());
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            // Cargo's own.
            "--bench" => {}
            "--rounds" => rounds = arguments.next().ok_or("--rounds wants a number")?.parse()?,
            "--after" => after = arguments.next(),
            named => {
                let (name, command) = named.split_once('=').ok_or("a command is written NAME=COMMAND")?;
                commands.push((name.to_owned(), command.to_owned()));
            }
        }
    }
    let mut runs: Vec<Vec<Run>> = vec![Vec::new(); commands.len()];
    let mut failed = vec![false; commands.len()];
    for round in 0..=rounds {
        for (number, (name, command)) in commands.iter().enumerate() {
            if failed[number] {
                continue;
            }
            match Run::of(command) {
                Ok(run) if round > 0 => runs[number].push(run),
                Ok(_) => {}
                Err(error) if number == 0 => return Err(format!("{name}: {error}").into()),
                Err(error) => {
                    failed[number] = true;
                    println!("{name}: left out in round {round}: {error}");
                }
            }
            if let Some(after) = &after {
                Run::of(after)?;
            }
        }
    }
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("{rounds} rounds, interleaved; load {}", load.split(' ').next().unwrap_or_default());
    println!("{:<28} {:>9} {:>9} {:>9}   first against it: min, median, CPU", "seconds", "min", "median", "CPU min");
    let Some(ours) = runs.first().filter(|runs| !runs.is_empty()).map(|runs| figures(runs)) else {
        return Err("no command, or no round".into());
    };
    for (((name, _), runs), _) in commands.iter().zip(&runs).zip(&failed).filter(|(_, failed)| !**failed) {
        let [min, median, cpu] = figures(runs);
        let shares = [ours[0] / min, ours[1] / median, ours[2] / cpu].map(|share| format!("{share:.2}x"));
        println!("{name:<28} {min:>9.3} {median:>9.3} {cpu:>9.2}   {}", shares.join(", "));
    }
    Ok(())
}

/// Smallest and median wall time, smallest CPU time.
fn figures(runs: &[Run]) -> [f64; 3] {
    let sorted = |of: fn(&Run) -> f64| {
        let mut values: Vec<f64> = runs.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values
    };
    let (wall, cpu) = (sorted(|run| run.wall), sorted(|run| run.cpu));
    [wall[0], wall[wall.len() / 2], cpu[0]]
}

#[derive(Clone, Copy)]
struct Run {
    wall: f64,
    cpu: f64,
}

impl Run {
    fn of(command: &str) -> Outcome<Self> {
        let (start, cpu) = (Instant::now(), cpu_of_children()?);
        let output = Command::new("sh").args(["-c", command]).stdin(Stdio::null()).output()?;
        let run = Self { wall: start.elapsed().as_secs_f64(), cpu: cpu_of_children()? - cpu };
        if output.status.success() {
            return Ok(run);
        }
        Err(format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr)).into())
    }
}

/// Of all children that were waited for, and theirs: fields 16 and 17 of /proc/self/stat, in hundredths.
fn cpu_of_children() -> Outcome<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let fields = stat.rsplit_once(')').ok_or("/proc/self/stat")?.1.split_whitespace().skip(13).take(2);
    Ok(fields.filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() / 100.0)
}
