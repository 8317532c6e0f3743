//! What the documents tell people to type is read by the program's own command line.

use clap::Parser;
use qtos_gateway::cli::args::Cli;
use std::fs;
use std::path::{Path, PathBuf};

/// Splits a line as a shell would, as far as our documents need it; a comment ends it.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let (mut word, mut quoted, mut begun) = (String::new(), false, false);
    for c in line.chars() {
        match c {
            '"' => (quoted, begun) = (!quoted, true),
            '#' if !quoted && !begun => break,
            c if c.is_whitespace() && !quoted => {
                if begun {
                    words.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            c => {
                word.push(c);
                begun = true;
            }
        }
    }
    if begun {
        words.push(word);
    }
    words
}

/// Every command of `qtos` in the shell blocks of a document.
fn commands(text: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut shell = false;
    for line in text.lines() {
        if let Some(language) = line.strip_prefix("```") {
            shell = language == "sh";
        } else if shell {
            let words = words(line);
            let parts = words.split(|word| ["&&", "&", "|"].contains(&word.as_str()));
            found.extend(
                parts.filter(|part| part.first().is_some_and(|w| w == "qtos")).map(Vec::from),
            );
        }
    }
    found
}

fn documents() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = [".", "config", "docs", "grafana", "runbooks"];
    let files = folders.iter().flat_map(|folder| fs::read_dir(root.join(folder)).unwrap());
    let mut files: Vec<PathBuf> = files.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "md"));
    files.sort();
    files
}

#[test]
fn every_command_in_the_documents_parses() {
    let mut count = 0;
    for path in documents() {
        for command in commands(&fs::read_to_string(&path).unwrap()) {
            if let Err(error) = Cli::try_parse_from(&command) {
                panic!("{}: `{}`: {error}", path.display(), command.join(" "));
            }
            count += 1;
        }
    }
    assert!(count > 30, "only {count} commands were found");
}

#[test]
fn every_link_leads_somewhere() {
    for path in documents() {
        let text = fs::read_to_string(&path).unwrap();
        for part in text.split("](").skip(1) {
            let target = part.split([')', '#']).next().unwrap();
            let there = target.is_empty() || path.parent().unwrap().join(target).exists();
            assert!(there, "{}: {target} is not there", path.display());
        }
    }
}
