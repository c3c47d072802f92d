//! The rows that tool statistics are computed from, stored compactly: texts become numbers.
//!
//! Filled from records or from tables; the computation only reads them.

use std::collections::{HashMap, HashSet};

use schema::{Stamp, collation};

/// A text, as a small number.
pub(crate) type TextId = u32;

/// Texts with their identity under the column collation.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    by_text: HashMap<String, TextId>,
    by_key: HashMap<String, TextId>,
    texts: Vec<String>,
    groups: Vec<TextId>,
}

impl Texts {
    /// The number of exactly this text.
    pub(crate) fn add(&mut self, text: &str) -> TextId {
        if let Some(&id) = self.by_text.get(text) {
            return id;
        }
        let id = TextId::try_from(self.texts.len()).unwrap_or(TextId::MAX);
        let group = *self.by_key.entry(collation::fold(text)).or_insert(id);
        self.by_text.insert(text.to_owned(), id);
        self.texts.push(text.to_owned());
        self.groups.push(group);
        id
    }

    /// The text.
    pub(crate) fn text(&self, id: TextId) -> &str {
        &self.texts[id as usize]
    }

    /// The number shared by all texts that the server considers equal.
    pub(crate) fn group(&self, id: TextId) -> TextId {
        self.groups[id as usize]
    }

    /// The group of a text, if any text in it was added.
    pub(crate) fn find_group(&self, text: &str) -> Option<TextId> {
        self.by_key.get(&collation::fold(text)).copied()
    }
}

/// A resource of the hub.
#[derive(Debug, Clone)]
pub(crate) struct Resource {
    pub(crate) id: i64,
    pub(crate) title: String,
    pub(crate) kind: i64,
    pub(crate) alias: String,
    pub(crate) published: bool,
    pub(crate) standalone: bool,
}

/// A row of `sessionlog`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HubSession {
    pub(crate) sessnum: u64,
    pub(crate) user: TextId,
    pub(crate) app: TextId,
    pub(crate) start: Stamp,
    pub(crate) walltime: f64,
    pub(crate) viewtime: f64,
}

/// A row of `joblog`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HubJob {
    pub(crate) sessnum: u64,
    pub(crate) job: u64,
    pub(crate) is_top: bool,
    pub(crate) event: TextId,
    pub(crate) venue: TextId,
    pub(crate) walltime: f64,
    pub(crate) cputime: f64,
    pub(crate) ncpus: i64,
}

/// A row of `sessionlog_metrics`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ToolSession {
    pub(crate) user: TextId,
    pub(crate) app: TextId,
    pub(crate) start: Stamp,
    pub(crate) domain: Option<TextId>,
    pub(crate) country: Option<TextId>,
}

/// Everything that was read.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub(crate) texts: Texts,
    pub(crate) resources: Vec<Resource>,
    /// (tool name, instance)
    pub(crate) versions: Vec<(String, String)>,
    pub(crate) sessions: Vec<HubSession>,
    pub(crate) jobs: Vec<HubJob>,
    pub(crate) tool_sessions: Vec<ToolSession>,
    /// (user, organisation type)
    pub(crate) profiles: Vec<(TextId, TextId)>,
    /// country code → name, by the code's collation key
    pub(crate) countries: HashMap<String, String>,
}

impl Rows {
    /// Sorts the rows in primary-key order: sums of doubles depend on it.
    pub(crate) fn sort(&mut self) {
        self.sessions.sort_by_key(|s| s.sessnum);
        let texts = &self.texts;
        self.jobs.sort_by(|a, b| {
            (a.sessnum, a.job)
                .cmp(&(b.sessnum, b.job))
                .then_with(|| collation::compare(texts.text(a.event), texts.text(b.event)))
                .then_with(|| collation::compare(texts.text(a.venue), texts.text(b.venue)))
        });
    }

    /// The names under which each tool runs.
    pub(crate) fn app_names(&self) -> AppNames<'_> {
        let development = collation::Like::new("%\\_dev");
        let mut versions: HashMap<_, HashSet<_>> = HashMap::new();
        for (tool, instance) in self.versions.iter().filter(|(_, instance)| !development.matches(instance)) {
            if let Some(group) = self.texts.find_group(instance) {
                versions.entry(collation::fold(tool)).or_default().insert(group);
            }
        }
        AppNames { texts: &self.texts, versions }
    }
}

/// The names under which tools run, as groups of known texts.
pub(crate) struct AppNames<'a> {
    texts: &'a Texts,
    /// Versions that are not development versions, by the collation key of the tool.
    versions: HashMap<String, HashSet<TextId>>,
}

impl AppNames<'_> {
    /// The names of one tool, each once: its alias, and its versions.
    pub(crate) fn of(&self, alias: &str) -> Vec<TextId> {
        let versions = self.versions.get(&collation::fold(alias)).into_iter().flatten().copied();
        let mut groups: Vec<_> = self.texts.find_group(alias).into_iter().chain(versions).collect();
        groups.sort_unstable();
        groups.dedup();
        groups
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_runs_under_its_alias_and_versions() {
        let mut rows = Rows::default();
        let seen: Vec<_> =
            ["Tool", "tool_r1", "tool_r2_dev", "tool_r3_DEV ", "other"].iter().map(|t| rows.texts.add(t)).collect();
        for instance in ["tool_r1", "tool_r2_dev", "tool_r3_DEV ", "never_run"] {
            rows.versions.push(("TOOL".to_owned(), instance.to_owned()));
        }
        rows.versions.push(("else".to_owned(), "other".to_owned()));
        assert_eq!(rows.app_names().of("tool"), [seen[0], seen[1], seen[3]]);
        assert_eq!(rows.app_names().of("tool_r2_dev"), [seen[2]]);
        assert!(rows.app_names().of("unknown").is_empty());
    }
}
