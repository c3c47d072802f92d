//! One writer per database, whatever the number of machines: the row of the writer in the table `hz_writer`.
//!
//! The lock of a machine ([`hub::lock`]) keeps its own programs apart. This row keeps machines apart. It names
//! the process that writes; a thread of that process renews a second row, on a connection of its own. The programs
//! that it starts write in its name. Each transaction locks the row of the writer and looks whose it is, so
//! that a process that lost it can store nothing any more. A database without the table has no such row: then only
//! the lock of the machine holds.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use hub::config::{Config, Target, Which};
use hub::lock::{self, Lock, TURNS_WAIT};
use hub::process::Process;
use kit::{Busy, Io};
use schema::tables::{self, Engine, WRITER, quote};

use crate::connection::Db;
use crate::error::{DbError, ErrorKind};
use crate::generations;
use crate::patience;
use crate::token::{new_token, write_as};

pub use crate::token::token;

/// The environment variable by which a writer lets its children write in its name.
pub const TOKEN: &str = "HZMETRICS_WRITER";

/// A writer that was not heard of for so long has ended, for those who cannot look.
pub const STALE: Duration = Duration::from_secs(120);

/// How often a writer is heard of.
const BEAT: Duration = Duration::from_secs(20);

/// How often a waiting process looks again.
const PAUSE: Duration = Duration::from_millis(500);

/// The place in the second row of a writer who works in turns, as in [`Lock::ask_in_turns`].
const IN_TURNS: &str = "in turns";

/// Seconds that a statement of ours waits for the row.
const ROW_WAIT_SECS: u32 = 3;

/// The result of asking for the row.
#[derive(Debug)]
pub enum WriterResult {
    /// It is ours until dropped.
    Held(Writer),
    /// The process that started us holds it.
    Inherited,
    /// There is none to be held, and why.
    Absent(String),
    /// Somebody else holds it.
    Busy(Busy),
}

/// What a stage holds while it writes: the row, and the lock of the machine.
#[derive(Debug, Default)]
pub struct Held {
    // in this order: whoever gets the lock next finds the row free
    _writer: Option<Writer>,
    _lock: Option<Lock>,
}

/// Takes the lock of the machine and the row of the writer for a run that writes to the databases. It waits for
/// each as long as `--lock-wait` says, and for a server that is stopped unless that is 0; hold on to the result until
/// the end.
///
/// # Errors
/// Somebody else holds one of them ([`Busy`]), or the server cannot be reached.
pub fn for_run(io: &Io, config: &Config) -> Result<Held> {
    let lock = lock::for_run(io, &config.paths)?;
    let wait = Duration::from_secs(io.common().lock_wait);
    if !wait.is_zero() {
        patience::wait_for_the_server();
    }
    match Writer::ask(&config.target(), wait)? {
        WriterResult::Held(writer) => Ok(Held { _writer: Some(writer), _lock: lock }),
        WriterResult::Inherited | WriterResult::Absent(_) => Ok(Held { _writer: None, _lock: lock }),
        WriterResult::Busy(busy) => Err(busy.into()),
    }
}

/// Whether the database is being restored, or a restore was not finished.
///
/// # Errors
/// The server fails.
pub fn is_being_restored(db: &mut Db) -> Result<bool> {
    Ok(db.has_table(WRITER)? && db.number("SELECT 1 FROM hz_writer WHERE part = 'restore'", ())?.is_some())
}

/// From now on nobody else writes to the database, until [`end_restore`].
///
/// # Errors
/// The server fails.
pub fn begin_restore(db: &mut Db) -> Result<()> {
    if let Some(table) = tables::metrics(WRITER) {
        db.run(&table.create(&quote(WRITER), Engine::InnoDb, db.charset()), ())?;
    }
    db.run("INSERT IGNORE INTO hz_writer (part, token, seen) VALUES ('restore', '', UTC_TIMESTAMP())", ())?;
    Ok(())
}

/// The database is complete.
///
/// # Errors
/// The server fails.
pub fn end_restore(db: &mut Db) -> Result<()> {
    db.run("DELETE FROM hz_writer WHERE part = 'restore'", ())?;
    Ok(())
}

/// Whether somebody is being forgotten, or `hzmetrics forget-user` was not finished.
///
/// # Errors
/// The server fails.
pub fn is_forgetting(db: &mut Db) -> Result<bool> {
    Ok(db.has_table(WRITER)? && db.number("SELECT 1 FROM hz_writer WHERE part = 'forget'", ())?.is_some())
}

/// From now on no other writer begins, until [`end_forgetting`]. The caller holds the row of the writer.
///
/// # Errors
/// The server fails.
pub fn begin_forgetting(db: &mut Db) -> Result<()> {
    db.require(&[WRITER])?;
    db.run("INSERT IGNORE INTO hz_writer (part, token, seen) VALUES ('forget', '', UTC_TIMESTAMP())", ())?;
    Ok(())
}

/// The person is forgotten.
///
/// # Errors
/// The server fails.
pub fn end_forgetting(db: &mut Db) -> Result<()> {
    if db.has_table(WRITER)? {
        db.run("DELETE FROM hz_writer WHERE part = 'forget'", ())?;
    }
    Ok(())
}

/// The row of the writer, held. Dropping it lets it go.
#[derive(Debug)]
pub struct Writer {
    token: String,
    stop: Option<SyncSender<()>>,
    beats: Option<JoinHandle<()>>,
}

/// Who holds the row.
#[derive(Debug)]
struct Owner {
    token: String,
    process: Process,
    /// In UTC.
    since: String,
    /// Seconds since it was heard of.
    silent: i64,
    /// Whether it lets others in after some seconds.
    in_turns: bool,
}

impl Owner {
    fn is_gone(&self) -> bool {
        self.token.is_empty() || self.process.has_ended() || self.silent > STALE.as_secs() as i64 && !self.is_here()
    }

    /// Whether it is a process of this machine, which would be seen to have ended.
    fn is_here(&self) -> bool {
        let own = Process::own();
        !own.place.is_empty() && own.place == self.process.place
    }

    fn busy(&self) -> Busy {
        let Process { host, pid, .. } = &self.process;
        Busy(format!(
            "another run is in progress (pid {pid} on {host}, since {} UTC, by the table {WRITER}); try again later",
            self.since
        ))
    }
}

impl Writer {
    /// Asks for the row, for at most `wait`.
    ///
    /// # Errors
    /// The server cannot be reached.
    pub fn ask(target: &Target, wait: Duration) -> Result<WriterResult> {
        Self::ask_to_write(target, wait, false)
    }

    /// The same for work of which each piece takes some seconds, with the row given back after each: whoever asks in
    /// the meantime waits for the end of a piece, also without a wait of its own.
    ///
    /// # Errors
    /// The server cannot be reached.
    pub fn ask_in_turns(target: &Target, wait: Duration) -> Result<WriterResult> {
        Self::ask_to_write(target, wait, true)
    }

    fn ask_to_write(target: &Target, wait: Duration, in_turns: bool) -> Result<WriterResult> {
        let mut db = Db::connect(target, Which::Metrics)?;
        ensure!(
            !is_being_restored(&mut db)?,
            "a restore of the metrics database was not finished: `hzmetrics restore` it again"
        );
        ensure!(
            !is_forgetting(&mut db)?,
            "`hzmetrics forget-user` was not finished: `hzmetrics forget-user --resume` finishes it"
        );
        Self::ask_on(db, wait, in_turns)
    }

    /// The same for whoever forgets a person, also after a run that was not finished.
    ///
    /// # Errors
    /// The server cannot be reached, or a restore was not finished.
    pub fn ask_to_forget(target: &Target, wait: Duration) -> Result<WriterResult> {
        let mut db = Db::connect(target, Which::Metrics)?;
        ensure!(
            !is_being_restored(&mut db)?,
            "a restore of the metrics database was not finished: `hzmetrics restore` it again"
        );
        Self::ask_on(db, wait, false)
    }

    /// The same for a restore, also after one that was not finished.
    ///
    /// # Errors
    /// The server cannot be reached.
    pub fn ask_to_restore(target: &Target, wait: Duration) -> Result<WriterResult> {
        Self::ask_on(Db::connect(target, Which::Metrics)?, wait, false)
    }

    fn ask_on(mut db: Db, wait: Duration, in_turns: bool) -> Result<WriterResult> {
        match Self::ask_in(&mut db, wait, in_turns) {
            Ok(Some(owner)) => Ok(WriterResult::Busy(owner.busy())),
            Ok(None) => match token() {
                Some(token) if std::env::var(TOKEN).is_ok_and(|given| given == token) => Ok(WriterResult::Inherited),
                Some(token) => Self::begin(db, token).map(WriterResult::Held),
                None => Ok(WriterResult::Absent(format!("there is no table {WRITER}"))),
            },
            Err(error) if DbError::of(&error).is_some_and(|e| e.kind() == ErrorKind::Denied) => {
                Ok(WriterResult::Absent(format!("the account may not write to {WRITER}: {error:#}")))
            }
            Err(error) => Err(error),
        }
    }

    /// Nothing when the row is held, or when there is none; otherwise who holds it.
    fn ask_in(db: &mut Db, wait: Duration, in_turns: bool) -> Result<Option<Owner>> {
        write_as(None);
        if !db.has_table(WRITER)? {
            return Ok(None);
        }
        if let Some(given) = std::env::var(TOKEN).ok().filter(|given| !given.is_empty()) {
            let owner = owner(db)?.filter(|owner| owner.token != given);
            if owner.is_none() {
                write_as(Some(given));
            }
            return Ok(owner);
        }
        db.run(&format!("SET SESSION innodb_lock_wait_timeout = {ROW_WAIT_SECS}"), ())?;
        let (begin, token) = (Instant::now(), new_token()?);
        loop {
            let busy = match take(db, &token, in_turns) {
                Ok(None) => {
                    write_as(Some(token));
                    return Ok(None);
                }
                Ok(Some(owner)) => owner,
                // whoever ended holding it has a transaction that the server has not undone yet
                Err(error) if DbError::of(&error).is_some_and(|e| e.kind().is_retryable()) => {
                    if DbError::of(&error).is_some_and(|e| e.kind() == ErrorKind::Gone) {
                        db.reconnect()?;
                    }
                    match owner(db)? {
                        Some(owner) => owner,
                        None => continue,
                    }
                }
                Err(error) => return Err(error),
            };
            let patience = if busy.in_turns { wait.max(TURNS_WAIT) } else { wait };
            let left = patience.saturating_sub(begin.elapsed());
            if left.is_zero() {
                return Ok(Some(busy));
            }
            std::thread::sleep(PAUSE.min(left));
        }
    }

    fn begin(mut db: Db, token: String) -> Result<Self> {
        generations::begin(&mut db).context("looking whether the tables were changed")?;
        let (stop, stopped) = sync_channel(0);
        let ours = token.clone();
        let beats = std::thread::Builder::new()
            .name("writer".to_owned())
            .spawn(move || beat(db, &ours, &stopped))
            .context("starting the thread that renews the row of the writer")?;
        Ok(Self { token, stop: Some(stop), beats: Some(beats) })
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(beats) = self.beats.take() {
            let _ = beats.join();
        }
        if token().as_ref() == Some(&self.token) {
            write_as(None);
        }
    }
}

/// Renews the row until the writer is dropped, then lets it go. A server that is away is asked again later; when
/// it stays away, the row is that of a process that ended.
fn beat(mut db: Db, token: &str, stopped: &Receiver<()>) {
    let again = "UPDATE hz_writer SET seen = UTC_TIMESTAMP() WHERE part = 'beat' AND token = ?";
    let go = "UPDATE hz_writer SET token = '' WHERE part = 'owner' AND token = ?";
    let send = |db: &mut Db, sql: &str| {
        if db.run(sql, (token,)).is_err() && db.reconnect().is_ok() {
            let _ = db.run(sql, (token,));
        }
    };
    while stopped.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
        send(&mut db, again);
    }
    // where it fails, the next writer finds tables that were changed
    let _ = generations::end(&mut db, token);
    send(&mut db, go);
}

/// Takes the row if nobody holds it; otherwise says who does.
fn take(db: &mut Db, token: &str, in_turns: bool) -> Result<Option<Owner>> {
    let found = match owner(db)? {
        Some(owner) if !owner.is_gone() => return Ok(Some(owner)),
        Some(owner) => owner.token,
        None => {
            db.run("INSERT IGNORE INTO hz_writer (part, token, seen) VALUES ('owner', '', UTC_TIMESTAMP())", ())?;
            String::new()
        }
    };
    let own = Process::own();
    let sql = "UPDATE hz_writer SET token = ?, host = ?, place = ?, pid = ?, started = ?, seen = UTC_TIMESTAMP() \
               WHERE part = 'owner' AND token = ?";
    db.run(sql, (token, &own.host, &own.place, own.pid, own.started, &found))?;
    // not every engine and proxy says how many rows have changed
    let now = owner(db)?.context("the row of the writer is gone")?;
    if now.token != token {
        return Ok(Some(now));
    }
    let sql = "INSERT INTO hz_writer (part, token, place, seen) VALUES ('beat', ?, ?, UTC_TIMESTAMP()) \
               ON DUPLICATE KEY UPDATE token = VALUES(token), place = VALUES(place), seen = VALUES(seen)";
    db.run(sql, (token, if in_turns { IN_TURNS } else { "" }))?;
    Ok(None)
}

/// What the row says. A second row is renewed, because each transaction locks the first.
fn owner(db: &mut Db) -> Result<Option<Owner>> {
    let sql = "SELECT o.token, o.host, o.place, o.pid, o.started, CAST(o.seen AS char), \
               TIMESTAMPDIFF(SECOND, GREATEST(o.seen, COALESCE(b.seen, o.seen)), UTC_TIMESTAMP()), \
               IFNULL(b.place, '') FROM hz_writer o LEFT JOIN hz_writer b ON b.part = 'beat' AND b.token = o.token WHERE o.part = 'owner'";
    let rows = db.all(sql, (), |row| {
        let text = |at| row.text(at).unwrap_or_default().into_owned();
        Ok(Owner {
            token: text(0),
            process: Process {
                host: text(1),
                place: text(2),
                pid: row.uint(3).and_then(|pid| pid.try_into().ok()).unwrap_or(0),
                started: row.uint(4).unwrap_or(0),
            },
            since: text(5),
            silent: row.int(6).unwrap_or(0),
            in_turns: text(7) == IN_TURNS,
        })
    })?;
    Ok(rows.into_iter().next())
}

impl Db {
    /// Begins a transaction in the name of the writer: it holds the row of the writer to its end.
    ///
    /// # Errors
    /// Another process is the writer now ([`Busy`]), or the server fails.
    pub fn begin(&mut self) -> Result<()> {
        self.run("START TRANSACTION", ())?;
        // two sessions of one process that write at the same time share the row
        self.check_row(if self.shares_row { " LOCK IN SHARE MODE" } else { " FOR UPDATE" })
    }

    /// Looks whether this process still is the writer: before each statement that publishes outside of a
    /// transaction.
    ///
    /// # Errors
    /// Another process is the writer now ([`Busy`]), or the server fails.
    pub fn check_writer(&mut self) -> Result<()> {
        self.check_row("")
    }

    fn check_row(&mut self, lock: &str) -> Result<()> {
        let Some(ours) = token() else { return Ok(()) };
        let metrics = quote(&self.target().metrics_db);
        let sql = format!("SELECT token FROM {metrics}.{WRITER} WHERE part = 'owner'{lock}");
        if self.texts(&sql, ())?.first() == Some(&ours) {
            return Ok(());
        }
        Err(Busy(format!(
            "another run has become the writer of {metrics} in the meantime (table {WRITER}); nothing more is written"
        ))
        .into())
    }

    /// The name for a table that is built beside `table`: it says which writer builds it.
    ///
    /// Tables that writers left who are gone are removed.
    ///
    /// # Errors
    /// The server fails.
    pub fn beside(&mut self, table: &str) -> Result<String> {
        let plain = format!("{table}__new");
        let Some(ours) = token() else { return Ok(plain) };
        self.check_writer()?;
        let sql = "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() \
                   AND table_name LIKE CONCAT(REPLACE(?, '_', '\\\\_'), '%')";
        for left in self.texts(sql, (&plain,))? {
            self.run(&format!("DROP TABLE IF EXISTS {}", quote(&left)), ())?;
        }
        Ok(format!("{plain}_{}", ours.get(..8).unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests;
