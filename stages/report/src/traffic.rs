//! The section about the traffic of the web server: from requests, hits, bots and receipts.
//!
//! Requests are counted in one pass, in bounded memory (`count.rs`). Records of requests have neither a status nor
//! a size, so neither is shown.

mod agents;
mod bots;
mod count;
mod course;
mod figures;
mod ranking;
mod receipts;
mod request;
mod subject;
mod tally;
mod visitor;

use kit::Batch;
use schema::{Kind, Month, Stamp};
use serde::Deserialize;

use crate::accumulator::Accumulator;
use crate::country::country_name;
use crate::document::{Figure, Section};
use crate::ground::Ground;
use crate::words::fill;
use bots::Bots;
use ranking::{Plan, ranking};
use receipts::Receipts;
use subject::Subject;
use tally::Tally;

/// What the section keeps of the records.
#[derive(Default)]
pub(crate) struct Traffic {
    tally: Tally,
    bots: Bots,
    receipts: Receipts,
}

#[derive(Deserialize)]
struct HitsRecord<'a> {
    #[serde(borrow)]
    datetime: std::borrow::Cow<'a, str>,
    hits: u64,
}

impl Traffic {
    /// The private copy has whole URLs and single hosts.
    pub(crate) fn new(is_private: bool) -> Self {
        Self { tally: Tally::new(is_private), ..Self::default() }
    }

    fn add_hits(&mut self, line: &[u8]) -> Result<(), String> {
        let record: HitsRecord<'_> = serde_json::from_slice(line).map_err(|e| e.to_string())?;
        let day = Stamp::parse(&record.datetime).ok_or_else(|| format!("`{}` is not a time", record.datetime))?;
        self.tally.course.add_hits(day, record.hits);
        Ok(())
    }

    /// The rankings of requests.
    fn rankings(&self, ground: &Ground) -> Vec<Figure> {
        let words = ground.words;
        let plan = |id, title, head| Plan { id, title, head, shown: str::to_owned };
        let of_subjects = [
            (Subject::Page, plan("pages", words.pages, words.page)),
            (Subject::Download, plan("traffic-downloads", words.traffic_downloads, words.page)),
            (Subject::Referrer, plan("referrers", words.referrers, words.domain)),
            (Subject::Link, plan("referrer-urls", words.links, words.page)),
            (Subject::Domain, plan("client-domains", words.client_domains, words.domain)),
            (Subject::Host, plan("hosts", words.hosts, words.host)),
            (
                Subject::Country,
                Plan { shown: country_name, ..plan("traffic-countries", words.traffic_countries, words.country) },
            ),
        ];
        let agents = &self.tally.agents;
        let of_agents = [
            (Some(&agents.browsers), plan("browsers", words.browsers, words.browser)),
            (
                Some(&agents.systems),
                Plan { shown: agents::system_name, ..plan("systems", words.systems, words.system) },
            ),
        ];
        let of_subjects = of_subjects.into_iter().map(|(subject, plan)| (self.tally.of(subject), plan));
        let all = of_subjects.chain(of_agents);
        all.filter_map(|(counts, plan)| Some(ranking(&plan, counts?, ground))).collect()
    }
}

/// How many rows a ranking has; wide figures keep their order.
fn length(figure: &Figure) -> usize {
    if figure.is_wide { 0 } else { figure.table.rows.len() }
}

impl Accumulator for Traffic {
    fn take(&mut self, kind: &str, line: &[u8]) -> Result<(), String> {
        match Kind::from_name(kind) {
            Some(Kind::Web) => self.tally.add_line(line),
            Some(Kind::Hits) => self.add_hits(line),
            Some(Kind::Bot) => self.bots.add(line),
            Some(Kind::BotReport) => self.bots.add_report(line),
            Some(Kind::Receipt) => self.receipts.add(line),
            _ => Ok(()),
        }
    }

    fn take_batch(&mut self, batch: &Batch, lines: &[(usize, Kind)]) -> Vec<(usize, String)> {
        let requests: Vec<usize> = lines.iter().filter(|(_, kind)| *kind == Kind::Web).map(|(i, _)| *i).collect();
        let mut bad = self.tally.add(batch, &requests);
        for (i, kind) in lines.iter().filter(|(_, kind)| *kind != Kind::Web) {
            bad.extend(self.take(kind.name(), batch.line(*i)).err().map(|reason| (*i, reason)));
        }
        bad
    }

    fn section(&self, ground: &Ground) -> Option<Section> {
        let words = ground.words;
        let course = &self.tally.course;
        let month = ground.month_among(&self.months());
        let of_requests = month.map_or_else(Vec::new, |month| figures::courses(course, month, ground));
        let others = [figures::bots(&self.bots, ground), figures::lines(&self.receipts, ground)];
        let all = of_requests.into_iter().chain(self.rankings(ground)).chain(others);
        let mut figures: Vec<_> = all.filter(|figure| figure.table.has_numbers()).collect();
        // two stand side by side: those of the same length
        figures.sort_by_key(|figure| (!figure.is_wide, std::cmp::Reverse(length(figure))));
        let day = |stamp: Stamp| stamp.to_string().chars().take(10).collect::<String>();
        let intro = course.span().map_or_else(
            || words.traffic_intro_lines.to_owned(),
            |(first, last)| fill(words.traffic_intro, &[&day(first), &day(last)]),
        );
        (!figures.is_empty()).then(|| Section {
            id: "traffic",
            title: words.traffic.to_owned(),
            intro,
            cards: month.map_or_else(Vec::new, |month| figures::cards(course, month, ground)),
            figures,
        })
    }

    fn months(&self) -> Vec<Month> {
        self.tally.course.months().into_keys().collect()
    }
}
