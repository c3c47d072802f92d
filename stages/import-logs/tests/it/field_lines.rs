//! Field cases that administrators reported to other tools: clients, lines and layouts. The number in a
//! name is the case's number in the list for `fixtures/field/in`. A case has no options unless it says
//! so. Further tests check that every line is accounted for.

use std::collections::HashSet;
use std::path::PathBuf;

use fixtures::db::SqlMode;
use fixtures::{Finished, Run};
use schema::tables::Engine;
use serde_json::Value;

use crate::hub::{Hub, stage};
use crate::{import_logs, raw, texts};

fn input(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/field/in").join(name)
}

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(input(name)).unwrap()
}

fn of(name: &str) -> Run {
    import_logs().arg(input(name))
}

fn with(name: &str, args: &[&str]) -> Finished {
    of(name).args(args).finish().ok()
}

/// Checks lines, rows, rejects and layout of a run without options. In every case each line is a
/// row, dropped, or rejected.
fn check(name: &str, [lines, rows, rejected]: [u64; 3], layout: &str) -> Finished {
    let done = of(name).finish().ok();
    account(&done, [lines, rows, rejected], layout);
    done
}

fn account(done: &Finished, [lines, rows, rejected]: [u64; 3], layout: &str) {
    let said = format!("{lines} lines, {rows} rows, {rejected} not recognised");
    assert!(done.stderr.contains(&said), "{said}: {}", done.stderr);
    assert!(done.stderr.contains(&format!("; layout {layout}\n")), "{layout}: {}", done.stderr);
    assert_eq!(done.of_kind("web").len() as u64, rows, "{}", done.stderr);
    let last = done.stderr.lines().find(|line| line.contains(" rows, ")).unwrap();
    let dropped = last.split_once("dropped: ").map_or("", |(_, rest)| rest.split(';').next().unwrap());
    let dropped: u64 = dropped.split(", ").filter_map(|one| one.rsplit(' ').next()?.parse::<u64>().ok()).sum();
    assert_eq!(lines, rows + dropped + rejected, "{last}");
}

/// The clients in the order of the rows; the host name if there is no address.
fn clients(done: &Finished) -> Vec<String> {
    let text = |row: &Value, field: &str| row[field].as_str().unwrap_or_default().to_owned();
    let client = |row: Value| Some(text(&row, "ip")).filter(|ip| !ip.is_empty()).unwrap_or_else(|| text(&row, "host"));
    done.of_kind("web").into_iter().map(client).collect()
}

fn is_refused(name: &str, words: &[&str]) {
    let done = of(name).finish().expect_code(1);
    assert_eq!(done.text(), "", "nothing is booked");
    for word in words {
        assert!(done.stderr.contains(word), "{word}: {}", done.stderr);
    }
    assert!(done.stderr.contains("not imported"), "{}", done.stderr);
}

/// The sessions in a log.
fn n_sessions(name: &str) -> usize {
    let records = of(name).finish().ok().stdout;
    let done = fixtures::run(stage("usage-metrics")).stdin(records).finish().ok();
    done.of_kind("session").len()
}

#[test]
fn field_01_an_address_may_have_a_zone_id() {
    let done = check("01-zone-id.log", [2, 2, 0], "combined");
    assert_eq!(clients(&done), ["fe80::a00:27ff:fe4e:66a1", "fe80::a00:27ff:fe4e:77b2"]);
}

#[test]
fn field_02_ipv6_clients_are_written_in_canonical_form() {
    let done = check("02-ipv6.log", [3, 3, 0], "combined");
    assert_eq!(clients(&done).into_iter().collect::<HashSet<_>>().len(), 3);
    assert_eq!((n_sessions("col-v6.log"), n_sessions("col-v4.log")), (50, 50));
}

#[test]
fn field_03_mapped_ipv4_addresses_become_ipv4() {
    let done = check("03-mapped.log", [3, 3, 0], "combined");
    assert!(clients(&done).contains(&"192.0.2.17".to_owned()), "{:?}", clients(&done));
    assert!(clients(&done).iter().all(|client| !client.contains(':')));
    assert_eq!(clients(&of("col-mapped.log").finish().ok()), clients(&of("col-v4.log").finish().ok()));
}

#[test]
fn field_04_ipv6_clients_of_hubs_are_counted_and_named() {
    let done = of("70-hub.log").finish().ok();
    account(&done, [9, 4, 5], "hubzero");
    assert!(done.stderr.contains("2 of the lines not recognised are requests of IPv6 clients"), "{}", done.stderr);
    assert!(done.stderr.contains("client `2001:db8::1` is an IPv6 address"), "{}", done.stderr);
}

#[test]
fn field_05_a_client_may_be_a_host_name() {
    let done = check("05-hostnames.log", [3, 3, 0], "combined");
    let names = ["crawl-203-0-113-49.example.net", "crawl-203-0-113-50.example.net", "pc1.library.example.edu"];
    assert_eq!(texts(&done, "web", "host"), names);
    assert_eq!(texts(&done, "web", "ip"), ["", "", ""]);
    assert_eq!(n_sessions("col-name.log"), 50);
}

#[test]
fn field_06_a_virtual_host_may_come_first() {
    let done = check("06-vhost.log", [3, 3, 0], "vhost_combined");
    assert_eq!(clients(&done), clients(&with("06-vhost.log", &["--log-format", "vcombined"])));
    assert_eq!(clients(&done), ["192.0.2.1", "192.0.2.2", "198.51.100.3"]);
    assert_eq!(clients(&of("col-vhost.log").finish().ok()), clients(&of("col-v4.log").finish().ok()));
}

#[test]
fn field_08_prefixes_of_forwarders_are_removed() {
    let done = check("08-prefixes.log", [4, 4, 0], "combined");
    assert_eq!(clients(&done), ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"]);
    let syslog = with("08-prefixes.log", &["--log-format", "combined", "--prefix", "syslog"]);
    assert_eq!(clients(&syslog), ["192.0.2.1", "192.0.2.2"]);
}

#[test]
fn field_09_a_dash_is_not_a_client() {
    let done = check("09-client-dash.log", [3, 1, 2], "combined");
    for reason in ["the client is missing", "client `unix:` is a Unix socket"] {
        assert!(done.stderr.contains(reason), "{}", done.stderr);
    }
}

#[test]
fn field_10a_unknown_in_the_header_is_not_a_client() {
    let found = clients(&with("10-xff.log", &["--client-from", "X-Forwarded-For"]));
    assert_eq!([&found[3], &found[7], &found[10]], ["192.0.2.4", "10.0.0.9", "192.0.2.9"]);
}

#[test]
fn field_10b_a_header_may_list_several_addresses() {
    let found = clients(&with("10-xff.log", &["--client-from", "X-Forwarded-For"]));
    let expected = [
        "192.0.2.1",
        "192.0.2.2",
        "192.0.2.3",
        "192.0.2.4",
        "192.0.2.5",
        "2001:db8::6",
        "10.0.0.9",
        "10.0.0.9",
        "192.0.2.7",
        "192.0.2.8",
        "192.0.2.9",
        "10.0.0.9",
        "192.0.2.11",
        "192.0.2.12",
        "192.0.2.13",
    ];
    assert_eq!(found, expected);
    let proxies = clients(&with("10-xff.log", &["--trusted-proxies", "10.0.0.0/8"]));
    assert_eq!(proxies[..4], ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"]);
    assert_eq!(proxies[8], "192.0.2.7");
    let first = clients(&with("10-xff.log", &["--client-from", "X-Forwarded-For:first"]));
    assert_eq!(first[8], "10.1.1.1");
}

#[test]
fn field_11_unescaped_quotes_are_read() {
    check("11-quotes.log", [8, 8, 0], "combined");
}

#[test]
fn field_12_requests_of_other_protocols_are_read() {
    check("12-protocols.log", [6, 6, 0], "combined");
}

#[test]
fn field_13_garbage_in_requests_is_accounted_for() {
    let done = check("13-garbage.log", [11, 3, 0], "combined");
    assert_eq!(texts(&done, "web", "ip"), ["192.0.2.8", "192.0.2.9", "192.0.2.11"]);
}

#[test]
fn field_14_timeouts_at_the_start_do_not_hide_the_layout() {
    check("14-408-first.log", [61, 1, 0], "combined");
}

#[test]
fn field_15_long_lines_are_read() {
    check("15-long.log", [3, 3, 0], "combined");
}

#[test]
fn field_16_any_bytes_are_read() {
    check("16-bytes.log", [7, 7, 0], "combined");
}

#[test]
fn field_18_a_byte_order_mark_is_skipped() {
    let done = check("18-bom.log", [2, 2, 0], "combined");
    assert_eq!(clients(&done), ["192.0.2.1", "192.0.2.2"]);
}

#[test]
fn field_19_utf16_is_refused_by_name() {
    is_refused("19-utf16.log", &["it is UTF-16 text"]);
}

#[test]
fn utf32_is_refused_by_name_too() {
    let text = std::fs::read_to_string(input("18-bom.log")).unwrap();
    let text = text.trim_start_matches('\u{FEFF}');
    for mark in ["", "\u{FEFF}"] {
        for bytes in [u32::to_le_bytes, u32::to_be_bytes] {
            let wide: Vec<u8> = mark.chars().chain(text.chars()).flat_map(|c| bytes(u32::from(c))).collect();
            let dir = tempfile::tempdir().unwrap();
            let log = crate::file(&dir, "access.log", wide);
            let hub = import_logs().args(["--log-format", "hubzero"]).arg(&log).finish().expect_code(1);
            let done = import_logs().arg(&log).finish().expect_code(1);
            for done in [done, hub] {
                assert!(done.stderr.contains("UTF-32") && !done.stderr.contains("UTF-16"), "{}", done.stderr);
            }
        }
    }
}

#[test]
fn field_20_every_kind_of_line_end_is_recognised() {
    for (name, layout) in [("20-crlf.log", "combined"), ("20-crlf-common.log", "common"), ("20-mac.log", "combined")] {
        let done = check(name, [2, 2, 0], layout);
        assert_eq!(clients(&done), ["192.0.2.1", "192.0.2.2"], "{name}");
        let piped = raw("access", bytes(name)).finish().ok();
        assert_eq!(piped.stdout, done.stdout, "{name}");
    }
}

#[test]
fn field_22_impossible_dates_are_rejected() {
    let done = check("22-dates.log", [10, 3, 7], "combined");
    assert_eq!(texts(&done, "web", "datetime"), ["2024-02-29 10:00:00", "2025-12-31 23:59:59", "2026-01-01 00:00:00"]);
    for reason in ["there is no time `29/Feb/2025:10:00:00`", "time `2099-07-10` is in the future"] {
        assert!(done.stderr.contains(reason), "{reason}: {}", done.stderr);
    }
}

#[test]
fn field_23_foreign_names_of_months_are_named() {
    is_refused(
        "23-month-names.log",
        &[
            "looks like combined; 0 of 4 lines fit",
            ":1: month `Mär` is not an English name",
            ":2: month `Mai` is not an English name",
            ":3: time `10/07/2025` is not day/month/year",
            ":4: time `10/Jul/2025 08:00:01` is not day/month/year:hour:minute:second",
        ],
    );
}

#[test]
fn field_25_late_lines_keep_their_dates() {
    let done = check("25-late.log", [4, 4, 0], "combined");
    let days = texts(&done, "web", "datetime");
    let of_day = |day: &str| days.iter().filter(|datetime| datetime.starts_with(day)).count();
    assert_eq!((of_day("2025-07-10"), of_day("2025-07-11")), (2, 2));
}

#[test]
fn field_26_a_line_cut_by_rotation_counts_once() {
    let done = import_logs().args([input("26-cut-a.log"), input("26-cut-b.log")]).finish().ok();
    assert!(done.stderr.contains("4 lines, 3 rows, 1 not recognised"), "{}", done.stderr);
    assert_eq!(clients(&done), ["192.0.2.1", "192.0.2.2", "192.0.2.3"], "counted once");
}

#[test]
fn field_27_a_last_line_without_a_line_feed_counts() {
    check("27-no-newline.log", [2, 2, 0], "combined");
}

#[test]
fn field_29_user_names_with_blanks_are_read() {
    check("29-user.log", [5, 5, 0], "combined");
}

#[test]
fn field_42_an_empty_request_is_dropped_by_its_status() {
    let format = r#"%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\""#;
    let done = with("42-empty-request.log", &["--log-format", format]);
    account(&done, [2, 1, 0], "format");
    assert!(done.stderr.contains("dropped: status 1"), "{}", done.stderr);
    check("42-empty-request.log", [2, 1, 0], "combined");
}

#[test]
fn field_30_times_and_ids_at_the_end_are_read() {
    check("30-request-time.log", [5, 5, 0], "combined");
}

#[test]
fn field_31b_formats_come_from_nginx_conf_or_an_option() {
    let conf = input("46-nginx.conf");
    let line = r#"192.0.2.1 - - [10/Jul/2025:08:00:01 +0000] "GET /a HTTP/1.1" 200 12 "-" "UA/1" "203.0.113.9""#;
    let conf_done = raw("access", line).arg("--server-conf").arg(&conf).finish().ok();
    account(&conf_done, [1, 1, 0], "format");
    let format = r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" "$http_x_forwarded_for""#;
    for args in [["--log-format", format], ["--log-format", &format!("log_format main '{format}';")]] {
        assert_eq!(raw("access", line).args(args).finish().ok().stdout, conf_done.stdout);
    }
    let forwarded = raw("access", line).arg("--server-conf").arg(&conf).args(["--client-from", "X-Forwarded-For"]);
    assert_eq!(clients(&forwarded.finish().ok()), ["203.0.113.9"]);
}

#[test]
fn field_32_nginx_json_is_recognised() {
    check("32-nginx-json.log", [1, 1, 0], "nginx-json");
}

#[test]
fn field_33_caddy_is_recognised() {
    check("33-caddy.log", [1, 1, 0], "caddy");
}

#[test]
fn field_34_haproxy_is_recognised() {
    check("34-haproxy.log", [1, 1, 0], "haproxy");
}

#[test]
fn field_35_traefik_is_recognised() {
    check("35-traefik.log", [1, 1, 0], "traefik");
}

#[test]
fn field_36_w3c_is_recognised() {
    let done = check("36-w3c.log", [3, 1, 0], "w3c");
    assert!(done.stderr.contains("dropped: comment 2"), "{}", done.stderr);
}

#[test]
fn field_38_nginx_proxy_manager_is_recognised() {
    check("38-npm.log", [1, 1, 0], "nginx-proxy-manager");
}

#[test]
fn field_39_iso_8601_times_are_read() {
    let done = check("39-iso8601.log", [1, 1, 0], "combined");
    assert_eq!(texts(&done, "web", "datetime"), ["2025-07-10 08:00:01"]);
}

#[test]
fn field_43_apache_times_with_milliseconds_are_read() {
    let format = r#"%h %l %u [%{%d/%b/%Y %T}t.%{msec_frac}t %{%z}t] \"%r\" %>s %b"#;
    let done = with("43-apache-ms.log", &["--log-format", format]);
    account(&done, [1, 1, 0], "format");
    assert_eq!(texts(&done, "web", "datetime"), ["2025-07-10 08:00:01"]);
}

#[test]
fn field_48_names_of_layouts_ignore_case() {
    let line = "192.0.2.1 - - [10/Jul/2025:08:00:01 +0000] \"GET /a HTTP/1.1\" 200 12 \"-\" \"UA/1\"\n";
    for name in ["COMBINED", "Combined", "ncsa", "auto", "AUTO"] {
        assert_eq!(clients(&raw("access", line).args(["--log-format", name]).finish().ok()), ["192.0.2.1"], "{name}");
    }
    let hosted = format!("www.example.org:443 {line}");
    for name in ["vcombined", "vhost_combined", "VHOST-COMBINED"] {
        let done = raw("access", hosted.as_str()).args(["--log-format", name]).finish().ok();
        assert_eq!(clients(&done), ["192.0.2.1"], "{name}");
    }
    let json = with("32-nginx-json.log", &["--log-format", "json"]);
    assert_eq!(json.of_kind("web").len(), 1);
    let unknown = raw("access", line).args(["--log-format", "combind"]).finish().expect_code(2);
    assert!(unknown.stderr.contains("vhost_combined"), "{}", unknown.stderr);
}

#[test]
fn field_49_an_unknown_layout_is_described() {
    let front = "app: 192.0.2.1 - - [10/Jul/2025:08:00:01 +0000] \"GET /a HTTP/1.1\" 200 12 \"-\" \"UA/1\"\n";
    let done = raw("access", front.repeat(1200)).finish().expect_code(1);
    assert_eq!(done.text(), "");
    let said = "looks like combined with `app:` in front; 0 of 1,000 lines fit";
    assert!(done.stderr.contains(said), "{}", done.stderr);
    assert!(done.stderr.contains("1200 lines, 0 rows, 1200 not recognised"), "read to its end: {}", done.stderr);
    // a layout given by the user is not replaced
    let asked = of("02-ipv6.log").args(["--log-format", "hubzero"]).finish().expect_code(1);
    let said = "looks like combined; 0 of 3 lines fit hubzero; its first such line: `2001:db8:85a3:8d3:1319:8a2e:";
    assert!(asked.stderr.contains(said), "{}", asked.stderr);
}

/// A combined line.
fn combined(n: u32) -> String {
    format!("192.0.2.{n} - - [10/Jul/2025:08:00:01 +0000] \"GET /{n} HTTP/1.1\" 200 12 \"-\" \"Mozilla/5.0\"\n")
}

#[test]
fn two_lines_joined_by_a_crash_are_separated() {
    let (one, two, three) = (combined(1), combined(2), combined(3));
    for (cut, kept) in [(one.len() - 1, 3), (one.len() - 5, 2), (60, 2), (20, 2)] {
        let text = format!("{}{two}{three}odd\n", &one[..cut]);
        let done = raw("access", text).finish().ok();
        account(&done, [4, kept, 4 - kept], "combined");
        assert!(clients(&done).ends_with(&["192.0.2.2".to_owned(), "192.0.2.3".to_owned()]), "{:?}", clients(&done));
        assert!(done.stderr.contains("-:3: no time in brackets: odd"), "lines keep their numbers: {}", done.stderr);
    }
    // an agent crafted to look like a line does not make one
    let agent = r#"192.0.2.9 - - [10/Jul/2025:08:00:01 +0000] \"GET /x HTTP/1.1\" 200 12 \"-\" \"x"#;
    let done = raw("access", one.replace("Mozilla/5.0", agent)).finish().ok();
    account(&done, [1, 1, 0], "combined");
    assert_eq!(clients(&done), ["192.0.2.1"]);
}

#[test]
fn every_line_is_accounted_for() {
    let lines = [
        combined(1),
        "\0".repeat(4096) + &combined(2),
        "\0".repeat(100) + "\n",
        "\n".to_owned(),
        "# a comment\n".to_owned(),
        combined(3).replace(" 200 ", " 404 "),
        combined(4).replace('\n', "\r\n"),
        combined(5).replace(' ', "\t"),
        combined(6).replace("\"Mozilla/5.0\"", "\"bare \" quote\""),
        combined(7).replace("192.0.2.7", "192.0.2.7:5555"),
        combined(8).trim_end().to_owned(),
    ];
    let dir = tempfile::tempdir().unwrap();
    let receipts = dir.path().join("receipts");
    let done = import_logs().arg(crate::file(&dir, "log", lines.concat())).arg("--receipts").arg(&receipts);
    let done = done.finish().ok();
    account(&done, [11, 6, 1], "combined");
    assert!(done.stderr.contains("; 2 runs of NUL bytes skipped (4,196 bytes);"), "{}", done.stderr);
    assert_eq!(clients(&done), ["1", "2", "4", "6", "7", "8"].map(|n| format!("192.0.2.{n}")));
    assert!(done.stderr.contains("tabs between the fields"), "{}", done.stderr);
    let receipt: Value = serde_json::from_str(std::fs::read_to_string(&receipts).unwrap().trim()).unwrap();
    let n = |field: &str| receipt[field].as_u64().unwrap();
    let dropped: u64 = receipt["dropped"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
    assert_eq!((n("lines"), n("rows") + n("rejected") + dropped), (11, 11), "{receipt}");
    assert_eq!(receipt["dropped"].to_string(), r#"{"blank line":2,"comment":1,"status":1}"#);
}

#[test]
fn lines_that_legacy_loses_are_reported() {
    let line = |date: &str, url: &str| crate::line(date, url, "UA");
    let text = line("2025-07-10", "/a")
        + &line("2025-02-30", "/b")
        + &line("2099-01-01", "/c")
        + &line("1970-01-01", "/d")
        + line("2025-07-10", "/e").trim_end();
    let done = raw("access", text).finish().ok();
    account(&done, [4, 4, 0], "hubzero");
    assert!(
        done.stderr.contains("; 3 rows with an impossible time; 1 last line without a line feed not read;"),
        "{}",
        done.stderr
    );
}

#[test]
fn a_stream_is_judged_by_what_has_arrived() {
    // the buffer is parsed, not read again
    let text: String = (0..3000).map(|n| combined(n % 200)).collect();
    let done = raw("access", text.clone()).finish().ok();
    account(&done, [3000, 3000, 0], "combined");
    let late = text + &crate::line("2025-07-10", "/a", "UA");
    let done = raw("access", late).finish().ok();
    account(&done, [3001, 3000, 1], "combined");
}

#[test]
fn check_describes_files_without_importing_them() {
    let files = ["01-zone-id.log", "08-prefixes.log", "70-hub.log", "cmsauth.log-20250710"].map(input);
    let done = import_logs().arg("--check").args(&files).finish().ok();
    let lines: Vec<String> = done.text().lines().map(|line| line.rsplit('/').next().unwrap().to_owned()).collect();
    assert_eq!(
        lines[..3],
        [
            "01-zone-id.log: combined; 2 of 2 lines fit; 2025-07-10 08:00:01 to 2025-07-10 08:00:01; 2 clients",
            "08-prefixes.log: combined with syslog in front; 4 of 4 lines fit; 2025-07-10 08:00:01 to 2025-07-10 08:00:01; 4 clients",
            "70-hub.log: hubzero; 4 of 9 lines fit; 2025-07-10 08:00:01 to 2025-07-10 08:00:01; 3 clients",
        ]
    );
    assert!(lines[3].contains(": auth; "), "{}", lines[3]);
    let odd = import_logs().arg("--check").arg(input("23-month-names.log")).finish().expect_code(1);
    assert!(odd.text().contains("looks like combined; 0 of 4 lines fit: month `Mär`"), "{}", odd.text());
}

/// A W3C log defines its fields once; later blocks of lines know them too.
#[test]
fn later_blocks_of_a_w3c_log_know_its_fields() {
    let mut text = "#Software: IIS\r\n#Fields: date time cs-method cs-uri-stem c-ip sc-status\r\n".to_owned();
    for n in 0..20_000 {
        text += &format!("2025-07-10 08:00:01 GET /{n} 192.0.2.{} 200\r\n", n % 250);
    }
    text += "#Fields: date time c-ip cs-method cs-uri-stem sc-status\r\n2025-07-10 08:00:01 192.0.2.251 GET /x 200\r\n";
    let done = raw("access", text.clone()).finish().ok();
    account(&done, [20_004, 20_001, 0], "w3c");
    assert_eq!(clients(&done).last().unwrap(), "192.0.2.251");
    let gz = fixtures::gzip(text.as_bytes());
    assert_eq!(raw("access", gz).finish().ok().stdout, done.stdout);
}

#[test]
fn the_configuration_names_the_layout() {
    let run = |variable: &str, value: &str| raw("access", bytes("10-xff.log")).env(variable, value);
    let proxied = run("HZMETRICS_TRUSTED_PROXIES", "10.0.0.0/8").finish().ok();
    assert_eq!(clients(&proxied)[0], "192.0.2.1");
    let named = run("HZMETRICS_CLIENT_FROM", "X-Forwarded-For:last").finish().ok();
    assert_eq!(clients(&named)[1], "10.0.0.4");
    let hub = run("HZMETRICS_LOG_FORMAT", "hubzero").finish().expect_code(1);
    // standard input cannot be looked at again
    assert!(hub.stderr.contains("none of its 15 lines fits the layouts of hubs"), "{}", hub.stderr);
    // an option overrides it
    let asked = run("HZMETRICS_LOG_FORMAT", "hubzero").args(["--log-format", "auto"]).finish().ok();
    assert_eq!(asked.of_kind("web").len(), 15);
    // this one value is about the lines of our own log, not those of access logs
    for (variable, value) in [("HZMETRICS_LOG_FORMAT", "json"), ("HZMETRICS_LOG_LINES", "json")] {
        assert_eq!(run(variable, value).finish().ok().of_kind("web").len(), 15);
    }
    let wrong = run("HZMETRICS_LOG_FORMAT", "combind").finish().expect_code(2);
    assert!(wrong.stderr.contains("[logs] log_format: `combind` is not a log format"), "{}", wrong.stderr);
}

#[test]
fn addresses_are_never_cut_in_the_tables() {
    for (engine, mode) in [(Engine::InnoDb, SqlMode::Strict), (Engine::MyIsam, SqlMode::Lax)] {
        let Some(hub) = Hub::new(engine, mode) else { return };
        hub.pair.sql("ALTER TABLE web MODIFY ip VARCHAR(15) NOT NULL DEFAULT ''");
        let (v6, names) = (input("02-ipv6.log"), input("05-hostnames.log"));
        let narrow = hub.load(&[&v6]).finish().expect_code(1);
        assert!(narrow.stderr.contains("`hzmetrics migrate --apply` widens it"), "{}", narrow.stderr);
        assert_eq!((hub.count("web"), hub.ledger().len()), (0, 0));
        hub.pair.sql("ALTER TABLE web MODIFY ip VARCHAR(45) NOT NULL DEFAULT ''");
        hub.load(&[&v6, &names]).finish().ok();
        assert_eq!(
            hub.pair.lines("SELECT ip FROM web WHERE host IS NULL ORDER BY id"),
            clients(&of("02-ipv6.log").finish().ok())
        );
        let stored = hub.pair.lines("SELECT host FROM web WHERE ip = '' ORDER BY id");
        assert_eq!(stored, clients(&of("05-hostnames.log").finish().ok()));
    }
}
