//! A progress bar on a terminal; nothing elsewhere.

use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar over a known amount of bytes or records.
pub struct Progress(ProgressBar);

impl Progress {
    /// A bar of `total` bytes with a label; hidden unless standard error is a terminal.
    #[must_use]
    pub fn bytes(label: &'static str, total: u64) -> Self {
        Self::new(label, total, "{prefix:>14} {wide_bar} {bytes}/{total_bytes} {eta}")
    }

    /// A bar of `total` steps with a label.
    #[must_use]
    pub fn steps(label: &'static str, total: u64) -> Self {
        Self::new(label, total, "{prefix:>14} {wide_bar} {pos}/{len} {eta}")
    }

    fn new(label: &'static str, total: u64, template: &str) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self(ProgressBar::hidden());
        }
        let bar = ProgressBar::new(total).with_prefix(label);
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// Advances the bar by `n`.
    pub fn advance(&self, n: u64) {
        self.0.inc(n);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
