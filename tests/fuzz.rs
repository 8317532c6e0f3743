//! The fuzz targets of `fuzz/` on stable Rust: inputs made by their own encoders, changed at random,
//! the same for the same seed.
//!
//! ```sh
//! cargo test --test fuzz                                               # a short run
//! QTOS_FUZZ_COUNT=1000000 cargo test --profile quick --test fuzz       # a campaign
//! QTOS_FUZZ_TARGET=orders QTOS_FUZZ_SEED=7 cargo test --test fuzz      # one target, another seed
//! QTOS_FUZZ_TARGET=orders QTOS_FUZZ_INPUT=00ff12 cargo test --test fuzz  # one input, as it was printed
//! ```

#[path = "../fuzz/src/lib.rs"]
mod targets;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use targets::{TARGETS, Target};

/// More than this at one time, for an input of a few kilobytes, is an allocation that the input chose.
const MOST_BYTES: u64 = 96 << 20;
/// Inputs are cut to this.
const LONGEST: usize = 1 << 14;

fn variable<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// What decoders stumble over, in text.
const WORDS: [&str; 22] = [
    "-1",
    "0",
    "9223372036854775807",
    "18446744073709551616",
    "1e308",
    "0.0000000001",
    "NaN",
    "",
    "\n",
    ",",
    "\"",
    "[",
    "]",
    "{",
    "}",
    "=",
    "off",
    "null",
    "2016-02-30",
    "100%",
    "..",
    "\u{130}",
];

/// A few changes to a seed: bits, bytes, numbers at the end of their range, pieces of it or of another.
fn change(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    for _ in 0..1 + random.below(6) {
        let at = random.below(bytes.len() + 1);
        let end = (at + 1 + random.below(16)).min(bytes.len());
        match random.below(12) {
            0 | 1 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            2 | 3 if at < bytes.len() => bytes[at] = random.next() as u8,
            4 if at < bytes.len() => bytes[at] = *random.pick(&[0, 1, 0x7f, 0x80, 0xfe, 0xff]),
            5 => bytes.insert(at, random.next() as u8),
            6 if at < end => drop(bytes.drain(at..end)),
            7 if at < end => {
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
            8 => {
                let from = random.below(other.len() + 1);
                let to = (from + random.below(64)).min(other.len());
                bytes.splice(at.min(end)..at.max(end), other[from..to].iter().copied());
            }
            9 => drop(bytes.splice(at.min(end)..at.max(end), random.pick(&WORDS).bytes())),
            10 => {
                let number = [u64::MAX, i64::MAX as u64, 1 << 63, 1 << 32, u64::MAX - 1];
                let bytes_of = random.pick(&number).to_le_bytes();
                let size = *random.pick(&[2, 4, 8]);
                for (slot, byte) in bytes[at..].iter_mut().zip(&bytes_of[..size]) {
                    *slot = *byte;
                }
            }
            11 if random.below(4) == 0 => bytes.truncate(at),
            _ => {}
        }
    }
    bytes.truncate(LONGEST);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Runs one input; says how to run it again where a promise is broken.
fn run(target: &Target, input: &[u8], what: &str) {
    let mut kept = true;
    let used = allocation_counter::measure(|| {
        kept = catch_unwind(AssertUnwindSafe(|| (target.run)(input))).is_ok();
    });
    let again = || {
        let name = target.name;
        format!(
            "{what}; again: QTOS_FUZZ_TARGET={name} QTOS_FUZZ_INPUT={} cargo test --test fuzz",
            hex(input)
        )
    };
    assert!(kept, "{} broke its promise: {}", target.name, again());
    assert!(
        used.bytes_max <= MOST_BYTES,
        "{} used {} bytes: {}",
        target.name,
        used.bytes_max,
        again()
    );
}

/// All targets on `count` inputs, the dear ones on fewer; the same for the same seed.
fn campaign(seed: u64, count: usize, only: Option<&str>) -> usize {
    let mut total = 0;
    for (number, target) in TARGETS.iter().enumerate() {
        if only.is_some_and(|only| only != target.name) {
            continue;
        }
        let mut random = Random(seed.wrapping_mul(0x1_0001).wrapping_add(number as u64));
        let seeds = (target.seeds)();
        for (at, input) in seeds.iter().enumerate() {
            run(target, input, &format!("seed input {at}"));
        }
        let count = count.div_ceil(target.cost as usize);
        let begin = std::time::Instant::now();
        for round in 0..count {
            let mut input = random.pick(&seeds).clone();
            let other = random.pick(&seeds).clone();
            change(&mut input, &other, &mut random);
            run(target, &input, &format!("seed {seed}, input {round}"));
        }
        eprintln!("{}: {count} inputs, {:.1} s", target.name, begin.elapsed().as_secs_f64());
        total += count;
    }
    total
}

#[test]
fn no_input_breaks_a_promise() {
    let only: Option<String> = variable("QTOS_FUZZ_TARGET");
    if let Some(text) = variable::<String>("QTOS_FUZZ_INPUT") {
        let input: Vec<u8> = (0..text.len() / 2)
            .map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).expect("hexadecimal"))
            .collect();
        for target in
            TARGETS.iter().filter(|target| only.as_deref().is_none_or(|only| only == target.name))
        {
            run(target, &input, "as given");
        }
        return;
    }
    let seed = variable("QTOS_FUZZ_SEED").unwrap_or(1);
    let count = variable("QTOS_FUZZ_COUNT").unwrap_or(2_000);
    let total = campaign(seed, count, only.as_deref());
    eprintln!("{total} inputs, seed {seed}");
    assert!(total > 0, "there is no such target");
}

/// A mutant of each kind is noticed: the driver can fail.
#[test]
fn a_broken_promise_is_told() {
    let broken = Target {
        name: "broken",
        run: |data| assert!(data.len() < 9, "long"),
        seeds: || vec![b"12345678".to_vec()],
        cost: 1,
    };
    let greedy = Target { run: |_| drop(vec![0u8; 200 << 20]), ..broken };
    let told = |target: &Target, input: &[u8]| {
        let error = catch_unwind(AssertUnwindSafe(|| run(target, input, "here"))).unwrap_err();
        error.downcast_ref::<String>().cloned().unwrap_or_default()
    };
    assert!(told(&broken, b"123456789").contains("QTOS_FUZZ_INPUT=313233343536373839"));
    assert!(told(&greedy, b"").contains("bytes"));
}

/// `docs/fuzz.md` lists the targets that there are, and every file that it names.
#[test]
fn the_table_of_decoders_is_whole() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("docs/fuzz.md")).unwrap();
    let rows = text.lines().filter(|line| line.contains("| `src/"));
    let mut named = BTreeSet::new();
    for row in rows {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        assert!(root.join(cells[2].trim_matches('`')).exists(), "{row}: no such file");
        named.extend(cells[3].split(", ").map(|name| name.trim_matches('`').to_owned()));
    }
    let there: BTreeSet<String> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    assert_eq!(named, there, "targets that the table names, and targets that there are");
}
