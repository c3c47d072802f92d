//! How far apart the starts of a line of cron are at most.
//!
//! Numbers, lists, ranges and steps are understood. Times with names of days or months are not; then the
//! caller has to know.

use std::time::Duration;

const MINUTE: u64 = 60;
const DAY_MINUTES: u32 = 24 * 60;
/// Two months and some days: a line for the 31st has its pause in there.
const DAYS: u32 = 100;
/// 1 January 2026 was a Thursday; which year does not matter.
const FIRST_WEEKDAY: u32 = 4;
const MONTHS: [u32; 4] = [31, 28, 31, 30];

/// The five fields behind a short name.
fn long(times: &str) -> &str {
    match times {
        "@hourly" => "0 * * * *",
        "@daily" | "@midnight" => "0 0 * * *",
        "@weekly" => "0 0 * * 0",
        "@monthly" => "0 0 1 * *",
        times => times,
    }
}

/// The numbers of a field between `first` and `last`; whether it is a star.
fn field(text: &str, first: u32, last: u32) -> Option<(Vec<bool>, bool)> {
    let mut has = vec![false; usize::try_from(last).ok()? + 1];
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, step.parse().ok().filter(|step| *step > 0)?),
            None => (part, 1),
        };
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (first, last),
            Some((from, to)) => (from.parse().ok()?, to.parse().ok()?),
            None if step > 1 => (range.parse().ok()?, last),
            None => {
                let number = range.parse().ok()?;
                (number, number)
            }
        };
        for number in (from..=to).step_by(step) {
            *has.get_mut(usize::try_from(number).ok()?)? = true;
        }
    }
    Some((has, text.starts_with('*')))
}

fn at(set: &[bool], number: u32) -> bool {
    usize::try_from(number).ok().and_then(|number| set.get(number)).copied().unwrap_or(false)
}

/// The longest pause between two starts; nothing when the times are not understood, or there are no two.
pub(super) fn longest_pause(times: &str) -> Option<Duration> {
    let fields: Vec<&str> = long(times.trim()).split_whitespace().collect();
    let &[minutes, hours, days, months, weekdays] = fields.as_slice() else { return None };
    let (minutes, _) = field(minutes, 0, 59)?;
    let (hours, _) = field(hours, 0, 23)?;
    let (days, all_days) = field(days, 1, 31)?;
    let (months, _) = field(months, 1, 12)?;
    let (mut weekdays, all_weekdays) = field(weekdays, 0, 7)?;
    // Sunday has two numbers
    if at(&weekdays, 7)
        && let Some(sunday) = weekdays.first_mut()
    {
        *sunday = true;
    }
    // every day has the same
    let starts: Vec<u32> =
        (0..DAY_MINUTES).filter(|minute| at(&hours, minute / 60) && at(&minutes, minute % 60)).collect();
    let (&first, &end) = (starts.first()?, starts.last()?);
    let within = starts.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0);
    let (mut month, mut day) = (0, 1);
    let (mut last, mut longest) = (None, 0);
    for number in 0..DAYS {
        let (of_month, of_week) = (at(&days, day), at(&weekdays, (number + FIRST_WEEKDAY) % 7));
        // where both are given, either is enough
        let is_day = if all_days || all_weekdays { of_month && of_week } else { of_month || of_week };
        if is_day && at(&months, month + 1) {
            let begin = number * DAY_MINUTES;
            let before = last.map_or(0, |last: u32| begin + first - last);
            longest = longest.max(within).max(before);
            last = Some(begin + end);
        }
        day += 1;
        if MONTHS.get(usize::try_from(month).ok()?).is_some_and(|length| day > *length) {
            (month, day) = (month + 1, 1);
        }
    }
    (longest > 0).then(|| Duration::from_secs(u64::from(longest) * MINUTE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses() {
        const HOUR: u64 = 60;
        for (times, minutes) in [
            ("*/5 * * * *", Some(5)),
            ("30 * * * *", Some(HOUR)),
            ("0,20 * * * *", Some(40)),
            ("10 0 * * *", Some(24 * HOUR)),
            ("0 1-3 * * *", Some(22 * HOUR)),
            ("50 1 1 * *", Some(31 * 24 * HOUR)),
            ("0 4 * * 1-5", Some(72 * HOUR)),
            ("0 4 * * 7", Some(7 * 24 * HOUR)),
            ("0 4 1 * 0", Some(7 * 24 * HOUR)),
            ("5/20 6 * * *", Some(24 * HOUR - 40)),
            ("@daily", Some(24 * HOUR)),
            ("0 4 * * mon", None),
            ("61 * * * *", None),
            ("0 0 1 1 *", None),
            ("@reboot", None),
            ("", None),
        ] {
            assert_eq!(longest_pause(times), minutes.map(|n| Duration::from_secs(n * MINUTE)), "{times}");
        }
    }
}
