//! The figures of the section other than rankings of requests: courses, the week, bots, lines of logs.

use schema::Month;

use super::bots::Bots;
use super::course::{Course, Sum};
use super::ranking::leads;
use super::receipts::Receipts;
use crate::amount::{Amount, Unit, change};
use crate::document::{Card, Chart, Column, Figure, Row, Table, plain};
use crate::ground::Ground;
use crate::words::{Rule, fill};

/// How many months the small course in a card has.
const TREND: u32 = 13;

fn count(n: u64) -> Amount {
    Amount::Known(n as f64)
}

fn columns(titles: &[&str]) -> Vec<Column> {
    titles.iter().map(|title| Column { title: (*title).to_owned(), unit: Unit::Count }).collect()
}

/// Requests, downloads, hits: those that the records have at all.
type Reader = (&'static str, fn(&Sum) -> u64);

fn readers(course: &Course, ground: &Ground) -> Vec<Reader> {
    let words = ground.words;
    let all: [Reader; 3] = [
        (words.requests, |sum| sum.requests),
        (words.traffic_downloads, |sum| sum.downloads),
        (words.hits, |sum| sum.hits),
    ];
    let total = course.total();
    all.into_iter().filter(|(_, read)| read(&total) > 0).collect()
}

/// The numbers of a month with their changes.
pub(super) fn cards(course: &Course, month: Month, ground: &Ground) -> Vec<Card> {
    let words = ground.words;
    let months = course.months();
    let card = |(label, read): Reader| {
        let get = |month: Month| months.get(&month).map_or(Amount::Missing, |sum| count(read(sum)));
        let against = |text, before| (fill(text, &[&words.short(before)]), change(get(month), get(before)));
        (get(month) != Amount::Missing).then(|| Card {
            label: label.to_owned(),
            amount: get(month),
            unit: Unit::Count,
            changes: vec![against(words.against_month, month.previous()), against(words.against_year, month.minus(12))],
            trend: month.minus(TREND - 1).through(month).map(get).skip_while(|a| *a == Amount::Missing).collect(),
            rule: Rule::Traffic,
        })
    };
    readers(course, ground).into_iter().filter_map(card).collect()
}

/// The course over the months (where there are several), over the days of the month, and over the week.
pub(super) fn courses(course: &Course, month: Month, ground: &Ground) -> Vec<Figure> {
    let words = ground.words;
    let readers = readers(course, ground);
    let cells = |sum: &Sum| readers.iter().map(|(_, read)| count(read(sum))).collect::<Vec<_>>();
    let months = course.months();
    let span = ground.span(&months.keys().copied().collect::<Vec<_>>());
    let of_month = |month: &Month| {
        let known = months.get(month).map(&cells);
        let cells = known.unwrap_or_else(|| vec![Amount::Missing; readers.len()]);
        Row::of_month(*month, ground.state(*month), cells)
    };
    let of_day = |(day, sum): &(u8, Sum)| {
        let row = Row::new(format!("{month}-{day:02}"), cells(sum));
        Row { state: ground.state(month), ..row }
    };
    let titles: Vec<_> = readers.iter().map(|(title, _)| *title).collect();
    let figure = |id, title: String, head: &str, rows: Vec<Row>| Figure {
        id,
        title,
        summary: String::new(),
        chart: Chart::Multiples((0..readers.len()).collect()),
        table: Table { head: head.to_owned(), columns: columns(&titles), rows, n_more: 0 },
        notes: incomplete(month, ground),
        rule: Rule::Traffic,
        is_wide: true,
    };
    let by_month = (span.len() > 1).then(|| {
        let rows = span.iter().map(of_month).collect();
        figure("traffic-months", words.traffic_months.to_owned(), words.month, rows)
    });
    let title = fill(words.traffic_days, &[&words.month_name(month)]);
    let by_day = figure("traffic-days", title, words.day, course.days(month).iter().map(of_day).collect());
    by_month.into_iter().chain([by_day, week(course, ground)]).collect()
}

/// What is said of a month that has not ended.
fn incomplete(month: Month, ground: &Ground) -> Vec<String> {
    let is_whole = ground.state(month) == crate::document::State::Whole;
    if is_whole {
        return Vec::new();
    }
    vec![fill(ground.words.incomplete_note, &[&ground.words.month_name(month)])]
}

/// The hours of the days of the week.
fn week(course: &Course, ground: &Ground) -> Figure {
    let words = ground.words;
    let rows: Vec<_> = words
        .weekdays
        .iter()
        .zip(course.week())
        .map(|(name, hours)| Row::new(*name, hours.iter().map(|n| count(*n)).collect()))
        .collect();
    let all = words.weekdays.iter().zip(course.week());
    let all = all.flat_map(|(day, hours)| hours.iter().enumerate().map(move |(hour, n)| (*n, *day, hour)));
    let most = all.fold((0, "", 0), |most, next| if next.0 > most.0 { next } else { most });
    let hour = format!("{:02}:00", most.2);
    Figure {
        id: "traffic-week",
        title: words.traffic_week.to_owned(),
        summary: fill(words.sum_week, &[&count(most.0).text(Unit::Count), most.1, &hour]),
        chart: Chart::Heat,
        table: Table {
            head: words.weekday.to_owned(),
            columns: columns(
                &(0..24)
                    .map(|hour| format!("{hour:02}"))
                    .collect::<Vec<_>>()
                    .iter()
                    .map(String::as_str)
                    .collect::<Vec<_>>(),
            ),
            rows,
            n_more: 0,
        },
        notes: Vec::new(),
        rule: Rule::Traffic,
        is_wide: true,
    }
}

/// A ranking by the first column of rows that are in order, cut after the first few.
fn ranked(
    id: &'static str,
    texts: [&str; 2],
    titles: &[&str],
    mut rows: Vec<Row>,
    rule: Rule,
    ground: &Ground,
) -> Figure {
    let n_more = rows.len().saturating_sub(ground.top);
    rows.truncate(ground.top);
    let [title, head] = texts.map(str::to_owned);
    Figure {
        id,
        title,
        summary: rows.first().map_or_else(String::new, |row| leads(titles.first().unwrap_or(&""), row, ground)),
        chart: Chart::Ranking { value: 0, trend: None },
        table: Table { head, columns: columns(titles), rows, n_more },
        notes: Vec::new(),
        rule,
        is_wide: false,
    }
}

/// Bots by requests where they were reported, else by agents.
pub(super) fn bots(bots: &Bots, ground: &Ground) -> Figure {
    let words = ground.words;
    let named = |name: &str| if name.is_empty() { words.other_bots.to_owned() } else { plain(name) };
    let texts = [words.bots, words.bot];
    let reported = bots.by_requests(ground.privacy);
    if reported.is_empty() {
        let rows = bots
            .by_agents(ground.privacy)
            .into_iter()
            .map(|(name, n)| Row::new(named(&name), vec![count(n)]))
            .collect();
        return ranked("bots", texts, &[words.agents], rows, Rule::Bots, ground);
    }
    let rows = reported.iter().map(|((name, list), bot)| {
        let list = if list.is_empty() { String::new() } else { format!(" ({})", plain(list)) };
        let cells = vec![count(bot.requests), count(bot.hits), count(bot.agents), count(bot.bytes / 1_000_000)];
        Row::new(named(name) + &list, cells)
    });
    let titles = [words.requests, words.bot_hits, words.agents, words.megabytes];
    ranked("bots", texts, &titles, rows.collect(), Rule::Bots, ground)
}

/// What became of the lines of the logs.
pub(super) fn lines(receipts: &Receipts, ground: &Ground) -> Figure {
    let words = ground.words;
    let fixed = [
        (words.lines_kept, receipts.kept),
        (words.lines_not_recognised, receipts.not_recognised),
        (words.lines_ipv6, receipts.ipv6),
    ];
    let fixed = fixed.into_iter().map(|(name, n)| (name.to_owned(), n));
    let dropped = receipts.dropped().into_iter().map(|(rule, n)| (fill(words.lines_dropped, &[&plain(rule)]), n));
    let mut all: Vec<_> = fixed.chain(dropped).filter(|(_, n)| *n > 0).collect();
    all.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    let rows = all.into_iter().map(|(name, n)| Row::new(name, vec![count(n)])).collect();
    ranked("log-lines", [words.lines, words.lines_head], &[words.lines_column], rows, Rule::Lines, ground)
}
