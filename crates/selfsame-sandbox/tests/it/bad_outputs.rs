//! Outputs that cannot be shipped, each refused for its own reason.

use selfsame_sandbox::{OutputFault, SandboxError};

use crate::world::{go, rel, world};

#[track_caller]
fn fault(script: &str, output: &str) -> OutputFault {
    let Some(world) = world() else { return OutputFault::Missing };
    let done = world.sh_outputs(script, &[output]);
    match done.error() {
        SandboxError::Output { output: named, fault } => {
            assert_eq!(named, output);
            fault.clone()
        }
        other => panic!("{other:?}\n{}", done.stderr),
    }
}

#[test]
fn sandbox_output_missing() {
    assert_eq!(fault("true", "out"), OutputFault::Missing);
    assert_eq!(fault("echo x >out", "out/x"), OutputFault::Missing);
}

#[test]
fn sandbox_output_special() {
    if world().is_none() {
        return;
    }
    let special = |path: &str, kind: &str| OutputFault::Special { path: rel(path), kind: kind.to_owned() };
    assert_eq!(fault("mkdir out; mkfifo out/pipe", "out"), special("pipe", "a FIFO"));
    assert_eq!(fault("mkfifo out", "out"), special(".", "a FIFO"));
    assert_eq!(fault("true", "/dev/null"), special(".", "a device"));
    assert_eq!(
        fault("mkdir out; nc -l -p 1 -s local:out/s & nc -lU out/s & sleep 0.1; [ -S out/s ] || mknod out/s p", "out")
            .to_string(),
        fault("mkdir out; mkfifo out/s", "out").to_string()
    );
}

#[test]
fn sandbox_output_links_that_leave() {
    if world().is_none() {
        return;
    }
    let escaping = |path: &str, target: &str| OutputFault::EscapingLink { path: rel(path), target: target.to_owned() };
    assert_eq!(fault("mkdir -p out/a; ln -s ../../x out/a/l", "out"), escaping("a/l", "../../x"));
    assert_eq!(fault("ln -s ../x out", "out"), escaping(".", "../x"));
    assert_eq!(
        fault("mkdir real; echo x >real/f; ln -s real out", "out/f"),
        OutputFault::BehindSymlink { link: "/build/out".to_owned() }
    );
    assert_eq!(fault("ln -s /etc out", "out/passwd"), OutputFault::BehindSymlink { link: "/build/out".to_owned() });
}

#[test]
fn sandbox_output_names_that_cannot_be_written_down() {
    if world().is_none() {
        return;
    }
    let not_utf8 = fault(r#"mkdir out; touch "out/$(printf 'a\377')""#, "out");
    assert_eq!(not_utf8, OutputFault::NotUtf8 { path: rel("."), name: "a\u{fffd}".to_owned() });
    // No path can be longer than a page, so the deep tree is put together from two.
    let deep = "n=$(printf '%0200d' 0); d=$n/$n/$n/$n/$n/$n/$n/$n/$n/$n/$n/$n; mkdir -p out/$d b/$d; mv b out/$d/";
    assert!(matches!(fault(deep, "out"), OutputFault::TooLong { .. }));
}

#[test]
fn sandbox_outputs_are_not_taken_from_a_failed_command() {
    let Some(world) = world() else { return };
    let done = world.sh_outputs("echo x >out; exit 3", &["out"]);
    assert!(done.outputs.is_empty());
    assert_eq!(done.outcome().end, selfsame_sandbox::End::Exited(3));
}

#[test]
fn sandbox_specifications_that_contradict_themselves() {
    let Some(world) = world() else { return };
    let fault = |change: &dyn Fn(&mut selfsame_sandbox::Spec)| {
        let mut spec = world.spec(&["true"]);
        change(&mut spec);
        match go(&spec).error() {
            SandboxError::Spec { fault } => fault.clone(),
            other => panic!("{other:?}"),
        }
    };
    assert!(fault(&|spec| spec.argv.clear()).contains("command is empty"));
    assert!(fault(&|spec| spec.lowers = vec!["/".into()]).contains("root of the host"));
    assert!(fault(&|spec| spec.lowers.clear()).contains("no folder to be the root"));
    assert!(fault(&|spec| spec.cwd = "/build/../x".to_owned()).contains("absolute path"));
    assert!(fault(&|spec| spec.outputs = vec!["../x".to_owned()]).contains("without `.` and `..`"));
    assert!(fault(&|spec| spec.argv.push("a\0b".to_owned())).contains("NUL"));
    assert!(fault(&|spec| spec.observe = true).contains("binds, not lowers"));
}
