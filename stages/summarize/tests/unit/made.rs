//! Records of made-up hubs in which all that is odd happens often, for tests of the executable and of its core.

use fixtures::random::Random;
use serde_json::{Value, json};

/// Months of the records.
pub(crate) const MONTHS: [&str; 5] = ["2024-11", "2024-12", "2025-01", "2025-02", "2025-03"];
/// Sets of compatibility options.
pub(crate) const COMPAT: [&str; 3] = ["default", "port", "downloads=flag,hits-start=exclusive"];

pub(crate) fn session(id: u64, datetime: &str, ip: &str, duration: i64, more: Value) -> Value {
    let mut record = json!({"kind": "session", "id": id, "datetime": datetime, "ipcountry": "", "ip": ip,
        "host": "h", "domain": "?", "duration": duration, "jobs": 0});
    merge(&mut record, more);
    record
}

pub(crate) fn merge(record: &mut Value, more: Value) {
    let Value::Object(more) = more else { panic!("{more} is not an object") };
    record.as_object_mut().unwrap().extend(more);
}

pub(crate) fn login(datetime: &str, user: &str, ip: &str) -> Value {
    json!({"kind": "login", "datetime": datetime, "user": user, "ip": ip, "action": "login"})
}

pub(crate) fn toolstart(datetime: &str, user: &str) -> Value {
    json!({"kind": "toolstart", "datetime": datetime, "success": 1, "user": user})
}

pub(crate) fn web(session: u64, datetime: &str, content: &str) -> Value {
    json!({"kind": "web", "datetime": datetime, "content": content, "sessionid": session})
}

/// A record, the month that it is of, and the session or tool session that it belongs to.
pub(crate) struct Made {
    pub(crate) month: usize,
    pub(crate) session: Option<u64>,
    pub(crate) record: Value,
}

/// What a hub knows, odd things often. `last`: no web record is of another month than its session.
pub(crate) fn history(random: &mut Random) -> Vec<Made> {
    let mut made = Vec::new();
    let mut sessnum = 0;
    for (month, name) in MONTHS.iter().enumerate() {
        sessnum += 1;
        let time = |random: &mut Random| {
            let day = random.pick(&["01", "01", "02", "15", "28"]);
            format!("{name}-{day} {}", random.pick(&["00:00:00", "00:00:01", "08:00:00", "23:59:59"]))
        };
        for n in 0..12 {
            let id = (month as u64) * 100 + n;
            let more = json!({
                "ipcountry": random.pick(&["", "-", "US", "us", "DE", "CN", "BR"]),
                "host": random.pick(&[json!("h"), json!("H "), json!("k.org"), Value::Null, json!("")]),
                "domain": random.pick(&[json!("mit.edu"), json!("?"), json!("nasa.gov"), json!("x.com"), Value::Null]),
                "jobs": random.pick(&[0, 0, 0, 2]),
            });
            let ip = *random.pick(&["1.1.1.1", "2.2.2.2", "3.3.3.3", "127.0.0.1", "", "FE80::1"]);
            let duration = i64::from(*random.pick(&[-5, 0, 100, 899, 900, 5000]));
            let mut push = |record| made.push(Made { month, session: Some(id), record });
            push(session(id, &time(random), ip, duration, more));
            for _ in 0..random.below(3) {
                let content =
                    random.pick(&["/resources/7/download/x", "/resources/7/a.css", "/resources/7/b.pdf", "/"]);
                let mut request = web(id, &time(random), content);
                request["dnload"] = json!(random.below(2));
                push(request);
            }
        }
        let mut push = |session, record| made.push(Made { month, session, record });
        for _ in 0..8 {
            let user = *random.pick(&["u1", "U1 ", "u2", "u3", ""]);
            let ip = *random.pick(&["1.1.1.1", "2.2.2.2", "9.9.9.9", "127.0.0.1", ""]);
            push(None, login(&time(random), user, ip));
            let starter = *random.pick(&["u1", "u2", "u3", "u4", ""]);
            let mut start = toolstart(&time(random), starter);
            start["countryresident"] = random.pick(&[json!("US"), json!("de"), Value::Null]).clone();
            start["orgtype"] = random.pick(&[json!("industry"), json!("university"), Value::Null]).clone();
            if random.below(6) == 0 {
                start["user"] = Value::Null;
            }
            push(None, start);
            sessnum += u64::from(random.below(3));
            let seconds = f64::from(random.below(100_000)) / 7.0;
            push(
                Some(sessnum),
                json!({"kind": "hub_session", "sessnum": sessnum, "start": time(random), "walltime": seconds,
                "username": random.pick(&["u1", "u2", "u5", "gridstat", "hctest1"]), "viewtime": seconds / 3.0,
                "appname": random.pick(&["workspace", "rapp_r1", "other"]), "cputime": seconds / 11.0}),
            );
            push(
                Some(sessnum),
                json!({"kind": "hub_job", "sessnum": sessnum, "job": random.below(3), "cputime": seconds / 13.0,
                "event": random.pick(&["application", "[waiting]"])}),
            );
        }
        push(None, json!({"kind": "hits", "datetime": format!("{name}-01 00:00:00"), "hits": random.below(100)}));
        push(None, json!({"kind": "hits", "datetime": format!("{name}-09 00:00:00"), "hits": random.below(100)}));
        if month == 0 {
            push(None, toolstart("1994-05-05 00:00:00", "u2"));
        }
    }
    made
}

/// What a hub knows today.
pub(crate) fn today(random: &mut Random) -> Vec<Value> {
    let mut records = vec![
        json!({"kind": "hub_resource", "path": random.pick(&["x/a.pdf", "x/a.gz", "none"])}),
        json!({"kind": "hub_tool_version", "toolname": "workspace", "instance": "rapp_r1"}),
    ];
    for (uid, name) in ["u1", "u2", "U3", "u4"].into_iter().enumerate() {
        records.push(json!({"kind": "hub_profile", "uidNumber": uid, "username": name,
            "countryresident": random.pick(&["US", "DE", "", "CN"]), "orgtype": random.pick(&["university", "industry", ""]),
            "registerDate": format!("{}-01 00:00:0{}", random.pick(&MONTHS), random.below(2))}));
    }
    records
}

/// The record as it would be if all hubs were one: numbers apart, names with the hub in front.
pub(crate) fn as_one(record: &Value, hub: usize) -> Value {
    let mut record = record.clone();
    let kind = record["kind"].as_str().unwrap().to_owned();
    for (of, field) in [
        ("session", "id"),
        ("web", "sessionid"),
        ("hub_session", "sessnum"),
        ("hub_job", "sessnum"),
        ("hub_profile", "uidNumber"),
    ] {
        if kind == of {
            record[field] = json!(record[field].as_u64().unwrap() + 1_000_000 * hub as u64);
        }
    }
    for field in ["user", "username"] {
        if let Some(name) = record[field].as_str().filter(|name| !["", "gridstat", "hctest1"].contains(name)) {
            record[field] = json!(format!("hub{hub}.{name}"));
        }
    }
    record
}
