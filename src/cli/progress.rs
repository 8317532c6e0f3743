//! Progress of long work, on standard error and only where that is a terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A progress bar. It hides itself where standard error is no terminal.
#[derive(Debug)]
pub struct Progress(ProgressBar);

impl Progress {
    /// Of work measured in bytes.
    pub fn bytes(label: &str, total: u64) -> Self {
        Self::new(label, total, "{prefix} {wide_bar} {bytes}/{total_bytes} {eta}")
    }

    /// Of work measured in things.
    pub fn count(label: &str, total: u64) -> Self {
        Self::new(label, total, "{prefix} {wide_bar} {human_pos}/{human_len} {eta}")
    }

    /// Of work whose end nobody knows.
    pub fn spin(label: &str) -> Self {
        Self::new(label, 0, "{prefix} {human_pos} {elapsed}")
    }

    fn new(label: &str, total: u64, template: &str) -> Self {
        let bar =
            ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(10));
        let style = ProgressStyle::with_template(template);
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_prefix(label.to_owned());
        Self(bar)
    }

    /// So much there is, once it is known.
    pub fn total(&self, total: u64) {
        self.0.set_length(total);
    }

    /// So much is done.
    pub fn set(&self, done: u64) {
        self.0.set_position(done);
    }

    /// All is done: the bar goes away.
    pub fn finish(&self) {
        self.0.finish_and_clear();
    }
}
