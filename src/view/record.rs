//! `record`: what was kept.

use super::Render;
use crate::feed::Counts;
use serde::Serialize;
use std::collections::BTreeMap;

/// `record`: what was kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecordResult {
    /// By feed.
    pub feeds: Vec<RecordedFeed>,
}

/// What was kept of one feed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecordedFeed {
    /// Its name.
    pub name: String,
    /// Frames as they came.
    pub frames: u64,
    /// Records by kind.
    #[serde(flatten)]
    pub counts: Counts,
    /// Messages that became no record, by kind; they are in the frames.
    pub skipped: BTreeMap<String, u64>,
    /// Messages that could not be used; each left a gap.
    pub unusable: u64,
    /// Connections that got as far as a confirmed subscription.
    pub connections: u64,
    /// Connections lost, or tried in vain.
    pub lost: u64,
    /// What was written.
    pub files: Vec<String>,
}

impl Render for RecordResult {
    fn render(&self) -> String {
        self.feeds.iter().fold(String::new(), |text, feed| {
            let RecordedFeed { name, frames, counts: c, lost, .. } = feed;
            let skipped: u64 = feed.skipped.values().sum::<u64>() + feed.unusable;
            let files = feed.files.join("\n  ");
            format!(
                "{text}{name}: {frames} frames, {} quotes, {} trades, {} bars, {} levels, \
                 {skipped} messages passed over, {lost} connections lost\n  {files}\n",
                c.quotes, c.trades, c.bars, c.levels
            )
        })
    }
}
