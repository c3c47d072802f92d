//! `tool-metrics` as an executable.
#![allow(clippy::disallowed_methods, reason = "tests make their own files")]

mod db;

use fixtures::Run;
use fixtures::contract::{Bad, Contract, Input};

fn tool_metrics() -> Run {
    fixtures::run(env!("CARGO_BIN_EXE_tool-metrics"))
}

const HUB: &str = r#"{"kind":"hub_resource","id":7,"title":"Tool","type":7,"alias":"tool","published":1,"standalone":1}
{"kind":"hub_tool_version","toolname":"tool","instance":"tool_r1"}
{"kind":"hub_session","sessnum":2,"username":"bob","appname":"TOOL_R1","start":"2025-07-05 10:00:00","walltime":10.5,"viewtime":4}
{"kind":"hub_session","sessnum":1,"username":"Bob ","appname":"tool","start":"2025-07-06 10:00:00","walltime":2,"viewtime":null}
{"kind":"hub_job","sessnum":2,"job":1,"superjob":0,"event":"simulation","start":"2025-07-05 10:00:01","walltime":3,"cputime":2.25,"ncpus":4}
{"kind":"tool_session","sessnum":1,"user":"bob","appname":"tool","start":"2025-07-06 10:00:00","domain":"purdue.edu","countryresident":"DE"}
{"kind":"hub_profile","username":"bob","orgtype":"industry","emailConfirmed":1}
{"kind":"hub_profile","username":"bob","orgtype":"government","emailConfirmed":0}
"#;

fn contract_of_tool_metrics() -> Contract {
    Contract {
        exe: env!("CARGO_BIN_EXE_tool-metrics"),
        name: "tool-metrics",
        command: &[],
        main_kind: "toolstat",
        reads: Some("hub_resource"),
        give: |run, _, input| {
            let tool = |i: u32| {
                format!(
                    "{{\"kind\":\"hub_resource\",\"id\":{i},\"title\":\"t\",\"type\":7,\"alias\":\"a{i}\",\"published\":1,\"standalone\":1}}\n"
                )
            };
            run.arg("2025-07").stdin(match input {
                Input::Nothing => String::new(),
                Input::Good => tool(7),
                Input::Bad => tool(7) + "{\"kind\":\"hub_session\",\"sessnum\":\"x\"}\n",
                Input::Many => (0..4000).map(tool).collect(),
            })
        },
        of_nothing: None,
        of_good: "{\"kind\":\"toolstat\",\"id\":1,\"resid\":7,",
        bad: Bad::Rejected,
    }
}

fixtures::contract!(contract_of_tool_metrics);

#[test]
fn a_tool_has_statistics_in_all_periods() {
    let done = tool_metrics().args(["2025-07"]).stdin(HUB).finish().ok();
    let stats = done.of_kind("toolstat");
    assert_eq!(stats.iter().map(|s| s["period"].as_i64().unwrap()).collect::<Vec<_>>(), [0, 1, 3, 12, 13, 14]);
    for (i, stat) in stats.iter().enumerate() {
        assert_eq!(stat["id"], i + 1);
        assert_eq!((&stat["users"], &stat["sessions"], &stat["jobs"]), (&1.into(), &2.into(), &1.into()));
        assert_eq!((&stat["tot_wall"], &stat["avg_cpus"]), (&12.5.into(), &4.into()));
        assert_eq!(stat["datetime"], "2025-07-00 00:00:00");
    }
    assert_eq!(done.of_kind("resource_stat")[0]["tot_wall"], 13, "the copy is rounded half away from zero");
    let named = |top: i64| -> Vec<String> {
        let of = done.of_kind("toptool").into_iter().filter(|t| t["top"] == top && t["id"] == 2);
        of.map(|t| format!("{} {}", t["name"].as_str().unwrap(), t["value"])).collect()
    };
    assert_eq!(named(1), ["Total Users 1", "GERMANY 1"]);
    assert_eq!(named(2), ["Total Users 1", "purdue.edu 1"]);
    assert_eq!(named(3), ["Total Users 1", "industry 1"], "unconfirmed profiles do not count");
    assert_eq!(done.of_kind("toplist").len(), 5 * 6 * 2);
    let next = tool_metrics().args(["--month", "2025-08", "--only", "tool-stats"]).stdin(HUB).finish().ok();
    assert_eq!(next.of_kind("toolstat")[1]["sessions"], 0);
    assert_eq!(next.of_kind("toolstat")[0]["sessions"], 2);
    assert!(next.of_kind("toptool").is_empty());
}

#[test]
fn the_country_list_can_be_given() {
    let directory = tempfile::tempdir().unwrap();
    let list = directory.path().join("countries.csv");
    std::fs::write(&list, "code,name\nde,Allemagne\n").unwrap();
    let done = tool_metrics().args(["2025-07", "--countries"]).arg(&list).stdin(HUB).finish().ok();
    assert!(done.of_kind("toptool").iter().any(|t| t["name"] == "Allemagne"));
    let missing = tool_metrics().args(["2025-07", "--countries", "/nonexistent/x.csv"]).finish().expect_code(1);
    assert!(missing.stderr.contains("/nonexistent/x.csv"), "{}", missing.stderr);
}

#[test]
fn empty_input_gives_only_totals() {
    let done = tool_metrics().arg("2025-07").finish().ok();
    assert!(done.of_kind("toolstat").is_empty());
    assert_eq!(done.of_kind("toplist").len(), 30);
    assert!(done.of_kind("toplist").iter().all(|t| t["rank"] == 0 && t["value"] == 0));
}

#[test]
fn bad_records_are_rejected_and_counted() {
    let directory = tempfile::tempdir().unwrap();
    let rejects = directory.path().join("rejects.ndjson");
    let input = format!("{HUB}nonsense\n{{\"kind\":\"hub_session\",\"sessnum\":\"x\"}}\n{{\"kind\":\"unheard\"}}\n");
    let run = || tool_metrics().args(["2025-07", "--rejects"]).arg(&rejects).stdin(input.clone());
    let done = run().finish().ok();
    assert!(done.stderr.contains("2 of 11 lines rejected"), "{}", done.stderr);
    let listed = std::fs::read_to_string(&rejects).unwrap();
    assert_eq!(listed.lines().count(), 2);
    assert!(listed.contains("\"line\":9,") && listed.contains("\"line\":10,"), "{listed}");
    assert_eq!(run().arg("--strict").finish().expect_code(3).stdout, done.stdout, "twice the same");
}

#[test]
fn csv_is_read_and_written() {
    let stats = tool_metrics().args(["2025-07", "--only", "tool-stats", "--format", "csv"]).stdin(HUB).finish().ok();
    assert!(stats.text().starts_with("kind,id,resid,restype,users,"), "{}", stats.text());
    assert_eq!(stats.text().lines().count(), 7);
    let csv = "kind,id,title,type,alias,published,standalone\nhub_resource,3,T,7,t,1,1\n";
    let done = tool_metrics().args(["2025-07", "--only", "tool-stats"]).stdin(csv).finish().ok();
    assert_eq!(done.of_kind("toolstat").len(), 6);
}

#[test]
fn wrong_usage_is_reported() {
    for args in
        [&["2025-13"][..], &["2025-7"], &["--only", "nonsense"], &["--only", "hosts"], &["2025-07", "--format", "xml"]]
    {
        let done = tool_metrics().args(args).finish().expect_code(2);
        assert!(done.stdout.is_empty() && !done.stderr.is_empty());
    }
}

#[test]
fn random_bytes_are_survived() {
    let mut bytes = fixtures::random::ten_megabytes(1);
    let of = |bytes: Vec<u8>| tool_metrics().args(["2025-07", "--quiet"]).stdin(bytes).finish();
    assert_eq!(of(bytes.clone()).expect_code(1).text(), "", "no top lists of nothing");
    bytes.splice(0..0, *b"{\"kind\":\"web\"}\n");
    let done = of(bytes).ok();
    assert_eq!(done.of_kind("toplist").len(), 30);
}

#[test]
fn many_records_of_the_same_tool_and_user_take_little_time() {
    let records = [
        r#"{"kind":"hub_resource","id":3,"title":"Tool","type":7,"alias":"tool","published":1,"standalone":1}"#,
        r#"{"kind":"hub_tool_version","toolname":"tool","instance":"tool_r1"}"#,
        r#"{"kind":"hub_session","sessnum":7,"username":"alice","remoteip":"1.2.3.4","appname":"tool_r1","start":"2025-07-10 08:00:01","walltime":12.5}"#,
        r#"{"kind":"hub_profile","uidNumber":5,"username":"alice","orgtype":"university","emailConfirmed":1}"#,
        r#"{"kind":"tool_session","user":"alice","appname":"tool_r1","start":"2025-07-10 08:00:01","domain":"d.edu","countryresident":"US"}"#,
    ];
    let input: String = records.iter().flat_map(|record| [*record, "\n"].repeat(600)).collect();
    let bounds = fixtures::bounds::Bounds {
        processor: std::time::Duration::from_secs(60),
        wall: std::time::Duration::from_secs(600),
        megabytes: 300,
    };
    let run = fixtures::run(env!("CARGO_BIN_EXE_tool-metrics"))
        .args(["--month", "2025-07", "--geo-url", "none", "--only", "tool-stats,tool-tops,tool-toplists"])
        .stdin(input);
    let (done, _) = run.within(bounds).unwrap();
    assert_eq!(done.code, 0, "{}", done.stderr);
}
