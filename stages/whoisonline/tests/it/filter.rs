//! Records in, the map out.

use std::fs;

use crate::stage;

const EMPTY: &str = "<markers>\n</markers>\n";

pub(crate) fn online(fields: &str) -> String {
    format!("{{\"kind\":\"online\",{fields}}}\n")
}

/// A user of one.one, in Brisbane.
pub(crate) fn user(name: &str) -> String {
    online(&format!(
        "\"username\":\"{name}\",\"guest\":0,\"ip\":\"1.1.1.1\",\"host\":\"one.one.one.one\",\"countrySHORT\":\"AU\",\
         \"ipREGION\":\"Queensland\",\"ipCITY\":\"Brisbane\",\"ipLATITUDE\":-27.46754,\"ipLONGITUDE\":153.02809,\"bot\":0"
    ))
}

/// People at twenty thousand places.
pub(crate) fn many_places() -> String {
    let place = |i: u32| {
        let latitude = f64::from(i) / 250.0 + 1.0;
        online(&format!("\"ipLATITUDE\":{latitude},\"ipLONGITUDE\":1,\"domain\":\"d{i}.org\",\"bot\":0"))
    };
    (0..20_000).map(place).collect()
}

const GOLDEN: &str = "<markers>\n<marker lat=\"-27.46754\" lng=\"153.02809\" info = \"_b_Brisbane, Queensland, \
                      AU_bb__hr__b_one.one_bb__br_ - Users: 2\" bot = \"0\"/>\n</markers>\n";

#[test]
fn two_users_make_one_marker() {
    let records = user("alice") + &user("bob") + &user("Alice");
    let done = stage().stdin(records.clone()).finish().ok();
    assert_eq!((done.text().as_str(), done.stderr.as_str()), (GOLDEN, ""));
    let directory = tempfile::tempdir().unwrap();
    let (from, to) = (directory.path().join("in.ndjson"), directory.path().join("map.xml"));
    fs::write(&from, records).unwrap();
    for _ in 0..2 {
        stage().arg("--from").arg(&from).arg("--to").arg(&to).finish().ok();
        assert_eq!(fs::read_to_string(&to).unwrap(), GOLDEN);
    }
}

#[test]
fn csv_with_a_header_gives_the_same_map() {
    let csv = "kind,guest,username,domain,bot,ipLATITUDE,ipLONGITUDE\nonline,0,eve,x.org,\\N,37,-10.25\n";
    let done = stage().stdin(csv).finish().ok();
    assert!(
        done.text()
            .contains("lat=\"37\" lng=\"-10.25\" info = \"_b_, , _bb__hr__b_x.org_bb__br_ - Users: 1\" bot = \"\"")
    );
}

#[test]
fn a_bad_record_is_rejected_and_the_rest_is_drawn() {
    let bad = online("\"ipLATITUDE\":\"north\"");
    let web = "{\"kind\":\"web\",\"ip\":\"1.1.1.1\"}\n";
    let records = user("alice") + &bad + web + "no record\n" + &user("bob");
    let done = stage().arg("--strict").stdin(records).finish().expect_code(3);
    assert_eq!(done.text(), GOLDEN);
    assert!(done.stderr.contains("-:2: ") && done.stderr.contains("-:4: "), "{}", done.stderr);
    assert!(done.stderr.contains("1 record of another kind is not on the map"), "{}", done.stderr);
}

#[test]
fn the_map_is_xml_unless_raw_is_requested() {
    let record = online("\"ipCITY\":\"\\\"A&B\\\"\",\"ipLATITUDE\":1,\"ipLONGITUDE\":2.5,\"domain\":\"x\",\"bot\":0");
    let city = |run: fixtures::Run| {
        let text = run.stdin(record.clone()).finish().ok().text();
        text.split("_b_").nth(1).unwrap().split(", ").next().unwrap().to_owned()
    };
    let (escaped, raw) = ("&quot;A&amp;B&quot;", "\"A&B\"");
    assert_eq!(city(stage()), escaped);
    for (list, expected) in [
        ("default", escaped),
        ("lp_robots", escaped),
        ("legacy", raw),
        ("port", raw),
        ("xml=raw", raw),
        ("legacy,xml=escaped", escaped),
    ] {
        assert_eq!(city(stage().args(["--compat", list])), expected, "{list}");
        assert_eq!(city(stage().env("HZMETRICS_COMPAT", list)), expected, "{list}");
    }
}

#[test]
fn wrong_usage_is_reported() {
    for args in [&["--to", "db"][..], &["--dry-run"], &["--format", "csv"], &["--nonsense"], &["2025-07"]] {
        let done = stage().args(args).finish().expect_code(2);
        assert_eq!(done.text(), "");
    }
}

#[test]
fn random_bytes_do_no_harm() {
    let mut random = fixtures::random::Random::new(50);
    let bytes: Vec<u8> = (0..10 << 17).flat_map(|_| random.bits().to_le_bytes()).collect();
    assert_eq!(stage().stdin(bytes.clone()).finish().expect_code(1).text(), "");
    let record = b"{\"kind\":\"note\"}\n".iter().copied();
    assert_eq!(stage().stdin(record.chain(bytes).collect::<Vec<u8>>()).finish().ok().text(), EMPTY);
}
