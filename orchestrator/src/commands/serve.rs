//! `hzmetrics serve`: heartbeat, metrics, status and reports over HTTP, for a supervisor to keep alive.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Result;
use kit::Uses;
use serde_json::Map;
use serve::{Listen, Options, Snapshot};

use super::HubCommand;
use crate::health::Health;
use crate::health::facts::Look;
use crate::health::json::{self, For};
use crate::health::metrics;
use crate::health::reading::State;
use crate::hub::{Audience, Hub};

/// Serve heartbeat, metrics, status and reports over HTTP
///
/// Answers GET /heartbeat (200 if no check is CRITICAL, otherwise 503 with the reasons), /metrics,
/// /status.json and /report/. Reads and never writes. It runs until SIGTERM; systemd may supervise it
/// (Type=notify, watchdog) and open its socket. There is neither encryption nor a login: let the web server
/// in front of it do that.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Address and port; other addresses than those of this machine let others ask
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9788")]
    listen: SocketAddr,

    /// Folder with the pages of the report [default: that of `[report] path`]
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
}

impl HubCommand for Args {
    fn uses(&self) -> Option<Uses> {
        Some(Uses::default())
    }

    fn audience(&self) -> Audience {
        Audience::Cron
    }

    fn is_shown(&self) -> bool {
        false
    }

    fn goes_on_without_configuration(&self) -> bool {
        true
    }

    fn run(&self, hub: &Hub) -> Result<u8> {
        crate::health::settled(hub)?;
        let listen = Listen::new(self.listen)?;
        if listen.is_open() {
            hub.log.warning("[serve] others than this machine may ask, without encryption and without a login");
        }
        let again = hub.for_another_thread();
        let make = move || snapshot(&again);
        let options = Options { listen, report: self.report.clone().or_else(|| hub.config.report.path.clone()) };
        serve::run(options, make, |at| hub.log.info(format_args!("[serve] listening at {at}")))?;
        hub.log.info("[serve] done");
        Ok(0)
    }
}

/// All answers, made now.
fn snapshot(hub: &Hub) -> Snapshot {
    match Health::examine(hub, Look::Often) {
        Ok(health) => Snapshot {
            is_alive: health.state() != State::Critical,
            heartbeat: heartbeat(&health),
            metrics: metrics::text(&health),
            status: json::of_health(&health, For::Everybody, Map::new()),
        },
        Err(error) => {
            hub.log.error(format_args!("[serve] {error:#}"));
            let heartbeat = "UNKNOWN: the state of the hub cannot be found out\n".to_owned();
            Snapshot { heartbeat, status: "{}\n".to_owned(), ..Snapshot::default() }
        }
    }
}

/// The state, and what is not as it should be.
fn heartbeat(health: &Health) -> String {
    let bad = health.checks.iter().filter(|check| check.state > State::Ok);
    let lines = bad.map(|check| format!("{} {}: {}\n", check.state.word(), check.name, check.text));
    format!("{}\n{}", health.state().word(), lines.collect::<String>())
}
