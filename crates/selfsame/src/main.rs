//! The `selfsame` program: arguments, environment, terminal and exit codes.
fn main() {}
