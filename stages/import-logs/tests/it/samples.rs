//! Lines of the kinds that the samples of other tools' test suites have, in a table: what they are
//! without any option, and what becomes of them. They are of our own making.

use crate::{import_logs, raw};

const UA: &str = "Mozilla/5.0+(X11)";

/// Lines, what is dropped as no request of its own, rejects.
type Numbers = [u64; 3];

fn check(name: &str, text: &str, layout: &str, [lines, rows, rejected]: Numbers, dropped: &str) {
    let done = raw("access", text).finish().ok();
    let said = format!("{lines} lines, {rows} rows, {rejected} not recognised");
    assert!(done.stderr.contains(&said), "{name}: {said}: {}", done.stderr);
    assert!(done.stderr.contains(&format!("; layout {layout}\n")), "{name}: {}", done.stderr);
    let all = done.stderr.split_once("dropped: ").map_or("", |(_, rest)| rest.split(';').next().unwrap());
    assert_eq!(all, dropped, "{name}: {}", done.stderr);
}

#[test]
fn json_whose_fields_nobody_knows_is_refused() {
    let line = "{\"when\":\"2025-07-10T08:00:01Z\",\"peer\":\"192.0.2.1\",\"target\":\"/a\",\"code\":200}\n";
    let done = raw("access", line.repeat(5)).finish().expect_code(1);
    assert!(
        done.stderr.contains("looks like JSON whose fields have names that no known layout has"),
        "{}",
        done.stderr
    );
    let mapping = "json:time=when,client=peer,url=target,status=code";
    assert_eq!(raw("access", line.repeat(5)).args(["--log-format", mapping]).finish().ok().of_kind("web").len(), 5);
}

#[test]
fn what_is_recognised() {
    let clf = |stamp: &str| format!("192.0.2.1 - - [{stamp}] \"GET /a HTTP/1.1\" 200 12\n");
    let iis = |rest: &str| format!("2025-07-10 08:00:01 10.0.0.1 GET /a - 443 - 192.0.2.1 {UA} {rest}\n");
    let request = "192.0.2.1:55008 [10/Jul/2025:08:00:01.584] www~ app/s1 0/0/0/72/72 200 7456 - - ---- 5/4/0/1/0 0/0 \
        \"GET /a HTTP/1.1\"";
    let haproxy = |text: &str| format!("Jul 10 08:00:01 lb1 haproxy[99]: {text}\n");
    for (name, text, layout, numbers, dropped) in [
        ("a date by words", clf("July - 10, 2025:08:00:01"), "common", [1, 1, 0], ""),
        ("a date of ctime", clf("Thu Jul 10 08:00:01 2025"), "common", [1, 1, 0], ""),
        ("a date with dashes", clf("10-Jul-2025 08:00:01 +0200"), "common", [1, 1, 0], ""),
        (
            "ssl_request_log, which has no status",
            "[10/Jul/2025:08:00:01 +0200] 192.0.2.1 TLSv1.3 TLS_AES_256_GCM_SHA384 \"GET /a HTTP/1.1\" 1375\n".to_owned(),
            "ssl_request",
            [1, 0, 0],
            "status 1",
        ),
        (
            "uWSGI",
            "[pid: 7|app: 0|req: 1/1] 192.0.2.1 () {38 vars in 696 bytes} [Thu Jul 10 08:00:01 2025] POST /a => \
             generated 47 bytes in 129 msecs (HTTP/1.1 200) 9 headers in 378 bytes (1 switches on core 3)\n"
                .to_owned(),
            "uwsgi",
            [1, 1, 0],
            "",
        ),
        (
            "bunny.net",
            "HIT|200|1752134401321|128|77|192.0.2.1|-|https://www.example.org/a|DE|Mozilla/5.0|2897|DE\n".to_owned(),
            "bunny",
            [1, 1, 0],
            "",
        ),
        (
            "Zeek",
            "#separator \\x09\n#fields\tts\tid.orig_h\tmethod\turi\tresponse_body_len\tstatus_code\n\
             1752134401.5\t192.0.2.1\tGET\t/a\t12\t200\n#close\t2025-07-10\n"
                .to_owned(),
            "w3c",
            [4, 1, 0],
            "comment 3",
        ),
        ("IIS without its fields", iis("- 200 0 0 15") + &iis("200 0 0 15"), "w3c", [2, 2, 0], ""),
        ("IIS with a proxy's header", iis("- 200 0 0 15 198.51.100.1"), "w3c", [1, 1, 0], ""),
        (
            "IIS whose fields are cut",
            "#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query\n".to_owned() + &iis("- 200 0 0 5 6 7"),
            "w3c",
            [2, 1, 0],
            "comment 1",
        ),
        (
            "IIS that changes its fields and then does not keep them",
            "#Fields: date time c-ip cs-method cs-uri-stem sc-status\n2025-07-10 08:00:01 192.0.2.1 GET /a 200\n\
             #Fields: date time cs-method cs-uri-stem c-ip sc-status\n2025-07-10 08:00:02 GET /b 192.0.2.1 200\n"
                .to_owned()
                + &iis("- 200 0 0 15"),
            "w3c",
            [5, 3, 0],
            "comment 2",
        ),
        (
            "IIS with times and the day before them",
            "#Date: 2025-07-10 00:00:00\n#Fields: time c-ip cs-method cs-uri-stem sc-status\n08:00:01 192.0.2.1 GET /a 200\n"
                .to_owned(),
            "w3c",
            [3, 1, 0],
            "comment 2",
        ),
        (
            "HAProxy and what it says besides requests",
            haproxy("Proxy www started.") + &haproxy(request) + &haproxy("192.0.2.1:5 [10/Jul/2025:08:00:01.1] www/1: SSL handshake failure"),
            "haproxy",
            [3, 1, 0],
            "message 2",
        ),
    ] {
        check(name, &text, layout, numbers, dropped);
    }
}

#[test]
fn agents_behind_other_fields_are_those_of_robots_or_people() {
    let line = |agent: &str| {
        format!("192.0.2.1 - - [10/Jul/2025:08:00:01 +0000] \"GET /a HTTP/1.1\" 200 12 1234 \"-\" \"{agent}\"\n")
    };
    check("a robot", &(line("Mozilla/5.0 (X11)") + &line("somebot/1")), "combined", [2, 1, 0], "robot 1");
}

#[test]
fn requests_that_several_loggers_of_caddy_name_count_once() {
    let line = |logger: &str| {
        format!(
            "{{\"level\":\"debug\",\"ts\":1752134401.5,\"logger\":\"{logger}\",\"msg\":\"x\",\"request\":{{\
             \"remote_ip\":\"192.0.2.1\",\"method\":\"GET\",\"uri\":\"/a\"}},\"size\":12,\"status\":200}}\n"
        )
    };
    let text = line("http.handlers.reverse_proxy") + &line("http.log.access.log0") + &line("http.log.error");
    check("Caddy", &text, "caddy", [3, 1, 0], "message 2");
}

#[test]
fn what_is_refused_with_its_name() {
    let ftp = "looks like an FTP log, which is not the log of a web server; 0 of ";
    for (text, said) in [
        (
            "#Date: 2025-07-10 08:00:00\n#Fields: time c-ip cs-method cs-uri-stem sc-status\n\
             08:00:01 192.0.2.1 [1]USER anonymous 331\n08:00:02 192.0.2.1 [1]sent /a 226\n",
            ftp,
        ),
        ("Thu Jul 10 08:00:01 2025 1 192.0.2.1 1024 /pub/a b _ o a anon ftp 0 * c\n", ftp),
        ("192.0.2.1 UNKNOWN anon [10/Jul/2025:08:00:01 +0000] \"RETR /a.zip\" 226 12\n", ftp),
        (
            "Jul 10 08:00:01 lb1 haproxy[99]: Connect from 192.0.2.1:5 to 192.0.2.9:80 (main/HTTP)\n",
            "looks like HAProxy's log of connections, which does not list requests as `option httplog` does; 0 of 1 lines fit",
        ),
        (
            "2025/07/10 08:00:01 [error] 31#31: *4 open() failed, client: 192.0.2.1, request: \"GET /a HTTP/1.1\"\n",
            "looks like the error log of a web server, which does not list requests; 0 of 1 lines fit",
        ),
        // a time without a date is none
        (
            "#Fields: time c-ip cs-method cs-uri-stem sc-status\n08:00:01 192.0.2.1 GET /a 200\n",
            "`#Fields:` does not name date",
        ),
        (
            "{\"t\":{\"$date\":\"2025-07-10T08:00:01\"},\"s\":\"I\",\"msg\":\"Authentication failed\",\"attr\":{\"remote\":\"192.0.2.1:4\"}}\n",
            "looks like JSON of a program that is not a web server; 0 of 1 lines fit",
        ),
        (
            "2025-07-10T08:00:01Z stdout F {\"at\":\"2025-07-10T08:00:01Z\",\"method\":\"GET\",\"code\":200,\"who\":\"192.0.2.1:5\"}\n",
            "looks like JSON whose fields have names that no known layout has; 0 of 1 lines fit",
        ),
        (
            "192.0.2.1 - - [10/Jul/2025 08:00:01] \"GET /a HTTP/1.1\" 200 12\n",
            "is not day/month/year:hour:minute:second",
        ),
    ] {
        let done = raw("access", text).finish().expect_code(1);
        assert!(done.stderr.contains(said) && done.text().is_empty(), "{text}: {}", done.stderr);
    }
}

#[test]
fn the_header_with_the_client_is_not_missed_in_silence() {
    let line = format!("2025-07-10 08:00:01 10.0.0.1 GET /a - 443 - 10.0.0.9 {UA} - 200 0 0 15");
    let fields = "#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) \
        cs(Referer) sc-status sc-substatus sc-win32-status time-taken\n";
    let with = |text: String| raw("access", text).args(["--client-from", "X-Forwarded-For"]).finish();
    let found = with(format!("{line} 192.0.2.7\n")).ok().of_kind("web");
    assert_eq!(found[0]["ip"], "192.0.2.7");
    for text in [format!("{line}\n"), format!("{fields}{line}\n")] {
        let done = with(text).expect_code(1);
        assert!(done.of_kind("web").is_empty() && done.stderr.contains("not imported"), "{}", done.stderr);
    }
}

#[test]
fn a_tar_archive_of_logs_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let line = "192.0.2.1 - - [10/Jul/2025:08:00:01 +0000] \"GET /a HTTP/1.1\" 200 12\n";
    let mut header = vec![0; 512];
    header[..10].copy_from_slice(b"access.log");
    header[257..262].copy_from_slice(b"ustar");
    let path = crate::file(&dir, "logs.tar", [header, line.repeat(50).into_bytes()].concat());
    for format in ["auto", "combined", "hubzero"] {
        let done = import_logs().args(["--log-format", format]).arg(&path).finish().expect_code(1);
        assert!(
            done.stderr.contains("logs.tar: not imported: it is a tar archive; unpack it first"),
            "{}",
            done.stderr
        );
        assert!(done.text().is_empty());
    }
}

#[test]
fn a_day_holds_for_the_blocks_behind_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut text = "#Date: 2025-07-10 00:00:00\n#Fields: time c-ip cs-method cs-uri-stem sc-status\n".to_owned();
    let line = "08:00:01 192.0.2.1 GET /a 200\n";
    text += &line.repeat(20_000);
    text += "#Date: 2025-07-11 00:00:00\n";
    text += &line.repeat(20_000);
    let done = import_logs().arg(crate::file(&dir, "ex.log", text)).finish().ok();
    let hits: Vec<_> = crate::hits(&done);
    assert_eq!(hits, [("2025-07-10".to_owned(), 20_000), ("2025-07-11".to_owned(), 20_000)]);
}
