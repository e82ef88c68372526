//! The files that stand in for the host's in `/proc`, `/sys`, `/dev` and `/etc`. Part of the profile: changing any of
//! them changes digests.

use std::fmt::Write as _;

use crate::spec::VIRTUAL_CPUS;

/// Bytes of `/dev/random` and of `/dev/urandom`; a reader that wants more finds the end of the file.
pub(crate) const RANDOM_BYTES: usize = 1 << 20;

/// The kernel release that `/proc` speaks of.
const RELEASE: &str = "6.1.0-selfsame";

/// Paths below `/proc` that are the same on every host at level `normalized`.
pub(crate) fn proc_files() -> Vec<(&'static str, String)> {
    vec![
        ("cmdline", "selfsame\n".to_owned()),
        ("cpuinfo", cpuinfo()),
        ("loadavg", "0.00 0.00 0.00 1/1 1\n".to_owned()),
        ("meminfo", meminfo()),
        ("stat", stat()),
        ("swaps", "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n".to_owned()),
        ("sys/kernel/osrelease", format!("{RELEASE}\n")),
        ("sys/kernel/pid_max", "32768\n".to_owned()),
        ("sys/kernel/random/boot_id", "5e1f5a3e-0000-4000-8000-000000000001\n".to_owned()),
        (PROC_UUID, "5e1f5a3e-0000-4000-8000-000000000002\n".to_owned()),
        ("sys/kernel/version", "#1 SMP selfsame\n".to_owned()),
        ("uptime", "1.00 1.00\n".to_owned()),
        ("version", format!("Linux version {RELEASE} (selfsame) #1 SMP selfsame\n")),
    ]
}

/// The kernel's random numbers as text, below `/proc`.
pub(crate) const PROC_UUID: &str = "sys/kernel/random/uuid";

/// Files below `/proc` that speak of the host's other work: empty at level `normalized`.
pub(crate) const PROC_EMPTY: &[&str] =
    &["diskstats", "interrupts", "modules", "partitions", "schedstat", "softirqs", "vmstat", "zoneinfo"];

/// Files below `/proc` that are not for a sandbox at any level, seen as empty.
pub(crate) const PROC_MASKED_FILES: &[&str] = &[
    "kallsyms",
    "kcore",
    "key-users",
    "keys",
    "kmsg",
    "kpagecgroup",
    "kpagecount",
    "kpageflags",
    "latency_stats",
    "pagetypeinfo",
    "sched_debug",
    "slabinfo",
    "sysrq-trigger",
    "timer_list",
    "vmallocinfo",
];

/// Folders below `/proc` that are not for a sandbox at any level, seen as empty.
pub(crate) const PROC_MASKED_FOLDERS: &[&str] = &["acpi", "asound", "bus", "driver", "fs", "irq", "scsi"];

/// Paths below `/sys`, which holds nothing else.
pub(crate) fn sys_files() -> Vec<(&'static str, String)> {
    let all = format!("0-{}\n", VIRTUAL_CPUS - 1);
    vec![
        ("devices/system/cpu/kernel_max", "8191\n".to_owned()),
        ("devices/system/cpu/offline", "\n".to_owned()),
        ("devices/system/cpu/online", all.clone()),
        ("devices/system/cpu/possible", all.clone()),
        ("devices/system/cpu/present", all),
        ("devices/system/node/online", "0\n".to_owned()),
        ("kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n".to_owned()),
    ]
}

/// The folders of [`sys_files`], parents first.
pub(crate) const SYS_FOLDERS: &[&str] = &[
    "devices",
    "devices/system",
    "devices/system/cpu",
    "devices/system/node",
    "kernel",
    "kernel/mm",
    "kernel/mm/transparent_hugepage",
];

/// Files below `/etc`, each only where the root has none.
pub(crate) const ETC_FILES: &[(&str, &str)] = &[
    ("group", "root:x:0:\nbuild:x:1000:\nnogroup:x:65534:\n"),
    ("hosts", "127.0.0.1 localhost selfsame\n::1 localhost selfsame\n"),
    ("nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n"),
    (
        "passwd",
        "root:x:0:0:root:/root:/bin/sh\nbuild:x:1000:1000:build:/homeless:/bin/sh\n\
         nobody:x:65534:65534:nobody:/nonexistent:/bin/false\n",
    ),
];

/// The content of the random devices: SplitMix64 from a fixed seed, little endian.
pub(crate) fn random_bytes() -> Vec<u8> {
    let mut state: u64 = 0x73_65_6c_66_73_61_6d_65;
    let mut bytes = Vec::with_capacity(RANDOM_BYTES);
    while bytes.len() < RANDOM_BYTES {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bytes.extend_from_slice(&(mixed ^ (mixed >> 31)).to_le_bytes());
    }
    bytes
}

/// A generic CPU of the architecture's first level, so that nothing is tuned to the host's.
fn cpuinfo() -> String {
    let mut text = String::new();
    for cpu in 0..VIRTUAL_CPUS {
        if cfg!(target_arch = "x86_64") {
            let _ = write!(
                text,
                "processor\t: {cpu}\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 6\n\
                 model name\t: selfsame virtual CPU\nstepping\t: 3\ncpu MHz\t\t: 1000.000\ncache size\t: 16384 KB\n\
                 physical id\t: 0\nsiblings\t: {VIRTUAL_CPUS}\ncore id\t\t: {cpu}\ncpu cores\t: {VIRTUAL_CPUS}\n\
                 apicid\t\t: {cpu}\nfpu\t\t: yes\nfpu_exception\t: yes\ncpuid level\t: 13\nwp\t\t: yes\n\
                 flags\t\t: fpu de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse \
                 sse2 syscall nx lm\nbogomips\t: 2000.00\nclflush size\t: 64\ncache_alignment\t: 64\n\
                 address sizes\t: 40 bits physical, 48 bits virtual\npower management:\n\n"
            );
        } else {
            let _ = write!(
                text,
                "processor\t: {cpu}\nBogoMIPS\t: 100.00\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\n\
                 CPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: 0xd03\nCPU revision\t: 4\n\n"
            );
        }
    }
    text
}

fn meminfo() -> String {
    let lines = [
        ("MemTotal", 16_777_216),
        ("MemFree", 12_582_912),
        ("MemAvailable", 14_680_064),
        ("Buffers", 0),
        ("Cached", 2_097_152),
        ("SwapCached", 0),
        ("SwapTotal", 0),
        ("SwapFree", 0),
        ("Shmem", 0),
    ];
    lines.iter().fold(String::new(), |mut text, (name, kib)| {
        let _ = writeln!(text, "{:<16}{kib:>8} kB", format!("{name}:"));
        text
    })
}

fn stat() -> String {
    let mut text = "cpu  0 0 0 0 0 0 0 0 0 0\n".to_owned();
    for cpu in 0..VIRTUAL_CPUS {
        let _ = writeln!(text, "cpu{cpu} 0 0 0 0 0 0 0 0 0 0");
    }
    text.push_str("intr 0\nctxt 0\nbtime 315532800\nprocesses 1\nprocs_running 1\nprocs_blocked 0\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The profile promises these bytes: a change here is a new profile.
    #[test]
    fn the_bytes_of_profile_1() {
        let random = random_bytes();
        assert_eq!(random.len(), RANDOM_BYTES);
        let files = proc_files().into_iter().chain(sys_files());
        let all = files.chain(ETC_FILES.iter().map(|(path, text)| (*path, (*text).to_owned())));
        let all: String = all.map(|(path, text)| format!("{path}\n{text}\n")).collect();
        let random = selfsame_core::Digest::of(&random).hex();
        assert_eq!(random, "642451c2b79bab7f7a5aa1c8b1f0349ee1a62101de5acdf6c749ed6125781595");
        if cfg!(target_arch = "x86_64") {
            assert_eq!(
                selfsame_core::Digest::of(all.as_bytes()).hex(),
                "0d3bc6a65aa9aaf6e5ebd131b1ffed06b7f1b54ee0ae45625aa019753eb99bb9"
            );
        }
    }
}
