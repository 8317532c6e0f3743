//! The program `qtos`: all of it is in the library.

fn main() {}
