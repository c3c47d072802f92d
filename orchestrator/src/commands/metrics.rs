//! `hzmetrics metrics`: the metrics for Prometheus, printed or written to a file.

use std::path::PathBuf;

use anyhow::Result;
use kit::Uses;

use super::{HubCommand, print};
use crate::health::Health;
use crate::health::facts::Look;
use crate::health::metrics;
use crate::hub::Hub;
use crate::tell;

/// Print the metrics for Prometheus
///
/// Runs and ticks write the same metrics to the file that [metrics] textfile names.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Write them whole to FILE, for the textfile collector of the node exporter
    #[arg(long, value_name = "FILE")]
    textfile: Option<PathBuf>,
}

impl HubCommand for Args {
    fn uses(&self) -> Option<Uses> {
        None
    }

    fn goes_on_without_configuration(&self) -> bool {
        true
    }

    fn run(&self, hub: &Hub) -> Result<u8> {
        let text = metrics::text(&Health::examine(hub, Look::Often)?);
        match &self.textfile {
            Some(path) => tell::textfile(path, &text).map(|()| 0),
            None => print(text.as_bytes()),
        }
    }
}
