//! The `qtos` program: the library with the agents that ship.

use qtos_gateway::wiring::Registry;
use std::process::ExitCode;

fn main() -> ExitCode {
    qtos_gateway::run(&Registry::standard())
}
