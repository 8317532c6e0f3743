//! Frames of `qtos record` to a recording: what the stream would have given, at the local time at which
//! each frame came.

use super::{Imported, OnProgress, Progress};
use crate::feed::alpaca::{Decoder, Said};
use crate::feed::frames::FrameReader;
use crate::feed::{FeedError, RecordingWriter};
use crate::journal::Units;
use crate::msg::{Gap, MarketData};
use std::path::Path;

/// Imports `file` as the recording `out`. Gaps that a lost connection left are not in the frames.
///
/// # Errors
/// The first frame that cannot be read, by its number; the disk's. Then there is no new `out`.
pub fn import(file: &Path, out: &Path, on_progress: OnProgress<'_>) -> Result<Imported, FeedError> {
    let total = file.metadata().map_err(|error| FeedError::io(file, error))?.len();
    let mut reader = FrameReader::open(file)?;
    let header = reader.header().clone();
    let symbols = header.symbols().map_err(|why| reader.wrong(why))?;
    let units = vec![Units::FINEST; header.instruments.len()];
    let mut to = RecordingWriter::create(out, header.instruments.clone(), units)?;
    let mut decoder = Decoder::default();
    let (mut skipped, mut count) = (0u64, 0u64);
    while let Some((at, frame)) = reader.next_frame()? {
        let mut pushed = Ok(());
        let read = decoder.frame(frame, header.encoding(), &symbols, |said| {
            let record = match said {
                Said::Record(record) => record.with_ts(at),
                Said::Unusable(Some(instrument), _) => {
                    skipped += 1;
                    MarketData::Gap(Gap { ts: at, instrument, missing: 1 })
                }
                Said::Other(..) | Said::Unusable(None, _) => {
                    skipped += 1;
                    return;
                }
                Said::Control(_) => return,
            };
            if pushed.is_ok() {
                pushed = to.push(&record);
            }
        });
        pushed?;
        read.map_err(|why| reader.wrong(why))?;
        count += 1;
        if count.is_multiple_of(1 << 12) {
            on_progress(Progress { done: reader.offset().min(total), total });
        }
    }
    on_progress(Progress { done: total, total });
    Ok(Imported { written: to.finish()?, skipped })
}
