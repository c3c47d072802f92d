//! The health of a hub as JSON, for `--json` and the server.

use database::ledger::files::Share;
use database::pruned::{Group, Pruned};
use schema::Month;
use serde_json::{Map, Value, json};

use super::Health;
use super::facts::{Facts, Known, Logs, OfDatabase};
use super::verdict::{self, Checked, Perf};
use crate::json::VERSION;

/// Who reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum For {
    /// A person with an account on the machine.
    Person,
    /// Everybody who can reach the server: no names of files, accounts or hosts.
    Everybody,
}

fn perf(perf: &Perf) -> Value {
    let range = |range: &Option<_>| range.as_ref().map(ToString::to_string);
    json!({
        "label": perf.label,
        "value": perf.value,
        "unit": perf.unit,
        "warning": range(&perf.warning),
        "critical": range(&perf.critical),
    })
}

fn check(check: &Checked, reader: For) -> Value {
    let mut object = json!({
        "name": check.name,
        "state": check.state.word(),
        "text": check.text,
        "values": check.perf.iter().map(perf).collect::<Vec<_>>(),
    });
    if let (For::Person, Some(fields)) = (reader, object.as_object_mut()) {
        fields.insert("detail".to_owned(), json!(check.detail));
    }
    object
}

/// Checks as one object.
pub(crate) fn of_checks(checks: &[Checked], reader: For) -> String {
    let checks_json: Vec<_> = checks.iter().map(|one| check(one, reader)).collect();
    let object = json!({"version": VERSION, "state": verdict::worst(checks).word(), "checks": checks_json});
    format!("{object}\n")
}

fn list<T>(known: &Known<T>, value: impl FnOnce(&T) -> Value, reader: For) -> Value {
    match known {
        Ok(found) => value(found),
        Err(why) if reader == For::Person => json!({"error": why}),
        Err(_) => json!({"error": "not known"}),
    }
}

fn months<'m>(months: impl IntoIterator<Item = &'m Month>) -> Value {
    months.into_iter().map(Month::to_string).collect()
}

fn logs(logs: &Logs, reader: For) -> Value {
    let span = |found: &Known<Vec<_>>| {
        list(
            found,
            |found: &Vec<crate::pipeline::pending::Dated>| {
                json!({
                    "count": found.len(),
                    "first": found.first().map(|log| &log.day),
                    "last": found.last().map(|log| &log.day),
                })
            },
            reader,
        )
    };
    json!({"pending": span(&logs.pending), "imported": span(&logs.imported)})
}

fn share(day: &str, target: &str, share: &Share) -> Value {
    json!({
        "day": day,
        "table": target,
        "lines": share.lines,
        "rows": share.rows,
        "rejected": share.rejected,
        "ipv6": share.ipv6,
        "dropped": share.dropped,
    })
}

/// The last months whose rows are removed.
fn pruned(found: &Pruned) -> Value {
    let last = |group| found.of(group).map(|gone| gone.rows.to_string());
    json!({"requests_through": last(Group::Web), "logins_through": last(Group::Logins)})
}

/// Days of imports that are shown.
const DAYS: usize = 7;

fn of_database(found: &OfDatabase, reader: For) -> Value {
    let state = &found.state;
    let published = list(
        &found.published,
        |published| {
            json!({
                "complete": published.complete.map(|month| month.to_string()),
                "missing": published.missing.map(|month| month.to_string()),
                "future_cells": published.to_come,
            })
        },
        reader,
    );
    let imports = list(
        &found.shares,
        |shares| {
            let mut days: Vec<&String> = shares.iter().flatten().map(|((day, _), _)| day).collect();
            days.dedup();
            let first = days.iter().rev().nth(DAYS - 1).copied();
            let of_days = shares.iter().flatten().filter(|((day, _), _)| first.is_none_or(|first| day >= first));
            of_days.map(|((day, target), of_day)| share(day, target.name(), of_day)).collect()
        },
        reader,
    );
    json!({
        "mode": state.mode.word(),
        "analyzed": state.analyzed,
        "catchup_started": state.catchup_started.map(|month| month.to_string()),
        "rebuild_cursor": state.cursor.map(|month| month.to_string()),
        "dirty_months": months(&state.dirty),
        "withheld_months": months(&state.withheld),
        "hashed_months": list(&found.addresses, |found| months(&found.hashed()), reader),
        "shortened_months": list(&found.addresses, |found| months(found.shortened()), reader),
        "late_addresses": list(&found.addresses, |found| months(found.late()), reader),
        "pruned": list(&found.pruned, pruned, reader),
        "incomplete_months": list(&found.incomplete, |found| months(found), reader),
        "published": published,
        "future_requests": list(&found.to_come, |found| json!(found.requests.as_ref().map_or(0, |(n, ..)| *n)), reader),
        "imports": imports,
    })
}

fn programs(facts: &Facts, reader: For) -> Value {
    list(&facts.records, |records| json!(records.programs), reader)
}

fn refused(facts: &Facts, reader: For) -> Value {
    let log = |log: &logs::refused::Refused| match reader {
        For::Person => json!({"path": log.path.to_string_lossy(), "since": log.since, "reason": log.reason}),
        For::Everybody => json!({"since": log.since}),
    };
    list(&facts.refused, |found| found.iter().map(log).collect(), reader)
}

fn disks(facts: &Facts) -> Value {
    let disk = |disk: &super::facts::Disk| json!({"place": disk.place, "free_bytes": disk.free, "size_bytes": disk.size, "free_percent": disk.free_percent});
    facts.disks.iter().map(disk).collect()
}

/// The whole status as one object; `more` is added for a person.
pub(crate) fn of_health(health: &Health, reader: For, more: Map<String, Value>) -> String {
    let facts = &health.facts;
    let mut object = json!({
        "version": VERSION,
        "program": kit::VERSION,
        "state": health.state().word(),
        "time": facts.now,
        "checks": health.checks.iter().map(|one| check(one, reader)).collect::<Vec<_>>(),
        "pipeline": list(&facts.metrics, |found| of_database(found, reader), reader),
        "access_logs": logs(&facts.access, reader),
        "auth_logs": logs(&facts.auth, reader),
        "refused_logs": refused(facts, reader),
        "programs": programs(facts, reader),
        "disks": disks(facts),
        "lock": facts.lock.map(|holder| json!({"pid": holder.pid, "since": holder.since})),
    });
    if let Some(fields) = object.as_object_mut() {
        fields.extend(more);
    }
    format!("{object}\n")
}
