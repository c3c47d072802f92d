//! What a state holds besides sessions: small tables of fixed-width records, most of them sets. Names of
//! people, tools, domains and countries are hashes of 128 bits.

use crate::state::record::{Record, records};

/// A hash that stands for none.
pub(crate) const NO_KEY: u128 = 0;

records! {
    /// A domain that had a session.
    Domain { domain: u128, when: u16 }
    /// Whole numbers by instant.
    Sums { when: u16, visits: i64, stays: i64, stay_secs: i64, hits: i64, hit_rows: i64 }
    /// A login; `late`: not at midnight exactly.
    Login { user: u128, ip: u64, day: u32, late: u8 }
    /// A profile as it was when it was read.
    Profile { user: u128, has_country: u8, country: u128, columns: u16, has_uid: u8, uid: i64, registered: u16 }
    /// Starts of one user in one month, at its first instant and after it; the latest.
    Starts { user: u128, month: u16, at_first: u32, after: u32, latest: u64 }
    /// The first starts of one user: of all, and since 1995 (0 for none).
    First { user: u128, ever: u64, since_1995: u64 }
    /// Where a starter was when, and in what organisation.
    Starter { user: u128, has_country: u8, country: u128, columns: u16, when: u16 }
    /// A tool session; seconds are the bits of doubles.
    ToolSession { sessnum: i64, user: u128, system: u8, app: u128, when: u16, cpu: u64, wall: u64, view: u64 }
    /// A job that counts.
    Job { sessnum: i64, cpu: u64 }
    /// A tool and the name that a version of it runs under.
    Version { tool: u128, instance: u128 }
    /// The number of a session.
    Id { id: i64 }
}

/// All of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tables {
    pub domains: Vec<Domain>,
    pub sums: Vec<Sums>,
    pub logins: Vec<Login>,
    pub profiles: Vec<Profile>,
    pub starts: Vec<Starts>,
    pub firsts: Vec<First>,
    pub starters: Vec<Starter>,
    /// In the order of their rows.
    pub tool_sessions: Vec<ToolSession>,
    /// In the order of their rows.
    pub jobs: Vec<Job>,
    pub versions: Vec<Version>,
    /// Sessions that are in.
    pub ids: Vec<Id>,
    /// Sessions that are not in, of which there are downloads.
    pub strangers: Vec<Id>,
    /// Extensions of files of resources.
    pub extensions: Vec<String>,
}

fn unite_sets<R: Record>(a: &mut Vec<R>, mut b: Vec<R>) {
    a.append(&mut b);
    a.sort();
    a.dedup();
}

/// Unites records of equal keys.
fn unite_by<R: Record>(a: &mut Vec<R>, mut b: Vec<R>, same: impl Fn(&R, &R) -> bool, add: impl Fn(&mut R, &R)) {
    a.append(&mut b);
    a.sort();
    a.dedup_by(|later, first| {
        let is_same = same(later, first);
        if is_same {
            add(first, later);
        }
        is_same
    });
}

/// Rows in the order of their numbers, as the server has them, if each list is; otherwise one list
/// after the other.
fn unite_rows<R: Record>(a: &mut Vec<R>, mut b: Vec<R>, number: impl Fn(&R) -> i64) {
    let in_order = a.is_sorted_by_key(&number) && b.is_sorted_by_key(&number);
    a.append(&mut b);
    if in_order {
        a.sort_by_key(number);
    }
}

impl Tables {
    /// Makes sets of what was collected.
    pub(crate) fn settle(&mut self) {
        self.unite(Self::default());
    }

    /// Adds the tables of the same hub from another time or part. Profiles have no history: the caller
    /// decides whose count.
    pub(crate) fn unite(&mut self, other: Self) {
        unite_sets(&mut self.domains, other.domains);
        unite_by(
            &mut self.sums,
            other.sums,
            |a, b| a.when == b.when,
            |sum, more| {
                sum.visits += more.visits;
                sum.stays += more.stays;
                sum.stay_secs += more.stay_secs;
                sum.hits += more.hits;
                sum.hit_rows += more.hit_rows;
            },
        );
        unite_sets(&mut self.logins, other.logins);
        unite_sets(&mut self.profiles, other.profiles);
        unite_by(
            &mut self.starts,
            other.starts,
            |a, b| (a.user, a.month) == (b.user, b.month),
            |sum, more| {
                sum.at_first = sum.at_first.saturating_add(more.at_first);
                sum.after = sum.after.saturating_add(more.after);
                sum.latest = sum.latest.max(more.latest);
            },
        );
        unite_by(
            &mut self.firsts,
            other.firsts,
            |a, b| a.user == b.user,
            |first, more| {
                first.ever = first.ever.min(more.ever);
                let known = [first.since_1995, more.since_1995].into_iter().filter(|since| *since > 0);
                first.since_1995 = known.min().unwrap_or(0);
            },
        );
        unite_sets(&mut self.starters, other.starters);
        unite_rows(&mut self.tool_sessions, other.tool_sessions, |row| row.sessnum);
        unite_rows(&mut self.jobs, other.jobs, |row| row.sessnum);
        unite_sets(&mut self.versions, other.versions);
        unite_sets(&mut self.ids, other.ids);
        unite_sets(&mut self.strangers, other.strangers);
        self.extensions.extend(other.extensions);
        self.extensions.sort();
        self.extensions.dedup();
    }
}
