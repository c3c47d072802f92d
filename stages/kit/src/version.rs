//! The version, and in a build for others the commit and its day.

/// `0.2.0`, or `0.2.0 (236b617f1 2026-11-26)` if the build sets `HZMETRICS_VERSION` to a commit.
/// `cargo xtask install`, `package` and `dist` do; a plain `cargo build` does not, so that a new
/// commit alone causes no rebuild.
pub const VERSION: &str = match option_env!("HZMETRICS_VERSION") {
    Some(version) if !version.is_empty() => version,
    _ => env!("CARGO_PKG_VERSION"),
};

#[cfg(test)]
mod tests {
    use super::VERSION;

    #[test]
    fn the_number_comes_first() {
        let rest = VERSION.strip_prefix(env!("CARGO_PKG_VERSION")).unwrap();
        assert!(rest.is_empty() || rest.starts_with(" (") && rest.ends_with(')'), "{VERSION}");
    }
}
