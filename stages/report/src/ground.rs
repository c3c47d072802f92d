//! What every section needs to know about the report that it is a part of.

use schema::Month;

use crate::document::State;
use crate::privacy::Privacy;
use crate::words::Words;

/// The settings of one report.
#[derive(Debug, Clone)]
pub(crate) struct Ground {
    pub(crate) words: &'static Words,
    pub(crate) privacy: Privacy,
    /// The month that the headline figures are about; `None`: the last whole month of the records.
    pub(crate) month: Option<Month>,
    /// Whether the report is about the running month, for which some sections have no numbers yet.
    pub(crate) is_running: bool,
    /// The month that has not ended.
    pub(crate) running: Month,
    /// Months whose logs are known to have gaps.
    pub(crate) incomplete: Vec<Month>,
    /// How many months charts go back.
    pub(crate) n_months: u32,
    /// How many rows a ranking has.
    pub(crate) top: usize,
}

impl Ground {
    pub(crate) fn state(&self, month: Month) -> State {
        let is_whole = month < self.running && !self.incomplete.contains(&month);
        if is_whole { State::Whole } else { State::Incomplete }
    }

    /// The month of the report, of those that the records have (ascending): the one that was asked
    /// for, the last whole one, or the last.
    pub(crate) fn month_among(&self, months: &[Month]) -> Option<Month> {
        let last_whole = || months.iter().copied().rfind(|month| self.state(*month) == State::Whole);
        match self.asked(months) {
            Some(month) => Some(month),
            None => last_whole().or(months.last().copied()),
        }
    }

    /// The month that was asked for; none if it is the running one and these months do not have it.
    fn asked(&self, months: &[Month]) -> Option<Month> {
        self.month.filter(|month| !self.is_running || months.contains(month))
    }

    /// The months that charts show: up to the last of the records, or to the one that was asked for.
    pub(crate) fn span(&self, months: &[Month]) -> Vec<Month> {
        let Some((first, last)) = months.first().copied().zip(self.asked(months).or(months.last().copied())) else {
            return Vec::new();
        };
        first.max(last.minus(self.n_months.saturating_sub(1))).through(last).collect()
    }
}
