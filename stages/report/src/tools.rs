//! The section about simulation tools and other resources: from the statistics of `tool-metrics` and
//! `summarize`.

mod origin;
mod ranking;
mod stats;

use schema::{Kind, Month};

use crate::accumulator::Accumulator;
use crate::document::{Chart, Section};
use crate::ground::Ground;
use crate::words::fill;
use stats::Stats;

/// What the section keeps of the records.
#[derive(Default)]
pub(crate) struct Tools(Stats);

impl Accumulator for Tools {
    fn take(&mut self, kind: &str, line: &[u8]) -> Result<(), String> {
        match Kind::from_name(kind) {
            Some(Kind::ToolStat) => self.0.add_tool(line),
            Some(Kind::TopTool) => self.0.add_top(line),
            Some(Kind::TopList) => self.0.add_list(line),
            Some(Kind::ResourceStat) => self.0.add_resource(line),
            Some(Kind::HubResource) => self.0.add_title(line),
            _ => Ok(()),
        }
    }

    fn section(&self, ground: &Ground) -> Option<Section> {
        let month = ground.month_among(&self.months())?;
        let words = ground.words;
        let figures: Vec<_> = ranking::figures(&self.0, month, ground)
            .into_iter()
            .chain(origin::figures(&self.0, month, ground))
            .filter(|figure| figure.table.has_numbers())
            .collect();
        let mut intro = fill(words.tools_intro, &[&words.month_name(month)]);
        if figures.iter().any(|figure| matches!(figure.chart, Chart::Ranking { trend: Some(_), .. })) {
            intro = format!("{intro} {}", words.tools_trend);
        }
        (!figures.is_empty()).then(|| Section {
            id: "tools",
            title: words.tools.to_owned(),
            intro,
            cards: Vec::new(),
            figures,
        })
    }

    fn months(&self) -> Vec<Month> {
        self.0.months()
    }
}
