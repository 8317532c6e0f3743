//! Bad input: exit code 2 and a sentence that names the place, never a panic.
