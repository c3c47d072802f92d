//! What the arguments mean: steps, months, sections and periods.

use anyhow::Result;
use kit::Usage;
use schema::{Month, Period};

use crate::args::{Args, StepOrSection};
use crate::axis::MAX_MONTHS;
use crate::cells::Section;
use crate::why::Question;

fn section(choice: StepOrSection) -> Option<Section> {
    Some(match choice {
        StepOrSection::ImportHubData | StepOrSection::Summary | StepOrSection::Andmore => return None,
        StepOrSection::Reg => Section::Reg,
        StepOrSection::Int => Section::Int,
        StepOrSection::Dl => Section::Dl,
        StepOrSection::Total => Section::Total,
        StepOrSection::Sim => Section::Sim,
        StepOrSection::SimUsage => Section::SimUsage,
        StepOrSection::Misc => Section::Misc,
    })
}

/// First and last month of a range.
type Range = (Month, Month);

/// What the arguments mean.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Whether to copy the hub's data first.
    pub import: bool,
    /// Months and sections of the cells, if any.
    pub summary: Option<(Range, Vec<Section>)>,
    /// Months of the usage of resources, if requested.
    pub andmore: Option<Range>,
    /// Periods of the cells, in the order of writing.
    pub periods: Vec<Period>,
    /// What was chosen because no month was given.
    pub usual: Option<String>,
}

impl Plan {
    pub(crate) fn new(args: &Args) -> Result<Self> {
        let given = match (args.which.or(args.month), args.since, args.through) {
            (Some(month), ..) => Some((month, month)),
            (None, Some(since), Some(through)) => Some((since, through)),
            _ => None,
        };
        if let Some((first, last)) = given {
            let n_months = first.through(last).count();
            if n_months == 0 {
                return Err(Usage(format!("--since {first} is later than --through {last}")).into());
            }
            if n_months > MAX_MONTHS {
                return Err(Usage(format!("{n_months} months in one run, at most {MAX_MONTHS} are allowed")).into());
            }
        }
        let mut periods = Vec::new();
        for &period in &args.periods {
            if !periods.contains(&period) {
                periods.push(period);
            }
        }
        let (from_db, to_db) = (args.common.from_db(), args.common.to_db());
        let named = |choice| args.only.contains(&choice);
        let everything = args.only.is_empty();
        if named(StepOrSection::ImportHubData) && !(from_db && to_db) {
            return Err(Usage("the step import-hub-data works on tables only: add --db".to_owned()).into());
        }
        if named(StepOrSection::Andmore) && !from_db {
            return Err(Usage("the step andmore reads tables only: add --db or --from db".to_owned()).into());
        }
        let mut sections: Vec<_> = args.only.iter().filter_map(|choice| section(*choice)).collect();
        if sections.is_empty() && (everything || named(StepOrSection::Summary)) {
            sections = Section::ALL.to_vec();
        }
        // months filled in afterwards only get their own period: their usage would be too low
        let usual = everything && from_db && to_db && periods != [Period::Month];
        let current = || kit::current_month();
        let or = |usual: Result<Month>| given.map_or_else(|| usual.map(|month| (month, month)), Ok);
        let summary = if sections.is_empty() { None } else { Some((or(current().map(Month::previous))?, sections)) };
        let andmore = if usual || named(StepOrSection::Andmore) { Some(or(current())?) } else { None };
        let cells = summary.as_ref().map(|((month, _), _)| format!("the cells are those of {month}"));
        let usage = andmore.map(|(month, _)| format!("the usage of resources is that of {month}"));
        let chosen: Vec<_> = cells.into_iter().chain(usage).collect();
        Ok(Self {
            import: from_db && to_db && (everything || named(StepOrSection::ImportHubData)),
            summary,
            andmore,
            periods,
            usual: (given.is_none() && !chosen.is_empty()).then(|| chosen.join(", ")),
        })
    }
}

impl Plan {
    /// What `--why` asks for, if anything.
    ///
    /// # Errors
    /// The answer is to go to the databases.
    pub(crate) fn question(&self, args: &Args) -> Result<Option<Question>> {
        if args.why.is_empty() {
            return Ok(None);
        }
        if args.common.to_db() {
            return Err(Usage("--why lists rows and publishes nothing: use --from db".to_owned()).into());
        }
        let month = match &self.summary {
            Some(((month, _), _)) => *month,
            None => kit::current_month()?.previous(),
        };
        let (periods, places) = (self.periods.clone(), args.places());
        let only = args.of.clone();
        let first = args.first.unwrap_or(usize::MAX);
        Ok(Some(Question { month, periods, places, requests: args.requests, only, first }))
    }

    /// The last month that is written.
    pub(crate) fn last(&self) -> Option<Month> {
        let cells = self.summary.as_ref().map(|((_, last), _)| *last);
        cells.into_iter().chain(self.andmore.map(|(_, last)| last)).max()
    }
}
