//! How many of the newest visitors have a name and a country. A service that does not answer causes
//! no error, only `?` and empty columns.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use anyhow::Result;
use database::Db;

use super::checked_hub::CheckedHub;
use super::report::Report;

/// How many of the newest rows are examined.
const ROWS: u32 = 20_000;
/// Fewer addresses prove nothing.
const ADDRESSES_MIN: usize = 50;
/// About half of all addresses have no name; if this share has none, the name server did not
/// answer.
const MANY: f64 = 0.80;
/// If a service never answers, all are missing; if it stopped recently, nearly all.
const NEARLY_ALL: f64 = 0.95;

/// What is known about an address on the Internet.
#[derive(Debug, Clone, Copy, Default)]
struct LookedUp {
    was_looked_up: bool,
    has_name: bool,
    has_country: bool,
}

/// A number of addresses, and how many of them lack something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct LackingShare {
    n: usize,
    n_lacking: usize,
}

impl LackingShare {
    #[expect(clippy::cast_precision_loss, reason = "a share for people")]
    fn share(self) -> f64 {
        if self.n < ADDRESSES_MIN { 0.0 } else { self.n_lacking as f64 / self.n as f64 }
    }
}

/// The newest addresses before a day; all of them if there are few.
fn newest(db: &mut Db, before: &str) -> Result<HashMap<Ipv4Addr, LookedUp>> {
    let mut known: HashMap<Ipv4Addr, LookedUp> = HashMap::new();
    for condition in ["WHERE datetime < ?", "WHERE datetime >= ?"] {
        let sql = format!("SELECT ip, host, ipcountry FROM web {condition} ORDER BY id DESC LIMIT {ROWS}");
        db.each(&sql, (before,), |cells| {
            let Some(ip) = cells.text(0).and_then(|ip| ip.trim().parse().ok()).filter(is_public) else { return Ok(()) };
            let (host, country) = (cells.text(1).unwrap_or_default(), cells.text(2).unwrap_or_default());
            let address = known.entry(ip).or_default();
            address.was_looked_up |= !host.is_empty();
            address.has_name |= !matches!(&*host, "" | "?");
            address.has_country |= !matches!(&*country, "" | "-" | "--" | "?" | "??");
            Ok(())
        })?;
        if known.len() >= ADDRESSES_MIN {
            break;
        }
    }
    Ok(known)
}

/// Whether an address can be known outside its network.
fn is_public(ip: &Ipv4Addr) -> bool {
    !(ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_unspecified() || ip.is_documentation())
}

fn lacks(known: &HashMap<Ipv4Addr, LookedUp>, has: fn(&LookedUp) -> bool) -> LackingShare {
    let looked_up = known.values().filter(|address| address.was_looked_up);
    looked_up.fold(LackingShare { n: 0, n_lacking: 0 }, |all, address| LackingShare {
        n: all.n + 1,
        n_lacking: all.n_lacking + usize::from(!has(address)),
    })
}

/// Names and countries of the newest visitors.
pub(super) fn names_and_countries(checked: &mut CheckedHub<'_>, report: &mut Report) {
    let Ok(db) = &mut checked.metrics else { return };
    // last night's may still be in progress
    let known = kit::today().and_then(|today| newest(db, &today.plus_days(-1).to_string()));
    let known = match known {
        Ok(known) => known,
        Err(error) => return report.fail_ours(format_args!("visitors: {error:#}"), "hzmetrics doctor --fix"),
    };
    let names = lacks(&known, |address| address.has_name);
    let countries = lacks(&known, |address| address.has_country);
    say(names, "names", "name", "the name server answers nothing", &fix_names(), report);
    say(countries, "countries", "country", "the geo service answers nothing", MEND_COUNTRIES, report);
}

fn fix_names() -> String {
    "correct nameserver under [dns], then ask again: UPDATE web SET host = NULL, domain = NULL WHERE host = '?' AND \
     datetime >= 'YYYY-MM-01'; hzmetrics resolve-dns metrics web YYYY-MM; hzmetrics mark-dirty YYYY-MM"
        .to_owned()
}

const MEND_COUNTRIES: &str = "correct hubzero_ipgeo_url and hub_key, or give a file: hzmetrics fill-ipcountry --help; then \
                              hzmetrics fill-ipcountry metrics web YYYY-MM and hzmetrics mark-dirty YYYY-MM";

fn say(lack: LackingShare, what: &str, one: &str, cause: &str, fix: &str, report: &mut Report) {
    let counted = format!("{} of the newest {} addresses have no {one}", lack.n_lacking, lack.n);
    let share = lack.share();
    if share >= NEARLY_ALL {
        report.fail_ours(format_args!("{what}: {counted}: {cause}"), fix);
    } else if share >= MANY {
        report.warn(format_args!("{what}: {counted}"), fix);
    } else {
        report.ok(format_args!("{what}: {counted}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_needs_enough_addresses() {
        for (n, n_lacking, expected) in [(49, 49, 0.0), (50, 50, 1.0), (200, 100, 0.5), (0, 0, 0.0)] {
            assert!((LackingShare { n, n_lacking }.share() - expected).abs() < 1e-9, "{n} {n_lacking}");
        }
    }

    #[test]
    fn private_addresses_do_not_count() {
        for (ip, expected) in [("8.8.8.8", true), ("10.1.1.1", false), ("127.0.0.1", false), ("192.168.1.1", false)] {
            assert_eq!(is_public(&ip.parse().unwrap()), expected, "{ip}");
        }
    }
}
