//! `cargo bench`: the rows of `qtos bench`, or those named after `--`.

use qtos_gateway::bench;
use qtos_gateway::view::Render;
use qtos_gateway::wiring::Registry;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    // Without this word it is a test run that only wants to see the program start.
    let Some(at) = words.iter().position(|word| word == "--bench") else {
        return ExitCode::SUCCESS;
    };
    words.remove(at);
    match bench::run(&words, &Registry::standard(), &mut |name| eprintln!("measuring {name}")) {
        Ok(rows) => {
            print!("{}", rows.render());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
