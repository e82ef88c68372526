//! Attacks that are no file: on a registry's answers, on a process, on a disk. Tests hold them.

/// An attack that no folder can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elsewhere {
    /// Its number in the list of attacks.
    pub item: u8,
    /// What it is.
    pub says: &'static str,
    /// The files of the tests that hold it and their names, as `FILE: NAME`.
    pub tests: &'static [&'static str],
}

/// All of them, by number.
pub const ELSEWHERE: [Elsewhere; 12] = [
    Elsewhere {
        item: 28,
        says: "many subjects in a release, its bounds at their edges",
        tests: &["crates/selfsame-attest/tests/it/statement.rs: refuses_what_is_no_statement"],
    },
    Elsewhere {
        item: 51,
        says: "a crash between two outputs",
        tests: &[
            "tests/it/bad_moments.rs: sandbox_kill_leaves_nothing_in_part",
            "tests/it/bad_moments.rs: sandbox_a_full_disk_publishes_nothing",
            "crates/selfsame-store/src/log_folder/tests.rs: a_writer_that_dies_anywhere_leaves_a_whole_log",
        ],
    },
    Elsewhere {
        item: 56,
        says: "archives that grow without end",
        tests: &["crates/selfsame-oci/tests/it/refused.rs: bombs"],
    },
    Elsewhere { item: 58, says: "a million members", tests: &["crates/selfsame-oci/tests/it/refused.rs: bombs"] },
    Elsewhere {
        item: 61,
        says: "registries that answer with other referrers, redirects, endless bodies",
        tests: &[
            "crates/selfsame-registry/tests/it/referrers.rs: lists_that_are_none",
            "tests/it/push_registry.rs: sandbox_what_strangers_attach_spoils_nothing",
            "tests/it/bounds_registry.rs: sandbox_what_hundreds_of_strangers_attach_pushes_nothing_out",
            "tests/it/bounds_registry.rs: sandbox_documents_of_another_image_do_not_count_for_this_one",
            "tests/it/bounds_registry.rs: sandbox_what_is_there_only_now_and_then_is_never_half_a_release",
        ],
    },
    Elsewhere {
        item: 62,
        says: "a tag that moves between two requests",
        tests: &["tests/it/bounds_registry.rs: sandbox_a_tag_that_moves_meanwhile_is_one_image_all_along"],
    },
    Elsewhere {
        item: 63,
        says: "a panic, a stack or a memory that is full",
        tests: &[
            "crates/selfsame/src/main.rs: a_panic_is_no_answer",
            "tests/it/bounds_files.rs: documents_that_bring_readers_down_do_not_bring_this_one_down",
            "tests/it/bounds_files.rs: without_memory_there_is_no_good_verdict",
        ],
    },
    Elsewhere {
        item: 65,
        says: "variables and files of the working folder that name other keys",
        tests: &["tests/it/trust.rs: environment_and_working_folder_cannot_change_trust"],
    },
    Elsewhere {
        item: 66,
        says: "a socket that is opened while judging",
        tests: &[
            "crates/selfsame-sandbox/src/offline.rs: nothing_is_reached_afterwards",
            "tests/it/verdict.rs: judging_asks_nobody_and_says_so",
        ],
    },
    Elsewhere {
        item: 67,
        says: "terminal escapes in signed words",
        tests: &["crates/selfsame/src/report.rs: nothing_acts_on_a_terminal"],
    },
    Elsewhere {
        item: 68,
        says: "a reference whose tag is not its digest",
        tests: &["tests/it/bounds_registry.rs: sandbox_a_tag_and_a_digest_that_disagree_are_refused"],
    },
    Elsewhere {
        item: 69,
        says: "a verdict that does not say what was not looked at",
        tests: &["crates/selfsame-verify/tests/it/verdicts.rs: every_check_stands_in_every_verdict_in_order"],
    },
];
