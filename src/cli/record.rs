//! `qtos record`.

use super::args::{Global, RecordArgs};
use super::run::log_to_stderr;
use super::signal::until_signal;
use super::{CliError, Exit};
use crate::feed::alpaca::{FeedEvent, FeedSession, FeedSettings, FeedSink, Other};
use crate::feed::frames::{FrameWriter, FramesHeader};
use crate::feed::{Counts, FeedError, RecordingWriter};
use crate::journal::Units;
use crate::live::{clock_now, drive, log_event, side_by_side};
use crate::msg::MarketData;
use crate::types::{Date, DayStart, InstrumentTable, Nanos, Timestamp};
use crate::view::{RecordResult, RecordedFeed};
use crate::wiring::{FeedSource, Registry, Topology};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

/// Frames reach the operating system at least this often.
const FLUSH: Nanos = Nanos::from_secs(1);

/// Keeps what every data stream of the configuration brings, until SIGINT, SIGTERM or the end of time.
///
/// # Errors
/// No data stream in it, a key that cannot be found, the disk's.
pub(super) fn run(
    args: &RecordArgs,
    global: &Global,
    registry: &Registry,
) -> Result<Exit, CliError> {
    log_to_stderr(if global.json { "warn" } else { "info" });
    let topology = global.topology(&registry.vocabulary())?;
    let streams = streams(&topology)?;
    let stop = until_signal()?;
    let until = args.for_seconds.map(|seconds| clock_now() + Nanos::from_secs(seconds));
    let day_start = topology.day_start;
    let mut tasks = Vec::new();
    for (name, settings) in streams {
        let instruments = topology.names.instruments().clone();
        let keeper = Keeper::new(&args.out, &name, &settings, instruments, day_start)?;
        let stop = std::sync::Arc::clone(&stop);
        tasks.push(keep(name, settings, keeper, move |now| {
            stop.load(Ordering::Relaxed) || until.is_some_and(|until| now >= until)
        }));
    }
    let done = side_by_side(tasks).map_err(|error| CliError::core(error.to_string()))?;
    let feeds = done.into_iter().collect::<Result<Vec<_>, CliError>>()?;
    global.print(&RecordResult { feeds });
    Ok(Exit::Done)
}

fn streams(topology: &Topology) -> Result<Vec<(String, FeedSettings)>, CliError> {
    let mut streams = Vec::new();
    for spec in &topology.feeds {
        if let FeedSource::Alpaca(feed) = &spec.source {
            let settings = feed.settings(topology.names.instruments()).map_err(CliError::input)?;
            streams.push((spec.name.clone(), settings));
        }
    }
    if streams.is_empty() {
        let why = "the configuration has no data stream to record: a [[feed]] of kind `alpaca`";
        return Err(CliError::input(why.to_owned()));
    }
    Ok(streams)
}

/// Keeps one stream until `ends` says so.
async fn keep(
    name: String,
    settings: FeedSettings,
    mut keeper: Keeper,
    ends: impl Fn(Timestamp) -> bool,
) -> Result<RecordedFeed, CliError> {
    let endpoint = settings.endpoint.clone();
    let mut session = FeedSession::new(settings, clock_now());
    let turn = |_: &FeedSession, keeper: &mut Keeper, now: Timestamp| {
        keeper.turn(now);
        keeper.failed.is_none() && !ends(now)
    };
    drive(&mut session, &endpoint, &mut keeper, turn)
        .await
        .map_err(|error| CliError::core(error.to_string()))?;
    let failed = keeper.failed.take();
    keeper.close()?;
    if let Some(error) = failed {
        return Err(error.into());
    }
    let counters = session.counters();
    let skipped = Other::ALL.iter().zip(counters.others).filter(|(_, count)| *count > 0);
    Ok(RecordedFeed {
        name,
        frames: keeper.frames,
        counts: keeper.counts,
        skipped: skipped.map(|(kind, count)| (kind.name().to_owned(), count)).collect(),
        unusable: counters.unusable,
        connections: counters.subscribed,
        lost: counters.lost,
        files: keeper.files,
    })
}

/// The files of one feed: a pair for each day.
struct Keeper {
    name: String,
    folder: PathBuf,
    header: FramesHeader,
    day_start: DayStart,
    open: Option<(Date, FrameWriter, RecordingWriter)>,
    /// The time of what is written: never before that of the last turn.
    now: Timestamp,
    flushed: Timestamp,
    frames: u64,
    counts: Counts,
    files: Vec<String>,
    failed: Option<FeedError>,
}

impl Keeper {
    fn new(
        out: &Path,
        name: &str,
        settings: &FeedSettings,
        instruments: InstrumentTable,
        day_start: DayStart,
    ) -> Result<Self, FeedError> {
        let folder = out.join(name);
        fs::create_dir_all(&folder).map_err(|error| FeedError::io(&folder, error))?;
        Ok(Self {
            name: name.to_owned(),
            folder,
            header: FramesHeader::new(settings.encoding, &settings.symbols, instruments),
            day_start,
            open: None,
            now: Timestamp::ZERO,
            flushed: Timestamp::ZERO,
            frames: 0,
            counts: Counts::default(),
            files: Vec::new(),
            failed: None,
        })
    }

    fn turn(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        if now.since(self.flushed) >= FLUSH {
            self.flushed = now;
            if let Some((_, frames, _)) = &mut self.open {
                let flushed = frames.flush();
                self.note(flushed);
            }
        }
    }

    fn note<T>(&mut self, done: Result<T, FeedError>) {
        if let Err(error) = done {
            self.failed.get_or_insert(error);
        }
    }

    /// The pair of the day that it is, a new one where the day has changed.
    fn files(&mut self) -> Result<&mut (Date, FrameWriter, RecordingWriter), FeedError> {
        let date = self.day_start.date(self.now);
        if self.open.as_ref().is_some_and(|(open, ..)| *open != date) {
            self.close()?;
        }
        let pair = match self.open.take() {
            Some(pair) => pair,
            None => self.begin(date)?,
        };
        Ok(self.open.insert(pair))
    }

    fn begin(&mut self, date: Date) -> Result<(Date, FrameWriter, RecordingWriter), FeedError> {
        let (year, month, day) = date.ymd();
        // A second run of the day goes beside the first.
        let mut name = format!("{year:04}-{month:02}-{day:02}");
        for run in 2.. {
            if !["frames", "qrec"].iter().any(|end| self.path(&name, end).exists()) {
                break;
            }
            name = format!("{year:04}-{month:02}-{day:02}-{run}");
        }
        let (frames, recording) = (self.path(&name, "frames"), self.path(&name, "qrec"));
        let instruments = self.header.instruments.clone();
        let units = vec![Units::FINEST; instruments.len()];
        let writer = RecordingWriter::create(&recording, instruments, units)?;
        let pair = (date, FrameWriter::create(&frames, &self.header)?, writer);
        for path in [frames, recording] {
            tracing::info!(feed = %self.name, file = %path.display(), "recording");
            self.files.push(path.display().to_string());
        }
        Ok(pair)
    }

    fn path(&self, name: &str, end: &str) -> PathBuf {
        self.folder.join(format!("{name}.{end}"))
    }

    /// Ends the pair that is open: both are durable then.
    fn close(&mut self) -> Result<(), FeedError> {
        if let Some((_, frames, recording)) = self.open.take() {
            self.frames += frames.finish()?;
            let counts = recording.finish()?.counts;
            self.counts.merge(&counts);
        }
        Ok(())
    }
}

impl FeedSink for Keeper {
    fn record(&mut self, record: &MarketData) {
        if self.failed.is_none() {
            let now = self.now;
            let done = self.files().and_then(|(.., to)| to.push(&record.with_ts(now)));
            self.note(done);
        }
    }

    fn frame(&mut self, now: Timestamp, bytes: &[u8]) {
        self.now = self.now.max(now);
        if self.failed.is_none() {
            let now = self.now;
            let done = self.files().and_then(|(_, to, _)| to.push(now, bytes));
            self.note(done);
        }
    }

    fn event(&mut self, event: FeedEvent) {
        log_event(&self.name, &event);
    }
}
