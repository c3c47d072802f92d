//! What systemd is told: that the server is ready, that it is alive, that it ends. Without systemd nobody
//! listens.

use std::time::Duration;

use sd_notify::NotifyState;

/// The server takes requests.
pub(crate) fn ready() {
    let _ = sd_notify::notify(&[NotifyState::Ready]);
}

/// The server ends.
pub(crate) fn stopping() {
    let _ = sd_notify::notify(&[NotifyState::Stopping]);
}

/// How often systemd wants to hear of us, if it does.
pub(crate) fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|limit| limit / 3)
}

/// The server is alive.
pub(crate) fn alive() {
    let _ = sd_notify::notify(&[NotifyState::Watchdog]);
}
