//! What `doctor` is told: on this host, and on hosts that refuse something.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use selfsame_sandbox::probe::{Barrier, Circumstances, Probe, State, probe};

use crate::hosts::{blocked, works, wrapper};
use crate::world::{HELPER, World, world};

pub(crate) fn here(world: &World, program: PathBuf) -> Probe {
    let circumstances = Circumstances {
        program,
        installed: "/usr/local/bin/selfsame".into(),
        scratch_dir: world.path("scratch"),
        env: BTreeMap::new(),
    };
    probe(&circumstances).unwrap()
}

fn missing(probe: &Probe) -> Vec<&str> {
    let missing = probe.abilities.iter().filter(|ability| matches!(ability.state, State::No { .. }));
    missing.map(|ability| ability.name.as_str()).collect()
}

#[test]
fn sandbox_probe_agrees_with_a_run() {
    let Some(world) = world() else { return };
    let probe = here(&world, HELPER.into());
    let ran = world.sh("true").result.is_ok();
    assert_eq!(probe.is_complete(), ran, "{probe:#?}");
    // Whoever has groups that cannot be dropped is told, and builds all the same.
    let without = probe.abilities.iter().any(|ability| matches!(ability.state, State::Without { .. }));
    let lacking = probe.abilities.iter().any(|ability| matches!(ability.state, State::Lacking { .. }));
    assert_eq!(probe.remedies.is_empty(), ran && !without && !lacking, "{probe:#?}");
    assert_eq!(probe.environment.barriers.is_empty(), ran, "{probe:#?}");
    assert_eq!(probe.abilities.len(), 18);
    assert_eq!(std::fs::read_dir(world.path("scratch")).unwrap().count(), 0, "the probe left something behind");
}

#[test]
fn sandbox_probe_tells_refusals_apart() {
    let Some(world) = world() else { return };
    if !works("unshare", &["-Urm", "mount", "--bind", "/dev/null", "/proc/version"]) {
        return;
    }
    let script = r#"exec unshare -Urm sh -c 'mount --bind /dev/null /proc/version && exec "$@"' sh "$H" "$@""#;
    let masked = here(&world, wrapper(&world, script));
    let found = missing(&masked);
    assert!(found.contains(&"fresh /proc") && !found.contains(&"mount namespace"), "{masked:#?}");
    assert_eq!(masked.relaxations(), Some(vec![selfsame_sandbox::Relaxation::Proc]), "{masked:#?}");
    assert!(!masked.remedies.is_empty());

    if let Some(blocked) = blocked(&world) {
        let script = format!("exec {} unshare \"$H\" \"$@\"", blocked.display());
        let blocked = here(&world, wrapper(&world, &script));
        assert!(missing(&blocked).contains(&"user namespace"), "{blocked:#?}");
        assert_eq!(blocked.relaxations(), None);
        assert!(!blocked.is_complete());
        assert!(!blocked.environment.barriers.is_empty());
        let _: &std::collections::BTreeSet<Barrier> = &blocked.environment.barriers;
    }
    assert!(Path::new(HELPER).exists());
}
