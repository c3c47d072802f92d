//! What the table `hz_pruned` says and holds.

use std::fmt::Write as _;

use anyhow::{Context as _, Result, ensure};
use schema::Month;
use schema::tables::PRUNED;
use sha2::Digest as _;

use crate::connection::Db;

/// Tables whose rows go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Requests and sessions.
    Web,
    /// Logins.
    Logins,
}

impl Group {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Web, Self::Logins];

    /// In the table.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::Logins => "userlogin",
        }
    }

    /// In words.
    #[must_use]
    pub const fn what(self) -> &'static str {
        match self {
            Self::Web => "requests and sessions",
            Self::Logins => "logins",
        }
    }

    /// The tables.
    #[must_use]
    pub const fn tables(self) -> &'static [&'static str] {
        match self {
            Self::Web => &["web", "websessions"],
            Self::Logins => &["userlogin", "userlogin_lite"],
        }
    }
}

/// Months whose rows are gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gone {
    /// The last month that a state stands for: nobody reads rows through it.
    pub through: Month,
    /// The last month whose rows are removed; the other group may have a shorter bound.
    pub rows: Month,
    /// The number of the state.
    pub state: u64,
    /// The SHA-256 of the state.
    pub hash: String,
    /// When this was written.
    pub made: String,
}

impl Gone {
    /// What would be gone, without a state.
    #[must_use]
    pub const fn through(through: Month) -> Self {
        Self { through, rows: through, state: 0, hash: String::new(), made: String::new() }
    }

    /// What rows that are removed fulfil.
    #[must_use]
    pub fn condition(&self) -> String {
        format!("`datetime` < '{}'", self.rows.next().start())
    }
}

/// What is gone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Requests and sessions.
    pub web: Option<Gone>,
    /// Logins.
    pub logins: Option<Gone>,
}

impl Pruned {
    /// What the database says; nothing if it has no such table.
    ///
    /// # Errors
    /// The server fails, or a row cannot be understood.
    pub fn read(db: &mut Db) -> Result<Self> {
        let mut found = Self::default();
        if !db.has_table(PRUNED)? {
            return Ok(found);
        }
        let sql = "SELECT m.name, m.value, m.through, m.hash, CAST(m.made AS char), r.through FROM hz_pruned m \
                   JOIN hz_pruned r ON r.kind = 'rows' AND r.name = m.name WHERE m.kind = 'months'";
        db.each(sql, (), |row| {
            let text = |at| row.text(at).unwrap_or_default().into_owned();
            let month = |at| {
                let text = text(at);
                text.parse().ok().with_context(|| format!("{PRUNED} names the month `{text}`"))
            };
            let (through, rows) = (month(2)?, month(5)?);
            let gone = Gone { through, rows, state: row.uint(1).unwrap_or(0), hash: text(3), made: text(4) };
            match text(0) {
                name if name == Group::Web.name() => found.web = Some(gone),
                name if name == Group::Logins.name() => found.logins = Some(gone),
                name => anyhow::bail!("{PRUNED} names `{name}`: a later version wrote it"),
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// What is gone of a group.
    #[must_use]
    pub const fn of(&self, group: Group) -> Option<&Gone> {
        match group {
            Group::Web => self.web.as_ref(),
            Group::Logins => self.logins.as_ref(),
        }
    }

    /// What is gone of a table.
    #[must_use]
    pub fn of_table(&self, table: &str) -> Option<&Gone> {
        let group = Group::ALL.into_iter().find(|group| group.tables().contains(&table))?;
        self.of(group)
    }

    /// The last month of which something is gone.
    #[must_use]
    pub fn last(&self) -> Option<Month> {
        Group::ALL.into_iter().filter_map(|group| Some(self.of(group)?.through)).max()
    }

    /// Whether everything is there.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.web.is_none() && self.logins.is_none()
    }

    /// Whether a state stands for the requests and sessions of a month, and nothing reads what may be left of them.
    #[must_use]
    pub fn has_lost_requests(&self, month: Month) -> bool {
        self.web.as_ref().is_some_and(|gone| month <= gone.through)
    }

    /// Whether requests and sessions of a month are removed.
    #[must_use]
    pub fn has_no_requests(&self, month: Month) -> bool {
        self.web.as_ref().is_some_and(|gone| month <= gone.rows)
    }

    /// Whether a state stands for the logins of a month.
    #[must_use]
    pub fn has_lost_logins(&self, month: Month) -> bool {
        self.logins.as_ref().is_some_and(|gone| month <= gone.through)
    }

    /// Why the months from `month` on cannot be computed again from their requests, if so. Logins are not needed for
    /// that: what is kept of them serves summaries of any month.
    #[must_use]
    pub fn refusal(&self, month: Month) -> Option<String> {
        let gone = self.web.as_ref().filter(|gone| month <= gone.through)?;
        Some(format!(
            "{month}: `hzmetrics prune` keeps a state of the months through {} in place of their requests and sessions: \
             nothing can be computed from these again; `summarize-month` computes cells from the state",
            gone.through
        ))
    }
}

/// Fails where a month has lost its requests.
///
/// # Errors
/// It has, or the server fails.
pub fn refuse(db: &mut Db, month: Month) -> Result<()> {
    match Pruned::read(db)?.refusal(month) {
        Some(why) => Err(anyhow::anyhow!(why)),
        None => Ok(()),
    }
}

/// The bytes of a state.
///
/// # Errors
/// It is missing or damaged.
pub fn load(db: &mut Db, gone: &Gone) -> Result<Vec<u8>> {
    let Gone { state, hash: expected, .. } = gone;
    let bytes = pieces(db, *state)?;
    ensure!(
        hash(&bytes) == *expected,
        "the state {state} in the table {PRUNED}, which stands for the removed rows, is damaged: restore the table from \
         a backup"
    );
    Ok(bytes)
}

/// What is stored under the number of a state.
pub(super) fn pieces(db: &mut Db, state: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let sql = "SELECT piece FROM hz_pruned WHERE kind = 'state' AND name = ? ORDER BY number";
    db.each(sql, (state.to_string(),), |row| {
        bytes.extend_from_slice(&row.bytes(0).unwrap_or_default());
        Ok(())
    })?;
    Ok(bytes)
}

pub(super) fn hash(bytes: &[u8]) -> String {
    sha2::Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
