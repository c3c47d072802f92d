//! `bench` of reverse lookups. The measurement itself is an example of `enrich`, next to the
//! resolver: it needs a name server in the same process.

use std::path::Path;

use anyhow::Result;
use xshell::{Shell, cmd};

use super::args::Args;

pub(super) fn run(sh: &Shell, args: &Args, bin: &Path) -> Result<()> {
    if args.no_build {
        let example = bin.join("examples/dns_bench");
        cmd!(sh, "{example}").quiet().run()?;
    } else {
        cmd!(sh, "cargo run --quiet --release -p enrich --example dns_bench").quiet().run()?;
    }
    Ok(())
}
