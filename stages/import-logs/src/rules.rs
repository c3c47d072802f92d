//! What stays constant during a run: options, steps, and the rules that drop lines.

use hub::forgotten::Forgotten;
use schema::{Compat, Opt, Stamp};

use crate::addresses::Addresses;
use crate::bots::Judge;
use crate::choices::Choices;
use crate::request::PathRules;
use crate::unit::Stream;
use crate::zone::Zone;

/// The earliest year of a log.
const FIRST_YEAR: u16 = 1995;

/// A rule that drops recognised lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Rule {
    OtherSite,
    Status,
    Bytes,
    Method,
    Ip,
    Agent,
    Url,
    Bot,
    OldExplorer,
    DroppedPath,
    Path,
    Asset,
    ReferrerSpam,
    OldEvent,
    DoubleClick,
    Blank,
    Part,
    Comment,
    Message,
    Watcher,
    Action,
    Duplicate,
    Forgotten,
}

impl Rule {
    /// Every rule with the name it is counted under, in the order in which they are tried.
    pub(crate) const ALL: [(Self, &'static str); 23] = [
        (Self::OtherSite, "other site"),
        (Self::Status, "status"),
        (Self::Bytes, "no bytes"),
        (Self::Method, "method"),
        (Self::Ip, "excluded address"),
        (Self::Agent, "excluded agent"),
        (Self::Url, "excluded URL"),
        (Self::Bot, "robot"),
        (Self::OldExplorer, "old Internet Explorer"),
        (Self::DroppedPath, "dropped path"),
        (Self::Path, "path"),
        (Self::Asset, "static file"),
        (Self::ReferrerSpam, "no referrer"),
        (Self::OldEvent, "old event"),
        (Self::DoubleClick, "double click"),
        (Self::Blank, "blank line"),
        (Self::Part, "joined part"),
        (Self::Comment, "comment"),
        (Self::Message, "message"),
        (Self::Watcher, "watching account"),
        (Self::Action, "action"),
        (Self::Duplicate, Self::DUPLICATE),
        (Self::Forgotten, "forgotten person"),
    ];

    /// The name for logins that exist already.
    pub(crate) const DUPLICATE: &str = "duplicate login";

    /// The name it is counted under.
    pub(crate) const fn word(self) -> &'static str {
        Self::ALL[self as usize].1
    }
}

/// How many lines each rule dropped, in the order of [`Rule::ALL`].
pub(crate) type Dropped = [u64; Rule::ALL.len()];

/// Everything that stays constant during a run.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) compat: Compat,
    pub(crate) judge: Judge,
    pub(crate) steps: Steps,
    pub(crate) paths: PathRules,
    pub(crate) choices: Choices,
    /// The zone of the times to write.
    pub(crate) zone: Zone,
    /// Whether every line gets a verdict.
    pub(crate) verdicts: bool,
    /// How much of an address is stored.
    pub(crate) addresses: Addresses,
    /// After how many days stored addresses are hashed; for receipts.
    pub(crate) hash_after_days: Option<u32>,
    /// Who was forgotten.
    pub(crate) forgotten: Option<Forgotten>,
    /// The first moment that is in the future for every log.
    future: Stamp,
    /// The first moment of requests and of logins whose months still take rows, where others do not.
    pub(crate) kept_from: KeptFrom,
}

/// The first moments of months that take rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct KeptFrom {
    pub(crate) requests: Option<Stamp>,
    pub(crate) logins: Option<Stamp>,
    /// Whether months before take none because their addresses are hashed, and not because their rows were removed.
    pub(crate) is_hashed: bool,
}

impl KeptFrom {
    /// What is the matter with the months before.
    pub(crate) const fn why(self) -> &'static str {
        if self.is_hashed { "whose addresses are hashed" } else { "whose rows `hzmetrics prune` removed" }
    }

    /// Whether the month of a request has no rows any more.
    pub(crate) fn is_request_late(&self, stamp: Stamp) -> bool {
        self.requests.is_some_and(|kept| stamp < kept && stamp.year() > 0)
    }

    /// The same for a login of a day, `YYYY-MM-DD`.
    pub(crate) fn is_login_late(&self, date: &[u8]) -> bool {
        self.logins.is_some_and(|kept| *date < kept.to_ascii()[..10] && !date.starts_with(b"0000"))
    }
}

/// The steps to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Steps {
    pub(crate) webhits: bool,
    pub(crate) bots: bool,
    pub(crate) web: bool,
    pub(crate) auth: bool,
}

impl Steps {
    /// Whether a step reads such a log.
    pub(crate) const fn want(self, stream: &Stream) -> bool {
        match stream {
            Stream::Access(_) => self.webhits || self.bots || self.web,
            Stream::Auth => self.auth,
        }
    }

    /// Whether all steps run that read such a log, so that it may be entered in the ledger and
    /// moved.
    pub(crate) const fn are_complete(self, stream: &Stream) -> bool {
        match stream {
            Stream::Access(_) => self.webhits && self.bots && self.web,
            Stream::Auth => self.auth,
        }
    }
}

impl Rules {
    pub(crate) fn new(compat: Compat, judge: Judge, steps: Steps, today: Stamp) -> Self {
        let paths = PathRules {
            cron_bare: compat.has(Opt::LpCronBare),
            pipermail: compat.has(Opt::LpPipermail),
            robots: compat.has(Opt::LpRobots),
        };
        // zones are up to a day ahead
        let future = today.plus_days(2);
        let (choices, zone) = (Choices::default(), Zone::default());
        let kept_from = KeptFrom::default();
        Self {
            compat,
            judge,
            steps,
            paths,
            choices,
            zone,
            verdicts: false,
            addresses: Addresses::Keep,
            hash_after_days: None,
            forgotten: None,
            future,
            kept_from,
        }
    }

    /// Whether only the row of a line matters, and which rule drops it.
    pub(crate) fn is_plain(&self) -> bool {
        self.zone == Zone::AsWritten && self.choices.double_click.is_none() && !self.verdicts && !self.judge.explain
    }

    /// Whether a request can have been made at that time.
    pub(crate) fn is_believed(&self, stamp: Stamp) -> bool {
        stamp.year() >= FIRST_YEAR && stamp.is_calendar_day() && stamp < self.future
    }
}
