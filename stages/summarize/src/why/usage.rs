//! What the usage of a resource is made of: the requests for its files, by visitor.

use anyhow::{Result, bail};
use schema::answer::Answer;
use schema::asked::Figure;
use schema::{Month, Period};

use super::Record;
use super::listing::{Groups, visitor_of};
use super::write;
use crate::andmore::{self, Catalogue, PERIODS, Request, Usage};
use crate::axis::Axis;

/// The requests of a period for the files of a resource.
pub(crate) struct Requests<'a> {
    catalogue: &'a Catalogue,
    axis: Axis,
    resid: i64,
    month: Month,
    period: Period,
    found: Vec<(u128, Record)>,
    /// The same requests, counted as the step counts them.
    usage: Usage,
}

impl<'a> Requests<'a> {
    pub(crate) fn new(catalogue: &'a Catalogue, resid: i64, month: Month, period: Period) -> Self {
        let (axis, usage) = (Axis::new(month, month), Usage::new());
        Self { catalogue, axis, resid, month, period, found: Vec::new(), usage }
    }

    /// Whether there is such a number: of some periods, for resources with files.
    pub(crate) fn is_written(&self) -> bool {
        PERIODS.contains(&self.period) && self.catalogue.groups_of(self.resid).is_some()
    }

    /// Takes a request; `record` is called if it is for the resource.
    pub(crate) fn take(&mut self, request: &Request<'_>, record: impl FnOnce() -> Record) {
        let is_inside =
            self.period.start(self.month) <= request.datetime && request.datetime < Period::stop(self.month);
        let groups = self.catalogue.groups_of(self.resid).unwrap_or_default();
        let mut visitor = None;
        andmore::digest(&self.catalogue.matcher, &self.axis, request, |visit| {
            if is_inside && groups.contains(&visit.group) {
                visitor = Some(visit.visitor);
                self.usage.absorb(visit);
            }
        });
        if let Some(visitor) = visitor {
            self.found.push((visitor, record()));
        }
    }

    /// Passes the records of the answer to `put`, with `first` rows at most.
    ///
    /// # Errors
    /// The listing does not come to what the step counts, or `put` fails.
    pub(crate) fn answer(self, first: usize, mut put: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let is_written = self.is_written();
        let Self { resid, month, period, .. } = self;
        let uses = self.usage.finish(self.catalogue, &self.axis)?;
        let counted = uses.iter().find(|usage| (usage.resid, usage.period) == (resid, period)).map(|usage| usage.users);
        let mut groups = Groups::new();
        for (visitor, record) in &self.found {
            groups.push(*visitor, "visitors", || visitor_of(record), record);
        }
        let n_visitors = is_written.then(|| groups.len() as i64);
        let figure = Figure::Resource { resid, column: "users" };
        if n_visitors != counted.filter(|_| is_written) {
            bail!(
                "{figure}, period {period}: the listing gives {n_visitors:?}, the number is {counted:?}; this is a defect of \
                 the program, please report it"
            );
        }
        let entries = groups.into_entries();
        let rule = format!(
            "Visitors (address and host name) with a request for a file of the resource or of those below it, from {} on and \
             before {}; written for the month, for twelve months and for all time.",
            period.start(month),
            Period::stop(month)
        );
        let value = n_visitors.map(|n| n.to_string());
        let (cell, parts) = (figure.to_string(), write::parts(&entries));
        let (table, value) = (figure.table(), value.as_deref());
        let mut out = Vec::new();
        Answer { cell: &cell, table, place: None, month, period, value, parts, rule: &rule }.push(&mut out);
        for entry in entries.iter().take(first) {
            write::evidence(&mut out, (&cell, period), entry);
            if out.len() > 1 << 16 {
                put(&out)?;
                out.clear();
            }
        }
        put(&out)
    }
}
