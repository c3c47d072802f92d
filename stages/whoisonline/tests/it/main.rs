//! `whoisonline` as an executable.
#![allow(clippy::disallowed_methods, reason = "tests make their own files")]
#![expect(clippy::unwrap_used, reason = "a test")]

mod cron;
mod filter;
mod hub;

use fixtures::Run;
use fixtures::contract::{Bad, Contract, Input};

fn stage() -> Run {
    fixtures::run(env!("CARGO_BIN_EXE_whoisonline"))
}

fn contract_of_whoisonline() -> Contract {
    Contract {
        exe: env!("CARGO_BIN_EXE_whoisonline"),
        name: "whoisonline",
        command: &[],
        main_kind: "online",
        reads: Some("online"),
        give: |run, _, input| {
            run.stdin(match input {
                Input::Nothing => String::new(),
                Input::Good => filter::user("alice"),
                Input::Bad => filter::user("alice") + &filter::online("\"ipLATITUDE\":\"north\""),
                Input::Many => filter::many_places(),
            })
        },
        of_nothing: Some("<markers>\n</markers>\n"),
        of_good: "Users: 1\" bot = \"0\"/>",
        bad: Bad::Rejected,
    }
}

fixtures::contract!(contract_of_whoisonline);
