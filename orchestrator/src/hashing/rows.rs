//! Replaces the addresses of one month by hashes, in all tables that have any. Many small transactions, each of
//! some time of the month; what is hashed is not changed again.

use anyhow::Result;
use database::{BY_KEY, Db, KeyTable, Value};
use hub::address_keys::AddressKey;
use schema::{Month, address};

/// A table with addresses.
#[derive(Clone, Copy)]
pub(super) struct Table {
    pub(super) name: &'static str,
    /// When it happened.
    pub(super) when: &'static str,
    has_host: bool,
}

const fn table(name: &'static str, when: &'static str, has_host: bool) -> Table {
    Table { name, when, has_host }
}

/// All of them.
pub(super) const TABLES: [Table; 6] = [
    table("web", "`datetime`", true),
    table("websessions", "`datetime`", true),
    table("userlogin", "`datetime`", false),
    table("userlogin_lite", "`datetime`", false),
    table("sessionlog_metrics", "`start`", true),
    table("toolstart", "`datetime`", true),
];

/// How many rows a transaction changes, unless more are of one minute.
const AT_ONCE: i64 = 20_000;

const ADDRESSES: KeyTable<'_> = KeyTable {
    name: "hzmetrics_addresses",
    columns: &[("ip", "varchar(45) NOT NULL"), ("hash", "varchar(15) NOT NULL")],
    keys: 1,
};

/// Host names, several of an address with numbers.
const HOSTS: KeyTable<'_> = KeyTable {
    name: "hzmetrics_hosts",
    columns: &[
        ("ip", "varchar(45) NOT NULL"),
        ("n", "int NOT NULL"),
        ("host", "tinytext NOT NULL"),
        ("hash", "varchar(15) NOT NULL"),
    ],
    keys: 2,
};

/// One month.
pub(super) struct Work<'w> {
    pub(super) db: &'w mut Db,
    pub(super) month: Month,
    /// Without it rows are only counted.
    pub(super) key: Option<&'w AddressKey>,
}

/// A part of a month: a day, an hour or a minute, as a date begins.
struct Time(String);

/// What is to be put where in a part of a month.
#[derive(Default)]
struct Hashes {
    addresses: Vec<[Value; 2]>,
    hosts: Vec<[Value; 4]>,
}

impl Work<'_> {
    /// All tables; how many rows changed, or would.
    ///
    /// # Errors
    /// The server fails.
    pub(super) fn run(&mut self) -> Result<u64> {
        let mut n = 0;
        for table in TABLES {
            if self.db.has_table(table.name)? {
                for day in Time::days(self.month) {
                    n += self.part(table, &day)?;
                }
            }
        }
        Ok(n)
    }

    fn part(&mut self, table: Table, time: &Time) -> Result<u64> {
        let condition = time.condition(table.when);
        let count = format!("SELECT COUNT(*) FROM {} WHERE {condition}", table.name);
        let parts = match self.db.number(&count, ())?.unwrap_or(0) {
            0 => return Ok(0),
            1..=AT_ONCE => Vec::new(),
            _ => time.parts(),
        };
        if !parts.is_empty() {
            return parts.iter().try_fold(0, |n, part| Ok(n + self.part(table, part)?));
        }
        match self.key {
            Some(key) => self.change(table, &condition, key),
            None => self.count(table, &condition),
        }
    }

    fn count(&mut self, table: Table, condition: &str) -> Result<u64> {
        let sql = format!("SELECT ip, COUNT(*) FROM {} WHERE {condition} GROUP BY ip", table.name);
        let mut n = 0;
        self.db.each(&sql, (), |row| {
            n += row.uint(1).filter(|_| is_plain(&row.text(0).unwrap_or_default())).unwrap_or(0);
            Ok(())
        })?;
        Ok(n)
    }

    fn change(&mut self, table: Table, condition: &str, key: &AddressKey) -> Result<u64> {
        let Table { name, has_host, .. } = table;
        let hashes = self.hashes(table, condition, key)?;
        if hashes.addresses.is_empty() {
            return Ok(0);
        }
        let month = self.month;
        self.db.transaction_with_retry(&format!("hashing addresses of {name}"), &[name], |db| {
            db.will_change([month])?;
            let update = |keys: &KeyTable<'_>, on: &str, set: &str| {
                let keys = keys.name;
                format!("UPDATE {name} t STRAIGHT_JOIN {keys} k {BY_KEY} ON {on} SET {set} WHERE {condition}")
            };
            if has_host && !hashes.hosts.is_empty() {
                let sql = update(&HOSTS, "k.ip = t.ip AND k.host = t.host", "t.host = k.hash");
                db.with_key_table(&HOSTS, hashes.hosts.iter().cloned(), |db| Ok(db.run(&sql, ())?))?;
            }
            let sql = update(&ADDRESSES, "k.ip = t.ip", "t.ip = k.hash");
            db.with_key_table(&ADDRESSES, hashes.addresses.iter().cloned(), |db| Ok(db.run(&sql, ())?))
        })
    }

    /// The addresses of a part, and the host names that spell them out.
    fn hashes(&mut self, table: Table, condition: &str, key: &AddressKey) -> Result<Hashes> {
        let host = if table.has_host { "host" } else { "NULL" };
        let sql = format!("SELECT DISTINCT ip, {host} FROM {} WHERE {condition} ORDER BY ip", table.name);
        let mut hashes = Hashes::default();
        let mut last = String::new();
        let mut n = 0;
        self.db.each(&sql, (), |row| {
            let ip = row.text(0).unwrap_or_default();
            if !is_plain(&ip) {
                return Ok(());
            }
            if *ip != *last {
                last = ip.clone().into_owned();
                n = 0;
                hashes.addresses.push([Value::from(&*ip), key.hash(&ip).into()]);
            }
            if let Some(host) = row.text(1).filter(|host| address::is_in_name(&ip, host)) {
                n += 1;
                hashes.hosts.push([Value::from(&*ip), n.into(), Value::from(&*host), key.hash(&host).into()]);
            }
            Ok(())
        })?;
        Ok(hashes)
    }
}

/// Whether the text of a column is to be hashed.
fn is_plain(ip: &str) -> bool {
    !address::is_hash(ip) && !address::is_of_nobody(ip)
}

impl Time {
    /// The days of a month; day zero of the next one is after its last day.
    fn days(month: Month) -> Vec<Self> {
        let days = (0..=month.days()).map(|day| (month, day)).skip(1).chain([(month.next(), 0)]);
        days.map(|(month, day)| Self(format!("{month}-{day:02}"))).collect()
    }

    /// The parts of a part; none of a minute.
    fn parts(&self) -> Vec<Self> {
        let (sign, n) = match self.0.len() {
            10 => (' ', 24),
            13 => (':', 60),
            _ => return Vec::new(),
        };
        (0..n).map(|part| Self(format!("{}{sign}{part:02}", self.0))).collect()
    }

    fn condition(&self, when: &str) -> String {
        const FIRST: &str = "0000-00-00 00:00:00";
        const LAST: &str = "9999-99-99 23:59:59";
        let at = |rest: &str| format!("{}{}", self.0, rest.get(self.0.len()..).unwrap_or_default());
        format!("{when} BETWEEN '{}' AND '{}'", at(FIRST), at(LAST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_divided_without_a_gap() {
        let days = Time::days("2025-02".parse().unwrap());
        let conditions: Vec<_> = days.iter().map(|day| day.condition("t")).collect();
        assert_eq!(conditions.len(), 29);
        assert_eq!(conditions[0], "t BETWEEN '2025-02-01 00:00:00' AND '2025-02-01 23:59:59'");
        assert_eq!(conditions[28], "t BETWEEN '2025-03-00 00:00:00' AND '2025-03-00 23:59:59'");
        let hours = days[0].parts();
        assert_eq!(hours[23].condition("t"), "t BETWEEN '2025-02-01 23:00:00' AND '2025-02-01 23:59:59'");
        let minutes = hours[23].parts();
        assert_eq!((hours.len(), minutes.len()), (24, 60));
        assert_eq!(minutes[59].condition("t"), "t BETWEEN '2025-02-01 23:59:00' AND '2025-02-01 23:59:59'");
        assert!(minutes[59].parts().is_empty());
    }

    #[test]
    fn what_is_hashed_or_says_nothing_stays() {
        for (ip, expected) in
            [("192.0.2.1", true), ("2001:db8::1", true), ("xabcdefghijklmn", false), ("127.0.0.1", false), ("", false)]
        {
            assert_eq!(is_plain(ip), expected, "{ip}");
        }
    }
}
