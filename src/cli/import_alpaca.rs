//! `qtos import alpaca`.

use super::args::{Global, ImportAlpaca};
use super::signal::until_signal;
use super::{CliError, Exit, Progress};
use crate::feed::FeedError;
use crate::feed::import::alpaca::{Request, What, import, news_file};
use crate::live::Fetcher;
use crate::net::Endpoint;
use crate::view::Import;
use crate::wiring::SecretRef;
use std::path::Path;
use std::sync::atomic::Ordering;

/// Fetches history into a recording.
///
/// # Errors
/// The key, the venue's refusal, or the page that cannot be used; then there is no new recording.
pub(super) fn run(args: &ImportAlpaca, global: &Global) -> Result<Exit, CliError> {
    let endpoint: Endpoint = args.url.parse().map_err(CliError::usage)?;
    if !endpoint.tls && !endpoint.is_loopback() {
        let why =
            "--url must begin with https: key and secret go to another machine only encrypted";
        return Err(CliError::usage(why.to_owned()));
    }
    if args.end <= args.start {
        return Err(CliError::usage("--end must lie behind --start".to_owned()));
    }
    let (key, secret) = keys(args.key_file.as_deref())?;
    let mut fetcher = Fetcher::new(
        endpoint,
        &format!("APCA-API-KEY-ID: {key}\r\nAPCA-API-SECRET-KEY: {secret}\r\n"),
    );
    let names = args.symbols.iter().map(|text| match text.split_once('=') {
        Some((ours, theirs)) => (ours.to_owned(), theirs.to_owned()),
        None => (text.clone(), text.clone()),
    });
    let mut what = args.kinds.clone();
    what.sort_unstable();
    what.dedup();
    let request = Request {
        symbols: names.collect(),
        what,
        start: args.start,
        end: args.end,
        feed: args.feed.clone(),
        timeframe: args.timeframe.clone(),
        out: args.out.clone(),
    };
    let stop = until_signal()?;
    let stopped = || stop.load(Ordering::Relaxed);
    let bar = Progress::count("import", 0);
    let imported = import(
        &request,
        &mut |target| {
            fetcher.get(target, &stopped).map_err(|error| FeedError::Source(error.to_string()))
        },
        &mut |done, total| {
            bar.total(total);
            bar.set(done);
        },
    );
    bar.finish();
    let imported = imported?;
    if request.what.contains(&What::News) && !global.json {
        let (count, file) = (imported.skipped, news_file(&request.out));
        eprintln!("{count} articles in {}", file.display());
    }
    global.print(&Import {
        out: args.out.display().to_string(),
        counts: imported.written.counts,
        skipped: imported.skipped,
        first: imported.written.first,
        last: imported.written.last,
    });
    Ok(Exit::Done)
}

/// Key and secret: of the file, else of the environment. Never of the command line, which others see.
fn keys(file: Option<&Path>) -> Result<(String, String), CliError> {
    let (key, secret) = match file {
        Some(path) => {
            let text = SecretRef::File(path.to_owned()).resolve().map_err(CliError::input)?;
            let mut lines = text.expose().lines().map(|line| line.trim().to_owned());
            (lines.next().unwrap_or_default(), lines.next().unwrap_or_default())
        }
        None => {
            let of =
                |name: &str| SecretRef::Env(name.to_owned()).resolve().map_err(CliError::input);
            let (key, secret) = (of("APCA_API_KEY_ID")?, of("APCA_API_SECRET_KEY")?);
            (key.expose().to_owned(), secret.expose().to_owned())
        }
    };
    let plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    if plain(&key) && plain(&secret) {
        Ok((key, secret))
    } else {
        Err(CliError::input("key and secret must be one word each".to_owned()))
    }
}
