//! Which compatibility options explain a difference: only what can be seen from the rows themselves.

use std::collections::BTreeSet;

use schema::Opt;

use super::columns::Table;
use super::merge::{Difference, Row};

/// Relative difference of numbers that passed through 14 digits of text.
const ROUNDED: f64 = 1e-12;

/// The options that together explain a difference; empty if no option does. `prefix` is that of the hub's tables,
/// `is_one_empty` whether one of the two tables has no rows.
pub(super) fn options(table: &Table, prefix: &str, difference: &Difference, is_one_empty: bool) -> Vec<&'static str> {
    let name = table.name.strip_prefix(prefix).unwrap_or(&table.name);
    let found: Option<BTreeSet<&str>> = match difference {
        Difference::OnlyHere(row) | Difference::OnlyThere(row) => {
            of_row(name, table, row, is_one_empty).map(|opt| [opt.name()].into())
        }
        Difference::Changed(here, there) => {
            let columns = table.columns.iter().zip(here.iter().zip(there)).filter(|(_, (here, there))| here != there);
            columns.map(|(column, (here, there))| of_value(name, &column.name, here, there).map(Opt::name)).collect()
        }
    };
    found.into_iter().flatten().collect()
}

/// Why only one side has a row.
fn of_row(name: &str, table: &Table, row: &Row, is_one_empty: bool) -> Option<Opt> {
    let value = |column: &str| {
        let at = table.columns.iter().position(|known| known.name == column)?;
        row.get(at)?.as_deref()
    };
    let text = |column: &str| value(column).unwrap_or_default();
    match name {
        "imported_sources" if is_one_empty => Some(Opt::LpAtomic),
        "web" | "websessions" | "userlogin" | "userlogin_lite" | "toolstart" if text("ip").contains(&b':') => {
            Some(Opt::Ipv6)
        }
        "web" => {
            [(&b"/robots.txt"[..], Opt::LpRobots), (b"/pipermail/", Opt::LpPipermail), (b"/cron/tick", Opt::LpCronBare)]
                .into_iter()
                .find_map(|(start, opt)| text("content").starts_with(start).then_some(opt))
        }
        "userlogin" | "userlogin_lite" => {
            (![&b"login"[..], b"simulation"].contains(&text("action"))).then_some(Opt::LpAuthActions)
        }
        _ => None,
    }
}

/// Why a value of a row differs.
fn of_value(table: &str, column: &str, here: &Option<Vec<u8>>, there: &Option<Vec<u8>>) -> Option<Opt> {
    let (a, b) = (here.as_deref().unwrap_or_default(), there.as_deref().unwrap_or_default());
    let is_either = |test: fn(&[u8]) -> bool| test(a) || test(b);
    let is_empty = is_either(<[u8]>::is_empty);
    match (table, column) {
        (_, "host") if a.eq_ignore_ascii_case(b) => Some(Opt::LpDns),
        ("websessions", "host" | "domain") if is_empty => Some(Opt::RefillWebsessions),
        ("web", "domain") if is_empty => Some(Opt::LpDomain),
        (_, "ipcountry") if is_empty && is_either(|text| text == b"-") => Some(Opt::LpIpcountry),
        ("web", "dnload") if is_empty && is_either(|text| matches!(text, b"0" | b"1")) => Some(Opt::LpDnloadInline),
        ("web" | "toolstart", "session") if is_either(|text| text == b"none") => {
            let is_gone = is_either(|text| text == b"no such session");
            Some(if is_gone { Opt::ClearOrphanStamps } else { Opt::SessionsAtMonthClose })
        }
        ("toolstart" | "web", "orgtype" | "countryresident" | "countrycitizen") if is_either(|text| text == b"0") => {
            Some(Opt::LpUserInfo)
        }
        (table, _) if is_computed(table) && are_rounded(a, b) => Some(Opt::LpSummary),
        _ => None,
    }
}

/// Tables with averages and totals.
fn is_computed(table: &str) -> bool {
    table.starts_with("summary_") || table.starts_with("resource_stats") || table == "stats_topvals"
}

/// Whether two numbers differ as plain doubles do from numbers that passed through text, or a total of nothing.
fn are_rounded(a: &[u8], b: &[u8]) -> bool {
    let number = |text: &[u8]| std::str::from_utf8(text).ok()?.trim().parse::<f64>().ok();
    match (number(a), number(b)) {
        (Some(a), Some(b)) => (a - b).abs() <= ROUNDED * a.abs().max(b.abs()),
        (Some(n), None) => b.is_empty() && n == 0.0,
        (None, Some(n)) => a.is_empty() && n == 0.0,
        (None, None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::columns::Column;
    use super::*;

    fn table(name: &str, columns: &str) -> Table {
        let column = |name: &str| Column { name: name.to_owned(), sql: String::new() };
        let columns = columns.split(' ').map(column).collect();
        Table { name: name.to_owned(), columns, n_key: 1, is_in_both: true, extra: Vec::new(), gone_through: None }
    }

    fn row(text: &str) -> Row {
        text.split(' ').map(|cell| (cell != "NULL").then(|| cell.replace('_', "").into_bytes())).collect()
    }

    #[test]
    fn changed_rows_are_explained_only_as_a_whole() {
        let web = table("web", "ip host domain dnload");
        let explained =
            |here: &str, there: &str| options(&web, "", &Difference::Changed(row(here), row(there)), false).join(",");
        assert_eq!(explained("1 A.b b NULL", "1 a.b b 1"), "lp_dnload_inline,lp_dns");
        assert_eq!(explained("1 a.b b 0", "1 a.b b 1"), "");
        assert_eq!(explained("1 A.b b 0", "1 a.b b 1"), "");
        assert_eq!(explained("1 A.b _ 0", "1 A.b b 0"), "lp_domain");
        assert_eq!(explained("1 a.b b NULL", "1 a.b b 9"), "");
    }

    #[test]
    fn rows_of_one_side_are_explained_by_what_they_are() {
        let explained = |name: &str, columns: &str, text: &str| {
            options(&table(name, columns), "", &Difference::OnlyHere(row(text)), false).join(",")
        };
        assert_eq!(explained("web", "ip content", "1 /robots.txt"), "lp_robots");
        assert_eq!(explained("web", "ip content", "1 /robots"), "");
        assert_eq!(explained("web", "ip content", "::1 /"), "ipv6");
        assert_eq!(explained("userlogin", "ip action", "1 logout"), "lp_auth_actions");
        assert_eq!(explained("userlogin", "ip action", "1 login"), "");
        assert_eq!(explained("imported_sources", "filename", "a"), "");
    }

    #[test]
    fn averages_may_differ_in_their_last_digits_only() {
        for (a, b, expected) in [
            ("0.1", "0.10000000000000002", true),
            ("", "0", true),
            ("5", "6", false),
            ("x", "x", false),
            ("", "1", false),
        ] {
            assert_eq!(are_rounded(a.as_bytes(), b.as_bytes()), expected, "{a} {b}");
        }
    }
}
