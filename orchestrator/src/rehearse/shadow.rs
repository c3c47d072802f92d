//! The shadow databases and their account: made and removed by the account of an administrator.
//!
//! The account of the shadow may read the real databases, and may do everything in the shadow ones. Everything else
//! of a rehearsal is done by it, so nothing real can be written.

use anyhow::{Context as _, Result};
use database::{Db, Target, Which, new_token};
use hub::config::Config;
use kit::Usage;
use schema::rights::{Account, Names, Scope};
use schema::tables::quote;

/// What marks a database as that of a rehearsal.
pub(super) const MARK: &str = "hz_rehearsal";

/// The longest name of a database.
const LONGEST: usize = 64;

/// The names of what is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shadow {
    /// The shadow of the metrics database.
    pub(crate) metrics: String,
    /// The shadow of the hub's database.
    pub(crate) hub: String,
}

impl Shadow {
    /// The names, checked against those of the real databases.
    ///
    /// # Errors
    /// They are too long, or those of the hub ([`Usage`]).
    pub(crate) fn named(name: Option<&str>, config: &Config) -> Result<Self> {
        let metrics = name.map_or_else(|| format!("{}_rehearsal", config.metrics_db), str::to_owned);
        let shadow = Self { hub: format!("{metrics}_hub"), metrics };
        let real = [&config.metrics_db, &config.hub_db].map(|name| name.to_lowercase());
        for name in [&shadow.metrics, &shadow.hub] {
            if name.chars().count() > LONGEST {
                return Err(Usage(format!("the name {name} is too long: name a shorter one with --shadow")).into());
            }
            if real.contains(&name.to_lowercase()) {
                return Err(Usage(format!("{name} is a database of the hub: name another one with --shadow")).into());
            }
        }
        Ok(shadow)
    }

    fn names(&self) -> [&str; 2] {
        [&self.metrics, &self.hub]
    }

    /// The user's name: one for each shadow, so that the next rehearsal removes what the last one left.
    fn user(&self) -> String {
        let hash = self
            .metrics
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
        format!("hz_rehearse_{hash:016x}")
    }

    /// Removes what an earlier rehearsal left.
    ///
    /// # Errors
    /// A database with such a name belongs to others ([`Usage`]), or the server refuses.
    pub(super) fn clear(&self, admin: &Target) -> Result<()> {
        let mut db = Db::connect(admin, Which::Neither).context("connecting with the account of --admin-defaults")?;
        self.remove(&mut db)
    }

    /// Makes the databases and the account; returns how the account connects to the shadow databases.
    ///
    /// # Errors
    /// The server refuses.
    pub(super) fn make(&self, admin: &Target) -> Result<Target> {
        let mut db = Db::connect(admin, Which::Neither)?;
        for name in self.names() {
            let at = quote(name);
            let (set, collation) = (db.charset().name(), db.charset().collation());
            db.run(&format!("CREATE DATABASE {at} DEFAULT CHARACTER SET {set} COLLATE {collation}"), ())?;
            db.run(&format!("CREATE TABLE {at}.{} (made datetime NOT NULL)", quote(MARK)), ())?;
        }
        let host = db.texts("SELECT SUBSTRING_INDEX(USER(), '@', -1)", ())?.into_iter().next();
        let account = Account { user: self.user(), host: host.context("the server does not say where we are")? };
        // some servers want more than one kind of character
        let password = format!("Aa1_{}", new_token()?);
        db.run(&format!("CREATE USER {account} IDENTIFIED BY '{password}'"), ())?;
        for grant in self.grants(admin, &account) {
            db.run(&grant, ())?;
        }
        let target = Target { user: account.user, password, ..admin.clone() };
        Ok(target.with_databases(&self.hub, &self.metrics))
    }

    /// The statements that give the account its rights.
    fn grants(&self, admin: &Target, account: &Account) -> Vec<String> {
        let real = Names { hub: &admin.hub_db, metrics: &admin.metrics_db, prefix: &admin.prefix };
        let shadow = Names { hub: &self.hub, metrics: &self.metrics, prefix: &admin.prefix };
        let scopes = [Scope::Metrics, Scope::Hub];
        let reading = scopes.map(|scope| real.grant(scope, &["SELECT"], account));
        let writing = scopes.map(|scope| shadow.grant(scope, &["ALL PRIVILEGES"], account));
        reading.into_iter().chain(writing).collect()
    }

    /// Whether what has these names was left by a rehearsal.
    fn check(&self, db: &mut Db) -> Result<()> {
        for name in self.names() {
            let sql = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = ?";
            let n_tables = db.number(sql, (name,))?.unwrap_or(0);
            let is_marked = db.number(&format!("{sql} AND table_name = ?"), (name, MARK))?.unwrap_or(0) > 0;
            if n_tables > 0 && !is_marked {
                let text = format!("the database {name} holds tables of others: name another one with --shadow");
                return Err(Usage(text).into());
            }
        }
        Ok(())
    }

    /// Removes the account, then the databases, whatever is there of them; nothing if a database belongs to others.
    fn remove(&self, db: &mut Db) -> Result<()> {
        self.check(db)?;
        self.remove_account(db)?;
        for name in self.names() {
            db.run(&format!("DROP DATABASE IF EXISTS {}", quote(name)), ())?;
        }
        Ok(())
    }

    fn remove_account(&self, db: &mut Db) -> Result<()> {
        let hosts = db.texts("SELECT host FROM mysql.user WHERE user = ?", (self.user(),))?;
        for host in hosts {
            let account = Account { user: self.user(), host };
            db.run(&format!("DROP USER IF EXISTS {account}"), ())?;
        }
        Ok(())
    }

    /// Removes what was made; with `keeps`, the account alone.
    ///
    /// # Errors
    /// The server refuses.
    pub(super) fn end(&self, admin: &Target, keeps: bool) -> Result<()> {
        let mut db = Db::connect(admin, Which::Neither)?;
        if keeps { self.remove_account(&mut db) } else { self.remove(&mut db) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_may_only_read_what_is_real() {
        let shadow = Shadow { metrics: "m_s".to_owned(), hub: "m_s_hub".to_owned() };
        let admin = Target::default().with_databases("hub", "m");
        let account: Account = "u@localhost".parse().unwrap();
        let expected = [
            "GRANT SELECT ON `m`.* TO `u`@`localhost`",
            "GRANT SELECT ON `hub`.* TO `u`@`localhost`",
            "GRANT ALL PRIVILEGES ON `m\\_s`.* TO `u`@`localhost`",
            "GRANT ALL PRIVILEGES ON `m\\_s\\_hub`.* TO `u`@`localhost`",
        ];
        assert_eq!(shadow.grants(&admin, &account), expected);
    }
}
