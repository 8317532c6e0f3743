//! The house rules as tests: layers, purity, sizes, invariants, runbooks, dashboards. A rule that is
//! not checked here is a wish. When one of these fails, read its message before its code.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms of `src/`, each with its layer. A room may use only rooms of lower layers.
const LAYERS: &[(&str, u8)] = &[
    ("types", 1),
    ("disk", 2),
    ("msg", 2),
    ("net", 2),
    ("journal", 3),
    ("kill", 3),
    ("actors", 4),
    ("alpaca", 4),
    ("alpaca", 4),
    ("broker", 5),
    ("feed", 5),
    ("venue", 5),
    ("agents", 6),
    ("desk", 6),
    ("view", 7),
    ("wiring", 7),
    ("chaos", 8),
    ("live", 8),
    ("replay", 8),
    ("sim", 8),
    ("bench", 9),
    ("entry", 9),
    ("cli", 10),
];

/// The two ways that go sideways, each for one reason.
const SEAMS: &[(&str, &str, &str)] = &[
    ("broker", "venue", "the sandbox session speaks the wire format that the venue defines"),
    ("venue", "broker", "the loopback joins a broker session and the exchange in one process"),
];

/// Words that stand for a dependency on the world or for a habit, and where they may appear.
struct Ban {
    words: &'static [&'static str],
    /// Only below these paths; empty: everywhere.
    within: &'static [&'static str],
    /// But not here.
    except: &'static [&'static str],
    why: &'static str,
}

const PURE: &[&str] = &[
    "src/types/",
    "src/msg/",
    "src/journal/",
    "src/kill/",
    "src/actors/",
    "src/agents/",
    "src/desk/",
];

/// INV-2 in words: who may touch the world, and with what.
const BANS: &[Ban] = &[
    Ban {
        words: &["Instant::now", "SystemTime::now", "Zoned::now", "jiff::Timestamp::now"],
        within: &[],
        except: &[
            "src/venue/server.rs",
            "src/chaos/",
            "src/live/",
            "src/entry/",
            "src/bench/",
            "src/cli/",
        ],
        why: "time is handed in: only edges and drivers read a clock",
    },
    Ban {
        words: &["thread_rng", "rand::rng", "getrandom", "OsRng", "RandomState"],
        within: &[],
        except: &["src/live/", "src/entry/", "src/cli/"],
        why: "randomness is seeded, or drawn once at the border",
    },
    Ban {
        words: &["std::fs", "fs", "File", "OpenOptions", "std::env"],
        within: &[],
        except: &[
            "src/disk/os.rs",
            "src/feed/",
            "src/venue/",
            "src/wiring/",
            "src/chaos/",
            "src/live/",
            "src/replay/",
            "src/entry/",
            "src/bench/",
            "src/cli/",
            // The command line of a program that brings its own agents.
            "src/lib.rs",
        ],
        why: "files and environment belong to the edges",
    },
    Ban {
        words: &["TcpStream", "TcpListener", "UdpSocket", "UnixStream", "tokio", "ureq"],
        within: &[],
        except: &["src/venue/server.rs", "src/chaos/", "src/live/", "src/entry/", "src/cli/"],
        why: "sockets belong to the edges",
    },
    Ban {
        words: &["actix", "actix_rt", "actix_web"],
        within: &[],
        // `qtos run` starts the system that the actors live in.
        except: &["src/live/", "src/entry/", "src/cli/run.rs"],
        why: "actix carries cold sockets and control, never a decision",
    },
    Ban {
        words: &["thread", "spawn"],
        within: &[],
        except: &[
            // Parking, by its two names.
            "src/sync.rs",
            "src/chaos/",
            "src/live/",
            "src/entry/",
            "src/bench/",
            "src/cli/",
            "src/venue/server.rs",
        ],
        why: "threads belong to the drivers",
    },
    Ban {
        words: &["Arc<Mutex", "Arc<RwLock", "unbounded", "unbounded_channel"],
        within: &[],
        except: &[],
        why: "state has one owner and every queue an end (INV-1, INV-6)",
    },
    Ban {
        words: &["HashMap", "HashSet"],
        within: &[],
        except: &["src/actors/oms/mod.rs", "src/actors/oms/id_hasher.rs", "src/venue/exchange.rs"],
        why: "the order of a hash map is not repeatable; the exceptions only look up",
    },
    Ban {
        words: &["planted!"],
        within: &["src/sim/", "src/chaos/", "src/venue/"],
        except: &[],
        why: "bugs are planted in what is judged, never in the judge",
    },
    Ban {
        words: &["f64", "f32"],
        within: PURE,
        except: &[
            // Reads the digits of a number in a config or JSON; keeps none of it as a float.
            "src/types/text.rs",
            "src/actors/risk/limits.rs",
            // The ways out, for indicators and ratios.
            "src/types/fixed.rs",
            "src/types/time.rs",
            // An indicator (Decision 10).
            "src/agents/ema_cross.rs",
        ],
        why: "money is fixed-point",
    },
    Ban {
        words: &[".unwrap()", ".expect(", "panic!", "unreachable!", "dbg!"],
        within: &[],
        // Panics on purpose, in builds with the `inject` feature.
        except: &["src/live/keeper.rs", "src/agents/faulty.rs"],
        why: "errors are values; a lane that panics is a lane that is gone",
    },
    Ban {
        words: &["Relaxed", "Acquire", "Release", "AcqRel"],
        within: &["src/sync.rs", "src/kill/"],
        except: &[],
        why: "interleavings are tried under sequential consistency: these pieces rely on it",
    },
    Ban { words: &["unsafe"], within: &[], except: &[], why: "the crate forbids it" },
];

/// Code lines a file may have, blank lines, comments and tests not counted.
const LONGEST: usize = 400;

/// Which file may say a word that makes a proof (INV-3).
const MINTS: &[(&str, &[&str])] = &[
    ("Approved::new(", &["src/actors/risk/mod.rs"]),
    ("Recorded {", &["src/journal/log.rs"]),
    ("Cleared {", &["src/desk/gate.rs"]),
    ("Permit {", &["src/kill/board.rs"]),
    (".permit(", &["src/desk/gate.rs", "src/bench/kill.rs"]),
    ("session.encode(", &["src/desk/gate.rs"]),
    (".lower(", &["src/kill/arm.rs"]),
];

const RUNBOOK_HEADINGS: &[&str] =
    &["Symptom", "Impact", "Do now", "Diagnose", "Recover", "Verify", "Prevent"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every text file below `folder` of the project, as path and content.
fn files(folder: &str, endings: &[&str]) -> Vec<(String, String)> {
    fn walk(at: &Path, found: &mut Vec<PathBuf>) {
        let Ok(entries) = fs::read_dir(at) else { return };
        for path in entries.flatten().map(|entry| entry.path()) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if ["target", ".git", "state"].contains(&name.as_str()) {
                continue;
            }
            if path.is_dir() {
                walk(&path, found);
            } else {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join(folder), &mut found);
    found.sort();
    let ending = |path: &Path| {
        let ending = path.extension().unwrap_or_default().to_string_lossy().into_owned();
        endings.is_empty() || endings.contains(&ending.as_str())
    };
    found.retain(|path| ending(path));
    let name = |path: &Path| path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
    found
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok().map(|text| (name(path), text)))
        .collect()
}

/// A source file, taken apart.
struct Source {
    path: String,
    text: String,
    /// Lines of code with their numbers: no comments, no tests.
    code: Vec<(usize, String)>,
    /// What is test code of it.
    tests: String,
}

/// Modules that exist under test only, by the path of their file without the ending.
fn test_modules(files: &[(String, String)]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (path, text) in files {
        let lines: Vec<&str> = text.lines().collect();
        let home = path.trim_end_matches("mod.rs").trim_end_matches(".rs").trim_end_matches('/');
        for pair in lines.windows(2).filter(|pair| pair[0].trim() == "#[cfg(test)]") {
            if let Some((_, name)) = pair[1].trim_end_matches(';').split_once("mod ")
                && pair[1].ends_with(';')
            {
                found.insert(format!("{home}/{name}"));
            }
        }
    }
    found
}

fn sources() -> Vec<Source> {
    let files = files("src", &["rs"]);
    let tests = test_modules(&files);
    let is_test = |path: &str| {
        tests.iter().any(|module| {
            path.strip_prefix(module.as_str()).is_some_and(|rest| rest.starts_with(['.', '/']))
        })
    };
    files
        .into_iter()
        .map(|(path, text)| {
            let cut = match text.find("#[cfg(test)]\nmod tests {") {
                _ if is_test(&path) => 0,
                Some(at) => at,
                None => text.len(),
            };
            let code = text[..cut]
                .lines()
                .enumerate()
                .map(|(number, line)| (number + 1, line.split(" // ").next().unwrap_or("")))
                .filter(|(_, line)| !line.trim().is_empty() && !line.trim().starts_with("//"))
                .map(|(number, line)| (number, line.to_owned()))
                .collect();
            Source { tests: text[cut..].to_owned(), path, text, code }
        })
        .collect()
}

/// Whether `line` has `word`, not as a part of a longer name.
fn says(line: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + word.len()..]);
        let open = |c: char, edge: Option<char>| part(c) && edge.is_some_and(part);
        !open(word.chars().next().unwrap(), before.chars().next_back())
            && !open(word.chars().next_back().unwrap(), after.chars().next())
    })
}

fn within(path: &str, places: &[&str]) -> bool {
    places.iter().any(|place| path.starts_with(place))
}

fn report(what: &str, found: &[String]) {
    assert!(found.is_empty(), "{what}\n  {}\n", found.join("\n  "));
}

/// The rooms that a line names: `crate::x`, `crate::{x, y::z}`.
fn rooms_of(code: &[(usize, String)]) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in code {
        for (at, _) in line.match_indices("crate::") {
            let rest = &line[at + "crate::".len()..];
            let names = rest.strip_prefix('{').map_or(rest, |list| list);
            let many = rest.starts_with('{');
            for name in names.split(',').take(if many { usize::MAX } else { 1 }) {
                let name: String = name
                    .trim()
                    .chars()
                    .take_while(|c| c.is_ascii_lowercase() || *c == '_')
                    .collect();
                found.push((*number, name));
            }
        }
    }
    found
}

#[test]
fn every_room_uses_only_lower_layers() {
    let layers: BTreeMap<&str, u8> = LAYERS.iter().copied().collect();
    let mut wrong = Vec::new();
    for source in sources() {
        let Some((room, _)) = source.path["src/".len()..].split_once('/') else { continue };
        let Some(own) = layers.get(room) else {
            wrong.push(format!("{}: `{room}` has no row in LAYERS", source.path));
            continue;
        };
        for (line, used) in rooms_of(&source.code) {
            let Some(other) = layers.get(used.as_str()) else { continue };
            let seam = SEAMS.iter().any(|(from, to, _)| *from == room && *to == used);
            if used != room && other >= own && !seam {
                let place = format!("{}:{line}", source.path);
                wrong.push(format!("{place}: {room} ({own}) uses {used} ({other})"));
            }
        }
    }
    report("a room may use only rooms of lower layers:", &wrong);
}

/// INV-2: decisions touch no clock, file, socket, thread or randomness.
#[test]
fn words_stay_where_they_belong() {
    let mut wrong = Vec::new();
    for source in sources() {
        for ban in BANS {
            if !(ban.within.is_empty() || within(&source.path, ban.within))
                || within(&source.path, ban.except)
            {
                continue;
            }
            for (number, line) in &source.code {
                if let Some(word) = ban.words.iter().find(|word| says(line, word)) {
                    wrong.push(format!("{}:{number}: `{word}`: {}", source.path, ban.why));
                }
            }
        }
    }
    report("words in the wrong place:", &wrong);
    for source in sources().iter().filter(|s| s.code.iter().any(|(_, l)| says(l, "HashMap"))) {
        assert!(source.text.contains("never walked"), "{}: say why it may", source.path);
    }
}

/// INV-3: each proof is made in one file.
#[test]
fn each_proof_has_one_mint() {
    let mut wrong = Vec::new();
    for source in sources() {
        for (word, places) in MINTS {
            for (number, line) in &source.code {
                let declares = ["struct ", "impl ", "enum "].iter().any(|w| line.contains(w));
                if line.contains(word) && !declares && !places.contains(&source.path.as_str()) {
                    wrong.push(format!("{}:{number}: `{word}`", source.path));
                }
            }
        }
    }
    report("a proof is made outside its file:", &wrong);
}

#[test]
fn files_are_short_and_introduce_themselves() {
    let mut wrong = Vec::new();
    for source in sources() {
        let lines = source.code.len();
        if lines > LONGEST {
            wrong.push(format!("{}: {lines} lines, at most {LONGEST}", source.path));
        }
        if !source.text.starts_with("//!") {
            wrong.push(format!("{}: begins without `//!`", source.path));
        }
    }
    report("files:", &wrong);
}

#[test]
fn nothing_is_left_for_later_and_no_machine_is_named() {
    let words = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("to", "do!("),
        concat!("unimple", "mented!("),
        concat!("/wo", "rk/"),
        concat!("/ro", "ot/"),
        concat!("/ho", "me/"),
        concat!("crates", ".io"),
        concat!("docs", ".rs/"),
        concat!("npmjs", ".com"),
        concat!("pypi", ".org"),
    ];
    let mut wrong = Vec::new();
    let endings = ["rs", "md", "toml", "json", "html", "css", "js", "yml", "yaml", "service", ""];
    for (path, text) in files("", &endings) {
        for (number, line) in text.lines().enumerate() {
            if let Some(word) = words.iter().find(|word| line.contains(**word)) {
                wrong.push(format!("{path}:{}: `{word}`", number + 1));
            }
        }
    }
    report("words that no file may have:", &wrong);
}

#[test]
fn every_invariant_is_cited_in_source_and_test() {
    let book = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let sources = sources();
    let tests = files("tests", &["rs"]);
    let mut wrong = Vec::new();
    let ids: Vec<String> = (1..).map(|number| format!("INV-{number}")).take(13).collect();
    for id in &ids {
        let line = format!("| {id} |");
        if !book.contains(&line) {
            wrong.push(format!("{id} has no row in ARCHITECTURE.md"));
        }
        let own = |source: &Source| source.text.len() - source.tests.len();
        if !sources.iter().any(|source| says(&source.text[..own(source)], id)) {
            wrong.push(format!("{id} is not cited in src"));
        }
        let cited = sources.iter().any(|source| says(&source.tests, id))
            || tests.iter().any(|(_, text)| says(text, id));
        if !cited {
            wrong.push(format!("{id} is not cited in a test"));
        }
    }
    report("invariants:", &wrong);
}

/// INV-13: what stops trading has a page that says what to do.
#[test]
fn runbooks_have_their_headings_and_cover_every_stop() {
    let books = files("runbooks", &["md"]);
    let mut wrong = Vec::new();
    for (path, text) in &books {
        if path.ends_with("README.md") {
            continue;
        }
        let found: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        if found != RUNBOOK_HEADINGS {
            wrong.push(format!("{path}: has {found:?}, needs {RUNBOOK_HEADINGS:?}"));
        }
        let name = path.trim_start_matches("runbooks/");
        if !books.iter().any(|(p, t)| p.ends_with("README.md") && t.contains(name)) {
            wrong.push(format!("{path}: not in the index"));
        }
    }
    let index = fs::read_to_string(root().join("runbooks/README.md")).unwrap();
    let read = |file: &str| fs::read_to_string(root().join("src/msg").join(file)).unwrap();
    let kinds = read("control.rs") + &read("guardian.rs");
    let words = kinds.lines().filter_map(|line| line.trim().strip_prefix("Self::"));
    for word in words.filter_map(|line| line.split('"').nth(1)) {
        if !says(&index, word) {
            wrong.push(format!("runbooks/README.md: nothing about `{word}`"));
        }
    }
    report("runbooks:", &wrong);
}

#[test]
fn dashboards_ask_only_for_metrics_that_exist() {
    let source: String = files("src", &["rs"]).into_iter().map(|(_, text)| text).collect();
    let boards = files("grafana", &["json"]);
    assert!(!boards.is_empty());
    let mut wrong = Vec::new();
    for (path, text) in boards {
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        for key in ["uid", "title", "schemaVersion", "panels"] {
            assert!(json.get(key).is_some(), "{path}: no {key}");
        }
        if !says(&source, "qtos_events_total") {
            eprintln!("skipped: {path}: nothing exports metrics yet");
            continue;
        }
        let part = |c: char| !(c.is_ascii_lowercase() || c == '_');
        for name in text.split(part).filter(|word| word.starts_with("qtos_")) {
            if !says(&source, name) {
                wrong.push(format!("{path}: {name}"));
            }
        }
    }
    report("metrics that nothing exports:", &wrong);
}
