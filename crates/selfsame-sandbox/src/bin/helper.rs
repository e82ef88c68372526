//! The helper process of this crate's own tests; the `selfsame` program does the same with its first argument.

fn main() -> std::process::ExitCode {
    selfsame_sandbox::helper_main()
}
