//! `hzmetrics` as a real executable: the shell, the chains, the commands, `convert`.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests")]

mod audit;
mod chains;
mod commands;
mod convert;
mod hostile_hub;
mod hub_life;
mod import;
mod mend;
mod mixtures;
#[path = "../../../stages/enrich/examples/dns_bench/name_server.rs"]
mod name_server;
mod pipeline;
mod rebuild;
mod rights;
mod same_as_sh;
mod setup;
mod shell;
mod streams;
mod support;
mod tls;
mod web_server;
