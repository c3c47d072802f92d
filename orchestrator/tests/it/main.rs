//! `hzmetrics` as a real executable: the shell, the chains, the commands, `convert`.
#![allow(clippy::disallowed_methods, reason = "tests make their own files")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests")]

mod audit;
mod backup;
mod chains;
mod change_over;
mod commands;
mod compare;
mod completions;
mod configuration;
mod convert;
mod divided;
mod doctor;
mod forget_user;
mod ground;
mod hash_addresses;
mod hostile;
mod hostile_hub;
mod hostile_logs;
mod hub_life;
mod identity;
mod import;
mod ipv6;
mod kept_states;
mod logs_settings;
mod mixtures;
mod monitoring;
mod node;
mod numbers;
mod outputs;
mod packages;
mod parts;
mod pipeline;
mod planted;
mod prune;
mod prune_beside;
mod prune_compared;
mod prune_rows;
mod prune_stored;
mod rebuild;
mod recipes;
mod recorded;
mod rehearse;
mod rehearse_single;
mod repairs;
mod report;
mod rights;
mod same_as_sh;
mod setup;
mod seven_lines;
mod shell;
mod streams;
mod support;
mod tls;
mod web_server;

/// On a configured hub the tests do not touch the hub's own databases.
#[test]
fn tests_ask_no_server_except_their_own() {
    let poisoned = fixtures::poisoned::Poisoned::new();
    let tests = [
        "pipeline::steps::once_all_is_caught_up_the_rebuild_begins",
        "pipeline::after_init_doctor_is_content",
        "chains::the_list_names_origin_and_purpose",
    ];
    poisoned.passes_in_environment(&tests);
    poisoned.passes_in_etc(&tests);
}
