//! What stays the same during a run: options, steps, and the rules that drop lines.

use schema::{Compat, Opt};

use crate::bots::Judge;
use crate::request::PathRules;
use crate::unit::Stream;

/// A rule that drops recognised lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Rule {
    Status,
    Bytes,
    Method,
    Ip,
    Agent,
    Url,
    Bot,
    OldExplorer,
    Path,
    ReferrerSpam,
    OldEvent,
    Watcher,
    Action,
    Duplicate,
}

impl Rule {
    /// Every rule with the word it is counted under, in the order in which they are tried.
    pub(crate) const ALL: [(Self, &'static str); 14] = [
        (Self::Status, "status"),
        (Self::Bytes, "no bytes"),
        (Self::Method, "method"),
        (Self::Ip, "excluded address"),
        (Self::Agent, "excluded agent"),
        (Self::Url, "excluded URL"),
        (Self::Bot, "robot"),
        (Self::OldExplorer, "old Internet Explorer"),
        (Self::Path, "path"),
        (Self::ReferrerSpam, "no referrer"),
        (Self::OldEvent, "old event"),
        (Self::Watcher, "watching account"),
        (Self::Action, "action"),
        (Self::Duplicate, Self::DUPLICATE),
    ];

    /// The word for logins that are there already.
    pub(crate) const DUPLICATE: &str = "duplicate login";
}

/// How many lines each rule dropped, in the order of [`Rule::ALL`].
pub(crate) type Dropped = [u64; Rule::ALL.len()];

/// Everything that stays the same during a run.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) compat: Compat,
    pub(crate) judge: Judge,
    pub(crate) steps: Steps,
    pub(crate) paths: PathRules,
}

/// The inner steps that are made.
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

    /// Whether every step is made that reads such a log, so that it may be booked and moved.
    pub(crate) const fn are_complete(self, stream: &Stream) -> bool {
        match stream {
            Stream::Access(_) => self.webhits && self.bots && self.web,
            Stream::Auth => self.auth,
        }
    }
}

impl Rules {
    pub(crate) fn new(compat: Compat, judge: Judge, steps: Steps) -> Self {
        let paths = PathRules {
            cron_bare: compat.has(Opt::LpCronBare),
            pipermail: compat.has(Opt::LpPipermail),
            robots: compat.has(Opt::LpRobots),
        };
        Self { compat, judge, steps, paths }
    }
}
