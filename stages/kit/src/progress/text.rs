//! The words of the line of progress: amounts, rate, time left.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::task::{Task, Unit, rows};
use crate::grouped;

/// How wide a bar is at least, with its brackets and blanks.
const BAR: usize = 16;

/// What the line shows of some work.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) label: String,
    /// Done and total; `None` if the total is not known.
    pub(super) part: Option<(u64, u64)>,
    pub(super) text: String,
}

/// The line of a task of the program `name`, within what its caller does, for a terminal of this width.
pub(super) fn line(context: &str, name: &str, task: &Task, width: usize) -> Line {
    let elapsed = task.since.elapsed();
    let (done, total) = (task.counts.done.load(Ordering::Relaxed), task.counts.total.load(Ordering::Relaxed));
    let [long, short] = match task.unit {
        Unit::Rows => {
            let now = rows();
            let text = of_rows(now[0].saturating_sub(task.before[0]), now[1].saturating_sub(task.before[1]), elapsed);
            [text, String::new()]
        }
        unit => of_amount(unit, done, total, elapsed),
    };
    let part = (task.unit != Unit::Rows && total > 0).then_some((done.min(total), total));
    let (label, text) =
        fit(width, [&label(context, name, &task.label), &label("", name, &task.label)], [&long, &short]);
    Line { label, part, text }
}

fn label(context: &str, name: &str, task: &str) -> String {
    let mut label = String::new();
    crate::push_seen(&mut label, context);
    if !label.is_empty() {
        label.push_str(": ");
    }
    label.push_str(name);
    if !task.is_empty() {
        label.push(' ');
        crate::push_seen(&mut label, task);
    }
    label
}

/// The longest label and text that leave room for a bar.
fn fit(width: usize, labels: [&str; 2], texts: [&str; 2]) -> (String, String) {
    let len = |text: &str| text.chars().count();
    let [long, short] = texts;
    let all = [(labels[0], long), (labels[0], short), (labels[1], short)];
    let fitting = all.into_iter().find(|(label, text)| len(label) + len(text) + BAR <= width);
    let (label, text) = fitting.unwrap_or((labels[1], short));
    (label.chars().take(width.saturating_sub(len(text) + BAR).max(8)).collect(), text.to_owned())
}

fn of_rows(read: u64, written: u64, elapsed: Duration) -> String {
    let mut text = clock(elapsed);
    for (n, what) in [(read, "read"), (written, "written")] {
        if n > 0 {
            text.push_str(&format!("  {} rows {what}", grouped(n)));
        }
    }
    match per_second(read.max(written), elapsed) {
        0 => text,
        rate => format!("{text}  {}/s", grouped(rate)),
    }
}

/// Amount, rate and rest, in many words and in few.
fn of_amount(unit: Unit, done: u64, total: u64, elapsed: Duration) -> [String; 2] {
    let amount = |n: u64| if unit == Unit::Bytes { bytes(n) } else { grouped(n) };
    let things = if let Unit::Things(things) = unit { format!(" {things}") } else { String::new() };
    let (mut long, mut short) = (clock(elapsed), String::new());
    if done > 0 {
        long.push_str(&format!("  {}{things}", amount(done)));
    }
    if let Some(percent) = done.min(total).saturating_mul(100).checked_div(total) {
        short = format!("{percent} %");
        long = format!("{short}  {} of {}{things}", amount(done.min(total)), amount(total));
    }
    let rate = per_second(done, elapsed);
    if rate > 0 {
        long.push_str(&format!("  {}/s", amount(rate)));
    }
    if let Some(left) = left(done, total, elapsed) {
        let left = format!("  {} left", clock(left));
        long.push_str(&left);
        short.push_str(&left);
    }
    [long, short]
}

/// How long the rest takes at the same pace.
fn left(done: u64, total: u64, elapsed: Duration) -> Option<Duration> {
    if done == 0 || total <= done {
        return None;
    }
    Duration::try_from_secs_f64(elapsed.as_secs_f64() * (total - done) as f64 / done as f64).ok()
}

fn per_second(n: u64, elapsed: Duration) -> u64 {
    (n as f64 / elapsed.as_secs_f64().max(0.001)) as u64
}

/// Minutes and seconds, or hours, minutes and seconds.
fn clock(duration: Duration) -> String {
    let secs = duration.as_secs();
    match secs / 3600 {
        0 => format!("{}:{:02}", secs / 60, secs % 60),
        hours => format!("{hours}:{:02}:{:02}", secs / 60 % 60, secs % 60),
    }
}

fn bytes(n: u64) -> String {
    let units = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1000, "kB")];
    match units.into_iter().find(|(size, _)| n >= *size) {
        Some((size, unit)) if n / size < 10 => format!("{:.1} {unit}", n as f64 / size as f64),
        Some((size, unit)) => format!("{} {unit}", n / size),
        None => format!("{n} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_rates_and_the_rest_are_shown() {
        let of = |unit, done, total, secs| of_amount(unit, done, total, Duration::from_secs(secs))[0].clone();
        assert_eq!(of(Unit::Bytes, 1_200_000_000, 2_600_000_000, 14), "46 %  1.2 GB of 2.6 GB  85 MB/s  0:16 left");
        assert_eq!(of(Unit::Things("addresses"), 5000, 0, 10), "0:10  5,000 addresses  500/s");
        assert_eq!(of(Unit::Bytes, 0, 0, 61), "1:01");
        assert_eq!(of(Unit::Things("files"), 0, 12, 5), "0 %  0 of 12 files");
        // a log that grows meanwhile is more than was expected
        assert_eq!(of(Unit::Things("rows"), 20, 12, 5), "100 %  12 of 12 rows  4/s");
        assert_eq!(of_rows(3_240_000, 0, Duration::from_secs(4)), "0:04  3,240,000 rows read  810,000/s");
        assert_eq!(of_rows(0, 0, Duration::from_secs(3700)), "1:01:40");
    }

    #[test]
    fn labels_are_short_and_control_nothing() {
        assert_eq!(label("2025-03 (3 of 7)", "summarize", "scan"), "2025-03 (3 of 7): summarize scan");
        assert_eq!(label("", "import-logs", ""), "import-logs");
        assert_eq!(label("\u{1b}[31m", "x", "y\n"), "\u{FFFD}[31m: x y\u{FFFD}");
    }

    #[test]
    fn narrow_terminals_show_less() {
        let (labels, texts) = (
            ["2025-03 (3 left): usage-metrics host names", "usage-metrics host names"],
            ["45 %  1 of 2 addresses", "45 %"],
        );
        let fitted = |width| fit(width, labels, texts);
        assert_eq!(fitted(100), (labels[0].to_owned(), texts[0].to_owned()));
        assert_eq!(fitted(70), (labels[0].to_owned(), texts[1].to_owned()));
        assert_eq!(fitted(50), (labels[1].to_owned(), texts[1].to_owned()));
        assert_eq!(fitted(35), ("usage-metrics h".to_owned(), texts[1].to_owned()));
    }
}
